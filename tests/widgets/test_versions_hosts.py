"""The tree of versions in its two hosts' classes: what crosses to a page, and what comes back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets import VersionTreeWidget
from rlhf_lab.widgets.panel import VersionTreePane
from tests.browser.versions_lab import StoreVersions, add, event, fill, large

UNDO = {"present": ["policy@5", "reward@2"]}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        fill(opened)
        yield opened


def test_both_hosts_show_the_same_and_do_the_same(store):
    widget, pane = VersionTreeWidget(StoreVersions(store)), VersionTreePane(StoreVersions(store))
    assert (widget.content, widget.view) == (pane.content, pane.view)
    widget.events = [event("undo", **UNDO)]
    assert widget.view["present"] == ["policy@4", "reward@2"]
    # The pane has not heard of it: what it sends was meant for what it shows.
    pane.events = [event("undo", **UNDO)]
    assert pane.notice["text"].startswith("Nothing was changed: meanwhile policy@4")
    assert pane.view["present"] == widget.view["present"]
    assert pane.acked_seq > 0
    widget.close()


def test_new_versions_come_with_the_next_event_or_a_refresh(store):
    widget = VersionTreeWidget(StoreVersions(store))
    add(store, "policy@7", "policy@5")
    assert len(widget.content["versions"]) == 10
    widget.refresh()
    assert len(widget.content["versions"]) == 11
    widget.close()


def test_versions_cross_to_the_page_only_when_there_are_others(store, monkeypatch):
    widget = VersionTreeWidget(StoreVersions(store))
    sent: list[str] = []
    monkeypatch.setattr(
        widget, "send_state", lambda key: sent.extend([key] if isinstance(key, str) else key)
    )
    widget.events = [event("undo", **UNDO)]
    assert "view" in sent
    assert "content" not in sent
    widget.close()


def test_five_hundred_versions_fit_into_one_message(tmp_path):
    widget = VersionTreeWidget(large(tmp_path / "large.sqlite"))
    assert len(widget.content["versions"]) == 500
    assert len(json.dumps(widget.content)) < 200_000
    widget.close()
