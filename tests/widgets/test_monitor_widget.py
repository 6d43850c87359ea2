"""The monitor's classes for the two hosts: what they send, and what a saved notebook keeps."""

from __future__ import annotations

import anywidget
import pytest

from rlhf_lab.widgets import MonitorWidget
from tests.widgets.test_monitor_state import CHARTS, Watched

VIEW = "application/vnd.jupyter.widget-view+json"


class Output:
    """An output of a cell, as IPython's display handle changes it."""

    def __init__(self, bundle):
        self.bundles = [bundle]

    def update(self, bundle, *, raw):
        assert raw
        self.bundles.append(bundle)


@pytest.fixture
def outputs(monkeypatch) -> list[Output]:
    shown: list[Output] = []

    def display(bundle, *, raw, metadata, display_id):
        assert raw
        assert display_id
        shown.append(Output(bundle))
        return shown[-1]

    monkeypatch.setattr("IPython.display.display", display)
    return shown


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def widget(watched):
    widget = MonitorWidget(watched.state)
    yield widget
    widget.close()


def test_it_is_a_widget_until_its_run_ends_and_then_a_picture(widget, watched, outputs):
    watched.state.started(done=0, total=2)
    widget._ipython_display_()
    widget._ipython_display_()
    assert all(VIEW in output.bundles[0] for output in outputs)
    assert widget.shown
    watched.clock.pass_to(101.0)
    watched.state.add(1, {"score": 0.5, "kl": 2.0}, done=1)
    assert [len(output.bundles) for output in outputs] == [1, 1]
    watched.state.ended("finished", "Kept as policy@1.")
    for output in outputs:
        (_, picture) = output.bundles
        assert set(picture) == {"text/html", "text/plain"}
        assert "<svg" in picture["text/html"]
        assert "Kept as policy@1." in picture["text/plain"]
    assert not widget.shown


def test_shown_again_it_is_a_widget_with_the_picture_beside_it(widget, watched, outputs):
    watched.state.started(done=0, total=1)
    watched.state.add(1, {"score": 0.5}, done=1)
    watched.state.ended("finished", "Kept.")
    widget._ipython_display_()
    (output,) = outputs
    assert len(output.bundles) == 1
    assert {VIEW, "text/html", "text/plain"} <= set(output.bundles[0])
    assert "<svg" in output.bundles[0]["text/html"]


def test_a_run_taken_up_again_ends_as_a_picture_in_every_cell_that_shows_it(
    widget, watched, outputs
):
    """Also where it was shown between the parts, when the first had ended."""
    watched.state.started(done=0, total=2)
    widget._ipython_display_()
    watched.state.add(1, {"score": 0.5}, done=1)
    watched.state.ended("stopped", "Kept as policy@1.")
    widget._ipython_display_()
    assert widget.shown
    watched.state.started(done=1, total=2)
    watched.state.add(2, {"score": 0.75}, done=2)
    first, second = outputs
    assert [len(output.bundles) for output in outputs] == [2, 1]
    watched.state.ended("finished", "Kept as policy@2.")
    assert [len(output.bundles) for output in outputs] == [3, 2]
    for output in (first, second):
        assert set(output.bundles[-1]) == {"text/html", "text/plain"}
        assert "2 of 2 steps" in output.bundles[-1]["text/plain"]
        assert "Kept as policy@2." in output.bundles[-1]["text/plain"]
    assert not widget.shown


class Shell:
    """IPython's, as far as it tells of cells."""

    def __init__(self):
        self.events = self
        self.called: list = []

    def register(self, event, call):
        assert event == "pre_run_cell"
        self.called.append(call)

    def unregister(self, event, call):
        self.called.remove(call)

    def run_a_cell(self):
        for call in list(self.called):
            call("info")


def test_shown_after_the_end_it_is_a_picture_from_the_next_cell_on(
    widget, watched, outputs, monkeypatch
):
    shell = Shell()
    monkeypatch.setattr("rlhf_lab.widgets.jupyter.get_ipython", lambda: shell)
    watched.state.started(done=0, total=1)
    widget._ipython_display_()
    assert shell.called == []
    watched.state.ended("finished", "Kept.")
    widget._ipython_display_()
    shell.run_a_cell()
    assert shell.called == []
    assert [len(output.bundles) for output in outputs] == [2, 2]
    assert set(outputs[1].bundles[-1]) == {"text/html", "text/plain"}
    assert not widget.shown


def test_what_is_told_after_the_end_changes_no_widget_into_a_picture(widget, watched, outputs):
    watched.state.started(done=0, total=1)
    watched.state.ended("finished", "Kept.")
    widget._ipython_display_()
    watched.state.apply([])
    watched.state.apply([{"seq": 1, "id": "stop-0001", "type": "stop"}])
    assert [len(output.bundles) for output in outputs] == [1]


def test_a_widget_whose_making_fails_is_kept_by_no_state(watched, monkeypatch):
    def broken(self, **values):
        raise OSError("no comm")

    before = list(watched.state._listeners)
    monkeypatch.setattr("anywidget.AnyWidget.__init__", broken)
    with pytest.raises(OSError, match="no comm"):
        MonitorWidget(watched.state)
    assert watched.state._listeners == before


def test_what_changed_while_a_widget_was_made_is_in_it(watched, monkeypatch):
    """A run in another thread does not wait for the page."""
    made = anywidget.AnyWidget.__init__

    def slow(self, **values):
        made(self, **values)
        watched.state.started(done=3, total=9)

    monkeypatch.setattr("anywidget.AnyWidget.__init__", slow)
    widget = MonitorWidget(watched.state)
    assert (widget.view["status"], widget.view["done"]) == ("running", 3)
    widget.close()


def test_the_past_is_not_sent_with_every_point(widget, watched, monkeypatch):
    watched.state.started(done=0, total=9)
    sent = []
    monkeypatch.setattr(
        widget, "send_state", lambda key: sent.append({key} if isinstance(key, str) else {*key})
    )
    for n in range(1, 6):
        watched.clock.pass_to(100.0 + n)
        watched.state.add(n, {"score": n}, done=n)
    assert sent
    assert all("content" not in keys for keys in sent)
    assert all("view" in keys for keys in sent)


def test_panel_compares_the_past_only_when_there_is_a_new_one(watched):
    panel = pytest.importorskip("rlhf_lab.widgets.panel")
    pane = panel.MonitorPane(watched.state)
    updates = []
    pane.param.watch_values(lambda **values: updates.append(values), ["content", "view"])
    watched.state.started(done=0, total=9)
    watched.clock.pass_to(101.0)
    watched.state.add(1, {"score": 1.0}, done=1)
    assert updates
    assert all("content" not in update for update in updates)
    assert pane.view["done"] == 1
    watched.state.show([])
    watched.clock.pass_to(110.0)
    watched.state.add(2, {"score": 1.0}, done=2)
    watched.clock.pass_to(111.0)
    assert sum("content" in update for update in updates) == 1
    assert (pane.content["steps"], pane.view["steps"]) == ([1], [2])
    assert len(CHARTS) == len(pane.content["charts"])
