"""The plain pages: HTML that needs no script, from templates that escape every value."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(page: str, **values: object) -> str:
    """One page; the templates are in `rlhf_lab/dashboard/templates`."""
    return _environment().get_template(f"{page}.html.jinja").render(page=page, **values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rlhf_lab.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
