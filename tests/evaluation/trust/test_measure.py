"""By hand, and against scipy."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from rlhf_lab.errors import ConfigError, JudgmentError, NotEnoughData
from rlhf_lab.evaluation.trust import (
    AnnotatorPicker,
    CoinPicker,
    LengthPicker,
    MetricPicker,
    ScoresPicker,
    TrustItem,
    as_picker,
    measure_trust,
    metric_pickers,
)
from rlhf_lab.evaluation.trust.measure import compare
from rlhf_lab.types import Ranking
from tests.evaluation.trust.saying import Ranks, Says, item

FOUR = item("A > B = C > D")


@pytest.mark.parametrize(
    ("scores", "right", "best", "tau"),
    [
        ([4, 3, 2, 1], 5, 1, 5 / (5 * 6) ** 0.5),
        ([1, 2, 3, 4], 0, 0, -5 / (5 * 6) ** 0.5),
        ([4, 3, 3, 1], 5, 1, 1),
        # A over D alone is right; A under B and C; B and C over D: 3 of 5.
        ([2, 3, 4, 1], 3, 0, 1 / (5 * 6) ** 0.5),
        # All tied: half of each pair, a quarter of the best, and no correlation.
        ([1, 1, 1, 1], 2.5, 0.25, 0),
        # A and B tied above the others: A and B count one half.
        ([2, 2, 1, 1], 1 / 2 + 1 + 1 + 1 / 2 + 1, 0.5, 3 / (5 * 4) ** 0.5),
        ([float("inf"), 1, 1, float("-inf")], 5, 1, 1),
    ],
)
def test_scores_against_one_ranking(scores, right, best, tau):
    found = compare(FOUR, scores)
    assert (found.right, found.pairs, found.best) == (right, 5, best)
    assert found.tau == pytest.approx(tau)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=2, max_size=7))
def test_kendalls_tau_is_that_of_scipy(ranks):
    letters = "ABCDEFG"[: len(ranks)]
    levels = sorted({person for person, _ in ranks})
    if len(levels) < 2:
        return
    order = " > ".join(
        "=".join(x for x, (person, _) in zip(letters, ranks, strict=True) if person == level)
        for level in levels
    )
    scores = [float(score) for _, score in ranks]
    found = compare(item(order), scores)
    expected = kendalltau([-person for person, _ in ranks], scores).statistic
    assert found.tau == pytest.approx(0 if np.isnan(expected) else expected)


def test_best_is_any_of_the_best_tier():
    assert compare(item("A = B > C"), [1, 2, 0]).best == 1
    assert compare(item("A = B > C"), [1, 1, 1]).best == pytest.approx(2 / 3)


def test_a_report_by_hand():
    items = [
        item("A > B > C", to="tea"),
        item("C > B > A", to="rain"),
        item("A > B = C", to="rain", by="bob"),
        item("A > B", to="milk"),
    ]
    report = measure_trust(items, [Says("abc", A=3, B=2, C=1), Says("flat", A=1, B=1, C=1)])
    assert (report.judgments, report.prompts, report.annotators) == (4, 3, 2)
    abc, flat = report.rows
    assert (abc.name, abc.judgments, abc.ordered_pairs) == ("abc", 4, 3 + 3 + 2 + 1)
    assert abc.pairs.estimate == pytest.approx((3 + 0 + 2 + 1) / 9)
    assert abc.best.estimate == pytest.approx(3 / 4)
    assert abc.tau.estimate == pytest.approx((1 - 1 + 2 / 6**0.5 + 1) / 4)
    assert abc.pairs.n == abc.best.n == abc.tau.n == 3
    assert flat.pairs.estimate == 0.5
    assert flat.tau.estimate == 0
    assert report.chance_best == pytest.approx((1 / 3 + 1 / 3 + 1 / 3 + 1 / 2) / 4)
    # Ann and Bob on rain: A-B and A-C turned round, B-C tied by Bob.
    assert (report.people.estimate, report.people.n) == (0, 1)


def test_intervals_are_those_of_prompts_drawn_again():
    draw = random.Random(0)
    items = []
    for number in range(60):
        turned = draw.random() < 0.3
        # Three people who all say the same of a prompt: 180 judgments are worth 60.
        items += [item("B > A" if turned else "A > B", to=f"{number}", by=who) for who in "xyz"]
    report = measure_trust(items, [Says(A=2, B=1)], resamples=4_000)
    (row,) = report.rows
    per_prompt = [1.0 if one.ranking.tiers[0][0].endswith("A") else 0.0 for one in items[::3]]
    drawn = np.random.default_rng(1).choice(per_prompt, size=(4_000, 60)).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert row.pairs.estimate == pytest.approx(np.mean(per_prompt))
    assert (row.pairs.low, row.pairs.high) == pytest.approx((low, high), abs=0.02)


def test_where_every_prompt_says_the_same_the_interval_still_has_width():
    items = [item("A > B", to=f"{n}") for n in range(10)]
    right, wrong = measure_trust(items, [Says("r", A=2, B=1), Says("w", A=1, B=2)]).rows
    assert (right.pairs.estimate, right.pairs.high) == pytest.approx((1, 1))
    assert 0.7 < right.pairs.low < 0.75
    assert (wrong.pairs.estimate, wrong.pairs.low) == pytest.approx((0, 0))
    assert wrong.pairs.high == pytest.approx(1 - right.pairs.low)
    assert (right.verdict, wrong.verdict) == ("better than a coin", "worse than a coin")


def test_what_a_picker_cannot_judge_is_left_out_of_its_row_alone():
    items = [item("A > B", to="tea"), item("C > D", to="rain")]
    report = measure_trust(items, [Says("half", A=2, B=1), Says("all", A=1, B=2, C=2, D=1)])
    assert (report.row("half").judgments, report.row("half").pairs.estimate) == (1, 1)
    assert (report.row("all").judgments, report.row("all").pairs.estimate) == (2, 0.5)
    none = measure_trust(items, [Says("none"), Says("all", A=1, B=2, C=2, D=1)]).rows[-1]
    assert (none.name, none.judgments, none.verdict) == ("none", 0, "not measured")
    assert none.pairs is none.best is none.tau is None


def test_the_difference_of_two_is_over_what_both_saw():
    items = [item("A > B", to=f"{n}") for n in range(4)] + [item("C > D", to="rain")]
    one, other = Says("one", A=2, B=1, C=1, D=2), Says("other", A=1, B=2)
    report = measure_trust(items, [one, other, Says("none")])
    assert report.row("one").pairs.estimate == pytest.approx(4 / 5)
    assert report.difference("one", "other").estimate == 1
    assert report.difference("other", "one").estimate == -1
    assert report.difference("one", "other").n == 4
    with pytest.raises(NotEnoughData, match="'one' and 'none' were measured on no judgment"):
        report.difference("one", "none")
    with pytest.raises(ConfigError, match="no row 'two': there are one, other, none"):
        report.difference("one", "two")


def test_the_difference_is_narrower_than_the_rows_apart():
    draw = random.Random(3)
    items, first, second = [], {}, {}
    for number in range(80):
        one = item("A > B", to=f"{number}")
        guess = draw.random() < 0.6
        items.append(one)
        for scores, right in ((first, guess), (second, guess and number % 8 > 0)):
            scores |= {f"{number}-A": float(right), f"{number}-B": 0.5}
    report = measure_trust(items, [ScoresPicker("one", first), ScoresPicker("other", second)])
    rows = {row.name: row.pairs for row in report.rows}
    assert rows["one"].low < rows["other"].high  # by themselves they cannot be told apart
    assert report.difference("one", "other").low > 0


def test_people_agree_as_often_as_two_of_them_order_a_pair_alike():
    said = ["A > B > C", "A > B > C", "A > C > B"]
    items = [item(order, by=who) for order, who in zip(said, "xyz", strict=True)]
    report = measure_trust([*items, item("A > B", to="rain", by="x")], [LengthPicker()])
    # A-B and A-C: three pairs of people each, all alike; B-C: one of three.
    assert report.people.estimate == pytest.approx(7 / 9)
    assert report.people.n == 1


def test_one_person_twice_is_no_agreement():
    items = [item("A > B", by="x"), item("A > B", by="x")]
    assert measure_trust(items, [LengthPicker()]).people is None


def test_candidates_are_scored_once_however_many_ranked_them():
    says, judge = Says(A=2, B=1), Ranks("A > B")
    items = [item("A > B", by=who) for who in "xyz"] + [item("B > A", to="rain")]
    report = measure_trust(items, [says, AnnotatorPicker(judge)])
    assert len(says.asked) == 2
    assert judge.asked == ["tea", "rain"]
    assert report.row("says").judgments == report.row("judge").judgments == 4


def test_a_judge_ranks_and_its_ties_count_one_half():
    report = measure_trust([item("A > B > C")], [as_picker(Ranks("A > B = C"))])
    assert report.rows[0].pairs.estimate == pytest.approx(2.5 / 3)


def test_a_judge_that_learned_is_asked_about_held_out_prompts_alone():
    items = [item("A > B", to="tea"), item("A > B", to="rain", split="heldout")]
    judge = Ranks("A > B")
    report = measure_trust(items, [AnnotatorPicker(judge, heldout_only=True), LengthPicker()])
    assert judge.asked == ["rain"]
    assert (report.row("judge").judgments, report.row("length").judgments) == (1, 2)
    judge.heldout_only = True
    assert AnnotatorPicker(judge).scores(items[0]) is None
    assert AnnotatorPicker(judge, heldout_only=False).scores(items[0]) == [-1, -2]


def test_a_judge_of_many_is_asked_once():
    class Many(Ranks):
        def rank_many(self, items):
            self.batches = [*getattr(self, "batches", []), len(items)]
            return [self.rank(asked, candidates) for asked, candidates in items]

    judge = Many("A > B")
    measure_trust([item("A > B", to=to) for to in ("tea", "rain")], [as_picker(judge)])
    assert judge.batches == [2]


def test_a_judge_that_leaves_one_out_is_refused():
    with pytest.raises(JudgmentError, match="'judge' ranked"):
        measure_trust([item("A > B > C")], [as_picker(Ranks("A > B"))])


@pytest.mark.parametrize("scores", [[1.0], [1.0, float("nan")]])
def test_scores_that_order_nothing_are_refused(scores):
    class Odd:
        name = "odd"

        def scores(self, _: TrustItem) -> list[float]:
            return scores

    with pytest.raises(JudgmentError, match=r"'odd' gave \[1\.0.*for 2 candidates"):
        measure_trust([item("A > B")], [Odd()])


def test_what_says_nothing_is_refused():
    with pytest.raises(NotEnoughData, match="1 judgments, and in none is one candidate above"):
        measure_trust([item("A = B")], [LengthPicker()])
    with pytest.raises(ConfigError, match="0 pickers"):
        measure_trust([item("A > B")], [])
    with pytest.raises(ConfigError, match=r"several pickers are called \['length'\]"):
        measure_trust([item("A > B")], [LengthPicker(), LengthPicker()])
    with pytest.raises(JudgmentError, match="the ranking of exactly its candidates"):
        TrustItem(
            prompt=FOUR.prompt,
            candidates=FOUR.candidates,
            ranking=Ranking(tiers=(("tea-A",), ("tea-B",))),
            annotator="ann",
        )


def test_a_coin_is_right_half_of_the_time_and_always_falls_the_same():
    items = [item("A > B > C > D", to=f"{n}") for n in range(400)]
    report = measure_trust(items, [CoinPicker(1)])
    assert report.rows[0].pairs.estimate == pytest.approx(0.5, abs=0.04)
    assert report.rows[0].best.estimate == pytest.approx(0.25, abs=0.07)
    assert report.rows[0].is_baseline
    assert CoinPicker(1).scores(FOUR) == CoinPicker(1).scores(FOUR) != CoinPicker(2).scores(FOUR)


def test_length_counts_words():
    texts = {"A": "one two  three", "B": "incomprehensibilities", "C": ""}
    assert LengthPicker().scores(item("A > B > C", texts=texts)) == [3, 1, 0]


def test_a_metric_compares_with_references_where_there_are_any():
    texts = {"A": "a warm cup of tea", "B": "cold rain"}
    with_one = item("A > B", texts=texts, references=["a cup of tea"])
    with_two = item("B > A", to="rain", texts=texts, references=["cold rain", "wet"])
    without = item("A > B", to="milk")
    pickers = metric_pickers(["rouge1", "bleu", "rouge1"])
    report = measure_trust([with_one, with_two, without], pickers, progress=False)
    assert [(row.name, row.judgments) for row in report.rows] == [("rouge1", 2), ("bleu", 2)]
    assert report.row("rouge1").pairs.estimate == 1
    rouge1 = pickers[0].scores(with_one)
    assert rouge1 == pytest.approx([2 * 4 / (5 + 4), 0])


def test_a_metric_sees_all_texts_at_once():
    seen = []

    def metric(texts, references, progress):
        seen.append((list(texts), [list(one) for one in references]))
        return [float(len(text)) for text in texts]

    items = [item("A > B", to=to, references=[f"ref {to}"]) for to in ("tea", "rain")]
    measure_trust(items, [MetricPicker("m", metric)])
    texts = [f"{letter} to {to}" for to, letter in itertools.product(("tea", "rain"), "AB")]
    assert seen == [(texts, [["ref tea"]] * 2 + [["ref rain"]] * 2)]


def test_unknown_metrics_are_refused_before_anything_is_measured():
    with pytest.raises(ConfigError, match=r"metrics \['meteor'\]: known ones are rouge1, rouge2"):
        metric_pickers(["rouge1", "meteor"])


def test_trust_is_measured_without_torch():
    code = (
        "import sys; from rlhf_lab.evaluation.trust import measure_trust, LengthPicker; "
        "from tests.evaluation.trust.saying import item; "
        "measure_trust([item('A > B')], [LengthPicker()]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
