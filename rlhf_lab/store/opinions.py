"""What people said, read quickly: the few columns that comparing people with one another needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Text, cast, extract, select, type_coerce
from sqlalchemy.orm import InstrumentedAttribute, Session

from rlhf_lab.store.tables import AccountRow, ActiveRow, ItemRow, JudgmentRow, unescaped

Tiers = list[list[str]]

# Under this name a notebook ranks that was not told another one.
_NOTEBOOK = "me"
_RESEARCH = ("researcher", "admin")


class Opinion(NamedTuple):
    """A ranking or skip that counts.

    Attributes:
        seq: Number of the judgment in the record.
        item: What was judged: a prompt with these candidates.
        shown: Response ids, left to right.
        tiers: Response ids, best tier first; None for a skip.
        at: When, in whole seconds since 1970.
    """

    seq: int
    item: str | None
    prompt: str
    annotator: str
    occasion: str
    shown: list[str]
    tiers: Tiers | None
    seconds: float
    at: float


def opinions(session: Session) -> Iterator[Opinion]:
    """All that count, in the order they were made.

    Columns come as they are stored: for 100,000 judgments, looking at each value on its way takes
    twice as long as all the rest.
    """
    columns = (
        ActiveRow.seq,
        _raw(ActiveRow.item_id),
        _raw(JudgmentRow.prompt_id),
        _raw(JudgmentRow.annotator),
        _raw(ActiveRow.occasion),
        cast(JudgmentRow.shown_order, Text),
        cast(JudgmentRow.tiers, Text),
        JudgmentRow.seconds,
        cast(extract("epoch", JudgmentRow.created_at), Float),
    )
    query = (
        select(*columns)
        .join(ActiveRow, ActiveRow.seq == JudgmentRow.seq)
        .where(ActiveRow.kind != "undo")
        .order_by(ActiveRow.seq)
    )
    names: dict[str, str] = {}
    for row in session.execute(query.execution_options(yield_per=2_000)):
        seq, item, prompt, raw_name, occasion, shown, tiers, seconds, at = row
        if raw_name not in names:
            names[raw_name] = unescaped(raw_name)
        in_order, ranked = json.loads(f"[{shown},{tiers or 'null'}]")
        yield Opinion(seq, item, prompt, names[raw_name], occasion, in_order, ranked, seconds, at)


def known_answers(session: Session) -> dict[str, Tiers]:
    """Of items whose answer is known: the tiers, best first, by item."""
    query = select(ItemRow.id, ItemRow.answer).where(ItemRow.state == "gold")
    return {item: answer for item, answer in session.execute(query) if answer}


def researchers(session: Session) -> frozenset[str]:
    """Whose judgment the others are held against: researchers and admins.

    Also "me", as whoever ranks in a notebook is called, unless somebody else has that account.
    """
    roles = {name: role for name, role in session.execute(select(AccountRow.name, AccountRow.role))}
    roles.setdefault(_NOTEBOOK, "researcher")
    return frozenset(name for name, role in roles.items() if role in _RESEARCH)


def _raw(column: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    """As it is stored, with the escapes that `ExactText` makes where there are any."""
    return type_coerce(column, Text)
