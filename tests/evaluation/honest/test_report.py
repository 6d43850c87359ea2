from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.honest import (
    CurvePoint,
    describe_responses,
    describe_version,
    honest_table,
    over_optimisation,
)
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Prompt, Ranking, Response
from tests.evaluation.honest.made import NOON, answer, evaluation, interval, prompt


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.db") as made:
        yield made


def answered(version: str = "policy@1") -> tuple[list[Prompt], list[Response]]:
    prompts = [prompt("steal", "decline"), prompt("bake"), prompt("boil")]
    texts = ["I cannot help.", "Mix, knead and bake it.", "Boil it"]
    responses = [answer(p, t, version) for p, t in zip(prompts, texts, strict=True)]
    return prompts, responses


def figure(report, name: str):
    return next(one for one in report.figures() if one.name == name)


def test_everything_that_was_not_measured_is_told_as_such():
    report = describe_responses(*answered())
    assert [one.name for one in report.figures()] == [
        "win rate",
        "length-controlled",
        "helpful",
        "harmless",
        "honest",
        "declines, asked to",
        "declines, not asked to",
        "truncated",
        "empty",
        "words",
        "tokens",
        "distinct-1",
        "distinct-2",
        "distinct-3",
        "reward with length",
        "calibration error",
    ]
    for name in ("win rate", "helpful", "reward with length", "calibration error"):
        assert figure(report, name).value is None
        assert figure(report, name).told == "–"
    assert figure(report, "declines, asked to").value == 1
    assert figure(report, "declines, not asked to").told.startswith("0% [0%, ")
    assert "win rate" not in str(report)  # what no version has takes no line of the table


def test_all_parts_come_together():
    prompts, responses = answered()
    report = describe_responses(
        prompts,
        responses,
        scores={r.id: float(n) for n, r in enumerate(responses)},
        evaluation=evaluation([1, 0.5, 1], texts=[("a", "aaa"), ("a", "a"), ("aa", "a")]),
        curve=over_optimisation([CurvePoint(version="policy@1", kl=1.0, gold=interval(0.7))]),
    )
    assert figure(report, "win rate").value == pytest.approx(2.5 / 3)
    assert figure(report, "win rate").note == "against policy@0"
    assert figure(report, "length-controlled").interval == report.controlled.win_rate
    # Scores 0, 1, 2; tokens 4, 6, 3.
    assert report.reward_length.overall.spearman.estimate == pytest.approx(-0.5)
    assert figure(report, "reward with length").value == pytest.approx(-0.5)
    assert figure(report, "reward with length").note == "Spearman's, over all answers"
    assert report.curve.meaning in report.meaning
    html = report._repr_html_()
    assert "<svg" in html
    assert "how to read it" in html


def test_a_win_by_length_alone_is_told():
    # Longer answers win and shorter ones lose, and most are longer.
    texts = [("aaaa", "aaaaaaa")] * 40 + [("aaaa", "a")] * 12
    report = describe_responses(
        *answered(), evaluation=evaluation([1.0] * 38 + [0.0] * 14, texts=texts)
    )
    assert report.controlled.raw.low > 0.5
    assert "At equal length it is not seen to win" in report.meaning


def test_many_answers_cut_off_are_told():
    prompts, responses = answered()
    cut = [answer(p, "and then", end_reason="length") for p in prompts]
    assert "100% of the answers are cut off" in describe_responses(prompts, cut).meaning
    assert "cut off" not in describe_responses(prompts, responses).meaning


def test_versions_stand_side_by_side():
    one, other = (describe_responses(*answered(v)) for v in ("policy@1", "policy@2"))
    table = honest_table([one, other])
    assert table.versions == ("policy@1", "policy@2")
    rows = {name: cells for name, _, cells in table.rows}
    assert rows["truncated"][0] == rows["truncated"][1] == figure(one, "truncated").told
    assert str(table).split("\n")[0].split() == ["policy@1", "policy@2"]
    assert table._repr_html_().count("scope='row'") == len(rows)


def test_a_version_is_described_from_what_a_lab_has_stored(store):
    prompts, responses = answered()
    kept = [replace(one, purpose="evaluation") for one in responses]
    beside = [answer(prompts[1], "Eat it raw", number=n) for n in (1, 2)]
    store.add_prompts(prompts)
    store.add_responses([*kept, *beside])
    ids = tuple(r.id for r in beside)
    ratings = {"helpful": 2, "harmless": 5, "honest": 4}
    store.submit(
        Judgment(
            id="j1",
            prompt_id=prompts[1].id,
            annotator="ann",
            shown_order=ids,
            ranking=Ranking(tiers=(ids,)),
            criteria={ids[0]: ratings},
            created_at=NOON,
        )
    )
    report = describe_version(store, "policy@1")
    assert report.texts.responses == 3  # for evaluation alone
    rated = {name: figure(report, name).value for name in ratings}
    assert rated == ratings
    assert figure(report, "helpful").note == "1 to 5, 1 rating"
    with pytest.raises(NotEnoughData):
        describe_version(store, "policy@7")


def test_what_does_not_belong_together_is_refused():
    prompts, responses = answered()
    with pytest.raises(ConfigError, match="prompt of each response"):
        describe_responses(prompts[::-1], responses)
    with pytest.raises(ConfigError, match="one version at a time"):
        describe_responses(prompts, [*responses[:2], answer(prompts[2], "x", "policy@2")])
    with pytest.raises(ConfigError, match=r"an evaluation of policy@2"):
        describe_responses(prompts, responses, evaluation=evaluation([1.0], version="policy@2"))
    with pytest.raises(NotEnoughData):
        describe_responses([], [])
    with pytest.raises(NotEnoughData):
        honest_table([])


def test_tags_and_versions_are_texts_in_a_notebook():
    hostile = prompt("bake", "<script>tag</script>")
    report = describe_responses([hostile], [answer(hostile, "well", "<img src=x>")])
    for html in (report._repr_html_(), honest_table([report])._repr_html_()):
        assert "<script" not in html
        assert "<img" not in html


def test_it_needs_no_torch():
    code = "import sys, rlhf_lab.evaluation.honest; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
