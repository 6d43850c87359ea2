"""Looking on at PPO runs: what is told, that it changes nothing, and how it ends."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError, TrainingError
from rlhf_lab.lab import monitoring
from rlhf_lab.training import PPOTrainer
from rlhf_lab.training.ppo_run import PPORun
from rlhf_lab.training.versions import VersionTree
from rlhf_lab.types import Alarm
from rlhf_lab.widgets import MonitorWidget
from tests.lab.labs import PPO, SAMPLING, Notes, contents
from tests.tiny import same


def test_a_run_tells_phases_figures_and_samples(taught: Lab):
    notes = Notes()
    run = taught.ppo(steps=2, config=PPO).watch(notes).run()
    phases = ["rollout", "scoring", "update"]
    order = [entry[1] if entry[0] == "phase" else entry[0] for entry in notes.told]
    assert order == ["started", *phases, "add", "show", *phases, "add", "show", "ended"]
    assert notes.told[0] == ("started", 0, 2)
    assert notes.named("add") == [
        ("add", stats.step, done, stats.as_metrics())
        for done, stats in enumerate(run.history, start=1)
    ]
    assert notes.told[-1] == ("ended", "finished", "Kept as policy@1.")
    (_, samples) = notes.named("show")[0]
    assert {s.step for s in samples} == {1}
    prompts = {p.text: p.id for p in taught.store.prompts()}
    for sample in samples:
        stored = taught.store.responses(prompts[sample.prompt], "policy@0")
        assert sample.before == (stored[0].text if stored else None)
        assert isinstance(sample.score, float)
    # Those with something to compare come first.
    assert [s.before is None for s in samples] == sorted(s.before is None for s in samples)


def test_looking_on_changes_nothing(taught_folder: Path, tmp_path: Path):
    """The same steps with and without a monitor: weights, figures and files to the bit."""
    states, figures, digests = [], [], []
    for watched in (False, True):
        folder = tmp_path / f"watched-{watched}"
        shutil.copytree(taught_folder, folder)
        with Lab(folder, sampling=SAMPLING, progress=False) as lab:
            run = lab.ppo(steps=2, config=PPO)
            if watched:
                widget = run.monitor()
            run.run()
            states.append(lab.model.state("policy"))
            figures.append(
                [
                    {k: v for k, v in s.as_metrics().items() if not re.search("seconds|memory", k)}
                    for s in run.history
                ]
            )
            files = contents(folder)[1]
            digests.append({k: v for k, v in files.items() if k.endswith(".safetensors")})
            if watched:
                assert len(widget.state.history) == 2
                assert widget.state.outcome == "Kept as policy@1."
                widget.close()
    assert same(*states)
    assert figures[0] == figures[1]
    assert digests[0] == digests[1]


def test_the_stop_button_ends_a_run_after_the_present_step_and_it_can_go_on(taught: Lab):
    run = taught.ppo(steps=4, config=PPO)
    widget = run.monitor()
    assert run.monitor() is widget
    for stats in run:
        if stats.step == 2:
            widget.events = [{"seq": 1, "id": "stop-0001", "type": "stop"}]
            assert widget.view["status"] == "stopping"
    assert len(run.history) == 2
    assert (widget.view["status"], widget.view["outcome"]) == ("stopped", "Kept as policy@1.")
    run.run()
    assert len(run.history) == 4
    assert (widget.view["status"], widget.view["done"]) == ("finished", 4)
    assert taught.version == "policy@2"
    widget.close()


@pytest.mark.parametrize(
    ("raised", "status", "text"),
    [
        (KeyboardInterrupt, "stopped", "Kept as policy@1."),
        (ValueError("broken"), "failed", "ValueError: broken Kept as policy@1."),
    ],
)
def test_a_run_that_is_interrupted_or_fails_says_what_was_kept(
    taught: Lab, monkeypatch, raised, status, text
):
    step, notes = PPOTrainer.step, Notes()

    def breaking(self, prompts):
        if self.steps_done == 1:
            raise raised
        return step(self, prompts)

    monkeypatch.setattr(PPOTrainer, "step", breaking)
    run = taught.ppo(steps=3, config=PPO).watch(notes)
    if raised is KeyboardInterrupt:
        run.run()
    else:
        with pytest.raises(ValueError, match="broken"):
            run.run()
    assert notes.told[-1] == ("ended", status, text)


class Broken(Notes):
    def add(self, step, figures, *, done=None):
        raise OSError("no page")


def test_a_listener_that_fails_is_left_out_and_the_run_goes_on(taught: Lab, capsys):
    broken, notes = Broken(), Notes()
    run = taught.ppo(steps=2, config=PPO).watch(broken).watch(notes).run()
    assert len(run.history) == 2
    assert len(notes.named("add")) == 2
    assert broken.named("ended") == []
    told = capsys.readouterr().out
    assert told.count("Broken failed and shows no more of this run, which goes on: OSError") == 1


def test_samples_that_cannot_be_made_drop_no_listener(taught: Lab, monkeypatch, capsys):
    def broken(*_, **__):
        raise OSError("database is locked")

    notes = Notes()
    run = taught.ppo(steps=2, config=PPO).watch(notes)
    monkeypatch.setattr(run._samples, "of", broken)
    run.run()
    assert len(notes.named("add")) == 2
    assert notes.named("show") == []
    assert notes.told[-1] == ("ended", "finished", "Kept as policy@1.")
    assert "No samples of this step: OSError: database is locked" in capsys.readouterr().out


def test_what_was_said_before_the_run_is_read_once(taught: Lab, monkeypatch):
    asked, responses = [], taught.store.responses

    def counted(*arguments, **named):
        asked.append((arguments, named))
        return responses(*arguments, **named)

    monkeypatch.setattr(taught.store, "responses", counted)
    notes = Notes()
    taught.ppo(steps=3, config=PPO).watch(notes).run()
    assert len(notes.named("show")) == 3
    assert asked == [((), {"version": "policy@0"})]


def test_a_run_whose_steps_cannot_be_made_a_version_did_not_finish(taught: Lab, monkeypatch):
    """What is on disk becomes a version when the run is taken up again."""
    finish, notes = VersionTree.finish_steps, Notes()

    def full(self):
        raise OSError("no space left")

    run = taught.ppo(steps=2, config=PPO).watch(notes)
    monkeypatch.setattr(VersionTree, "finish_steps", full)
    with pytest.raises(OSError, match="no space left"):
        run.run()
    kept = "The whole steps are on disk, as no version."
    assert notes.told[-1] == ("ended", "failed", f"OSError: no space left {kept}")
    assert taught.version == "policy@0"
    monkeypatch.setattr(VersionTree, "finish_steps", finish)
    run.run()
    assert notes.told[-1] == ("ended", "finished", "Kept as policy@1.")
    assert taught.version == "policy@1"
    assert taught.store.version("policy@1").metrics["steps"] == 2


class Interrupting(Notes):
    def ended(self, status, text):
        super().ended(status, text)
        raise KeyboardInterrupt


def test_a_wish_to_stop_ends_one_run_also_if_telling_it_is_interrupted(taught: Lab):
    run = taught.ppo(steps=3, config=PPO).watch(Interrupting())
    steps = iter(run)
    next(steps)
    run.stop()
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert len(run.history) == 1
    run.run()
    assert len(run.history) == 3


def test_who_comes_late_is_told_what_was(taught: Lab):
    early, late = Notes(), Notes()
    run = taught.ppo(steps=1, config=PPO).watch(early)
    run._tell_alarms(7, [Alarm("odd", "look")])
    run.run().watch(late)
    assert late.named("add", "ended") == early.named("add", "ended")
    assert late.named("alarm") == [("alarm", 7, Alarm("odd", "look"))]


def test_a_monitor_that_is_made_late_knows_how_long_the_steps_took(taught: Lab):
    run = taught.ppo(steps=2, config=PPO)
    for _ in run:
        pass
    widget = run.monitor()
    took = sum(s.seconds_rollout + s.seconds_scoring + s.seconds_update for s in run.history)
    assert took > 0
    assert run.seconds == pytest.approx(took)
    # The rest is how long it took to tell it.
    assert took <= widget.state.seconds < took + 1.0
    assert widget.view["seconds"] == round(widget.state.seconds, 1)
    widget.close()


def test_a_run_without_a_lab_knows_no_monitor(taught: Lab):
    made = taught.ppo(steps=1, config=PPO)
    run = PPORun(made._trainer, made._tree, made._store, made._prompts, steps=1)
    with pytest.raises(ConfigError, match="watch"):
        run.monitor()


def test_a_notebook_shows_the_monitor_in_the_place_of_the_bar(taught: Lab, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: shown.append(widget))
    taught.progress = True
    run = taught.ppo(steps=1, config=PPO)
    assert shown == []
    run.run()
    assert shown == [run.monitor()]
    assert isinstance(shown[0], MonitorWidget)
    assert "PPO:" not in capsys.readouterr().err


def test_the_bar_comes_back_when_a_run_is_taken_up_in_a_loop(taught: Lab, monkeypatch, capsys):
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: None)
    taught.progress = True
    run = taught.ppo(steps=2, config=PPO)
    run._listeners.join(Stopping(run))
    run.run()
    assert len(run.history) == 1
    assert "PPO:" not in capsys.readouterr().err
    for _ in run:
        pass
    assert "PPO: 100%" in capsys.readouterr().err


def test_a_run_that_cannot_begin_shows_no_monitor_and_has_its_bar_later(
    taught: Lab, monkeypatch, capsys
):
    shown = []
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: shown.append(widget))
    taught.progress = True
    run = taught.ppo(steps=1, config=PPO)
    run._tree.ppo_is_running = True
    with pytest.raises(TrainingError):
        run.run()
    assert shown == []
    run._tree.ppo_is_running = False
    for _ in run:
        pass
    assert "PPO: 100%" in capsys.readouterr().err


class Stopping(Notes):
    """Stops a run after its first step."""

    def __init__(self, run: PPORun):
        super().__init__()
        self.run = run

    def add(self, step, figures, *, done=None):
        if done == 1:
            self.run.stop()


@pytest.mark.parametrize(
    ("progress", "monitor", "is_shown"),
    [(True, False, False), (False, True, True), (False, None, False), (True, None, True)],
)
def test_a_monitor_is_shown_if_it_is_wanted(
    taught: Lab, monkeypatch, capsys, progress, monitor, is_shown
):
    shown = []
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: shown.append(widget))
    taught.progress = progress
    taught.ppo(steps=1, config=PPO).run(monitor=monitor)
    assert bool(shown) == is_shown
    assert ("PPO:" in capsys.readouterr().err) == (progress and not is_shown)
