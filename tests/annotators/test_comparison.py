"""Comparing two versions over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.annotators import ComparisonQueue, comparison_reports
from rlhf_lab.errors import ConfigError, JudgmentError, NotEnoughData, UnknownVersion
from rlhf_lab.store import PreferenceStore, audit
from rlhf_lab.types import (
    Judgment,
    Message,
    Prompt,
    Ranking,
    RankingItem,
    Response,
    Sampling,
    Version,
)

NEW, OLD = "policy@1", "policy@0"
TEXTS = tuple("abcdef")


def prompt(text: str, split: str = "heldout") -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), split=split)


def response(to: Prompt, version: str, number: int = 0, **changes) -> Response:
    values = {
        "id": f"{to.text}-{version}-{number}",
        "prompt_id": to.id,
        "text": f"answer of {version}",
        "version": version,
        "sampling": Sampling(),
    }
    return Response(**{**values, **changes})


@pytest.fixture
def store(database: Path | str) -> Iterator[PreferenceStore]:
    """Six held-out prompts that both versions answered once."""
    with PreferenceStore(database) as opened:
        opened.add_version(Version(name=OLD, parent=None, path=OLD))
        opened.add_version(Version(name=NEW, parent=OLD, path=NEW))
        prompts = [prompt(text) for text in TEXTS]
        opened.add_prompts(prompts)
        opened.add_responses(response(p, v) for p in prompts for v in (OLD, NEW))
        yield opened


def queue(store: PreferenceStore, annotator: str = "me", **changes) -> ComparisonQueue:
    return ComparisonQueue(store, (NEW, OLD), annotator=annotator, **changes)


def say(
    ours: ComparisonQueue, pair: RankingItem, winner: str | None, submission: str, **changes
) -> Judgment:
    """A judgment for one version, None for a tie; with kind="skip", no opinion."""
    ids = tuple(c.id for c in pair.candidates)
    ranks = {c.id: 1 if winner in (None, c.version) else 2 for c in pair.candidates}
    judgment = Judgment(
        id=submission,
        prompt_id=pair.prompt.id,
        annotator=ours.annotator,
        shown_order=ids,
        ranking=None if changes.get("kind") == "skip" else Ranking.from_ranks(ranks),
        **changes,
    )
    ours.submit(judgment)
    return judgment


def say_all(ours: ComparisonQueue, *winners: str | None) -> list[str]:
    """Judge one pair after the other; the texts of their prompts."""
    said = []
    for number, winner in enumerate(winners):
        (pair,) = ours.waiting(1)
        say(ours, pair, winner, f"{ours.annotator}-{number}-{winner}")
        said.append(pair.prompt.text)
    return said


def texts(pairs: list[RankingItem]) -> list[str]:
    return [pair.prompt.text for pair in pairs]


def orders(ours: ComparisonQueue) -> list[tuple[str, str]]:
    return [(p.prompt.text, p.candidates[0].version) for p in ours.waiting(99)]


def test_every_prompt_that_both_answered_is_one_pair_of_them(store):
    lonely = prompt("lonely")
    store.add_prompts([lonely])
    store.add_responses([response(lonely, NEW, number) for number in range(4)])
    pairs = queue(store).waiting(99)
    assert sorted(texts(pairs)) == list(TEXTS)
    assert all({c.version for c in p.candidates} == {NEW, OLD} for p in pairs)
    assert all(c.prompt_id == p.prompt.id for p in pairs for c in p.candidates)
    assert len(queue(store).waiting(2)) == 2


def test_order_and_sides_follow_from_the_seed_and_the_sides_from_the_annotator_too(store):
    assert orders(queue(store)) == orders(queue(store))
    assert texts(queue(store).waiting(9)) == texts(queue(store, "bob").waiting(9))
    found = {str(orders(queue(store, who, seed=s))) for who in ("ann", "bob") for s in range(3)}
    assert len(found) == 6
    left = [v for s in range(40) for _, v in orders(queue(store, seed=s))]
    assert 90 <= left.count(NEW) <= 150  # 120 of 240 expected, four standard deviations


def test_the_other_way_round_the_same_pairs_are_seen_on_the_same_sides(store):
    turned = ComparisonQueue(store, (OLD, NEW), annotator="me")
    assert orders(turned) == orders(queue(store))
    say_all(turned, NEW, NEW, None)
    assert (queue(store).report().wins, turned.report().losses) == (2, 2)


def test_wins_losses_ties_and_skips_are_counted_from_the_store(store):
    ours = queue(store)
    say_all(ours, NEW, OLD, NEW, None)
    say(ours, ours.waiting(1)[0], None, "skipped-1", kind="skip")
    found = queue(store).report()
    assert (found.first, found.second, found.annotator) == (NEW, OLD, "me")
    assert (found.wins, found.losses, found.ties, found.skipped) == (2, 1, 1, 1)
    assert (found.done, found.total) == (5, 6)
    assert found.win_rate.estimate == 2.5 / 4
    assert queue(store, "bob").report().done == 0


def test_a_queue_made_again_goes_on_where_the_last_one_was(store):
    before = orders(queue(store))
    say_all(queue(store), NEW, OLD)
    assert orders(queue(store)) == before[2:]
    say_all(queue(store, seed=0), None, None, None, None)
    assert queue(store).waiting(9) == []
    assert queue(store).report().done == 6


def test_comparisons_are_ordinary_judgments_that_count_once(store):
    ours = queue(store)
    pair = ours.waiting(1)[0]
    judgment = say(ours, pair, NEW, "once-0001", seconds=3.5)
    ours.submit(judgment)
    (stored,) = store.judgments(annotator="me")
    assert stored.ranking == judgment.ranking
    assert stored.shown_order == tuple(c.id for c in pair.candidates)
    assert stored.occasion == "regular"
    # A second tab: one person has one opinion.
    say(ours, pair, OLD, "twice-001")
    assert [j.id for j in store.judgments()] == ["twice-001"]
    assert (ours.report().wins, ours.report().losses) == (0, 1)


def test_undo_and_redo_reach_sixty_deep_and_back(store):
    more = [prompt(f"p{n:02}") for n in range(54)]
    store.add_prompts(more)
    store.add_responses(response(p, v) for p in more for v in (OLD, NEW))
    ours = queue(store)
    said = say_all(ours, *[NEW, OLD, None] * 20)
    assert len(said) == 60
    full = ours.report()
    assert (full.wins, full.losses, full.ties) == (20, 20, 20)
    back = [ours.undo(f"undo-{n}").prompt.text for n in range(60)]
    assert back == said[::-1]
    assert ours.undo("undo-60") is None
    assert queue(store).report().done == 0
    assert texts(ours.waiting(99)) == said
    forth = [ours.redo(f"redo-{n}").prompt.text for n in range(60)]
    assert forth == said
    assert ours.redo("redo-60") is None
    assert queue(store).report() == full
    assert audit(store).ok


def test_an_undo_sent_again_is_one(store):
    ours = queue(store)
    said = say_all(ours, NEW, OLD)
    for _ in range(3):
        assert ours.undo("undo-1").prompt.text == said[1]
    assert ours.report().done == 1
    for _ in range(3):
        assert ours.redo("redo-1").prompt.text == said[1]
    assert ours.report().done == 2


def test_undo_brings_a_pair_back_with_the_sides_it_had(store):
    ours = queue(store)
    (pair,) = ours.waiting(1)
    say(ours, pair, NEW, "first-001")
    assert ours.undo() == pair
    assert ours.waiting(1) == [pair]


def test_undo_reaches_only_these_pairs_and_this_person(store):
    elsewhere = prompt("ranked", "train")
    store.add_prompts([elsewhere])
    store.add_responses(response(elsewhere, NEW, n, purpose="candidate") for n in (0, 1))
    ours, bobs = queue(store), queue(store, "bob")
    say_all(ours, NEW)
    say_all(bobs, OLD)
    ids = tuple(f"ranked-{NEW}-{n}" for n in (0, 1))
    ranking = Ranking(tiers=((ids[0],), (ids[1],)))
    ranked = {"prompt_id": elsewhere.id, "shown_order": ids, "ranking": ranking}
    store.submit(Judgment(id="ranked-01", annotator="me", **ranked))

    assert ours.undo().prompt.text in TEXTS
    assert ours.undo() is None
    assert [j.id for j in store.judgments()] == ["bob-0-policy@0", "ranked-01"]
    assert bobs.redo() is None
    assert store.assignments.undo("me") is not None  # the whole record still knows the ranking


def test_the_act_of_another_person_or_kind_is_no_undo(store):
    ours = queue(store)
    say_all(ours, NEW)
    with pytest.raises(JudgmentError, match="already holds a ranking by 'me'"):
        ours.undo("me-0-policy@1")


def test_a_judged_pair_stays_the_pair_of_its_prompt(store):
    ours = queue(store)
    said = say_all(ours, NEW, None, OLD)
    shown = {j.prompt_id: set(j.shown_order) for j in store.judgments()}
    store.add_responses(
        response(prompt(t), v, n) for t in TEXTS for v in (NEW, OLD) for n in range(1, 9)
    )
    ours.refresh()
    found = ours.report()
    assert (found.wins, found.losses, found.ties, found.total) == (1, 1, 1, 6)
    assert not set(said) & set(texts(ours.waiting(9)))
    for _ in said:
        pair = ours.undo()
        assert {c.id for c in pair.candidates} == shown[pair.prompt.id]


def test_responses_drawn_alike_go_together(store):
    cold = Sampling(temperature=0.1)
    store.add_responses(response(prompt("a"), NEW, n, sampling=cold) for n in range(1, 9))
    store.add_responses(response(prompt("b"), v, 9, sampling=cold) for v in (NEW, OLD))
    for seed in range(8):
        for pair in queue(store, seed=seed).waiting(9):
            one, other = pair.candidates
            assert one.sampling == other.sampling
    assert queue(store).report().unlike == 0


def test_pairs_that_could_only_be_drawn_differently_are_counted(store):
    odd = prompt("odd")
    store.add_prompts([odd])
    store.add_responses([response(odd, NEW), response(odd, OLD, sampling=Sampling(seed=9))])
    ours = queue(store)
    counts = {}
    while pairs := ours.waiting(1):
        say(ours, pairs[0], NEW, f"about-{pairs[0].prompt.id}")
        counts[pairs[0].prompt.text] = ours.report().unlike
    at = list(counts).index("odd")
    assert list(counts.values()) == [0] * at + [1] * (7 - at)
    assert ours.report().wins == 7


def test_prompts_are_held_out_unless_asked_otherwise_and_the_first_ones(store):
    train = prompt("t", "train")
    store.add_prompts([train])
    store.add_responses(response(train, v) for v in (NEW, OLD))
    assert "t" not in texts(queue(store).waiting(9))
    assert texts(queue(store, split="train").waiting(9)) == ["t"]
    assert len(queue(store, split=None).waiting(9)) == 7
    assert sorted(texts(queue(store, prompts=2).waiting(9))) == ["a", "b"]


def test_new_responses_are_found_by_looking_again(store):
    ours = queue(store)
    late = prompt("late")
    store.add_prompts([late])
    store.add_responses(response(late, v) for v in (NEW, OLD))
    before = orders(ours)
    ours.refresh()
    assert ours.report().total == 7
    assert [pair for pair in orders(ours) if pair[0] != "late"] == before


def test_what_cannot_be_compared_says_what_to_do(store):
    with pytest.raises(ConfigError, match="'policy@1' against itself"):
        ComparisonQueue(store, (NEW, NEW), annotator="me")
    with pytest.raises(ConfigError, match="prompts=0: at least 1"):
        queue(store, prompts=0)
    with pytest.raises(UnknownVersion, match=r"'policy@7' is not a version"):
        ComparisonQueue(store, ("policy@7", OLD), annotator="me")
    with pytest.raises(NotEnoughData, match=r"6 of them both, but no train prompt.*'heldout'"):
        queue(store, split="train")
    store.add_version(Version(name="policy@2", parent=NEW, path="policy@2"))
    with pytest.raises(NotEnoughData) as error:
        ComparisonQueue(store, ("policy@2", OLD), annotator="me")
    assert str(error.value) == (
        "policy@2 has answered 0 prompts, policy@0 6, and none of them both: answer the same "
        "held-out prompts with both, `lab.checkout('policy@2')` and then "
        "`lab.evaluate(baseline='policy@0')`."
    )


def test_answers_from_elsewhere_can_be_compared_with_a_version(store):
    source = "import:gpt"
    store.add_responses(response(prompt(t), source, sampling=None) for t in "ab")
    ours = ComparisonQueue(store, (NEW, source), annotator="me")
    assert ours.report().total == 2
    with pytest.raises(NotEnoughData, match="by importing answers"):
        ComparisonQueue(store, (NEW, "import:nothing"), annotator="me")


def test_reports_of_several_people_are_those_of_their_queues(store):
    for name, winners in (("ann", (NEW, NEW, None)), ("bob", (OLD, NEW)), ("cat", ())):
        ours = queue(store, name)
        pairs = ours.waiting(len(winners))
        for number, (pair, winner) in enumerate(zip(pairs, winners, strict=True)):
            say(ours, pair, winner, f"{name}-{number}")
    reports = comparison_reports(store, (NEW, OLD), ["ann", "bob", "cat", "nobody"])
    assert reports == [queue(store, "ann").report(), queue(store, "bob").report()]
    assert [(r.wins, r.losses, r.ties) for r in reports] == [(2, 0, 1), (1, 1, 0)]
    with pytest.raises(UnknownVersion):
        comparison_reports(store, ("policy@9", OLD), ["ann"])
