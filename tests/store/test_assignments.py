from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from rlhf_lab.errors import ConfigError, JudgmentError
from rlhf_lab.store import PreferenceStore, events
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.tables import AssignmentRow, ItemRow
from rlhf_lab.types import Judgment, Progress, Ranking, RankingItem
from tests.store.helpers import NOON, fill, prompt, response

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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Path | str, clock: Clock) -> Iterator[PreferenceStore]:
    with PreferenceStore(database, clock=clock) as opened:
        yield opened


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


# -- in hand, and leases


def test_an_item_in_hand_is_the_same_until_it_is_judged(store, clock):
    offer(store, "a", "b")
    first = take(store, "ann")
    assert text(first) == "a"
    clock.advance(LEASE - 1)
    assert take(store, "ann") == first
    judge(store, "ann", first)
    assert text(take(store, "ann")) == "b"


def test_a_place_in_somebodys_hands_is_nobody_elses(store):
    offer(store, "a", "b", overlap=1)
    assert text(take(store, "ann")) == "a"
    assert text(take(store, "bob")) == "b"
    assert store.assignments.next_item("cat") is None


def test_a_lease_that_ran_out_gives_the_place_to_somebody_else(store, clock):
    offer(store, "a", "b", overlap=1)
    assert text(take(store, "ann")) == "a"
    clock.advance(LEASE)
    assert text(take(store, "bob")) == "a"
    assert text(take(store, "ann")) == "b"  # her place is gone, so she gets another


def test_whoever_is_back_before_anybody_took_the_place_goes_on_with_it(store, clock):
    offer(store, "a", "b", overlap=1)
    item = take(store, "ann")
    clock.advance(10 * LEASE)
    assert take(store, "ann") == item
    assert text(take(store, "bob")) == "b"


def test_asking_again_renews_the_lease(store, clock):
    offer(store, "a", overlap=1)
    for _ in range(3):
        assert text(take(store, "ann")) == "a"
        clock.advance(LEASE - 1)
    assert store.assignments.next_item("bob") is None


def test_items_go_to_as_many_as_the_plan_wants_and_to_nobody_twice(store):
    offer(store, *"abcdef", overlap=2, shuffled=True)
    people = ["ann", "bob", "cat"]
    seen: dict[str, list[str]] = {who: [] for who in people}
    for who in itertools.islice(itertools.cycle(people), 30):
        item = store.assignments.next_item(who)
        if item is not None:
            judge(store, who, item)
            seen[who].append(item.prompt.text)
    assert Counter(itertools.chain(*seen.values())) == dict.fromkeys("abcdef", 2)
    assert all(len(set(theirs)) == len(theirs) for theirs in seen.values())
    assert all(store.assignments.next_item(who) is None for who in people)


def test_leave_ranked_leaves_out_what_anybody_ranked_and_not_what_they_look_at(store):
    offer(store, "a", "b", "c")
    judge(store, "ann", take(store, "ann"))
    assert text(take(store, "ann")) == "b"
    assert text(store.assignments.next_item("rubric", leave_ranked=True)) == "b"
    assert store.assignments.progress("rubric", leave_ranked=True) == Progress(done=0, total=2)


def test_leave_ranked_keeps_the_places_of_a_plan(store):
    offer(store, "a", "b", "c")
    store.assignments.plan = AssignmentPlan(overlap=1)
    judge(store, "ann", take(store, "ann"))
    assert text(take(store, "ann")) == "b"
    assert text(store.assignments.next_item("rubric", leave_ranked=True)) == "c"


# -- the order


def test_the_order_is_that_of_offering_unless_the_plan_shuffles(store):
    offer(store, *"zyxw")
    assert judge_all(store, "ann") == list("zyxw")


def test_everybody_has_an_order_of_their_own_that_is_always_the_same(store, tmp_path):
    letters = "abcdefghijkl"
    offer(store, *letters, shuffled=True)
    orders = {who: judge_all(store, who) for who in ("ann", "bob")}
    assert sorted(orders["ann"]) == sorted(orders["bob"]) == list(letters)
    assert orders["ann"] != orders["bob"] != list(letters)
    with PreferenceStore(tmp_path / "again.db") as other:
        offer(other, *letters, shuffled=True)
        assert judge_all(other, "bob") == orders["bob"]
        assert judge_all(other, "ann", seed=1) != orders["ann"]


def test_a_known_answer_from_the_end_does_not_make_them_skip_what_comes_before_it(store):
    offer(store, *"abcdefgh", gold_rate=0.5)
    make_gold(store, "h")
    seen = judge_all(store, "ann")
    assert "h" in seen[:-1]
    assert [t for t in seen if t != "h"] == list("abcdefg")


