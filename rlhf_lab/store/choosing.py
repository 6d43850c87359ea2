"""What is there to choose from, and what was chosen: items by priority, candidates among samples.

Who has a model reckons, and leaves the outcome here; so those who hand out items, and those who
show them, need none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import checks, judging
from rlhf_lab.store.events import COUNTED
from rlhf_lab.store.handing_out import KEPT_DRAWS
from rlhf_lab.store.items import OFFERED, draw_of
from rlhf_lab.store.tables import (
    ActiveRow,
    ItemRow,
    JudgmentRow,
    PromptRow,
    ResponseRow,
    SettingRow,
)
from rlhf_lab.types import Ranking


@dataclass(frozen=True, kw_only=True)
class OpenItem:
    """An item that may still be handed out.

    Attributes:
        id: Its name in the store.
        prompt_id: Of its prompt.
        candidates: Ids of the responses.
        rankings: Those that count, one of each annotator who ranked it.
        is_kept: Whether no priority touches it: it belongs to the random share, or its prompt is
            held out.
    """

    id: str
    prompt_id: str
    candidates: tuple[str, ...]
    rankings: tuple[Ranking, ...] = ()
    is_kept: bool = False


def in_random_share(prompt_id: str, candidates: Iterable[str]) -> bool:
    """Whether the item of these candidates is one of those that are handed out at random alone.

    Whatever was chosen for what it teaches is no sample of what there is. These items are one: a
    fifth of all, by a hash of their name, so that a judgment alone tells whether it is of them.
    """
    item = judging.item_id(prompt_id, candidates)
    return item is not None and draw_of(item) < KEPT_DRAWS


def open_items(session: Session, version: str | None) -> list[OpenItem]:
    """What may still be handed out, in the order it was made; of one version or of all."""
    query = select(ItemRow).where(ItemRow.state == "open").order_by(ItemRow.seq)
    if version is not None:
        query = query.where(ItemRow.version == version)
    found = list(session.scalars(query))
    splits = select(PromptRow.id, PromptRow.split)
    wanted = {item.prompt_id for item in found}
    split_of = {r.id: r.split for r in checks.in_chunks(session, splits, PromptRow.id, wanted)}
    said: defaultdict[str, list[Ranking]] = defaultdict(list)
    columns = (
        select(JudgmentRow, ActiveRow.item_id)
        .join(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
        .where(ActiveRow.kind == "ranking", ActiveRow.occasion.in_(COUNTED))
        .order_by(ActiveRow.seq)
    )
    ranked = [item.id for item in found if item.done]
    for row, item_id in checks.in_chunks(session, columns, ActiveRow.item_id, ranked):
        if row.tiers is not None:
            said[item_id].append(Ranking(tiers=tuple(map(tuple, row.tiers))))
    return [
        OpenItem(
            id=item.id,
            prompt_id=item.prompt_id,
            candidates=tuple(item.candidates),
            rankings=tuple(said[item.id]),
            is_kept=item.draw < KEPT_DRAWS or split_of[item.prompt_id] == "heldout",
        )
        for item in found
    ]


def prioritise(session: Session, version: str | None, priorities: Mapping[str, float]) -> None:
    """Write down how much each item would teach, in the place of what was written before.

    Args:
        session: A writing one.
        version: Whose items; None for all. Those without a priority here have 0 then.
        priorities: In nats, by item; 0 or more.

    Raises:
        ConfigError: one is negative or no number; nothing was written.
    """
    wrong = [value for value in priorities.values() if not (isfinite(value) and value >= 0)]
    if wrong:
        raise ConfigError(
            f"priority {wrong[0]} ({len(wrong)} of {len(priorities)} are such): what an item would "
            "teach is 0 or more, in nats."
        )
    of_version = () if version is None else (ItemRow.version == version,)
    session.execute(update(ItemRow).where(*of_version, ItemRow.priority != 0).values(priority=0.0))
    if priorities:
        # By the table, not the class: rows by a column that is no primary key.
        table = cast("Table", ItemRow.__table__)
        session.execute(
            update(table).where(table.c.id == bindparam("item")).values(priority=bindparam("nats")),
            [{"item": item, "nats": float(value)} for item, value in priorities.items()],
        )
    session.expire_all()


def make_candidates(session: Session, response_ids: Iterable[str]) -> int:
    """Offer these spare samples for ranking; returns how many were none before.

    Raises:
        StoreError: one is not stored, or was sampled for another purpose.
    """
    wanted = dict.fromkeys(response_ids)
    columns = select(ResponseRow.id, ResponseRow.purpose)
    found = {r.id: r.purpose for r in checks.in_chunks(session, columns, ResponseRow.id, wanted)}
    for response_id in wanted:
        if found.get(response_id) not in ("spare", "candidate"):
            raise StoreError(
                f"response {response_id!r} is {found.get(response_id, 'not stored')}: only spare "
                "samples can be made candidates."
            )
    spare = [i for i in wanted if found[i] == "spare"]
    for batch in checks.batches(spare):
        chosen = update(ResponseRow).where(ResponseRow.id.in_(batch))
        session.execute(chosen.values(purpose="candidate"))
    if spare:
        # They may be older than what was offered last: look at everything again.
        row = session.get(SettingRow, OFFERED)
        if row is not None:
            session.delete(row)
        session.flush()
    return len(spare)
