"""Reads a page as a browser would, and fails where it is not well formed."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

VOID = {"br", "link", "meta"}


class Reader(HTMLParser):
    """Notes elements, attributes and visible text; fails where tags do not balance."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.headings: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "title"} & set(self.open):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, n, value in self.attributes if n == name]
