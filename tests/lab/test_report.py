"""The page of a lab that a model was trained in."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from rlhf_lab import Lab
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.store import response_scores
from rlhf_lab.store.tables import MetricsTable
from rlhf_lab.types import Ranking
from tests.html_pages import Reader
from tests.lab.labs import PPO, SAMPLING


@pytest.fixture
def trained(taught: Lab, path: Path) -> Lab:
    taught.ppo(1, config=PPO).run()
    taught.close()
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        yield lab


def test_after_an_evaluation_the_page_tells_what_it_found(trained: Lab):
    found = trained.evaluate()
    report = trained.report()
    assert report.path == trained.path / "report.html"
    text = Reader(report.path.read_text("utf-8")).text
    rate = found.win_rate
    assert f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]" in text
    # The same judge on the same answers comes to the same figure, so there is nothing to add.
    assert "Judged for this page" not in text
    assert "1 PPO step against reward@0, from policy@0" in text
    assert "Rewards are those of reward@0" in text
    assert "All 4 prompts, by what rubric said of them." in text
    assert "code, not a person" in text


def test_rewards_are_kept_so_that_a_page_without_the_model_shows_them(trained: Lab, path: Path):
    report = trained.evaluate()
    first = trained.report().path.read_bytes()
    kept = response_scores(trained.store, "reward@0")
    answers = {r.id for s in report.samples for r in (s.before, s.after)}
    assert set(kept) == answers
    gains = [kept[s.after.id] - kept[s.before.id] for s in report.samples]
    assert sum(gains) / len(gains) == pytest.approx(report.reward_gain.estimate, abs=1e-4)
    trained.close()
    with Lab(path, sampling=SAMPLING, progress=False) as again:
        assert again.report().path.read_bytes() == first
        assert not again._is_loaded()
        assert response_scores(again.store, "reward@0") == kept


def test_rewards_of_an_older_evaluation_are_asked_for_once(trained: Lab):
    found = trained.evaluate()
    with trained.store.database.write() as session:  # as if another release had evaluated
        session.execute(delete(MetricsTable).where(MetricsTable.kind == "scores"))
    before = {s.before.id for s in found.samples}
    trained.report(scores=False)
    assert response_scores(trained.store, "reward@0") == {}
    trained.report()
    asked = response_scores(trained.store, "reward@0")
    assert before < set(asked)
    gains = [asked[s.after.id] - asked[s.before.id] for s in found.samples]
    assert sum(gains) / len(gains) == pytest.approx(found.reward_gain.estimate, abs=1e-4)


def test_an_evaluation_brings_the_name_of_its_judge(trained: Lab, tmp_path: Path):
    class Shortest:
        name = "shortest"

        def rank(self, prompt, candidates):
            return Ranking.from_ranks({r.id: len(r.text) for r in candidates})

    found = trained.evaluate(judge=Shortest())
    report = trained.report(tmp_path / "other.html", evaluations=found, scores=False)
    text = Reader(report.path.read_text("utf-8")).text
    assert "Judge: shortest" in text
    assert "Rewards are those of reward@0" in text


def test_the_judge_of_a_stored_evaluation_is_named_and_leads(trained: Lab):
    class Longest:
        name = "longest"

        def rank(self, prompt, candidates):
            return Ranking.from_ranks({r.id: -len(r.text) for r in candidates})

    found = trained.evaluate(judge=Longest())
    text = Reader(trained.report().path.read_text("utf-8")).text
    rate = found.win_rate
    told = f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]"
    assert text.index("Judge: longest") < text.index(told) < text.index("Judge: rubric")
    assert "As the evaluation found it." in text


def test_a_new_lab_has_a_page_too_and_loads_no_model(path: Path, tiny_folder: Path):
    with Lab(path, model=str(tiny_folder), quantize="none", progress=False) as lab:
        report = lab.report()
        assert report.answer.startswith("Nothing to compare yet")
        assert not lab._is_loaded()
        assert str(tiny_folder.parent) not in report.path.read_text("utf-8")


def test_rewards_that_are_asked_for_need_a_reward_model(new: Lab, path: Path):
    new.close()
    with Lab(path, progress=False) as lab, pytest.raises(NotEnoughData, match="scores=True"):
        lab.report(scores=True)


def test_an_alarm_of_a_run_is_on_the_page(trained: Lab):
    row = trained.store.metrics("ppo")[0]
    longer = {**row.values, "step": 2.0, "response_length": 9 * row.values["response_length"]}
    trained.store.log_metrics("ppo", row.version, 2, longer)
    text = Reader(trained.report(scores=False).path.read_text("utf-8")).text
    assert "length drift: policy@1, step 2:" in text
