"""Turns model output into HTML that is safe to show.

What a model prints is hostile input, and so is a prompt from a file. Every text a widget shows
goes through `render_markdown`, in Python, once, for every host; the front end inserts its result
as it is. Three layers, each enough for most attacks alone:

1. markdown-it-py with raw HTML off: tags in the text come out as text.
2. No links and no images are made. An image is its description. A link is its label with the
   address as text; the label also carries the address in `data-url`, which does nothing by itself.
   The front end (links.ts) makes it a button that shows the whole address and asks first. So
   nothing is fetched, and nothing is opened by mistake.
3. nh3 keeps an allow list of elements, with hardly any attributes.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from urllib.parse import urlsplit
from xml.etree.ElementTree import tostring

import nh3
from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin

from rlhf_lab.widgets import sendable

MAX_CHARACTERS = 100_000
"""Longer texts are cut: the parser and the browser must stay quick whatever a model repeats."""

MAX_FORMULA = 2_000
"""Longer formulas are shown as source; no honest one comes near, and the converter is slow."""

MAX_ADDRESSES = 300
"""In a text with more of them, only those marked as links can be opened."""

MAX_ADDRESS = 2_000
"""Longer addresses are shown, and cannot be opened: nobody reads them to the end."""

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
    "span": {"data-url"},
    "math": {"display"},
    "mi": {"mathvariant"},
    "mtext": {"mathvariant"},
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
    "span": {"rw-md-link", "rw-md-url", "rw-md-image", "rw-md-math"},
    "div": {"rw-md-math"},
    "code": {"rw-md-math"},
}
_VALUES = {
    **{
        tag: {"style": {"text-align:left", "text-align:center", "text-align:right"}}
        for tag in ("th", "td")
    },
    # Their layout, unlike that of a paragraph, follows the direction of the text only if told to.
    **{tag: {"dir": {"auto"}} for tag in ("ul", "ol", "blockquote", "table")},
}
# Whatever these held in raw form is code, not prose: it goes with them.
_DROPPED_WITH_CONTENT = {"script", "style", "iframe", "object", "template", "noscript", "svg"}

_BRACKETS = {r"\(": (r"\)", "math_inline"), r"\[": (r"\]", "math_inline_double")}
# What the converter lacks, as the nearest that it has. Models write "aligned" all the time.
_ALIKE = (
    (
        re.compile(r"(\\(?:begin|end)){(?:aligned|gather(?:ed)?|eqnarray|multline)\*?}"),
        r"\1{align*}",
    ),
    (re.compile(r"\\begin{align(?:ed)?at\*?}(?:{\d+})?"), r"\\begin{align*}"),
    (re.compile(r"\\end{align(?:ed)?at\*?}"), r"\\end{align*}"),
    (re.compile(r"(\\(?:begin|end)){[dr]cases}"), r"\1{cases}"),
    (re.compile(r"\\(?:begin|end){equation\*?}"), ""),
    (re.compile(r"\\operatorname\*"), r"\\operatorname"),
)
_ARITY = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2} | {
    "msubsup": 3,
    "munderover": 3,
}
_REFERENCE = re.compile(r"&#x([0-9A-F]{5});")
# As the parser leaves it: visible ASCII alone, other names in punycode, other signs in percent.
_ADDRESS = re.compile(r"(https?://|mailto:)[!-~]+", re.IGNORECASE)
# Marks that reorder what follows: in code they make one thing look like another.
_REORDERING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def render_markdown(text: str) -> str:
    r"""Safe HTML for a text in Markdown with code and LaTeX between dollars or `\(...\)`.

    Returns:
        HTML made of the allowed elements alone: no scripts, styles, links, images, forms,
        handlers, ids or names, whatever the text holds. A text that is too long is cut, and says
        so.
    """
    shown = text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS]
    # Finding addresses takes quadratic time; who repeats them so often gets them as text.
    find_addresses = shown.count("://") <= MAX_ADDRESSES
    html = _sanitise(_parser(find_addresses).render(shown))
    if len(text) > MAX_CHARACTERS:
        html += f"<p><em>Cut here: {len(text) - MAX_CHARACTERS:,} more characters.</em></p>"
    return html


def _sanitise(html: str) -> str:
    return nh3.clean(
        sendable.text(html),  # a decoder may leave lone surrogates
        tags=_TEXT_TAGS | _MATH_TAGS,
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        allowed_classes=_CLASSES,
        attribute_filter=_attribute,
        tag_attribute_values=_VALUES,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        url_schemes=set(),
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    return value if name != "data-url" or _may_be_opened(value) else None


def _may_be_opened(address: str) -> bool:
    """Whether a person who says so may open it: a site, or a letter to somebody."""
    if len(address) > MAX_ADDRESS or not _ADDRESS.fullmatch(address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:  # half an IPv6 address, for instance
        return False
    return parts.scheme == "mailto" or bool(parts.hostname)


class _Markdown(MarkdownIt):
    def normalizeLinkText(self, link: str) -> str:
        """An address that stands alone, as it was written; the parser would prettify it."""
        return link


@lru_cache(maxsize=2)
def _parser(find_addresses: bool) -> MarkdownIt:
    # "commonmark" also bounds nesting (20), so deep lists and quotes cannot exhaust the stack.
    parser = _Markdown("commonmark", {"html": False, "linkify": find_addresses})
    parser.enable(["table", "strikethrough", "linkify"])
    # Only what is written out: "rlhf.py" is a file, not a site in Paraguay.
    assert parser.linkify is not None  # for the type checker: the package is a requirement
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    parser.core.ruler.push("directions", _directions)
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
        "link_open": _link_open,
        "link_close": _link_close,
        "code_inline": _code_inline,
        "code_block": _code_block,
        "fence": _code_block,
        "image": _image,
        "math_inline": _math_inline,
        "math_inline_double": _math_inline_double,
        "math_block": _math_block,
    }.items():
        parser.add_render_rule(rule, function)
    return parser


def _bracket_math(state: StateInline, silent: bool) -> bool:
    r"""Inline rule for \(...\) and \[...\], which many models write instead of dollars."""
    closing, kind = _BRACKETS.get(state.src[state.pos : state.pos + 2], ("", ""))
    if not closing:
        return False
    start = state.pos + 2
    # Bounded: a text of opening brackets alone must not be searched to its end for each of them.
    end = state.src.find(closing, start + 1, min(start + MAX_FORMULA, state.posMax))
    if end < 0:
        return False
    if not silent:
        state.push(kind, "math", 0).content = state.src[start:end]
    state.pos = end + 2
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
    for pattern, alike in _ALIKE:
        latex = pattern.sub(alike, latex)
    root = convert_to_element(latex, display="block" if display else "inline")
    for element in root.iter():
        if len(element) != _ARITY.get(element.tag, len(element)):
            raise ValueError(f"<{element.tag}> with {len(element)} parts")
        if element.text:
            element.text = _REFERENCE.sub(lambda ref: chr(int(ref[1], 16)), element.text)
    return tostring(root, encoding="unicode")


# Render rules: signatures are markdown-it-py's, which passes the renderer as `self`.
_Tokens = Sequence[Token]
_Env = MutableMapping[str, object]


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


def _link_open(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    address = _address(tokens[idx])
    if not _may_be_opened(address):
        return ""
    label = escape(address) if tokens[idx + 1].type == "link_close" else ""
    return f'<span class="rw-md-link" data-url="{escape(address)}">{label}'


def _link_close(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    """The address after the label, unless the label is the address."""
    start = next(i for i in range(idx, -1, -1) if tokens[i].type == "link_open")
    address = _address(tokens[start])
    end = "</span>" if _may_be_opened(address) else ""
    is_label = tokens[start].info == "auto" or (end and start + 1 == idx)
    if is_label or not address:
        return end
    return f'{end} <span class="rw-md-url">({escape(address)})</span>'


def _address(link: Token) -> str:
    return str(link.attrGet("href") or "")


def _image(self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env) -> str:
    description = tokens[idx].content or "no description"
    return f'<span class="rw-md-image">[image: {escape(description)}]</span>'


def _code_inline(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    return f"<code>{_code(tokens[idx].content)}</code>"


def _code_block(
    self: RendererHTML, tokens: _Tokens, idx: int, options: OptionsDict, env: _Env
) -> str:
    return f"<pre><code>{_code(tokens[idx].content)}</code></pre>\n"


def _code(text: str) -> str:
    """Code with its reordering marks made visible."""
    return escape(_REORDERING.sub(lambda mark: f"⟦U+{ord(mark[0]):04X}⟧", text))


def _directions(state: StateCore) -> None:
    for token in state.tokens:
        if token.nesting == 1 and token.tag in {"ul", "ol", "blockquote", "table"}:
            token.attrSet("dir", "auto")
