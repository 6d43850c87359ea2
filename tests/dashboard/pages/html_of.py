"""What a browser would make of a page's HTML, as far as tests need it."""

from __future__ import annotations

from html.parser import HTMLParser

from panel.viewable import Viewable

from rlhf_lab.dashboard.shell import Fragment


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.elements.update(name for name, _ in attrs if name.startswith("on"))

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


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader
