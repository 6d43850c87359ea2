"""How Panel's own components look here: as everything else does, in light and in dark."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import param
from bokeh.document import Document
from bokeh.models import ImportedStyleSheet, InlineStyleSheet
from panel.theme import Design
from panel.theme.base import Theme
from panel.viewable import Viewable

from rlhf_lab.dashboard.shell.fragment import STATIC

_SHEETS = ("parts.css", "tables.css", "controls.css", "panel.css")
_KEY = "rlhf-lab"


class LabTheme(Theme):
    """One theme for light and dark: the colours are variables of the page (`dashboard.css`)."""

    base_css = param.Filename(default=None, allow_None=True)  # type: ignore[assignment]
    css = param.Filename(default=None, allow_None=True)  # type: ignore[assignment]
    _name: ClassVar[str] = "default"


class LabDesign(Design):
    """Puts the style of the dashboard's pieces into the shadow root of every component."""

    modifiers: ClassVar[dict[type[Viewable], dict[str, Any]]] = {
        Viewable: {"stylesheets": [_KEY], "margin": 0}
    }
    _themes: ClassVar[dict[str, type[Theme]]] = {"default": LabTheme, "dark": LabTheme}

    @classmethod
    def _patch_modifiers(
        cls,
        doc: Document | None,
        modifiers: dict[str, Any],
        cache: dict[str, ImportedStyleSheet] | None,
    ) -> None:
        """Replace the key by the style itself, one model for a whole page.

        As a URL, which is what Panel would make of it, it came a moment after what it belongs to:
        each card would be seen without its frame first.
        """
        if "stylesheets" in modifiers:
            shared: dict[str, Any] = cache if cache is not None else {}
            if _KEY not in shared:
                shared[_KEY] = InlineStyleSheet(css=_css())
            modifiers["stylesheets"] = [shared[_KEY]]


@cache
def _css() -> str:
    return "\n".join((STATIC / name).read_text("utf-8") for name in _SHEETS)
