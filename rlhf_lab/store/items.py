"""Items: prompts with the candidates that are to be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, false, func, not_, select, update
from sqlalchemy.orm import Session

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import checks, judging
from rlhf_lab.store.events import refresh_items
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import (
    ActiveRow,
    AssignmentRow,
    ItemRow,
    JudgmentRow,
    ResponseRow,
    SettingRow,
)

# Setting: the last response that was there when a version's candidates were offered; "" for all.
OFFERED = "offered"

Group = tuple[str, str]  # a prompt and a version


def is_offered(session: Session, version: str | None) -> bool:
    """Whether nothing was written since the candidates of a version, or of all, were offered."""
    newest = session.execute(_newest(version)).first()
    return newest is None or newest.seq <= _offered(session, version)


def offer(session: Session, version: str | None, now: datetime) -> int:
    """Make items of all candidates that one version gave to one prompt; returns how many are new.

    Looks only at prompts that were answered since the last time. Where candidates were added to a
    prompt, the larger item retires the smaller one: what was said about that one stays.

    Args:
        session: A writing one.
        version: Only candidates of this one; None for all.
        now: The time.
    """
    made = 0
    for groups in _groups(session, version):
        ids = {judging.item_id(p, ids) or "": ((p, v), ids) for (p, v), ids in groups.items()}
        known = checks.existing(session, ItemRow.id, ids)
        new = {i: group for i, group in ids.items() if i not in known}
        _retire_smaller(session, [group for group, _ in new.values()])
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
                    "draw": draw_of(item),
                    "done": 0,
                    "priority": 0.0,
                }
                for item, ((prompt_id, of), candidates) in new.items()
            ],
        )
        _adopt(session, list(new), now)
        made += len(new)
    _note_offered(session, version)
    return made


def draw_of(item: str) -> int:
    """Where an item stands in the circle of draws: a uniform number in [0, 2**31)."""
    return int(hashlib.sha256(item.encode()).hexdigest()[:8], 16) >> 1


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
                f"{judgment_id!r} ranks responses that were never offered together, as imported "
                "ones are not: use a ranking of what one version wrote."
            )
        found.state, found.answer = "gold", row.tiers
        # Whoever has it in hand now answers a known question, too.
        session.execute(
            update(AssignmentRow)
            .where(AssignmentRow.item_id == found.id, AssignmentRow.judgment_id.is_(None))
            .where(AssignmentRow.occasion == "regular")
            .values(occasion="gold")
        )
    session.flush()
    return len(judgment_ids)


def newest_version(session: Session, preferred: str) -> str | None:
    """The preferred version if it has items, else that of the item made last; None without any."""
    made = select(ItemRow.version).where(ItemRow.state != "retired").limit(1)
    return session.scalar(made.where(ItemRow.version == preferred)) or session.scalar(
        made.order_by(ItemRow.seq.desc())
    )


def apply_overlap(session: Session, plan: AssignmentPlan) -> None:
    """Open or close items by what the plan now asks for."""
    enough = false() if plan.overlap is None else ItemRow.done >= plan.overlap
    for before, after, now in (("open", "full", enough), ("full", "open", not_(enough))):
        session.execute(update(ItemRow).where(ItemRow.state == before, now).values(state=after))


def _groups(session: Session, version: str | None) -> Iterator[dict[Group, list[str]]]:
    """Two or more candidates, where one is new, in the order of the first new one."""
    candidate = ResponseRow.purpose == "candidate"
    fresh = select(ResponseRow.prompt_id, ResponseRow.version).where(
        candidate, ResponseRow.seq > _offered(session, version), *_by(version)
    )
    keys = session.execute(
        fresh.group_by(ResponseRow.prompt_id, ResponseRow.version).order_by(
            func.min(ResponseRow.seq)
        )
    ).all()
    columns = select(ResponseRow.id, ResponseRow.prompt_id, ResponseRow.version)
    # Found by prompt alone: with the version in the condition too, SQLite goes through all that the
    # version said for each batch of prompts. What others said is left out below.
    ordered = columns.where(candidate).order_by(ResponseRow.seq)
    for batch in checks.batches(keys):
        groups: dict[Group, list[str]] = {(k.prompt_id, k.version): [] for k in batch}
        wanted = {prompt_id for prompt_id, _ in groups}
        for row in checks.in_chunks(session, ordered, ResponseRow.prompt_id, wanted):
            if (row.prompt_id, row.version) in groups:
                groups[row.prompt_id, row.version].append(row.id)
        yield {group: ids for group, ids in groups.items() if len(ids) > 1}


def _by(version: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if version is None else (ResponseRow.version == version,)


def _newest(version: str | None) -> Select[int, str]:
    newest = select(ResponseRow.seq, ResponseRow.id).where(*_by(version))
    return newest.order_by(ResponseRow.seq.desc()).limit(1)


def _offered(session: Session, version: str | None) -> int:
    marks = _marks(session)
    ids = [marks[name] for name in {"", version or ""} & marks.keys()]
    found = session.scalars(select(ResponseRow.seq).where(ResponseRow.id.in_(ids)))
    return max(found, default=0)


def _note_offered(session: Session, version: str | None) -> None:
    newest = session.execute(_newest(version)).first()
    if newest is not None:
        marks = {**_marks(session), version or "": newest.id}
        session.merge(SettingRow(key=OFFERED, value=marks))


def _marks(session: Session) -> dict[str, str]:
    row = session.get(SettingRow, OFFERED)
    return {} if row is None else row.value


def _retire_smaller(session: Session, groups: Sequence[Group]) -> None:
    columns = select(ItemRow.prompt_id, ItemRow.version)
    prompts = {prompt_id for prompt_id, _ in groups}
    older = set(checks.in_chunks(session, columns, ItemRow.prompt_id, prompts))
    for prompt_id, version in older & set(groups):
        of = (ItemRow.prompt_id == prompt_id, ItemRow.version == version, ItemRow.state != "gold")
        session.execute(update(ItemRow).where(*of).values(state="retired"))


def _adopt(session: Session, item_ids: Sequence[str], now: datetime) -> None:
    """Count rankings made before there was an item for them: imported, or of earlier releases."""
    judged = select(ActiveRow.item_id, ActiveRow.annotator).distinct()
    found = checks.in_chunks(session, judged, ActiveRow.item_id, item_ids)
    refresh_items(session, [(row.item_id, row.annotator) for row in found], now)
