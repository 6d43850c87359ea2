"""Looking on at fine-tuning and DPO in a notebook."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.lab import monitoring
from rlhf_lab.widgets.monitor_figure import figure_text
from tests.lab.test_dpo import DPO
from tests.lab.test_sft import SFT
from tests.tiny import same


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list:
    """Monitors that came into a notebook's output."""
    found: list = []
    monkeypatch.setattr(monitoring, "in_notebook", lambda: True)
    monkeypatch.setattr(monitoring.NotebookMonitors, "show", lambda _, widget: found.append(widget))
    return found


def test_fine_tuning_shows_its_losses_in_the_place_of_bars(taught: Lab, shown: list, capsys):
    taught.annotate_demonstrations()
    taught.progress = True
    capsys.readouterr()
    report = taught.sft(SFT, monitor=True)
    (monitor,) = shown
    told = capsys.readouterr().err
    assert "SFT" not in told
    assert "Held-out" not in told
    text = figure_text(monitor.state)
    assert "Fine-tuning" in text
    assert f"{report.heldout_loss:.2f}" in text
    monitor.close()


def test_the_stop_button_keeps_what_dpo_has_learned(taught: Lab, shown: list, monkeypatch):
    seen = []

    class Stopping(monitoring.UpdateMonitor):
        def add(self, step, figures, *, done=None):
            super().add(step, figures, done=done)
            seen.append(step)
            if step == 3:
                self.stop()

    monkeypatch.setattr(monitoring, "UpdateMonitor", Stopping)
    report = taught.dpo(DPO, monitor=True)
    assert (report.steps, report.stopped) == (3, True)
    assert taught.version == report.version == "policy@1"
    shown[0].close()


def test_nobody_is_shown_anything_who_wants_no_progress(taught: Lab, shown: list):
    taught.annotate_demonstrations()
    taught.sft(SFT)
    taught.dpo(DPO)
    assert shown == []


def test_looking_on_changes_nothing(taught: Lab, shown: list):
    first = taught.dpo(DPO, monitor=True)
    policy = taught.model.state("policy")
    taught.checkout("policy@0")
    second = taught.dpo(DPO, monitor=False)
    assert first.loss_last == second.loss_last
    assert same(taught.model.state("policy"), policy)
    shown[0].close()
