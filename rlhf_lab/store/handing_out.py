"""Which item to hand to whom, and who has which.

An annotator keeps an item until it is judged or its lease has run out. Handing one out and noting
who has it is one writing transaction, so however many processes ask at once, no item goes to more
annotators than the plan wants, and none twice to the same one.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, delete, func, select
from sqlalchemy.orm import Session

from rlhf_lab.store import checks, rows
from rlhf_lab.store.plan import AssignmentPlan, read_plan
from rlhf_lab.store.tables import ActiveRow, AssignmentRow, ItemRow, PromptRow
from rlhf_lab.types import Progress, RankingItem, Strategy

# Something in hand, and the item it is about.
Held = tuple[AssignmentRow, ItemRow]

# Of all items, so many are kept out of the choosing: they are handed out at random, and what is
# said of them holds for all. Which ones, their place on the circle of draws says, from the day they
# are made: a share of what happens to be left would be one of what nobody wanted.
RANDOM_SHARE = 0.2
KEPT_DRAWS = int(RANDOM_SHARE * 2**31)
# Items on held-out prompts measure and never teach: they come at random as well, at this rate.
HELDOUT_SHARE = 0.2

# A repeated item is one of the latest so many that have been followed by enough others.
_REPEAT_WINDOW = 200


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who asks for an item, and which.

    Attributes:
        annotator: Their name.
        version: Only candidates of this one; None for all.
        seed: Of the order of items and candidates.
        leave_ranked: Leave out what anybody has ranked already, whatever the plan says.
        now: The time that leases are compared with.
        strategy: How items are chosen; None: as the plan says.
    """

    annotator: str
    version: str | None
    seed: int
    leave_ranked: bool
    now: datetime
    strategy: Strategy | None = None


def upcoming(session: Session, asking: Asking, count: int | None) -> list[RankingItem]:
    """Hand out as many items, beginning with those they hold; fewer when there are no more.

    What is handed out is leased anew. The earlier one comes in the order, the longer its lease: by
    microseconds, so that the leases keep the order and what an undo gives back comes before all.
    """
    plan = read_plan(session)
    count = plan.ahead if count is None else count
    until = asking.now + timedelta(seconds=plan.lease_seconds)
    held = _held(session, asking, plan)[:count]
    for place, (assignment, _) in enumerate(held):
        assignment.leased_until = _lease(until, place)
    session.flush()
    if len(held) < count:
        held += _draw(session, asking, plan, range(len(held), count), until)
    return _to_items(session, asking, held)


def _lease(until: datetime, place: int) -> datetime:
    return until - timedelta(microseconds=place + 1)


def give_back(session: Session, annotator: str) -> int:
    """Take back what this person was handed out, but for known answers and repeated items."""
    held = (
        AssignmentRow.annotator == annotator,
        AssignmentRow.judgment_id.is_(None),
        AssignmentRow.occasion == "regular",
    )
    numbers = list(session.scalars(select(AssignmentRow.seq).where(*held)))
    session.execute(delete(AssignmentRow).where(*held))
    return len(numbers)


def progress(session: Session, asking: Asking) -> Progress:
    """How many items this annotator has judged or skipped, of those there are for them."""
    first_time = AssignmentRow.occasion.not_in(("repeat", "calibration"))
    open_ = ItemRow.state == "open"
    if asking.leave_ranked:
        open_ = and_(open_, ItemRow.done < 1)
    # Told apart among the rows found, not while finding them: a PostgreSQL that has no statistics
    # yet, as after an import, would take these conditions for rare and start from them.
    finished = AssignmentRow.judgment_id.is_not(None)
    done, twice = (func.count(case((which, 1))) for which in (finished, and_(finished, open_)))
    mine = select(done, twice).join(ItemRow, ItemRow.seq == AssignmentRow.item_seq)
    counted, still_open = session.execute(mine.where(*_mine(asking), first_time)).one()
    left = select(func.count(ItemRow.seq)).where(*_of_version(asking.version), open_)
    return Progress(done=counted, total=counted + (session.scalar(left) or 0) - still_open)


# -- what they hold, and what they get next