# -- known answers and repeats


def test_known_answers_come_at_the_plans_rate(store):
    names = [f"p{n:03}" for n in range(110)]
    offer(store, *names, gold_rate=0.25)
    make_gold(store, *names[:40])
    judge_all(store, "ann", most=80)
    found = Counter(occasions(store, "ann"))
    assert found.keys() == {"gold", "regular"}
    assert 12 <= found["gold"] <= 28  # 20 on average


def test_without_known_answers_left_regular_items_come(store):
    offer(store, *"abcdef", gold_rate=0.9)
    make_gold(store, "a")
    assert sorted(judge_all(store, "ann")) == list("abcdef")
    assert Counter(occasions(store, "ann")) == {"regular": 5, "gold": 1}
    assert store.assignments.progress("ann") == Progress(done=6, total=6)


def test_what_was_judged_before_its_answer_was_known_is_not_asked_again(store):
    offer(store, "a", "b", gold_rate=0.9)
    judge(store, "ann", take(store, "ann"))
    make_gold(store, "a")
    assert judge_all(store, "ann") == ["b"]


def test_an_answer_in_hand_when_it_becomes_known_counts_as_known(store):
    offer(store, "a")
    item = take(store, "ann")
    make_gold(store, "a")
    assert take(store, "ann") == item
    judge(store, "ann", item)
    assert occasions(store, "ann") == ["gold"]
    assert store.assignments.next_item("ann") is None


def test_a_judgment_taken_back_and_given_again_after_the_answer_is_known_is_one(store):
    offer(store, "a", "b", gold_rate=0.9)
    item = take(store, "ann")
    judge(store, "ann", item)
    make_gold(store, "a")
    assert store.assignments.undo("ann") == item
    judge(store, "ann", take(store, "ann"))
    assert text(take(store, "ann")) == "b"
    assert occasions(store, "ann") == ["gold"]


def test_a_repeated_item_has_been_followed_by_enough_others(store):
    names = [f"p{n:02}" for n in range(40)]
    offer(store, *names, repeat_rate=0.4, repeat_after=5)
    seen = judge_all(store, "ann", most=40)
    counted = Counter(seen)
    repeated = [t for t, times in counted.items() if times == 2]
    assert set(counted.values()) == {1, 2}
    assert 8 <= len(repeated) <= 24  # 16 of 40 on average, but for the first five
    for each in repeated:
        first, second = (n for n, t in enumerate(seen) if t == each)
        assert second - first > 5
    assert Counter(occasions(store, "ann"))["repeat"] == len(repeated)
    done = store.assignments.progress("ann")
    assert done == Progress(done=len(counted), total=40)


def test_a_repeated_item_is_shown_in_another_order(store):
    fill(store, "a", "b", responses=6)
    store.assignments.offer()
    store.assignments.plan = AssignmentPlan(repeat_rate=0.9, repeat_after=1)
    shown: dict[str, list[tuple[str, ...]]] = {"a": [], "b": []}
    while (item := store.assignments.next_item("ann")) is not None:
        shown[item.prompt.text].append(tuple(c.id for c in item.candidates))
        judge(store, "ann", item)
    assert len(shown["a"]) == 2
    assert sorted(shown["a"][0]) == sorted(shown["a"][1])
    assert shown["a"][0] != shown["a"][1]


def test_skipped_items_are_not_repeated(store):
    offer(store, *"abcdef", repeat_rate=0.9, repeat_after=1)
    seen = []
    while (item := store.assignments.next_item("ann")) is not None:
        judge(store, "ann", item, kind="skip")
        seen.append(item.prompt.text)
    assert seen == list("abcdef")


def test_what_was_judged_again_a_moment_ago_is_not_repeated_now(store):
    offer(store, *"abcd", repeat_rate=0.99, repeat_after=3)
    first, second, third = (take_and_judge(store, "ann") for _ in range(3))
    judge(store, "ann", first[0], supersedes=first[1].id)  # now the latest of the three
    take_and_judge(store, "ann")
    repeated = store.assignments.next_item("ann")
    assert text(repeated) == text(second[0])
    assert text(repeated) != text(third[0])


def take_and_judge(store: PreferenceStore, who: str) -> tuple[RankingItem, Judgment]:
    item = take(store, who)
    return item, judge(store, who, item)


# -- what counts


