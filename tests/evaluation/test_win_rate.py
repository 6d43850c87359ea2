from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.evaluation import EvalReport, compare_versions
from rlhf_lab.types import Interval, Prompt, Ranking, Response, Sampling
from tests.tiny import prompt


class LongerIsBetter:
    name = "longer"

    def __init__(self):
        self.shown: list[list[str]] = []

    def rank(self, prompt: Prompt, candidates) -> Ranking:
        self.shown.append([c.version for c in candidates])
        return Ranking.from_scores({c.id: len(c.text) for c in candidates})


def response(to: Prompt, version: str, text: str, **changes) -> Response:
    values = {"end_reason": "stop", "token_ids": tuple(range(len(text))), "seed": 0, **changes}
    return Response(
        id=hashlib.sha256(f"{to.text}/{version}".encode()).hexdigest()[:16],
        prompt_id=to.id,
        text=text,
        version=version,
        sampling=Sampling(),
        **values,
    )


def report(outcomes: list[tuple[str, str]], judge=None, **changes) -> EvalReport:
    prompts = [prompt(f"Question {n}") for n in range(len(outcomes))]
    before = [response(p, "policy@0", b) for p, (b, _) in zip(prompts, outcomes, strict=True)]
    after = [
        response(p, "policy@3", a, **changes) for p, (_, a) in zip(prompts, outcomes, strict=True)
    ]
    return compare_versions(prompts, before, after, judge or LongerIsBetter(), kl=1.25)


def test_wins_count_one_ties_half_and_losses_nothing():
    found = report([("a", "aa"), ("aa", "aa"), ("aaa", "a"), ("a", "aaaa")])
    assert [s.outcome for s in found.samples] == [1.0, 0.5, 0.0, 1.0]
    assert found.win_rate.estimate == pytest.approx(2.5 / 4)
    assert found.win_rate.n == 4
    assert found.win_rate.low < found.win_rate.estimate < found.win_rate.high
    assert (found.version, found.baseline, found.judge) == ("policy@3", "policy@0", "longer")


def test_lengths_endings_and_kl_stand_beside_the_win_rate():
    found = report([("a", "aaa"), ("aaa", "a"), ("aa", "aa")], end_reason="length")
    assert (found.baseline_length, found.length, found.kl) == (2.0, 2.0, 1.25)
    assert (found.baseline_ended, found.ended) == (1.0, 0.0)


def test_a_certain_win_has_a_certain_interval():
    assert report([("a", "aa")] * 5).win_rate == Interval(estimate=1.0, low=1.0, high=1.0, n=5)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.51, 0.7, "better"), (0.5, 0.7, "unclear"), (0.3, 0.5, "unclear"), (0.3, 0.49, "worse")],
)
def test_only_an_interval_beside_one_half_is_a_verdict(low: float, high: float, verdict: str):
    win = Interval(estimate=(low + high) / 2, low=low, high=high, n=5)
    assert replace(report([("a", "aa")]), win_rate=win).verdict == verdict


def test_the_judge_cannot_tell_the_versions_by_their_place():
    judge = LongerIsBetter()
    report([("a", "aa")] * 40, judge)
    first = [shown[0] for shown in judge.shown]
    assert {"policy@0", "policy@3"} == set(first)
    assert 8 <= first.count("policy@0") <= 32


def test_the_same_comparison_gives_the_same_interval():
    outcomes = [("a", "aa"), ("aaa", "a"), ("a", "a"), ("a", "aa")]
    assert report(outcomes).win_rate == report(outcomes).win_rate


def test_no_prompts_are_said():
    with pytest.raises(NotEnoughData, match="0 held-out prompts: add some"):
        compare_versions([], [], [], LongerIsBetter(), kl=0.0)


def test_a_report_reads_as_one_line_and_hides_no_markup_in_a_notebook():
    found = report([("a", "<script>x</script>"), ("aa", "a")])
    assert str(found).startswith("policy@3 against policy@0: win rate 0.50 [")
    assert repr(found) == str(found)
    page = found._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
