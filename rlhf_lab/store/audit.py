"""`audit`: whether a lab's record of judgments is what was said, and all else follows from it.

It recomputes every hash of the chain and replays what counts, in bounded memory and on one state
of the database, so it may run while people judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from rlhf_lab.store import chain
from rlhf_lab.store.audit_chain import Walk, require_head, walk
from rlhf_lab.store.audit_rest import (
    damaged_file,
    dangling_references,
    items_out_of_step,
    more_than_asked,
    prompts_altered,
    wrongly_counted,
)
from rlhf_lab.store.database import Database
from rlhf_lab.store.showing import as_html, counted, in_frame
from rlhf_lab.store.tables import JudgmentRow, PromptRow

if TYPE_CHECKING:
    from rlhf_lab.store.preference_store import PreferenceStore

KEPT = 100
# What a value that somebody wrote into the file by hand may raise when it is read.
_UNREADABLE = (SQLAlchemyError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """What an audit found.

    Attributes:
        judgments: How many events the record has.
        head: Where its chain ends, as "NUMBER:HASH". Noted elsewhere, it proves later that nothing
            up to there was changed since: pass it as `expected`.
        problems: The first 100, in words; those of the chain first, in its order.
        found: How many problems there are.
        remarks: What is worth knowing and no problem: the first 100 items with more rankings than
            the plan asks for. All of those count.
        remarked: How many remarks there are.
    """

    judgments: int
    head: str
    problems: tuple[str, ...]
    found: int
    remarks: tuple[str, ...] = ()
    remarked: int = 0

    @property
    def ok(self) -> bool:
        """Whether there are none."""
        return self.found == 0

    def __str__(self) -> str:
        """The verdict, and a line for each problem and remark."""
        return "\n".join([self._verdict(), *(f"  - {problem}" for problem in self._lines())])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        listed = "".join(f"<li>{as_html(problem)}</li>" for problem in self._lines())
        verdict = f"<p>{as_html(self._verdict())}</p>"
        return in_frame(verdict, f"<ul>{listed}</ul>" if listed else "")

    def _verdict(self) -> str:
        judgments = counted(self.judgments, "judgments")
        if self.ok:
            return f"ok: {judgments}, the chain holds; head {self.head}"
        return (
            f"NOT ok: {counted(self.found, 'problems')} in {judgments}. Keep the lab as it is, and "
            "compare it with a backup from before: rlhf-lab restore FILE NEW_DIR"
        )

    def _lines(self) -> Iterator[str]:
        yield from self.problems
        if self.found > len(self.problems):
            yield f"and {self.found - len(self.problems):,} more"
        yield from (f"remark: {remark}" for remark in self.remarks)
        if self.remarked > len(self.remarks):
            yield f"and {self.remarked - len(self.remarks):,} more remarks"


class _Findings:
    """The first of them, and how many there are."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.found = 0

    def add(self, problem: str) -> None:
        self.found += 1
        if self.found <= KEPT:
            self.kept.append(problem)

    def gather(self, found: Iterator[str], what: str, problems: _Findings) -> None:
        """Add all; a check that cannot be finished is a problem, whatever it looks for."""
        try:
            for finding in found:
                self.add(finding)
        except _UNREADABLE as error:
            cause = getattr(error, "orig", None) or error
            problems.add(f"{what} cannot be checked any further: {cause}")


def audit(
    store: PreferenceStore | Database, *, expected: str | None = None, progress: bool = False
) -> AuditReport:
    """Check the whole record of a lab.

    Args:
        store: The lab's store, or its database.
        expected: A head that was noted earlier, as "NUMBER:HASH": the record must still pass it.
        progress: Show a bar.

    Raises:
        StoreError: the database cannot be read at all.
        ConfigError: what is expected is no head.
    """
    database = store if isinstance(store, Database) else store.database
    with database.read() as session:
        return audit_session(session, expected=expected, progress=progress)


def audit_session(
    session: Session, *, expected: str | None = None, progress: bool = False
) -> AuditReport:
    """The same within a transaction."""
    from tqdm.auto import tqdm

    if expected is not None:
        expected = require_head(expected)
    judgments = session.scalar(select(func.count(JudgmentRow.seq))) or 0
    prompts = session.scalar(select(func.count(PromptRow.seq))) or 0
    problems, remarks = _Findings(), _Findings()
    with tqdm(
        total=2 * judgments + prompts, desc="Audit", unit="row", disable=not progress, leave=False
    ) as bar:
        done: Callable[[int], object] = bar.update
        end = Walk()
        for what, findings, found in (
            ("the chain", problems, walk(session, end, expected, done)),
            ("what counts", problems, wrongly_counted(session, done)),
            ("prompts", problems, prompts_altered(session, done)),
            ("items and assignments", problems, items_out_of_step(session)),
            ("what is more than the plan asks for", remarks, more_than_asked(session)),
            ("references", problems, dangling_references(session)),
            ("the file", problems, damaged_file(session)),
        ):
            findings.gather(found, what, problems)
    head = chain.Head(end.length, end.hash)
    return AuditReport(
        judgments=judgments,
        head=str(head),
        problems=tuple(problems.kept),
        found=problems.found,
        remarks=tuple(remarks.kept),
        remarked=remarks.found,
    )
