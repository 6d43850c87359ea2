"""The content security policy of pages that Bokeh makes."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from jinja2 import Environment

if TYPE_CHECKING:
    from bokeh.document import Document

# The page's own template, with a number in the tags of the scripts that Bokeh made for it. In the
# template itself one script has it, and those that name files of ours need none.
_WITH_NONCE = Environment(autoescape=True).from_string(
    "{% set bokeh_js = numbered(bokeh_js, nonce) %}"
    "{% set plot_script = numbered(plot_script, nonce) %}"
    "{% extends unnumbered %}"
)
# At the start of a line or after another script alone: a text within a script is none of its tags.
_SCRIPT = re.compile(r"((?:^|</script>)\s*<script)(?= type=|>)", re.MULTILINE)


def guard(document: Document) -> str:
    """Have a page's scripts carry a number used once; returns the policy that asks for it.

    Bokeh's models compile functions from text ("unsafe-eval"), Panel fetches and imports the
    modules of components from blobs, and both write styles into the page. Scripts and handlers that
    some text would smuggle into it stay forbidden.
    """
    nonce = secrets.token_urlsafe(16)
    variables = {"unnumbered": document.template, "numbered": _numbered, "nonce": nonce}
    document.template_variables.update(variables)
    document.template = _WITH_NONCE
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' blob:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _numbered(html: str, nonce: str) -> str:
    return _SCRIPT.sub(rf'\1 nonce="{nonce}"', str(html))
