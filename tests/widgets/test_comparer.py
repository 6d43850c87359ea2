"""The comparing widget's class in both hosts: what crosses between Python and a page."""

import json
from collections.abc import Iterator

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets import ComparisonWidget
from tests.browser import compare_source


@pytest.fixture
def source(tmp_path) -> Iterator[compare_source.ComparisonQueue]:
    path = tmp_path / "lab.db"
    with PreferenceStore(path) as store:
        compare_source.fill(store, 2)
    queue = compare_source.queue(path)
    yield queue
    queue._store.close()


def submit(shown, seq: int, place: int) -> dict:
    key = shown.content["items"][place]["key"]
    fields = {"item": key, "choice": "tie", "strength": None, "seconds": 1}
    return {"seq": seq, "id": f"submission-{seq}", "type": "submit", **fields}


def test_events_are_stored_and_acknowledged(source):
    widget = ComparisonWidget(source)
    widget.events = [submit(widget, 1, 0)]
    assert (widget.acked_seq, widget.progress.done) == (1, 1)
    assert not widget.done
    assert widget.view["result"] is None
    widget.events = [submit(widget, 2, 1)]
    assert widget.done
    assert widget.report.ties == 2
    assert widget.view["result"]["first"]["name"] == compare_source.NEW
    with PreferenceStore(source._store.database.where) as store:
        compare_source.fill(store, 3)
    widget.refresh()
    assert not widget.done
    widget.close()


def test_nothing_synced_unblinds(source):
    widget = ComparisonWidget(source)
    widget.events = [submit(widget, 1, 0)]
    keys = ("content", "view", "events", "acked_seq", "notice")
    state = json.dumps({key: widget.get_state()[key] for key in keys})
    assert "secret-" not in state
    assert "policy@" not in state
    widget.close()


def test_the_pane_does_the_same(source):
    panel = pytest.importorskip("rlhf_lab.widgets.panel")
    pane = panel.ComparisonPane(source)
    pane.events = [submit(pane, 1, 0)]
    assert pane.acked_seq == 1
    assert pane.view["progress"] == {"done": 1, "total": 2}
