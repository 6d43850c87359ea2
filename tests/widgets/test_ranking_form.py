"""What may be said beside ranks: ratings, flags, comments, edits; and what is told afterwards."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import LabError
from rlhf_lab.types import CRITERIA
from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser.sample_items import item
from tests.widgets.ranking import Source, act, draft, event, keys, numbered, submit, told


@pytest.fixture
def source() -> Source:
    return Source([item("First?", "one", "two", "three"), *numbered(5, answers=3)])


def ids(source: Source, number: int = 0) -> list[str]:
    return [response.id for response in source.items[number].candidates]


# -- ratings, flags, comments


def test_the_page_is_told_what_may_be_said(source):
    state = RankingState(source, criteria=CRITERIA, flags=["wrong language"], editing=False)
    assert state.content["criteria"] == ["helpful", "harmless", "honest"]
    assert state.content["flags"] == ["wrong language"]
    assert state.content["editing"] is False
    plain = RankingState(source)
    assert plain.content["criteria"] == []
    assert plain.content["flags"] == ["unsafe", "off topic", "prompt unclear"]


def test_ratings_belong_to_their_cards(source):
    state = RankingState(source, criteria=CRITERIA)
    submit(state, 1, 2, 3, ratings=[{"helpful": 5, "honest": 1}, {}, {"harmless": 3}])
    a, _, c = ids(source)
    assert source.stored[0].criteria == {a: {"helpful": 5, "honest": 1}, c: {"harmless": 3}}


@pytest.mark.parametrize("rating", [0, 6, 2.0, True, None, "3"])
def test_a_rating_out_of_range_is_refused_and_the_rest_is_kept(source, rating):
    state = RankingState(source, criteria=CRITERIA)
    submit(state, 1, 2, 3, ratings=[{"helpful": rating}, {}, {}], comment="kept")
    assert source.stored == []
    assert "a rating is a whole number from 1 to 5" in told(state)
    assert draft(state)["ranks"] == [1, 2, 3]
    assert draft(state)["comment"] == "kept"
    assert draft(state)["ratings"] == [{}, {}, {}]


def test_all_bad_is_a_tie_with_a_flag_whatever_flags_are_offered(source):
    state = RankingState(source, flags=())
    submit(state, 1, 1, 1, flags=["all bad"])
    (judgment,) = source.stored
    assert judgment.ranking.tiers == (tuple(ids(source)),)
    assert judgment.flags == ("all bad",)


def test_a_flag_ticked_twice_is_one(source):
    state = RankingState(source)
    submit(state, 1, 2, 3, flags=["unsafe", "off topic", "unsafe"])
    assert source.stored[0].flags == ("unsafe", "off topic")


def test_a_comment_that_is_too_long_is_refused_and_nothing_of_it_is_lost(source):
    state = RankingState(source)
    submit(state, 1, 2, 2, comment="x" * 4001)
    assert source.stored == []
    assert told(state) == (
        "Not saved: “First?”. The comment has 4,001 characters and may have 4,000: shorten it."
    )
    assert draft(state)["comment"] == "x" * 4001
    submit(state, 1, 2, 2, comment="x" * 4000)
    assert source.stored[0].comment == "x" * 4000


@pytest.mark.parametrize("strength", ["negligibly", "slightly", "clearly", "much", None])
def test_every_strength_is_stored(source, strength):
    state = RankingState(source)
    submit(state, 2, 1, 2, strength=strength)
    assert source.stored[0].strength == strength


# -- demonstrations


def demonstrate(state: RankingState, card: object, text: str, **fields) -> None:
    state.apply([event(state, "demonstrate", card=card, text=text, **fields)])


def test_an_edited_response_becomes_a_demonstration(source):
    state = RankingState(source)
    demonstrate(state, 1, "two, but better")
    (made,) = source.demonstrations
    assert made.id == "event-demonstrate-1"
    assert made.edited_from == ids(source)[1]
    assert made.prompt_id == source.items[0].prompt.id
    assert (made.text, made.annotator, made.seconds) == ("two, but better", "tester", 2.5)
    assert told(state) == "Your version of B was saved."
    assert state.view["answered"] == []


def test_a_response_may_be_edited_after_its_item_was_answered_and_has_left_the_page(source):
    state = RankingState(source, ahead=2)
    first = state.view["current"]
    act(state, "skip", "skip", "skip")
    assert first not in keys(state)
    demonstrate(state, 0, "one!", on=first)
    assert source.demonstrations[0].edited_from == ids(source)[0]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"card": 3, "text": "x"}, "card 3 of 3"),
        ({"card": -1, "text": "x"}, "card -1 of 3"),
        ({"card": True, "text": "x"}, "card True of 3"),
        ({"card": None, "text": "x"}, "card None of 3"),
        ({"card": 0, "text": "  "}, "has no text"),
        ({"card": 0, "text": None}, "has no text"),
        ({"card": 0, "text": "x" * 100_001}, "100,001 characters and may have 100,000"),
        ({"card": 0, "text": "x", "item": "elsewhere"}, "is not on this page"),
    ],
    ids=str,
)
def test_an_edit_that_makes_no_sense_is_refused(source, fields, why):
    state = RankingState(source)
    state.apply([event(state, "demonstrate", **fields)])
    assert source.demonstrations == []
    assert told(state).startswith("Not saved: ")
    assert why.lower() in told(state).lower()


def test_editing_can_be_off(source):
    state = RankingState(source, editing=False)
    demonstrate(state, 0, "better")
    assert source.demonstrations == []
    assert "Editing is off" in told(state)


def test_an_edit_that_cannot_be_stored_is_told_and_the_judgment_after_it_counts(source):
    state = RankingState(source)
    source.failures["demonstrate"] = OSError("disk full")
    state.apply(
        [
            event(state, "demonstrate", card=0, text="x", seq=1),
            event(state, ranks=[1, 2, 3], seq=2),
        ]
    )
    assert len(source.stored) == 1
    assert told(state) == "Not saved: your answer to “First?”. OSError: disk full"


# -- what the reward model says


class Scorer:
    def __init__(self, *scores: float):
        self.scores = scores
        self.asked: list[list[str]] = []

    def __call__(self, of):
        found = [response.id for response in of.candidates]
        self.asked.append(found)
        return dict(zip(found, self.scores, strict=True))


def test_scores_are_told_after_the_vote_and_never_before(source):
    scorer = Scorer(0.5, 2.0, 0.5)
    state = RankingState(source, reveal=scorer)
    key = state.view["current"]
    assert scorer.asked == []
    submit(state, 1, 2, 9)  # refused
    assert scorer.asked == []
    assert state.view["reveal"] is None
    submit(state, 2, 1, 3)
    assert scorer.asked == [ids(source)]
    # B over A, B over C and A over C were said; the model ties A and C.
    assert state.view["reveal"] == {
        "item": key,
        "order": "B > A = C",
        "agrees": 1.0,
        "text": "The reward model says B > A = C: as you in 2 of 2 pairs.",
    }


def test_whoever_says_it_is_named(source):
    state = RankingState(source, reveal=Scorer(3.0, 1.0, 2.0), told_by="the researcher")
    submit(state, 1, 2, 3)
    told_then = "The researcher says A > C > B: as you in 2 of 3 pairs."
    assert state.view["reveal"]["text"] == told_then
    state = RankingState(source, reveal=Scorer(), told_by="the researcher")
    submit(state, 1, 2, 3, id="of-the-same-one")
    assert told(state).startswith("Saved; the researcher could not be asked. ")


@pytest.mark.parametrize(
    ("ranks", "scores", "order", "agrees"),
    [
        ((1, 2, 3), (3.0, 2.0, 1.0), "A > B > C", 1.0),
        ((1, 2, 3), (1.0, 2.0, 3.0), "C > B > A", 0.0),
        ((1, 1, 2), (1.0, 2.0, 0.0), "B > A > C", 1.0),
        ((1, 1, 1), (1.0, 2.0, 0.0), "B > A > C", None),
        ((1, 2, 3), (1.0, 1.0, 2.0), "C > A = B", 0.0),
        ((1, 2, 2), (0.0, 0.0, 0.0), "A = B = C", None),
    ],
)
def test_agreement_is_over_the_pairs_that_both_put_in_an_order(
    source, ranks, scores, order, agrees
):
    state = RankingState(source, reveal=Scorer(*scores))
    submit(state, *ranks)
    assert state.view["reveal"]["order"] == order
    assert state.view["reveal"]["agrees"] == agrees


def test_a_reveal_is_of_the_last_judgment_alone(source):
    scorer = Scorer(1.0, 2.0, 3.0)
    state = RankingState(source, reveal=scorer)
    first, second = keys(state)[:2]
    state.apply([event(state, ranks=[1, 2, 3], on=first, seq=1),
                 event(state, ranks=[1, 2, 3], on=second, seq=2)])  # fmt: skip
    assert len(scorer.asked) == 1
    assert state.view["reveal"]["item"] == second
    for kind in ("undo", "redo", "skip"):
        act(state, kind)
        assert state.view["reveal"] is None, kind


def test_what_is_taken_back_in_the_same_batch_is_not_scored(source):
    scorer = Scorer(1.0, 2.0, 3.0)
    state = RankingState(source, reveal=scorer)
    state.apply([event(state, ranks=[1, 2, 3], seq=1), event(state, "undo", seq=2, on="")])
    assert scorer.asked == []
    assert state.view["reveal"] is None


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (LabError("no reward model."), "no reward model."),
        ([], "response A has no score that is a number."),
        ([1.0, float("nan"), 2.0], "response B has no score that is a number."),
    ],
    ids=str,
)
def test_a_scorer_that_fails_costs_no_judgment(source, scores, why):
    def scorer(of):
        if isinstance(scores, Exception):
            raise scores
        return dict(zip([response.id for response in of.candidates], scores, strict=False))

    state = RankingState(source, reveal=scorer)
    submit(state, 1, 2, 3)
    assert len(source.stored) == 1
    assert state.view["reveal"] is None
    assert state.notice["tone"] == "info"
    assert told(state) == f"Saved; the reward model could not be asked. {why}"


# -- the pace


def test_the_pace_is_the_median_from_the_third_item_on(source):
    state = RankingState(source)
    for seconds, pace in [(10, None), (2, None), (5, 5), (7, 6.0)]:
        state.apply([event(state, "skip", seconds=seconds)])
        assert state.view["pace"] == pace
    act(state, "undo")
    assert state.view["pace"] == 5
    act(state, "redo")
    assert state.view["pace"] == 6
    state.apply([event(state, "skip", seconds=float("nan"))])
    assert state.view["pace"] == 6
