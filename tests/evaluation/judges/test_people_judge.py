from __future__ import annotations

import pytest

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.judges import PeopleJudge, rank_many
from rlhf_lab.evaluation.win_rate import compare_versions
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Ranking, Response
from tests.evaluation.judges.endpoints import answers, prompt

PROMPT = prompt()
THREE = answers(PROMPT, "a", "b", "c")


@pytest.fixture
def store(tmp_path):
    with PreferenceStore(tmp_path / "lab.db") as store:
        store.add_prompts([PROMPT])
        store.add_responses(THREE)
        yield store


def say(store, who: str, *tiers: str, **changes) -> None:
    """Tiers of numbers of responses: say(store, "ann", "0", "12")."""
    ranked = tuple(tuple(f"r{n}" for n in tier) for tier in tiers)
    shown = tuple(sorted(i for tier in ranked for i in tier))
    number = len(store.judgments(include_superseded=True))
    store.submit(
        Judgment(
            id=f"j{number}",
            prompt_id=PROMPT.id,
            annotator=who,
            shown_order=shown,
            ranking=Ranking(tiers=ranked),
            **changes,
        )
    )


def test_one_persons_ranking_comes_back_as_it_was(store):
    say(store, "ann", "2", "01")
    assert PeopleJudge(store).rank(PROMPT, THREE).tiers == (("r2",), ("r0", "r1"))


def test_more_people_decide_and_as_many_are_a_tie(store):
    say(store, "ann", "0", "1")
    say(store, "bob", "1", "0", "2")
    assert PeopleJudge(store).rank(PROMPT, THREE[:2]).tiers == (("r0", "r1"),)
    say(store, "cem", "01")  # a tie of two counts for neither
    assert PeopleJudge(store).rank(PROMPT, THREE[:2]).tiers == (("r0", "r1"),)
    say(store, "dia", "2", "1", "0")
    assert PeopleJudge(store).rank(PROMPT, THREE[:2]).tiers == (("r1",), ("r0",))
    only = PeopleJudge(store, annotators=["ann"])
    assert only.rank(PROMPT, THREE[:2]).tiers == (("r0",), ("r1",))


def test_a_person_counts_once_with_what_was_said_last(store):
    say(store, "ann", "0", "1")
    say(store, "ann", "0", "1", "2")
    say(store, "bob", "1", "0")
    assert PeopleJudge(store).rank(PROMPT, THREE[:2]).tiers == (("r0", "r1"),)
    say(store, "ann", "1", "0")  # about the same two: takes the place of the first
    # Of the two that count of ann's, this one came last.
    assert PeopleJudge(store).rank(PROMPT, THREE[:2]).tiers == (("r1",), ("r0",))


def test_what_nobody_said_is_an_error_or_a_counted_tie(store):
    say(store, "ann", "0", "1")
    with pytest.raises(NotEnoughData, match=r"nobody ranked both.*lab\.compare.*unjudged='tie'"):
        PeopleJudge(store).rank(PROMPT, THREE)
    judge = PeopleJudge(store, unjudged="tie")
    # r0 has 1 + 0.5, r1 0 + 0.5, r2 0.5 + 0.5.
    assert judge.rank(PROMPT, THREE).tiers == (("r0",), ("r2",), ("r1",))
    assert judge.unjudged_pairs == 2


def test_many_items_say_what_each_alone_does(store):
    say(store, "ann", "0", "1")
    say(store, "bob", "2", "1")
    judge = PeopleJudge(store)
    items = [(PROMPT, THREE[:2]), (PROMPT, THREE[1:])]
    assert rank_many(judge, items) == [judge.rank(*item) for item in items]


def test_a_win_rate_by_people_is_computed_by_the_same_function(store):
    before = Response(id="b", prompt_id=PROMPT.id, text="x", version="policy@0")
    after = Response(id="a", prompt_id=PROMPT.id, text="y", version="policy@1")
    store.add_responses([before, after])
    store.submit(
        Judgment(
            id="c",
            prompt_id=PROMPT.id,
            annotator="me",
            shown_order=("a", "b"),
            ranking=Ranking(tiers=(("a",), ("b",))),
        )
    )
    report = compare_versions([PROMPT], [before], [after], PeopleJudge(store), kl=0.0)
    assert report.win_rate.estimate == 1
    assert report.judge == "people"


@pytest.mark.parametrize("wrong", [{"unjudged": "skip"}, {"annotators": "ann"}, {"annotators": []}])
def test_settings_are_refused_where_they_are_made(store, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PeopleJudge(store, **wrong)