def test_a_late_judgment_is_kept_but_is_one_too_many(store, clock):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    clock.advance(LEASE)
    judge(store, "bob", take(store, "bob"))
    late = judge(store, "ann", item)
    assert [j.occasion for j in store.judgments()] == ["regular", "extra"]
    assert store.judgments(annotator="ann")[0].ranking == late.ranking
    assert item_rows(store) == {"a": ("full", 1)}
    assert store.assignments.next_item("ann") is None
    assert store.assignments.undo("ann") == item
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_late_judgment_whose_place_is_still_free_counts(store, clock):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    clock.advance(10 * LEASE)
    judge(store, "ann", item)
    assert occasions(store, "ann") == ["regular"]
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_judgment_nobody_asked_for_is_extra_while_others_hold_the_place(store):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    judge(store, "bob", item)
    judge(store, "ann", item)
    assert occasions(store, "bob") == ["extra"]
    assert occasions(store, "ann") == ["regular"]
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_skip_gives_the_place_to_somebody_else(store):
    offer(store, "a", overlap=1)
    judge(store, "ann", take(store, "ann"), kind="skip")
    assert item_rows(store) == {"a": ("open", 0)}
    assert store.assignments.next_item("ann") is None
    judge(store, "bob", take(store, "bob"))
    assert item_rows(store) == {"a": ("full", 1)}


def test_a_correction_counts_once_and_stays_what_it_was_asked_for(store):
    offer(store, "a", "b", overlap=2, gold_rate=0.9)
    make_gold(store, "b")
    for _ in range(2):
        item, judgment = take_and_judge(store, "ann")
        reverse = Ranking(tiers=tuple(reversed(judgment.ranking.tiers)))
        judge(store, "ann", item, ranking=reverse, supersedes=judgment.id)
    assert sorted(occasions(store, "ann")) == ["gold", "regular"]
    assert item_rows(store)["a"] == ("open", 1)
    assert store.assignments.next_item("ann") is None


def test_a_ranking_corrected_into_a_skip_gives_its_place_back(store):
    offer(store, "a", overlap=1)
    item, judgment = take_and_judge(store, "ann")
    judge(store, "ann", item, kind="skip", supersedes=judgment.id)
    assert item_rows(store) == {"a": ("open", 0)}
    assert text(take(store, "bob")) == "a"


def test_rankings_of_several_people_stored_at_once_are_noted_for_each(store):
    offer(store, "a", "b", overlap=3)
    shown = ("a-0", "a-1")
    said = [
        Judgment(
            id=f"import-{who}", prompt_id=prompt("a").id, annotator=who, shown_order=shown,
            ranking=Ranking(tiers=(shown,)),
        )
        for who in ("ann", "bob")
    ]  # fmt: skip
    with store.database.write() as session:
        events.append_many(session, said, NOON)
    assert item_rows(store)["a"] == ("open", 2)
    assert [text(take(store, who)) for who in ("ann", "bob", "cat")] == ["b", "b", "a"]


# -- undo and redo


def test_undo_keeps_the_place_for_as_long_as_a_lease(store, clock):
    offer(store, "a", overlap=1)
    item, _ = take_and_judge(store, "ann")
    clock.advance(5 * LEASE)
    assert store.assignments.undo("ann") == item
    assert item_rows(store) == {"a": ("open", 0)}
    assert store.assignments.next_item("bob") is None
    assert take(store, "ann") == item
    clock.advance(LEASE)
    assert text(take(store, "bob")) == "a"


def test_redo_takes_back_the_undo_until_something_else_is_judged(store):
    offer(store, "a", "b")
    first, judgment = take_and_judge(store, "ann")
    assert store.assignments.redo("ann") is None
    assert store.assignments.undo("ann") == first
    assert store.judgments() == []
    assert store.assignments.redo("ann") == first
    assert [j.id for j in store.judgments()] == [judgment.id]
    assert store.assignments.redo("ann") is None
    store.assignments.undo("ann")
    judge(store, "ann", take(store, "ann"))
    assert store.assignments.redo("ann") is None
    assert text(take(store, "ann")) == "b"


def test_undo_and_redo_reach_sixty_deep_and_back_again(store):
    names = [f"p{n:02}" for n in range(60)]
    offer(store, *names, overlap=1)
    assert judge_all(store, "ann") == names
    kept = store.judgments()
    back = [text(store.assignments.undo("ann")) for _ in names]
    assert back == names[::-1]
    assert store.assignments.undo("ann") is None
    assert store.judgments() == []
    assert store.assignments.progress("ann") == Progress(done=0, total=60)
    forth = [text(store.assignments.redo("ann")) for _ in names]
    assert forth == names
    assert store.assignments.redo("ann") is None
    assert store.judgments() == kept
    assert set(item_rows(store).values()) == {("full", 1)}


