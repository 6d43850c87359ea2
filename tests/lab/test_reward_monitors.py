"""Looking on at reward updates: what is told, that it changes nothing, and how it ends."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tqdm.auto import tqdm
from tqdm.notebook import tqdm_notebook

from rlhf_lab import Lab
from rlhf_lab.lab import monitoring
from rlhf_lab.lab.monitoring import UpdateMonitor, reward_charts, reward_monitor
from rlhf_lab.training import reward as reward_training
from rlhf_lab.training.fit_progress import FitProgress
from rlhf_lab.training.versions import VersionTree
from tests.lab.labs import REWARD, SAMPLING, Notes
from tests.tiny import same


def test_a_reward_update_tells_its_losses_and_accuracies(taught: Lab, monkeypatch):
    notes = Notes()
    monkeypatch.setattr("rlhf_lab.lab.updating.reward_monitor", lambda wanted: _Monitor(notes))
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    taught.annotate()
    report = taught.update_reward(REWARD)
    adds = notes.named("add")
    losses = [figures["loss"] for _, _, _, figures in adds if "loss" in figures]
    first, *_, last = adds
    assert first[1] == 0
    assert first[3]["prequential_accuracy"] == report.prequential_accuracy.estimate
    assert last[1] == len(losses)
    assert last[3] == {"heldout_accuracy": report.heldout_accuracy.estimate}
    assert losses[0] == pytest.approx(report.loss_first, abs=2.0)
    assert notes.told[-1] == ("ended", "finished", "Made reward@1.")


class _Monitor(Notes):
    """Stands in for the lab's own."""

    def __init__(self, notes: Notes, *, stopping: bool = False):
        super().__init__()
        self.told = notes.told
        self.stopping = stopping
        self.shown = False


def test_a_reward_update_that_is_stopped_keeps_the_whole_passes(taught: Lab, monkeypatch):
    notes = Notes()
    monkeypatch.setattr(
        "rlhf_lab.lab.updating.reward_monitor", lambda wanted: _Monitor(notes, stopping=True)
    )
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    taught.annotate()
    report = taught.update_reward(REWARD)
    assert (report.epochs, report.kept_by) == (1, "the last: stopped by hand")
    assert notes.told[-1] == ("ended", "stopped", "Made reward@1.")
    assert taught.update_reward(REWARD).version == "reward@1"


def test_an_update_with_patience_that_is_stopped_says_so(taught: Lab, monkeypatch):
    """The best pass is kept, whoever ended it, so what was kept cannot say how it ended."""
    notes = Notes()
    monkeypatch.setattr(
        "rlhf_lab.lab.updating.reward_monitor", lambda wanted: _Monitor(notes, stopping=True)
    )
    taught.generate(k=3, prompts=12, heldout=1 / 2)
    taught.annotate()
    monkeypatch.setattr(reward_training, "LEAST_HELDOUT_PROMPTS", 1)
    report = taught.update_reward(replace(REWARD, epochs=4, patience=2))
    assert (report.epochs, report.kept_by) == (1, "lowest held-out loss")
    assert notes.told[-1] == ("ended", "stopped", "Made reward@1.")


@pytest.mark.parametrize("moment", ["save", "log"])
def test_an_update_that_fails_at_its_end_says_what_is_there(taught: Lab, monkeypatch, moment):
    notes = Notes()
    monkeypatch.setattr("rlhf_lab.lab.updating.reward_monitor", lambda wanted: _Monitor(notes))
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    taught.annotate()

    def broken(*_, **__):
        raise OSError("no space left")

    if moment == "save":
        monkeypatch.setattr(VersionTree, "save", broken)
    else:
        monkeypatch.setattr(taught.store, "log_metrics", broken)
    with pytest.raises(OSError, match="no space left"):
        taught.update_reward(REWARD)
    tree = taught._bench.tree
    made = tree.head("reward").name
    now = "the reward model is what it was."
    if moment == "log":
        now = "reward@1 is there, without its figures."
    assert made == ("reward@0" if moment == "save" else "reward@1")
    assert notes.told[-1] == ("ended", "failed", f"OSError: no space left Now {now}")
    assert same(taught.model.state("reward"), tree.load(tree.get(made)).tensors["reward"])


def test_a_monitor_that_is_shown_takes_the_place_of_the_bars(taught: Lab, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: shown.append(widget))
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    taught.annotate()
    taught.progress = True
    capsys.readouterr()
    taught.update_reward(REWARD, monitor=True)
    assert len(shown) == 1
    told = capsys.readouterr().err
    assert "Reward update" not in told
    assert "Scoring" not in told
    shown[0].close()


def test_the_bar_goes_when_the_monitor_comes():
    now = [False]
    bar = tqdm(total=3, leave=False, file=io.StringIO())
    told = FitProgress(bar, None, lambda: False, lambda: now[0])
    told.started(3)
    told.step(1.0)
    assert not bar.disable
    now[0] = True
    told.step(1.0)
    assert bar.disable
    told.step(1.0)


def test_a_notebooks_bar_that_gives_way_to_the_monitor_is_gone():
    bar = tqdm_notebook(total=3, leave=False, display=False)
    told = FitProgress(bar, None, lambda: False, lambda: True)
    told.started(3)
    told.step(1.0)
    assert bar.disable
    assert bar.container.children[1].bar_style != "danger"
    assert bar.container.layout.visibility == "hidden"
    bar.container.close()


def test_looking_on_changes_no_reward_update(taught_folder: Path, tmp_path: Path, monkeypatch):
    states = []
    for watched in (False, True):
        folder = tmp_path / f"watched-{watched}"
        shutil.copytree(taught_folder, folder)
        with Lab(folder, sampling=SAMPLING, progress=False) as lab:
            lab.generate(k=3, prompts=9, heldout=1 / 3)
            lab.annotate()
            if watched:
                monkeypatch.setattr(
                    "rlhf_lab.lab.updating.reward_monitor", lambda wanted: _Monitor(Notes())
                )
            lab.update_reward(REWARD)
            states.append(lab.model.state("reward"))
    assert same(*states)


def test_a_long_update_is_shown_when_it_is_long():
    now, shown = [0.0], []
    monitor = UpdateMonitor(
        reward_charts(),
        title="",
        stop_note="",
        at_once=False,
        show=shown.append,
        clock=lambda: now[0],
    )
    monitor.started(done=0, total=9)
    now[0] = 1.9
    monitor.add(1, {"loss": 1.0}, done=1)
    assert shown == []
    now[0] = 2.0
    monitor.phase("scoring")
    monitor.add(2, {"loss": 0.5}, done=2)
    assert len(shown) == 1
    assert not monitor.stopping
    monitor.state.stop()
    assert monitor.stopping
    monitor.ended("stopped", "Made reward@1.")
    shown[0].close()


def test_there_is_no_monitor_without_a_page(monkeypatch):
    assert reward_monitor(True) is None
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    assert reward_monitor(None) is not None
    assert reward_monitor(False) is None
