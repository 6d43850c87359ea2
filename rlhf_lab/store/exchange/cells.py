r"""Values in tables: what CSV cells and Arrow columns hold instead of what they cannot hold.

A CSV cell is text; a column that is not text holds JSON. A spreadsheet would run a cell that
starts with one of `= + - @`, a tab or a carriage return, and `[` or `{` starts JSON: such a text
is written after an apostrophe, which spreadsheets take for "this is text". Reading takes the
apostrophe away again, and a text that starts with apostrophes before one of these signs has one
more while it is in the file, so every text comes back as it was.

UTF-8 has no form for half a character (a lone surrogate), which models and browsers do produce:
such a text is written as `\json:` and its JSON form, in CSV and Arrow alike.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

from rlhf_lab.store.exchange.formats import FORMATS
from rlhf_lab.store.tables import has_lone_surrogate

_GUARDED = re.compile(r"'*[=+\-@\t\r\[{]")
_ESCAPED = "\\json:"
_JSON = {"messages", "texts", "tiers", "responses", "json"}


def _kinds() -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in FORMATS:
        for name, kind in one.columns.items():
            found[name].add(kind)
    return dict(found)


_KINDS = _kinds()


def to_cell(kind: str, value: Any) -> str:  # noqa: ANN401
    """A CSV cell."""
    if value is None:
        return ""
    if kind == "text":
        text = _escape(value)
        return f"'{text}" if _GUARDED.match(text) else text
    return dump(value)


def from_cell(name: str, cell: str) -> Any:  # noqa: ANN401
    """What the cell of a column holds; an empty one is null, unless it is an empty text."""
    kinds = _KINDS.get(name, {"text"})
    if not cell:
        return "" if {"text", "messages"} <= kinds else None
    if kinds & {"int", "float", "bool"}:
        return _number(cell)
    if kinds & _JSON and ("text" not in kinds or cell[0] == "["):
        found = _parsed(cell)
        if "text" not in kinds or _is_chat(found):
            return found
    return _unescape(cell[1:] if cell[0] == "'" and _GUARDED.match(cell) else cell)


def to_table(kind: str, value: Any) -> Any:  # noqa: ANN401
    """A value of an Arrow column."""
    if value is None:
        return None
    if kind == "json":
        return dump(value)
    if kind == "responses":
        return [{**_deep(_escape, r), "ratings": to_table("json", r["ratings"])} for r in value]
    return _deep(_escape, value)


def from_table(name: str, value: Any) -> Any:  # noqa: ANN401
    """What such a value stands for."""
    if value is None:
        return None
    kinds = _KINDS.get(name, set())
    if isinstance(value, str) and "json" in kinds:
        return _parsed(value)
    value = _deep(_unescape, value)
    if name == "responses" and isinstance(value, list):
        return [
            {**r, "ratings": _parsed(r["ratings"])}
            if isinstance(r, dict) and isinstance(r.get("ratings"), str)
            else r
            for r in value
        ]
    return value


def dump(value: object) -> str:
    """JSON that stays readable, and escapes only what has no UTF-8 form."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return json.dumps(value, allow_nan=False) if has_lone_surrogate(text) else text


def _escape(text: str) -> str:
    if text.startswith(_ESCAPED) or has_lone_surrogate(text):
        return _ESCAPED + json.dumps(text)
    return text


def _unescape(text: str) -> str:
    if not text.startswith(_ESCAPED):
        return text
    found = _parsed(text.removeprefix(_ESCAPED))
    return found if isinstance(found, str) else text


def _deep(change: Any, value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {k: _deep(change, x) for k, x in value.items()}
    if isinstance(value, list):
        return [_deep(change, x) for x in value]
    return value


def _parsed(text: str) -> Any:  # noqa: ANN401
    """What the text says in JSON, or the text, to be named in the report."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _number(cell: str) -> Any:  # noqa: ANN401
    found = _parsed(cell.lower() if cell in ("True", "False", "TRUE", "FALSE") else cell)
    # Spreadsheets and data frames write whole numbers with a point.
    return int(found) if isinstance(found, float) and found.is_integer() else found


def _is_chat(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(m, dict) and "role" in m for m in value)