def test_undo_of_a_correction_gives_what_it_corrected_back(store):
    offer(store, "a", overlap=1)
    item, judgment = take_and_judge(store, "ann")
    judge(store, "ann", item, kind="skip", supersedes=judgment.id)
    assert store.assignments.undo("ann") == item
    assert [j.id for j in store.judgments()] == [judgment.id]
    assert item_rows(store) == {"a": ("full", 1)}


def test_undo_and_redo_are_of_one_person_and_one_version(store):
    fill(store, "a")
    store.add_responses(response(prompt("a"), n, version="policy@1") for n in (7, 8))
    store.assignments.offer()
    old = take(store, "ann", version="policy@0")
    judge(store, "ann", old)
    new = take(store, "ann", version="policy@1")
    judge(store, "ann", new)
    assert store.assignments.undo("bob") is None
    assert store.assignments.undo("ann", "policy@0") == old
    assert store.assignments.undo("ann", "policy@0") is None
    assert store.assignments.redo("bob") is None
    assert store.assignments.redo("ann", "policy@1") is None
    assert store.assignments.redo("ann", "policy@0") == old
    assert len(store.judgments()) == 2


def test_an_undo_sent_twice_is_one_and_its_id_is_its_own(store):
    offer(store, "a", "b")
    take_and_judge(store, "ann")
    second, judgment = take_and_judge(store, "ann")
    for _ in range(2):
        assert store.assignments.undo("ann", submission="u1") == second
    assert len(store.judgments()) == 1
    for _ in range(2):
        assert store.assignments.redo("ann", submission="u2") == second
    assert len(store.judgments()) == 2
    with pytest.raises(JudgmentError, match=rf"'{judgment.id}' already holds a ranking by 'ann'"):
        store.assignments.undo("ann", submission=judgment.id)
    with pytest.raises(JudgmentError, match="'u1' already holds a undo by 'ann': make a new id"):
        store.assignments.undo("bob", submission="u1")


# -- offering, retiring, changing the plan


def test_offering_again_adds_only_what_was_answered_since(store):
    fill(store, "a", "b")
    assert store.assignments.offer("policy@0") == 2
    assert store.assignments.offer("policy@0") == 0
    assert store.assignments.offer() == 0
    fill(store, "c", responses=1)
    assert store.assignments.offer() == 0  # one answer is nothing to compare
    store.add_responses([response(prompt("c"), 1), response(prompt("c"), 2, purpose="evaluation")])
    store.add_responses(response(prompt("a"), n, version="policy@1") for n in (5, 6))
    assert store.assignments.offer("policy@1") == 1
    assert store.assignments.offer() == 1
    assert store.assignments.offer("policy@0") == 0
    assert sorted(item_rows(store)) == ["a", "b", "c"]


def test_a_larger_item_retires_the_smaller_one_even_in_hand(store):
    offer(store, "a", overlap=1)
    small = take(store, "ann")
    store.add_responses([response(prompt("a"), 2)])
    assert store.assignments.offer() == 1
    large = take(store, "ann")
    assert len(large.candidates) == 3
    judge(store, "ann", small)  # sent from a page that was still open
    assert len(store.judgments()) == 1
    assert item_rows(store) == {"a2": ("retired", 1), "a": ("open", 0)}
    assert take(store, "ann") == large
    assert store.assignments.undo("ann") == small
    assert take(store, "ann") == large


def test_a_known_answer_is_not_retired(store):
    offer(store, "a")
    make_gold(store, "a")
    store.add_responses([response(prompt("a"), 2)])
    store.assignments.offer()
    with store.database.read() as session:
        assert sorted(session.scalars(select(ItemRow.state))) == ["gold", "open"]


def test_a_changed_plan_opens_and_closes_items(store):
    offer(store, "a", "b", overlap=1)
    for _ in "ab":
        take_and_judge(store, "ann")
    assert store.assignments.next_item("bob") is None
    store.assignments.plan = AssignmentPlan(overlap=2)
    assert item_rows(store) == {"a": ("open", 1), "b": ("open", 1)}
    take_and_judge(store, "bob")
    store.assignments.plan = AssignmentPlan()
    assert text(take(store, "cat")) == "a"
    store.assignments.plan = AssignmentPlan(overlap=1)
    assert item_rows(store) == {"a": ("full", 2), "b": ("full", 1)}
    judge(store, "cat", take(store, "cat"))  # what she had in hand is hers
    assert occasions(store, "cat") == ["regular"]
    assert store.assignments.next_item("cat") is None


