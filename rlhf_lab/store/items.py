"""Items: prompts with the candidates that are to be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import checks, judging
from rlhf_lab.store.events import refresh_items
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import ActiveRow, AssignmentRow, ItemRow, JudgmentRow, ResponseRow

_BATCH = 2000


def offer(session: Session, version: str | None, now: datetime) -> int:
    """Make items of all candidates that one version gave to one prompt; returns how many are new.

    Where candidates were added to a prompt, the larger item retires the smaller one: what was said
    about that one stays.

    Args:
        session: A writing one.
        version: Only candidates of this one; None for all.
        now: The time.
    """
    made = 0
    for groups in _groups(session, version):
        ids = {judging.item_id(p, ids) or "": (p, v, ids) for (p, v), ids in groups.items()}
        known = checks.existing(session, ItemRow.id, ids)
        new = {i: group for i, group in ids.items() if i not in known}
        for item, (prompt_id, of, _) in new.items():
            older = (ItemRow.prompt_id == prompt_id, ItemRow.version == of, ItemRow.id != item)
            session.execute(
                update(ItemRow).where(*older, ItemRow.state != "gold").values(state="retired")
            )
        checks.insert_rows(
            session,
            ItemRow,
            [
                {
                    "id": item,
                    "prompt_id": prompt_id,
                    "version": of,
                    "candidates": candidates,
                    "state": "open",
                    "draw": int(hashlib.sha256(item.encode()).hexdigest()[:8], 16) >> 1,
                    "done": 0,
                }
                for item, (prompt_id, of, candidates) in new.items()
            ],
        )
        _adopt(session, list(new), now)
        made += len(new)
    return made


def make_gold(session: Session, judgment_ids: Sequence[str]) -> int:
    """Take these rankings for the known answers of their items; returns how many items.

    Raises:
        JudgmentError: one is unknown or no ranking, or does not count any more.
    """
    active = checks.existing(session, ActiveRow.judgment_id, judgment_ids)
    for judgment_id in judgment_ids:
        row = session.scalar(select(JudgmentRow).where(JudgmentRow.id == judgment_id))
        if row is None or row.tiers is None or judgment_id not in active:
            raise JudgmentError(
                f"{judgment_id!r} is not a ranking that counts: a known answer is one. Use ids "
                "from judgments()."
            )
        item = judging.item_id(row.prompt_id, row.shown_order)
        found = session.scalar(select(ItemRow).where(ItemRow.id == item))
        if found is None:
            raise JudgmentError(
                f"{judgment_id!r} ranks responses that were never offered together: offer() their "
                "version first."
            )
        found.state, found.answer = "gold", row.tiers
        # Whoever has it in hand now answers a known question, too.
        session.execute(
            update(AssignmentRow)
            .where(AssignmentRow.item_id == found.id, AssignmentRow.judgment_id.is_(None))
            .values(occasion="gold")
        )
    session.flush()
    return len(judgment_ids)


def apply_overlap(session: Session, plan: AssignmentPlan) -> None:
    """Open or close items by what the plan now asks for."""
    either = ItemRow.state.in_(("open", "full"))
    session.execute(update(ItemRow).where(either).values(state="open"))
    if plan.overlap is not None:
        enough = ItemRow.done >= plan.overlap
        session.execute(update(ItemRow).where(either, enough).values(state="full"))


def _groups(session: Session, version: str | None) -> Iterator[dict[tuple[str, str], list[str]]]:
    """Two or more candidates by prompt and version, in the order of their first one."""
    candidate = ResponseRow.purpose == "candidate"
    firsts = select(ResponseRow.prompt_id, ResponseRow.version).where(candidate)
    if version is not None:
        firsts = firsts.where(ResponseRow.version == version)
    keys = session.execute(
        firsts.group_by(ResponseRow.prompt_id, ResponseRow.version)
        .having(func.count(ResponseRow.seq) > 1)
        .order_by(func.min(ResponseRow.seq))
    ).all()
    columns = select(ResponseRow.id, ResponseRow.prompt_id, ResponseRow.version).where(candidate)
    for start in range(0, len(keys), _BATCH):
        groups: dict[tuple[str, str], list[str]] = {
            (k.prompt_id, k.version): [] for k in keys[start : start + _BATCH]
        }
        wanted = {prompt_id for prompt_id, _ in groups}
        ordered = columns.order_by(ResponseRow.seq)
        for row in checks.in_chunks(session, ordered, ResponseRow.prompt_id, wanted):
            if (row.prompt_id, row.version) in groups:
                groups[row.prompt_id, row.version].append(row.id)
        yield groups


def _adopt(session: Session, item_ids: Sequence[str], now: datetime) -> None:
    """Count rankings made before there was an item for them, as in labs of earlier releases."""
    judged = select(ActiveRow.item_id, ActiveRow.annotator).distinct()
    found = list(checks.in_chunks(session, judged, ActiveRow.item_id, item_ids))
    for row in found:
        refresh_items(session, [row.item_id], row.annotator, now)
