"""Finding words in stored texts, alike in both databases: substrings, whatever their case.

SQLite folds the case of ASCII alone, so the comparison is done by Python there; PostgreSQL uses the
Unicode rules of ICU where it has them, else those of the database's own locale.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    case,
    cast,
    collate,
    false,
    func,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute

from rlhf_lab.store.database import Database
from rlhf_lab.store.engine import CONTAINS, MESSAGES_CONTAIN
from rlhf_lab.store.tables import ESCAPED, ExactText, has_lone_surrogate

Text_ = InstrumentedAttribute[str]
_ROLE = r'^\[\s*"[a-z]+"\s*,\s*"'


class Words:
    """What is searched for, as conditions on columns."""

    def __init__(self, database: Database, words: str) -> None:
        """Ask PostgreSQL once which rules it knows."""
        self._is_sqlite = database.is_sqlite
        self._words = words.lower()
        self._collation: str | None = None
        if not self._is_sqlite:
            with database.read() as session:
                found = session.scalar(
                    text("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'")
                )
            self._collation = "und-x-icu" if found else None

    def in_text(self, column: Text_) -> ColumnElement[bool]:
        """Whether a text holds them."""
        raw = type_coerce(column, Text)
        if self._is_sqlite:
            return self._call(CONTAINS, raw)
        plain: ColumnElement[bool] = false()
        if "\0" not in self._words and not has_lone_surrogate(self._words):
            plain = func.strpos(self._lower(raw), self._words) > 0
        # As `ExactText` stores what a database cannot hold.
        stored = func.substr(raw, len(ESCAPED) + 1)
        escaped = func.strpos(self._lower(stored), json.dumps(self._words)[1:-1]) > 0
        return case((func.left(raw, len(ESCAPED)) == ESCAPED, escaped), else_=plain)

    def in_messages(self, column: InstrumentedAttribute[list[list[str]]]) -> ColumnElement[bool]:
        """Whether the content of a chat message holds them; roles are no content."""
        if self._is_sqlite:
            return self._call(MESSAGES_CONTAIN, cast(column, Text))
        if has_lone_surrogate(self._words):
            return false()  # no prompt has any
        # ["user", "what was said"], without all but the last text. Its operators for JSON refuse
        # a NUL, even where the result stays JSON.
        message = func.json_array_elements(column).table_valued("value", name="message")
        content = func.left(func.regexp_replace(cast(message.c.value, Text), _ROLE, ""), -2)
        wanted = json.dumps(self._words, ensure_ascii=False)[1:-1]
        found = func.strpos(self._lower(content), wanted) > 0
        return select(literal(1)).select_from(message).where(found).exists()

    def _call(self, function: str, raw: ColumnElement[str]) -> ColumnElement[bool]:
        words = literal(self._words, ExactText())
        return cast(getattr(func, function)(raw, words), Integer) == 1

    def _lower(self, value: ColumnElement[str]) -> ColumnElement[str]:
        return func.lower(collate(value, self._collation) if self._collation else value)


def in_json_list(
    database: Database, column: InstrumentedAttribute[Any], literals: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether a list of texts, stored as JSON, has one; given in its JSON form, quotes included."""
    position = func.instr if database.is_sqlite else func.strpos
    return position(cast(column, Text), literals) > 0


def json_form(column: Text_) -> ColumnElement[str]:
    """The JSON form of a stored text without control characters, such as an id."""
    raw = type_coerce(column, Text)
    quoted = literal('"', Text) + func.replace(func.replace(raw, "\\", "\\\\"), '"', '\\"') + '"'
    starts = func.substr(raw, 1, len(ESCAPED)) == ESCAPED
    return case((starts, func.substr(raw, len(ESCAPED) + 1)), else_=quoted)