def test_every_process_sees_the_same_plan(store, database):
    plan = AssignmentPlan(overlap=3, shuffled=True, gold_rate=0.1, lease_seconds=5)
    store.assignments.plan = plan
    with PreferenceStore(database) as other:
        assert other.assignments.plan == plan


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"overlap": 0}, "overlap=0: at least 1"),
        ({"gold_rate": 0.6, "repeat_rate": 0.4}, "together below 1"),
        ({"gold_rate": float("nan")}, "gold_rate=nan"),
        ({"repeat_rate": -0.1}, "0 or more"),
        ({"repeat_after": 0}, "repeat_after=0"),
        ({"lease_seconds": 0}, "lease_seconds=0: above 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        AssignmentPlan(**wrong)


def test_only_rankings_that_count_and_were_offered_can_be_known_answers(store):
    offer(store, "a", "b")
    _, judgment = take_and_judge(store, "ann")
    skipped = judge(store, "ann", take(store, "ann"), kind="skip")
    store.assignments.undo("ann")
    store.assignments.undo("ann")
    for name in (judgment.id, skipped.id, "nope"):
        with pytest.raises(JudgmentError, match=f"'{name}' is not a ranking that counts"):
            store.assignments.make_gold([name])
    fill(store, "c")
    shown = ("c-0", "c-1")
    never = Judgment(
        id="never", prompt_id=prompt("c").id, annotator="ann", shown_order=shown,
        ranking=Ranking(tiers=(shown,)),
    )  # fmt: skip
    store.submit(never)
    with pytest.raises(JudgmentError, match="'never' ranks responses that were never offered tog"):
        store.assignments.make_gold(["never"])


def test_what_was_ranked_before_it_was_offered_is_not_asked_again(store):
    fill(store, "a", "b")
    shown = ("a-0", "a-1")
    store.submit(
        Judgment(
            id="early", prompt_id=prompt("a").id, annotator="ann", shown_order=shown,
            ranking=Ranking(tiers=(shown,)),
        )
    )  # fmt: skip
    store.assignments.offer()
    assert item_rows(store) == {"a": ("open", 1), "b": ("open", 0)}
    assert judge_all(store, "ann") == ["b"]
    with store.database.read() as session:
        assert session.scalar(select(AssignmentRow.judgment_id).limit(1)) == "early"


# -- a place is taken once


def full_without(store: PreferenceStore, who: str) -> RankingItem:
    """One item of three places: `who` skips it, three others rank it."""
    offer(store, "a", overlap=3)
    item = take(store, who)
    judge(store, who, item, kind="skip", id="skip")
    for other in ("bob", "cat", "dan"):
        judge(store, other, take(store, other))
    return item


def regular(store: PreferenceStore) -> int:
    return sum(j.occasion == "regular" for j in store.judgments())


def test_undoing_a_skip_gives_no_place_that_others_have_taken(store):
    item = full_without(store, "ann")
    store.assignments.undo("ann")
    assert store.assignments.next_item("ann") is None
    judge(store, "ann", item)
    assert (regular(store), len(store.judgments())) == (3, 4)


def test_a_ranking_instead_of_a_skip_is_extra_once_the_places_are_taken(store):
    item = full_without(store, "ann")
    judge(store, "ann", item, supersedes="skip")
    assert (regular(store), len(store.judgments())) == (3, 4)


def test_a_correction_is_redone_in_an_item_that_has_all_its_rankings(store):
    offer(store, "a", overlap=1)
    item = take(store, "ann")
    first = judge(store, "ann", item)
    second = judge(store, "ann", item, comment="better", supersedes=first.id)
    store.assignments.undo("ann")
    assert store.judgments() == [first]
    store.assignments.redo("ann")
    assert store.judgments() == [second]


def test_a_redo_is_refused_when_others_have_taken_the_place(store, clock):
    offer(store, "a", overlap=2)
    for who in ("ann", "bob"):
        judge(store, who, take(store, who))
    store.assignments.undo("ann")
    clock.advance(LEASE + 1)
    judge(store, "cat", take(store, "cat"))
    with pytest.raises(JudgmentError, match="others have ranked the item"):
        store.assignments.redo("ann")
    assert regular(store) == 2


@pytest.mark.parametrize("seconds", [0, -1, 1e12, float("inf"), float("nan")])
def test_a_lease_no_calendar_holds_is_refused(seconds):
    with pytest.raises(ConfigError, match="at most 31536000, a year"):
        AssignmentPlan(lease_seconds=seconds)
