from __future__ import annotations

import subprocess
import sys

import pytest

from rlhf_lab.annotators import RubricAnnotator
from rlhf_lab.errors import ConfigError, JudgmentError, NonFiniteError
from rlhf_lab.evaluation.judges import rank_many
from rlhf_lab.evaluation.judges.batch import (
    batches_of_like_length,
    check_tie_width,
    ranking_from_pairs,
    ranking_from_scores,
)
from rlhf_lab.types import Ranking
from tests.evaluation.judges.endpoints import answers, prompt

PROMPT = prompt()


def test_any_annotator_can_be_asked_about_many_items():
    items = [(PROMPT, answers(PROMPT, "Blue.", "It is")), (PROMPT, answers(PROMPT, "", "Red."))]
    rubric = RubricAnnotator()
    assert rank_many(rubric, items) == [rubric.rank(*item) for item in items]


class Wrong:
    name = "wrong"

    def __init__(self, *rankings):
        self.rankings = rankings

    def rank(self, _prompt, _candidates):
        raise AssertionError("it can be asked about many at once")

    def rank_many(self, _items):
        return list(self.rankings)


@pytest.mark.parametrize(
    ("rankings", "told"),
    [
        ((), "0 rankings of 1"),
        ((Ranking(tiers=(("r0",),)),), r"ranked \['r0'\].*shown \['r0', 'r1"),
    ],
)
def test_what_leaves_something_out_is_refused(rankings, told):
    with pytest.raises(JudgmentError, match=told):
        rank_many(Wrong(*rankings), [(PROMPT, answers(PROMPT, "a", "b"))])


def test_pairs_that_follow_an_order_give_that_order():
    ranks = {"a": 2, "b": 1, "c": 2, "d": 3}

    def points(first, second):
        return 0.5 + 0.5 * ((ranks[first] < ranks[second]) - (ranks[first] > ranks[second]))

    assert ranking_from_pairs("abcd", points).tiers == (("b",), ("a", "c"), ("d",))


def test_a_tier_is_as_wide_as_the_tie_width_wherever_it_lies():
    scores = {"a": 1.0, "b": 0.75, "c": 0.5, "d": 0.25, "e": -7.0}
    assert ranking_from_scores(scores, 0.0).tiers == tuple((i,) for i in "abcde")
    assert ranking_from_scores(scores, 0.5).tiers == (("a", "b", "c"), ("d",), ("e",))
    assert ranking_from_scores({"x": 0.0, "y": 0.0}, 0.0).tiers == (("x", "y"),)
    # By rounding to multiples of 0.5 these would be apart.
    assert ranking_from_scores({"x": 0.7, "y": 0.8}, 0.5).tiers == (("y", "x"),)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_rank_nothing(odd):
    with pytest.raises(NonFiniteError, match="'x'"):
        ranking_from_scores({"x": odd, "y": 0.0}, 0.1)


@pytest.mark.parametrize("width", [-1.0, float("nan")])
def test_widths_that_no_scores_differ_by_are_refused(width):
    with pytest.raises(ConfigError, match="tie_width"):
        check_tie_width(width)


def test_batches_hold_every_place_once_the_longest_first():
    assert batches_of_like_length([3, 9, 1, 5, 5], 2) == [[1, 3], [4, 0], [2]]


def test_judges_that_run_no_model_load_no_torch():
    code = (
        "import sys; from rlhf_lab.evaluation.judges import ChatJudge, PeopleJudge; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
