"""Turns model output into HTML that is safe to show.

What a model prints is hostile input, and so is a prompt from a file. Every text a widget shows
goes through `render_markdown`, in Python, once, for every host; the front end inserts its result
as it is. Three layers, each enough for most attacks alone:

1. markdown-it-py with raw HTML off: tags in the text come out as text.
2. No links and no images are made. A link is its label with the address as text, an image its
   description, so that nothing is fetched and nothing can be clicked by mistake.
3. nh3 keeps an allow list of elements, with hardly any attributes.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from xml.etree.ElementTree import tostring

import nh3
from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin

MAX_CHARACTERS = 100_000
"""Longer texts are cut: the parser and the browser must stay quick whatever a model repeats."""

MAX_FORMULA = 2_000
"""Longer formulas are shown as source; no honest one comes near, and the converter is slow."""

_TEXT_TAGS = {
    *("p", "br", "hr", "div", "span", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("ul", "ol", "li", "pre", "code", "em", "strong", "s"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
_MATH_TAGS = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot"),
    *("mstyle", "merror", "mpadded", "mphantom", "msub", "msup", "msubsup", "munder", "mover"),
    *("munderover", "mmultiscripts", "mtable", "mtr", "mtd", "menclose"),
}
_ATTRIBUTES = {
    "ol": {"start"},
    "math": {"display"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "form", "largeop", "movablelimits", "minsize", "maxsize"},
    "mspace": {"width"},
    "mfrac": {"linethickness"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mtable": {"columnalign"},
    "mtd": {"columnalign"},
    "menclose": {"notation"},
}
# Only names that the style sheet knows; a text cannot dress up as a part of the widget.
_CLASSES = {
    "span": {"rw-md-url", "rw-md-image", "rw-md-math"},
    "div": {"rw-md-math"},
    "code": {"rw-md-math"},
}
_ALIGN = {
    tag: {"style": {"text-align:left", "text-align:center", "text-align:right"}}
    for tag in ("th", "td")
}
# Whatever these held in raw form is code, not prose: it goes with them.
_DROPPED_WITH_CONTENT = {"script", "style", "iframe", "object", "template", "noscript", "svg"}

_BRACKET_MATH = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_REFERENCE = re.compile(r"&#x([0-9A-F]{5});")


def render_markdown(text: str) -> str:
    r"""Safe HTML for a text in Markdown with code and LaTeX between dollars or `\(...\)`.

    Returns:
        HTML made of the allowed elements alone: no scripts, styles, links, images, forms or
        handlers, whatever the text holds. A text that is too long is cut, and says so.
    """
    shown = text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS]
    html = _sanitise(_parser().render(shown))
    if len(text) > MAX_CHARACTERS:
        html += f"<p><em>Cut here: {len(text) - MAX_CHARACTERS:,} more characters.</em></p>"
    return html


def _sanitise(html: str) -> str:
    # Lone surrogates cannot be encoded on their way to the browser; a decoder may leave some.
    encodable = html.encode("utf-8", "replace").decode("utf-8")
    return nh3.clean(
        encodable,
        tags=_TEXT_TAGS | _MATH_TAGS,
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        allowed_classes=_CLASSES,
        tag_attribute_values=_ALIGN,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        url_schemes=set(),
    )


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # "commonmark" also bounds nesting (20), so deep lists and quotes cannot exhaust the stack.
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    dollarmath_plugin(
        parser,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,  # "$5 and $6" is money
        allow_blank_lines=False,
        double_inline=True,
    )
    parser.inline.ruler.before("escape", "bracket_math", _bracket_math)
    for rule, function in {
        "link_open": _nothing,
        "link_close": _link_close,
        "image": _image,
        "math_inline": _math_inline,
        "math_inline_double": _math_inline_double,
        "math_block": _math_block,
    }.items():
        parser.add_render_rule(rule, function)
    return parser


def _bracket_math(state: StateInline, silent: bool) -> bool:
    r"""Inline rule for \(...\) and \[...\], which many models write instead of dollars."""
    match = _BRACKET_MATH.match(state.src, state.pos)
    if match is None or match.end() > state.posMax:
        return False
    if not silent:
        inline, display = match.groups()
        token = state.push("math_inline" if inline else "math_inline_double", "math", 0)
        token.content = inline or display
    state.pos = match.end()
    return True


def _math(latex: str, *, display: bool, tag: str = "span") -> str:
    latex = latex.strip()
    if len(latex) <= MAX_FORMULA:
        try:
            mathml = _mathml(latex, display=display)
        except Exception:  # noqa: BLE001 - half-written LaTeX fails in many ways; its source is shown
            mathml = ""
        if mathml:
            return f'<{tag} class="rw-md-math">{mathml}</{tag}>'
    return f'<code class="rw-md-math">{escape(latex)}</code>'


def _mathml(latex: str, *, display: bool) -> str:
    r"""MathML with every text escaped.

    The library's own serialiser unescapes the whole tree, so that `\text{<img ...>}` becomes an
    element. Here only the character references that it put in itself become characters.
    """
    root = convert_to_element(latex, display="block" if display else "inline")
    for element in root.iter():
        if element.text:
            element.text = _REFERENCE.sub(lambda ref: chr(int(ref[1], 16)), element.text)
    return tostring(root, encoding="unicode")


# Render rules: signatures are markdown-it-py's, which passes the renderer as `self`.
_Tokens = Sequence[Token]
_Env = MutableMapping[str, object]


def _nothing(self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env) -> str:
    return ""


def _math_inline(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    return _math(tokens[idx].content, display=False)


def _math_block(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    return _math(tokens[idx].content, display=True, tag="div")


def _math_inline_double(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    return _math(tokens[idx].content, display=True)  # within a paragraph, where a div may not be


def _link_close(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    """The address after the label, unless the label is the address."""
    start = max(i for i in range(idx) if tokens[i].type == "link_open")
    address = str(tokens[start].attrGet("href") or "")
    if tokens[start].info == "auto" or not address:
        return ""
    return f' <span class="rw-md-url">({escape(address)})</span>'


def _image(self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env) -> str:
    description = tokens[idx].content or "no description"
    return f'<span class="rw-md-image">[image: {escape(description)}]</span>'
