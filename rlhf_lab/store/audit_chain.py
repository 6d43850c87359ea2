"""The part of an audit that walks the chain of judgments."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from rlhf_lab.errors import ConfigError
from rlhf_lab.store import chain, checks
from rlhf_lab.store.showing import printable
from rlhf_lab.store.tables import JudgmentRow, ResponseRow, VersionRow

BATCH = 1000
# No lab has more judgments than fit into 15 digits; text of any length is no number to compute.
_HEAD = re.compile(r"([0-9]{1,15}):([0-9a-f]{64})")
_COLUMNS = JudgmentRow.__table__.c


def require_head(text: str) -> str:
    """The head that somebody noted, without spaces around it.

    Raises:
        ConfigError: it is none; a slip of the pen must not read like a record that was rewritten.
    """
    head = text.strip()
    if _HEAD.fullmatch(head) is None:
        raise ConfigError(
            f"head {text!r:.90}: a head is NUMBER:HASH, a number, a colon and 64 digits of 0-9 and "
            "a-f, as audit and backup print it. Copy the whole of it."
        )
    return head


@dataclass
class Walk:
    """How far a walk has come: judgments seen, and the hash stored with the last one."""

    length: int = 0
    hash: str = chain.GENESIS


def walk(
    session: Session, at: Walk, expected: str | None, done: Callable[[int], object]
) -> Iterator[str]:
    """Recompute every link; yields what does not follow, the first one first.

    Each row is compared with the hash stored in the row before it, so one alteration is one
    problem and does not make all rows after it wrong.

    Args:
        session: Its transaction.
        at: Moved along.
        expected: A head noted elsewhere.
        done: Told how many judgments were walked.
    """
    points = _points(session, expected)
    yield from points.pop_malformed()
    yield from points.check(at)
    for batch in _batches(session):
        digests = _digests(session, batch)
        for seq, row in batch:
            at.length += 1
            if not _follows(at.hash, row, digests):
                yield _does_not_follow(session, seq, row)
            at.hash = str(row["hash"]) if isinstance(row, RowMapping) else _hash(session, seq)
            yield from points.check(at)
        done(len(batch))
    yield from points.beyond(at)
    yield from _noted_head(session, at)


class _Points:
    """Heads that somebody noted at some time: each must be a point of the chain."""

    def __init__(self) -> None:
        self._at: dict[int, list[tuple[str, str]]] = defaultdict(list)
        self._malformed: list[str] = []

    def add(self, what: str, head: str) -> None:
        found = _HEAD.fullmatch(head)
        if found is None:
            self._malformed.append(
                f"{what} says {printable(repr(head), 90)}, which is no head (NUMBER:HASH)"
            )
        else:
            self._at[int(found[1])].append((what, found[2]))

    def pop_malformed(self) -> Iterator[str]:
        yield from self._malformed

    def check(self, at: Walk) -> Iterator[str]:
        for what, noted in self._at.pop(at.length, ()):
            if noted != at.hash:
                yield (
                    f"{what} saw {at.length} judgments ending in {noted[:12]}…, the record has "
                    f"{at.hash[:12]}… there: it was rewritten since, or the note was altered"
                )

    def beyond(self, at: Walk) -> Iterator[str]:
        for length in sorted(self._at):
            for what, _ in self._at[length]:
                yield (
                    f"{what} saw {length} judgments, the record has {at.length}: some were removed "
                    "from its end, or the note was altered"
                )


def _points(session: Session, expected: str | None) -> _Points:
    points = _Points()
    for version in session.execute(select(VersionRow.name, VersionRow.judged)):
        if version.judged:  # empty in versions made before there was a chain
            points.add(f"version {printable(version.name, 40)}", version.judged)
    if expected is not None:
        points.add("the head to expect", expected)
    return points


def _batches(session: Session) -> Iterator[list[tuple[int, RowMapping | Exception]]]:
    """Judgments in order; in place of a row that cannot be read, why."""
    last: int | None = None
    while True:
        where = () if last is None else (JudgmentRow.seq > last,)
        seqs = select(JudgmentRow.seq).where(*where).order_by(JudgmentRow.seq).limit(BATCH)
        batch = list(_read(session, list(session.scalars(seqs))))
        if not batch:
            return
        last = batch[-1][0]
        yield batch


def _read(session: Session, seqs: list[int]) -> Iterator[tuple[int, RowMapping | Exception]]:
    if not seqs:
        return
    ordered = select(*_COLUMNS).order_by(JudgmentRow.seq)
    try:
        between = ordered.where(JudgmentRow.seq.between(seqs[0], seqs[-1]))
        found = session.execute(between).mappings().all()
    except (ValueError, TypeError, SQLAlchemyError) as error:
        if len(seqs) == 1:
            yield seqs[0], error
            return
        middle = len(seqs) // 2
        yield from _read(session, seqs[:middle])
        yield from _read(session, seqs[middle:])
    else:
        yield from ((row["seq"], row) for row in found)


def _digests(
    session: Session, batch: Iterable[tuple[int, RowMapping | Exception]]
) -> dict[str, str]:
    shown = {i for _, row in batch if isinstance(row, RowMapping) for i in _shown(row)}
    columns = select(ResponseRow.id, ResponseRow.version, ResponseRow.text)
    return {
        row.id: chain.response_digest(row.version, row.text)
        for row in checks.in_chunks(session, columns, ResponseRow.id, shown)
    }


def _shown(row: RowMapping) -> list[str]:
    shown: Any = row["shown_order"]
    return [i for i in shown if isinstance(i, str)] if isinstance(shown, list) else []


def _follows(previous: str, row: RowMapping | Exception, digests: dict[str, str]) -> bool:
    if not isinstance(row, RowMapping):
        return False
    of = [(i, digests[i]) for i in _shown(row) if i in digests]
    try:
        return bool(chain.link(previous, dict(row), of) == row["hash"])
    except (ValueError, TypeError, AttributeError):  # what no judgment ever held
        return False


def _does_not_follow(session: Session, seq: int, row: RowMapping | Exception) -> str:
    if isinstance(row, RowMapping):
        values = (row[name] for name in ("id", "annotator", "prompt_id"))
        name, by, prompt = (printable(repr(value), 60) for value in values)
        which, why = f"judgment {seq} (id {name}, by {by}, prompt {prompt})", ""
    else:
        which, why = f"judgment {seq}", f" It cannot be read: {printable(str(row), 120)}."
    return (
        f"{which} does not follow from the one before it: it or a response that it shows was "
        f"altered, or a judgment before it was removed, inserted or moved.{why}"
    )


def _hash(session: Session, seq: int) -> str:
    return str(session.scalar(select(JudgmentRow.hash).where(JudgmentRow.seq == seq)))


def _noted_head(session: Session, at: Walk) -> Iterator[str]:
    try:
        noted = chain.read_head(session)
    except (ValueError, TypeError, LookupError) as error:
        yield f"the head that the lab notes beside the record cannot be read ({error})"
        return
    if noted == chain.Head(at.length, at.hash):
        return
    yield (
        f"the lab notes {noted.length} judgments ending in {str(noted.hash)[:12]}…, the record has "
        f"{at.length} ending in {at.hash[:12]}…: judgments were removed from its end or added to "
        "it behind the lab's back, or the note was altered"
    )