def _held(session: Session, asking: Asking, plan: AssignmentPlan) -> list[Held]:
    """What they have in hand, without what has gone to others since its lease ran out."""
    query = (
        select(AssignmentRow, ItemRow)
        .join(ItemRow, ItemRow.id == AssignmentRow.item_id)
        .where(AssignmentRow.annotator == asking.annotator, AssignmentRow.judgment_id.is_(None))
        .where(ItemRow.state != "retired", *_of_version(asking.version))
        .order_by(AssignmentRow.leased_until.desc(), AssignmentRow.seq)
    )
    held = [(assignment, item) for assignment, item in session.execute(query)]
    lapsed = {
        item.id
        for assignment, item in held
        if assignment.leased_until <= asking.now and assignment.occasion == "regular"
    }
    if not lapsed:
        return held
    columns = select(ItemRow.id).where(*_room(asking, plan))
    gone = lapsed - {row.id for row in checks.in_chunks(session, columns, ItemRow.id, lapsed)}
    for assignment, item in held:
        if item.id in gone and assignment.occasion == "regular":
            session.delete(assignment)
    session.flush()
    return [(a, item) for a, item in held if item.id not in gone or a.occasion != "regular"]


def _draw(
    session: Session, asking: Asking, plan: AssignmentPlan, places: range, until: datetime
) -> list[Held]:
    """Hand out new ones, one for each of these places in their order, while there are any."""
    mine = select(func.count(AssignmentRow.seq)).where(AssignmentRow.annotator == asking.annotator)
    had = session.scalar(mine) or 0
    drawn: list[Held] = []
    for place in places:
        found = _draw_one(session, asking, plan, had + len(drawn))
        if found is None:
            break
        item, occasion = found
        assignment = AssignmentRow(
            item_id=item.id,
            item_seq=item.seq,
            version=item.version,
            annotator=asking.annotator,
            occasion=occasion,
            leased_until=_lease(until, place),
        )
        session.add(assignment)
        session.flush()  # the next draw must see it
        drawn.append((assignment, item))
    return drawn


def _draw_one(
    session: Session, asking: Asking, plan: AssignmentPlan, number: int
) -> tuple[ItemRow, str] | None:
    chance = _uniform(f"{asking.seed}/{asking.annotator}/{number}/occasion")
    if chance < plan.gold_rate:
        known = _around(
            session,
            asking,
            number,
            *_of_version(asking.version),
            _is_new(asking),
            ItemRow.state == "gold",
        )
        if known is not None:
            return known, "gold"
    elif chance < plan.gold_rate + plan.repeat_rate:
        again = _again(session, asking, plan, number)
        if again is not None:
            return again, "repeat"
    regular = _regular(session, asking, plan, number)
    return None if regular is None else (regular, "regular")


def _regular(session: Session, asking: Asking, plan: AssignmentPlan, number: int) -> ItemRow | None:
    wanted = (
        *_of_version(asking.version),
        ItemRow.state == "open",
        _is_new(asking),
        *_room(asking, plan),
    )
    if (asking.strategy or plan.strategy) == "informative":
        return _informative(session, asking, number, *wanted)
    if plan.shuffled:
        return _around(session, asking, number, *wanted)
    # Up to the last one they got they have seen all, but for those that others had then. Known
    # answers and repeated items come from anywhere in the order.
    got = select(AssignmentRow.item_seq).where(*_mine(asking), AssignmentRow.occasion == "regular")
    reached = session.scalar(got.order_by(AssignmentRow.item_seq.desc()).limit(1)) or 0
    ordered = select(ItemRow).where(*wanted).order_by(ItemRow.seq).limit(1)
    return session.scalar(ordered.where(ItemRow.seq > reached)) or session.scalar(ordered)


def _informative(
    session: Session, asking: Asking, number: int, *wanted: ColumnElement[bool]
) -> ItemRow | None:
    """What teaches most, or at their rates one that is kept for the random share or held out.

    When there are no more of one kind, the others' come.
    """
    kept = ItemRow.draw < KEPT_DRAWS
    heldout = (
        select(PromptRow.seq)
        .where(PromptRow.id == ItemRow.prompt_id, PromptRow.split == "heldout")
        .exists()
    )

    def teaching() -> ItemRow | None:
        ordered = select(ItemRow).where(*wanted, ~kept, ~heldout).limit(1)
        return session.scalar(ordered.order_by(ItemRow.priority.desc(), ItemRow.draw.desc()))

    def of_the_share() -> ItemRow | None:
        return _around(session, asking, number, *wanted, kept, ~heldout, below=KEPT_DRAWS)

    def measuring() -> ItemRow | None:
        return _around(session, asking, number, *wanted, heldout)

    chance = _uniform(f"{asking.seed}/{asking.annotator}/{number}/kept")
    kinds = [teaching, of_the_share, measuring]
    if chance < RANDOM_SHARE + HELDOUT_SHARE:
        first = of_the_share if chance < RANDOM_SHARE else measuring
        kinds = [first, *(kind for kind in kinds if kind is not first)]
    return next((found for kind in kinds if (found := kind()) is not None), None)


