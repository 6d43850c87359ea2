"""Stored texts as people see them: what a model or a stranger wrote must not act on the screen."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

# Joiners that scripts and emoji need, and the space that does not break.
_HARMLESS = frozenset("\u200c\u200d\u00a0")


def printable(text: str, width: int | None = None) -> str:
    r"""The text on one line, with what is no visible character written as an escape.

    A terminal would obey escape sequences, and turn a line around at some marks; neither it nor a
    notebook takes lone surrogates. Line breaks become "⏎".

    Args:
        text: Anything.
        width: Longest result in characters; a longer one ends in "…".
    """
    if width is not None:
        text = text[: width + 1]  # every character becomes at least one
    shown = "".join(map(_visible, text.replace("\r\n", "\n")))
    if width is None or len(shown) <= width:
        return shown
    return shown[: max(width - 1, 0)] + "…"


def as_html(text: str, width: int | None = None) -> str:
    """The same for a notebook, with nothing in it that a browser would take for markup."""
    return html.escape(printable(text, width))


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
    if character == "\n":
        return "⏎"
    if character.isprintable() or character in _HARMLESS:
        return character
    return character.encode("unicode_escape").decode("ascii")
