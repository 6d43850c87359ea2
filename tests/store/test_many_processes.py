"""Eight processes share out a thousand items; some are killed with an item in hand."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest
from sqlalchemy import select

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import AssignmentRow, ItemRow
from tests.store.helpers import fill, start

ITEMS, OVERLAP, LEASE = 1_000, 3, 3.0
# Number of an item that a process takes and never judges: it hangs until it is killed.
DOOMED = {"p0": 2, "p1": 20, "p2": 45}
PEOPLE = [f"p{n}" for n in range(8)]

WORKER = """
    import sys, time
    from sqlalchemy import func, select
    from rlhf_lab.store import PreferenceStore
    from rlhf_lab.store.tables import ItemRow
    from rlhf_lab.types import Judgment, Ranking
    place, name, doomed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    unfinished = select(func.count(ItemRow.seq)).where(ItemRow.state == "open")
    with PreferenceStore(place) as store:
        number = 0
        while True:
            item = store.assignments.next_item(name)
            if item is None:
                with store.database.read() as session:
                    if session.scalar(unfinished) == 0:
                        break
                time.sleep(0.2)  # others hold what is left, or died with it
                continue
            number += 1
            if number == doomed:
                print(item.prompt.text, flush=True)
                time.sleep(1000)
            shown = tuple(c.id for c in item.candidates)
            store.submit(
                Judgment(
                    id=f"{name}-{number}", prompt_id=item.prompt.id, annotator=name,
                    shown_order=shown, ranking=Ranking(tiers=(shown,)),
                )
            )
"""

AHEAD_WORKER = """
    import random, sys, time
    from sqlalchemy import func, select
    from rlhf_lab.store import PreferenceStore
    from rlhf_lab.store.tables import ItemRow
    from rlhf_lab.types import Judgment, Ranking
    place, name, ahead = sys.argv[1], sys.argv[2], int(sys.argv[3])
    unfinished = select(func.count(ItemRow.seq)).where(ItemRow.state == "open")
    draw = random.Random(name)
    with PreferenceStore(place) as store:
        number = 0
        while True:
            items = store.assignments.upcoming(name, None, ahead)
            if not items:
                with store.database.read() as session:
                    if session.scalar(unfinished) == 0:
                        break
                time.sleep(0.2)  # others hold what is left
                continue
            for item in draw.sample(items, -(-len(items) // 2)):  # half of them, in any order
                number += 1
                shown = tuple(c.id for c in item.candidates)
                store.submit(
                    Judgment(
                        id=f"{name}-{number}", prompt_id=item.prompt.id, annotator=name,
                        shown_order=shown, ranking=Ranking(tiers=(shown,)),
                    )
                )
                if draw.random() < 0.1:
                    store.assignments.undo(name)
"""


@pytest.mark.slow
def test_eight_processes_that_hold_eight_items_each_give_every_item_its_judgments(database):
    with PreferenceStore(database) as store:
        fill(store, *(f"item {n}" for n in range(200)))
        assert store.assignments.offer() == 200
        store.assignments.plan = AssignmentPlan(overlap=OVERLAP, shuffled=True)
    workers = [start(AHEAD_WORKER, str(database), who, "8") for who in PEOPLE]
    try:
        assert [worker.wait(600) for worker in workers] == [0] * len(workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    with PreferenceStore(database) as store:
        judgments = store.judgments()
        with store.database.read() as session:
            items = {tuple(row) for row in session.execute(select(ItemRow.state, ItemRow.done))}
    assert set(Counter((j.annotator, j.prompt_id) for j in judgments).values()) == {1}
    assert sorted(Counter(j.prompt_id for j in judgments).values()) == [OVERLAP] * 200
    assert {j.occasion for j in judgments} == {"regular"}
    assert items == {("full", OVERLAP)}


@pytest.mark.slow
def test_every_item_gets_its_judgments_though_processes_die_with_items_in_hand(database):
    with PreferenceStore(database) as store:
        fill(store, *(f"item {n}" for n in range(ITEMS)))
        assert store.assignments.offer() == ITEMS
        plan = AssignmentPlan(overlap=OVERLAP, shuffled=True, lease_seconds=LEASE)
        store.assignments.plan = plan
    workers = {who: start(WORKER, str(database), who, str(DOOMED.get(who, 0))) for who in PEOPLE}
    try:
        abandoned = {who: workers[who].stdout.readline().strip() for who in DOOMED}
        for who in DOOMED:
            os.kill(workers[who].pid, signal.SIGKILL)
        others = set(PEOPLE) - set(DOOMED)
        assert {who: workers[who].wait(600) for who in others} == dict.fromkeys(others, 0)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.communicate()
    assert all(abandoned.values())
    with PreferenceStore(database) as store:
        judgments = store.judgments()
        with store.database.read() as session:
            items = {tuple(row) for row in session.execute(select(ItemRow.state, ItemRow.done))}
            held = select(AssignmentRow.annotator).where(AssignmentRow.judgment_id.is_(None))
            unfinished = list(session.scalars(held))
    assert set(Counter((j.annotator, j.prompt_id) for j in judgments).values()) == {1}
    counted = Counter(j.prompt_id for j in judgments if j.occasion == "regular")
    assert len(counted) == ITEMS
    assert set(counted.values()) == {OVERLAP}
    assert items == {("full", OVERLAP)}
    assert sorted(unfinished) == sorted(DOOMED)  # what they held when they died