def _around(
    session: Session,
    asking: Asking,
    number: int,
    *wanted: ColumnElement[bool],
    below: int = 2**31,
) -> ItemRow | None:
    """The first such item from a point on the circle of draws: an order of each one's own."""
    point = int(_uniform(f"{asking.seed}/{asking.annotator}/{number}") * below)
    ordered = select(ItemRow).where(*wanted).order_by(ItemRow.draw).limit(1)
    return session.scalar(ordered.where(ItemRow.draw >= point)) or session.scalar(
        ordered.where(ItemRow.draw < point)
    )


def _again(session: Session, asking: Asking, plan: AssignmentPlan, number: int) -> ItemRow | None:
    """One they ranked a while ago and were not asked about twice."""
    repeated = select(AssignmentRow.seq).where(
        AssignmentRow.item_id == ActiveRow.item_id,
        AssignmentRow.annotator == asking.annotator,
        AssignmentRow.occasion == "repeat",
    )
    ranked = (
        select(ActiveRow.item_id, repeated.exists().label("twice"))
        .join(ItemRow, ItemRow.id == ActiveRow.item_id)
        .where(ActiveRow.annotator == asking.annotator, ActiveRow.kind == "ranking")
        .where(ActiveRow.occasion == "regular")
        .where(ItemRow.state != "retired", *_of_version(asking.version))
        .order_by(ActiveRow.seq.desc())
        .offset(plan.repeat_after)
        .limit(_REPEAT_WINDOW)
    )
    once = [row.item_id for row in session.execute(ranked) if not row.twice]
    if not once:
        return None
    chosen = random.Random(f"{asking.seed}/{asking.annotator}/{number}").choice(once)
    return session.scalar(select(ItemRow).where(ItemRow.id == chosen))


# -- conditions


def _of_version(version: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if version is None else (ItemRow.version == version,)


def _mine(asking: Asking) -> tuple[ColumnElement[bool], ...]:
    mine = (AssignmentRow.annotator == asking.annotator,)
    return mine if asking.version is None else (*mine, AssignmentRow.version == asking.version)


def _is_new(asking: Asking) -> ColumnElement[bool]:
    """Whether the annotator has never had the item."""
    had = select(AssignmentRow.seq).where(
        AssignmentRow.item_id == ItemRow.id, AssignmentRow.annotator == asking.annotator
    )
    return ~had.exists()


def _room(asking: Asking, plan: AssignmentPlan) -> tuple[ColumnElement[bool], ...]:
    """Whether the item's rankings and the leases of others leave a place."""
    # Somebody who looks at an item has not ranked it: only a plan keeps a place for them.
    nobodys = (ItemRow.done < 1,) if asking.leave_ranked else ()
    if plan.overlap is None:
        return nobodys
    leases = (
        select(func.count(AssignmentRow.seq))
        .where(AssignmentRow.item_id == ItemRow.id, AssignmentRow.judgment_id.is_(None))
        .where(AssignmentRow.annotator != asking.annotator, AssignmentRow.occasion == "regular")
        .where(AssignmentRow.leased_until > asking.now)
    )
    return (*nobodys, ItemRow.done + leases.scalar_subquery() < plan.overlap)


def _uniform(key: str) -> float:
    """A number in [0, 1) that is the same for the same key."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:6]) / 2**48


# -- values


def _to_items(session: Session, asking: Asking, held: Sequence[Held]) -> list[RankingItem]:
    prompt_ids = {item.prompt_id for _, item in held}
    found = checks.in_chunks(session, select(PromptRow), PromptRow.id, prompt_ids)
    prompts = {row.id: rows.to_prompt(row) for (row,) in found}
    shown = {assignment.seq: _blind(asking, assignment, item) for assignment, item in held}
    ids = itertools.chain.from_iterable(shown.values())
    responses = {r.id: r for r in checks.by_ids(session, dict.fromkeys(ids))}
    return [
        RankingItem(
            prompt=prompts[item.prompt_id],
            candidates=tuple(responses[i] for i in shown[assignment.seq]),
        )
        for assignment, item in held
    ]


def blind_order(
    seed: int, annotator: str, candidates: Iterable[str], *, again: bool = False
) -> list[str]:
    """The candidates in the order they are shown in, which says nothing of them."""
    ordered = sorted(candidates)
    key = f"{seed}/{annotator}/{ordered[0]}" + ("/repeat" if again else "")
    return random.Random(key).sample(ordered, len(ordered))


def _blind(asking: Asking, assignment: AssignmentRow, item: ItemRow) -> list[str]:
    again = assignment.occasion == "repeat"
    return blind_order(asking.seed, asking.annotator, item.candidates, again=again)
