"""The demo loop: whole runs on a tiny model, and the same seed twice on the embedded one."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rlhf_lab.cli import app
from rlhf_lab.demo import DemoSettings, run_demo
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab import Lab
from rlhf_lab.store import PreferenceStore
from rlhf_lab.testing import tiny_model
from rlhf_lab.training import SFTTrainer
from rlhf_lab.training.ppo import PPOTrainer

SMALL = DemoSettings(rounds=2, prompts=4, k=3, ppo_steps=1, evaluation_prompts=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


def run(path: Path, model: str | None, settings: DemoSettings = SMALL) -> dict[str, Any]:
    run_demo(path, settings, model=model, console=Console(quiet=True))
    found: dict[str, Any] = json.loads((path / "summary.json").read_text("utf-8"))
    return found


def content(path: Path) -> dict[str, object]:
    """Everything a run decided, without times."""
    with PreferenceStore(path / "lab.sqlite") as store:
        return {
            "responses": [(r.id, r.text, r.token_ids, r.seed) for r in store.responses()],
            "judgments": [(j.id, j.shown_order, j.ranking) for j in store.judgments()],
            "scores": [(m.step, m.values["score"], m.values["kl"]) for m in store.metrics("ppo")],
            "versions": [(v.name, v.parent) for v in store.versions()],
        }


def test_writes_summary_and_report_with_every_promised_figure(tmp_path: Path, model: str) -> None:
    summary = run(tmp_path / "demo", model)

    promised = (
        "model quantization device rounds judgments reward_heldout_accuracy gold_win_rate "
        "gold_win_rate_ci kl_nats_per_response seconds peak_rss_mb"
    )
    assert set(promised.split()) <= summary.keys()
    assert (summary["rounds"], summary["judgments"], summary["ppo_steps"]) == (2, 8, 2)
    assert summary["quantization"] == "nf4"
    assert "policy@2" in (tmp_path / "demo/report.html").read_text("utf-8")


def test_from_sft_runs_the_method_in_its_order(tmp_path: Path, model: str) -> None:
    """Demonstrations and fine-tuning first; the rounds are measured against what came of them."""
    summary = run(tmp_path / "demo", model, replace(SMALL, from_sft=True))

    with PreferenceStore(tmp_path / "demo/lab.sqlite") as store:
        kinds = [row.kind for row in store.metrics()]
        versions = [(v.name, v.parent, v.is_start) for v in store.versions()]
        demonstrations = store.demonstrations()
        judged = {store.response(j.shown_order[0]).version for j in store.judgments()}
    assert list(dict.fromkeys(kinds)) == ["sft", "evaluation", "reward", "ppo", "scores"]
    assert versions == [
        ("policy@0", None, True),
        ("policy@1", "policy@0", True),
        ("reward@0", None, False),
        ("policy@2", "policy@1", False),
        ("reward@1", "reward@0", False),
        ("policy@3", "policy@2", False),
    ]
    assert judged == {"policy@1", "policy@2"}
    assert len(demonstrations) == 4
    assert summary["baseline"] == "policy@1"
    assert summary["sft"]["report"]["version"] == "policy@1"
    assert summary["sft"]["evaluation"]["baseline"] == "policy@0"
    report = (tmp_path / "demo/report.html").read_text("utf-8")
    assert "First: fine-tuning on demonstrations" in report


def test_an_interrupted_fine_tuning_goes_on_where_it_stopped(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SMALL, from_sft=True, rounds=1)
    real = SFTTrainer.step

    def interrupt(self: SFTTrainer, examples: Any) -> float:
        if self.optimizer.steps == 1:
            raise KeyboardInterrupt
        return real(self, examples)

    monkeypatch.setattr(SFTTrainer, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", model, settings)
    monkeypatch.setattr(SFTTrainer, "step", real)
    run(tmp_path / "cut", model, settings)
    run(tmp_path / "whole", model, settings)

    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_same_seed_gives_the_same_judgments_and_samples(tmp_path: Path, model: str) -> None:
    run(tmp_path / "one", model)
    run(tmp_path / "two", model)
    run(tmp_path / "other", model, replace(SMALL, seed=1))

    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert content(tmp_path / "one") != content(tmp_path / "other")


@pytest.mark.model
def test_same_seed_gives_the_same_samples_on_the_embedded_model(tmp_path: Path) -> None:
    settings = replace(SMALL, rounds=1)
    run(tmp_path / "one", None, settings)
    run(tmp_path / "two", None, settings)

    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_an_interrupted_demo_goes_on_where_it_stopped(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the second round's PPO step; the rerun ends like an uninterrupted demo."""
    real = PPOTrainer.step

    def interrupt(self: PPOTrainer, prompts: Any) -> object:
        if self.steps_done == 1:
            raise KeyboardInterrupt
        return real(self, prompts)

    monkeypatch.setattr(PPOTrainer, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", model)
    monkeypatch.setattr(PPOTrainer, "step", real)
    run(tmp_path / "cut", model)
    run(tmp_path / "whole", model)

    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_a_finished_demo_is_kept_aside(tmp_path: Path, model: str) -> None:
    run(tmp_path / "demo", model, replace(SMALL, rounds=1))
    (tmp_path / "demo/mine.txt").write_text("kept")
    run(tmp_path / "demo", model, replace(SMALL, rounds=1))

    assert (tmp_path / "demo.previous/mine.txt").read_text() == "kept"
    assert not (tmp_path / "demo/mine.txt").exists()


def test_a_lab_that_is_no_demo_is_left_alone(tmp_path: Path, model: str) -> None:
    with Lab(tmp_path / "own", model=model) as lab:
        lab.add_prompts(["What is a lab?"])
    with pytest.raises(ConfigError, match="not a demo with these settings: give another --path"):
        run(tmp_path / "own", model)
    with Lab(tmp_path / "own") as lab:
        assert lab.store.counts().prompts == 1


@pytest.mark.parametrize("name", ["rounds", "prompts", "ppo_steps", "evaluation_prompts"])
def test_settings_refuse_nothing_at_all(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}=0: at least 1"):
        DemoSettings(**{**asdict(DemoSettings()), name: 0})


def test_command_tells_errors_in_one_line_without_traceback(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["demo", "--path", str(tmp_path / "x"), "--model", "no/such/model"]
    )

    assert done.exit_code == 1
    assert "UnknownModel" in done.output
    assert "Traceback" not in done.output
