"""What tests of shared work say and look at."""

from __future__ import annotations

import itertools
from datetime import timedelta

from sqlalchemy import select

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import ItemRow
from rlhf_lab.types import Judgment, Ranking, RankingItem
from tests.store.helpers import NOON, fill, prompt

LEASE = 60
_number = itertools.count()


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self):
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def offer(store: PreferenceStore, *texts: str, **plan) -> None:
    """Items of two candidates each, shared out by a plan with leases of a minute."""
    fill(store, *texts)
    store.assignments.offer()
    store.assignments.plan = AssignmentPlan(**{"lease_seconds": LEASE, **plan})


def take(store: PreferenceStore, who: str, **asked) -> RankingItem:
    item = store.assignments.next_item(who, **asked)
    assert item is not None
    return item


def text(item: RankingItem | None) -> str | None:
    return None if item is None else item.prompt.text


def judge(store: PreferenceStore, who: str, item: RankingItem, **changes) -> Judgment:
    shown = tuple(c.id for c in item.candidates)
    skipped = changes.get("kind") == "skip"
    values = {
        "id": f"j{next(_number)}",
        "prompt_id": item.prompt.id,
        "annotator": who,
        "shown_order": shown,
        "ranking": None if skipped else Ranking(tiers=tuple((i,) for i in sorted(shown))),
        "created_at": NOON,
    }
    judgment = Judgment(**{**values, **changes})
    assert store.submit(judgment) is True
    return judgment


def judge_all(store: PreferenceStore, who: str, most: int = 1000, **asked) -> list[str]:
    """Rank what is handed out until there is nothing left; the texts in order."""
    seen: list[str] = []
    while len(seen) < most and (item := store.assignments.next_item(who, **asked)) is not None:
        judge(store, who, item)
        seen.append(item.prompt.text)
    return seen


def occasions(store: PreferenceStore, who: str) -> list[str]:
    kinds = ("ranking", "skip")
    return [j.occasion for j in store.judgments(annotator=who, kinds=kinds)]


def item_rows(store: PreferenceStore) -> dict[str, tuple[str, int]]:
    """State and number of rankings of each item, by its text; of a retired one by its size."""
    texts = {p.id: p.text for p in store.prompts()}
    with store.database.read() as session:
        found = session.scalars(select(ItemRow)).all()
        return {
            f"{texts[r.prompt_id]}{len(r.candidates) if r.state == 'retired' else ''}": (
                r.state,
                r.done,
            )
            for r in found
        }


def make_gold(store: PreferenceStore, *texts: str) -> None:
    """Let an expert answer these items, whatever the plan says, and take that for known."""
    answers = []
    for each in texts:
        to = prompt(each)
        shown = (f"{each}-0", f"{each}-1")
        found = Judgment(
            id=f"gold-{each}", prompt_id=to.id, annotator="expert", shown_order=shown,
            ranking=Ranking(tiers=(shown,)),
        )  # fmt: skip
        store.submit(found)
        answers.append(found.id)
    assert store.assignments.make_gold(answers) == len(texts)


def take_and_judge(store: PreferenceStore, who: str) -> tuple[RankingItem, Judgment]:
    item = take(store, who)
    return item, judge(store, who, item)
