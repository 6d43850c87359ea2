"""What a browser would make of a page's HTML, as far as tests need it."""

from __future__ import annotations

from html.parser import HTMLParser

from panel.viewable import Viewable

from rlhf_lab.dashboard.shell import Fragment

# What no text of a person or a model may become, rendered as Markdown or not.
_HOSTILE = frozenset(
    ("applet", "audio", "base", "embed", "frame", "frameset", "iframe", "img", "link", "meta",
     "object", "portal", "script", "style", "svg", "video")
)  # fmt: skip


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.texts: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.elements.update(name for name, _ in attrs if name.startswith("on"))
        self.addresses += [
            value or "" for name, value in attrs if name in ("href", "src", "action")
        ]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def fragments(view: Viewable) -> list[Fragment]:
    """All HTML of a page, in order."""
    return list(view.select(Fragment))


def text_of(html: str) -> str:
    """What is read, in one line."""
    return " ".join(" ".join(_read(html).texts).split())


def elements(html: str) -> set[str]:
    """Names of all elements, and of attributes that run something."""
    return _read(html).elements


def hostile(html: str) -> set[str]:
    """What is in it and must not be: elements that load or run, handlers, and such addresses."""
    read = _read(html)
    found = {name for name in read.elements if name in _HOSTILE or name.startswith("on")}
    kinds = ("javascript:", "data:", "vbscript:")
    return found | {a for a in read.addresses if a.strip().lower().startswith(kinds)}


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader
