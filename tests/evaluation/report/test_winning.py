from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rlhf_lab.annotators import RubricAnnotator
from rlhf_lab.evaluation.report.contents import Win
from rlhf_lab.evaluation.report.naming import model_name, shown_names
from rlhf_lab.evaluation.report.winning import (
    answer,
    answered,
    as_stored,
    compared,
    dealt,
    judged,
    leading_first,
    remarks,
    spread,
)
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Evaluation, Interval, Judgment, Ranking, wilson_interval
from tests.evaluation.report import stores


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with stores.make(tmp_path / "lab.sqlite") as opened:
        stores.policies(opened)
        stores.evaluated(opened)
        yield opened


def people(store: PreferenceStore) -> Win | None:
    prompts = {p.id: p for p in store.prompts()}
    return compared(store, "policy@3", "policy@0", prompts, 0)


def win(low: float, high: float, *, is_people: bool = False, n: int = 20, by: str = "x") -> Win:
    rate = Interval(estimate=(low + high) / 2, low=low, high=high, n=n)
    return Win(by=by, is_people=is_people, rate=rate, controlled=None, note="")


def test_both_answers_are_of_the_same_prompt_and_settings(store: PreferenceStore):
    one, _ = stores.ask(0)
    other = replace(stores.SAMPLING, temperature=0.2)
    store.add_responses(
        [stores.response(one, "later", "policy@3", 900, purpose="evaluation", sampling=other)]
    )
    pairs = answered(store, "policy@3", "policy@0")
    assert len(pairs) == 40
    assert all(p.before.sampling == p.after.sampling == stores.SAMPLING for p in pairs)
    assert [p.prompt.id for p in pairs] == [stores.ask(n)[0].id for n in range(40)]


def test_candidates_for_ranking_are_no_answers_of_an_evaluation(store: PreferenceStore):
    one, _ = stores.ask(0)
    store.add_responses([stores.response(one, "x", "policy@1", 901)])
    assert answered(store, "policy@1", "policy@0") == ()


def test_an_evaluation_by_the_same_judge_is_recognised(store: PreferenceStore):
    pairs = answered(store, "policy@3", "policy@0")
    found = judged(pairs, None, RubricAnnotator(), seed=0)
    assert found.note == "Judged for this page, on the answers that are stored."
    same = Evaluation(baseline="policy@0", win_rate=found.rate, kl=1.0)
    assert judged(pairs, same, RubricAnnotator(), seed=0).note == ""
    other = replace(same, win_rate=replace(found.rate, estimate=0.11, low=0.05, high=0.2))
    note = judged(pairs, other, RubricAnnotator(), seed=0).note
    assert "0.11 [0.05, 0.20] on 40 prompts" in note


def test_the_word_of_other_judges_stands_beside_the_one_of_the_page():
    rate = Interval(estimate=0.6, low=0.5, high=0.7, n=9)
    old, kind, strict = (
        Evaluation(baseline="policy@0", win_rate=replace(rate, n=n), kl=1.0, judge=judge)
        for n, judge in ((9, None), (10, "kind"), (11, "strict"))
    )
    found = as_stored([old, kind, strict], ["rubric"])
    assert [(win.by, win.rate.n) for win in found] == [("strict", 11), ("kind", 10)]
    assert [win.by for win in as_stored([old, kind, strict], ["strict"])] == ["kind"]


def test_an_evaluation_whose_answers_are_gone_is_shown_as_it_was_stored():
    rate = Interval(estimate=0.6, low=0.5, high=0.7, n=9)
    found = judged((), Evaluation(baseline="policy@0", win_rate=rate, kl=1.0), RubricAnnotator(),
                   seed=0)  # fmt: skip
    assert (found.rate, found.pairs, found.controlled) == (rate, (), None)
    assert judged((), None, RubricAnnotator(), seed=0) is None


def test_what_people_said_counts_once_for_each_prompt(store: PreferenceStore):
    # 5 wins, 1 tie and 2 losses; the second person turns the first win into a half.
    stores.compared(store, "ann", [1, 1, 1, 1, 1, 0.5, 0, 0])
    stores.compared(store, "bob", [0])
    found = people(store)
    assert found.rate == wilson_interval((0.5 + 4 + 0.5) / 8, 8)
    assert found.by == "2 people"
    assert found.is_people
    assert found.pairs[0].outcome == 0.5
    assert found.pairs[0].name == "tied"
    assert {p.after.version for p in found.pairs} == {"policy@3"}


def test_what_was_said_of_other_versions_or_by_the_rubric_is_not_counted(store: PreferenceStore):
    stores.compared(store, "rubric-noise0.2-seed0", [1, 1])
    stores.ranked(store)  # three candidates of one version
    assert people(store) is None


def test_a_second_opinion_of_the_same_person_replaces_the_first(store: PreferenceStore):
    stores.compared(store, "ann", [1])
    one, _ = stores.ask(0)
    before, after = (f"{v}-{one.id}-0" for v in ("policy@0", "policy@3"))
    store.submit(
        Judgment(
            id="again",
            prompt_id=one.id,
            annotator="ann",
            shown_order=(after, before),
            ranking=Ranking(tiers=((before,), (after,))),
            supersedes=store.judgments()[-1].id,
        )
    )
    assert people(store).rate.estimate == 0


def test_people_lead_once_they_compared_eight_prompts():
    judge = win(0.6, 0.8)
    few, enough = (win(0.3, 0.9, is_people=True, n=n) for n in (7, 8))
    assert leading_first([judge, few]) == (judge, few)
    assert leading_first([judge, enough]) == (enough, judge)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.51, 0.7, "Yes: policy@3 is preferred to its start."),
        (0.5, 0.7, "No clear difference between policy@3 and its start."),
        (0.3, 0.49, "No: policy@3 is worse than its start."),
    ],
)
def test_the_verdict_follows_the_interval(low: float, high: float, told: str):
    assert answer([win(low, high)], "policy@3", "policy@0") == told


def test_without_a_comparison_there_is_no_verdict():
    assert answer([], "policy@3", "policy@0").startswith("Not measured")
    assert answer([], "policy@0", None).startswith("Nothing to compare yet")


def test_a_judge_that_contradicts_people_is_named():
    told = list(remarks([win(0.6, 0.8, is_people=True, by="2 people"), win(0.1, 0.4, by="rubric")]))
    assert told == ["The judge rubric disagrees with 2 people: read the samples."]


def test_a_page_without_people_says_so():
    assert "No person compared the two" in next(remarks([win(0.6, 0.8)]))


def test_a_verdict_of_a_few_prompts_is_called_one():
    assert next(remarks([win(0.6, 0.9, n=7)])) == "Rests on 7 prompts alone: too few to go by."
    assert "too few" not in " ".join(remarks([win(0.6, 0.9, n=8)]))


def test_samples_are_dealt_to_what_there_is():
    assert dealt([30, 1, 9], 9) == [4, 1, 4]
    assert dealt([1, 0, 1], 9) == [1, 0, 1]
    assert spread([3, 5, 8, 13, 21, 34], 3) == [3, 8, 21]


def test_people_are_numbered_in_the_order_they_began_and_the_rubric_keeps_its_name():
    order = ["zoe", "rubric-noise0.2-seed0", "adam", "zoe", "rubricks"]
    assert shown_names(order, names=False) == {
        "zoe": "annotator 1",
        "rubric-noise0.2-seed0": "rubric-noise0.2-seed0",
        "adam": "annotator 2",
        "rubricks": "annotator 3",
    }
    assert shown_names(order, names=True)["zoe"] == "zoe"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("/home/zoe/models/big", "big"),
        (r"C:\Users\zoe\big", "big"),
    ],
)
def test_a_models_folder_is_shown_without_the_way_to_it(name: str, shown: str):
    assert model_name(name) == shown
