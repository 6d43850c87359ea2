"""What every page that is sent around shares: its style, its figures, and how it shows texts.

A page is one file that loads nothing and runs nothing. Everything a model or a stranger wrote is
hostile: the environment escapes it, and characters that could hide or reorder text become visible.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from jinja2 import Environment

Style = Literal["signed", "one", "whole", "share", "two"]

# Control, bidirectional and unpaired characters: illegal in HTML, invisible, or reordering text.
HIDDEN: Final = re.compile(
    r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def page_environment(*packages: str) -> Environment:
    """Where templates are rendered that lie in these packages, or in this one.

    `page.css` is the style that all of them include.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
        loader=FunctionLoader(lambda name: _source(name, (*packages, __package__))),
    )
    environment.filters["figure"] = figure
    return environment


def _source(name: str, packages: Sequence[str]) -> str | None:
    for package in packages:
        file = resources.files(package).joinpath(name)
        if file.is_file():
            return file.read_text("utf-8")
    return None


def visible(value: Any) -> Any:  # noqa: ANN401 - whatever the template prints
    """Text whose every character shows; anything else as it is."""
    from markupsafe import Markup

    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return HIDDEN.sub("\ufffd", re.sub("\r\n?|[\u2028\u2029]", "\n", value))


def figure(value: float | None, style: Style) -> str:
    """A number as people write it, and a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if style == "share":
        return f"{value:.0%}"
    digits = {"signed": 2, "two": 2, "one": 1, "whole": 0}[style]
    rounded = round(value, digits) + 0.0  # no "-0.00"
    sign = "+" if style == "signed" and rounded else ""
    return f"{rounded:{sign},.{digits}f}".replace("-", "−")
