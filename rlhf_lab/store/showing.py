"""Stored texts as people see them: what a model or a stranger wrote must not act on the screen."""

from __future__ import annotations

import html
import unicodedata
from datetime import UTC, datetime
from typing import Any

# Joiners that scripts and emoji need.
_HARMLESS = frozenset("\u200c\u200d")
# JupyterLab aligns cells to the right and breaks no word, be it 10,000 letters long.
_CELL = "text-align:start;vertical-align:top;white-space:pre-wrap"
# No column of texts becomes narrower than this many digits: a prompt's id just fits.
_NARROWEST = 17


def printable(text: str, width: int | None = None) -> str:
    r"""The text on one line, with what is no visible character written as an escape.

    A terminal would obey escape sequences, and turn a line around at some marks; neither it nor a
    notebook takes lone surrogates. Line breaks become "⏎".

    Args:
        text: Anything.
        width: Longest result in characters; a longer one ends in "…".
    """
    if width is not None:
        text = text[: 2 * width + 2]  # every character becomes at least one, and "\r\n" one too
    text = text.replace("\r\n", "\n").replace("\n", "⏎")
    cut = text if width is None else text[: width + 1]
    # Most texts need no look at each character.
    shown = cut if cut.isprintable() else "".join(map(_visible, cut))
    if width is None or len(shown) <= width:
        return shown
    return shown[: max(width - 1, 0)] + "…"


def as_html(text: str, width: int | None = None) -> str:
    """The same for a notebook, with nothing in it that a browser would take for markup."""
    return html.escape(printable(text, width))


def in_frame(*parts: str) -> str:
    """HTML for a notebook, which leaves its texts alone: between two prices is no formula."""
    return (
        "<div class='tex2jax_ignore mathjax_ignore' style='overflow-x:auto;overflow-wrap:anywhere'>"
        f"{''.join(parts)}</div>"
    )


def head_cell(title: str, scope: str, longest: int = 0) -> str:
    """The head of a column or row, of which the longest text has so many characters."""
    width = min(max(longest, len(title)), _NARROWEST)
    # A bold name may be wider than its number of digits.
    whole_name = ";white-space:nowrap" if scope == "col" else ""
    style = f"{_CELL};min-width:{width}ch{whole_name}"
    return f"<th scope='{scope}' style='{style}'>{as_html(title)}</th>"


def text_cell(text: str, width: int | None = None, *, columns: int = 1, wide: bool = False) -> str:
    """A cell with what somebody wrote, in the direction of its own script.

    Args:
        text: What.
        width: As in `printable`.
        columns: How many it spans.
        wide: Keep it from becoming narrow, where no head of a column does.
    """
    span = f" colspan='{columns}'" if columns > 1 else ""
    room = f";min-width:{_NARROWEST}ch" if wide else ""
    return f"<td dir='auto'{span} style='{_CELL}{room}'>{as_html(text, width)}</td>"


def counted(number: int, things: str) -> str:
    """As in "2 judgments" and "1 judgment"; of several words the first is the one in the plural."""
    first, *rest = things.split(" ")
    return " ".join([f"{number:,}", first.removesuffix("s") if number == 1 else first, *rest])


def letter(place: int) -> str:
    """What the response in this place, from 0, is called where people rank it."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def moment(when: datetime) -> str:
    """A time, to the second, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def whole(value: Any) -> Any:  # noqa: ANN401 - texts, and lists and dicts of such
    """The same with "?" for half characters (lone surrogates), which UTF-8 cannot write."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {name: whole(item) for name, item in value.items()}
    return value


def _visible(character: str) -> str:
    if character.isprintable() or character in _HARMLESS or _is_space(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _is_space(character: str) -> bool:
    """Whether it takes room on the line, as the wide space of Japanese does."""
    return unicodedata.category(character) == "Zs"
