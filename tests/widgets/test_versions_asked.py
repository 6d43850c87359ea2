"""The tree over a source that has others do what is asked for: a server without a model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rlhf_lab.errors import LabInUse
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import VersionRecord
from rlhf_lab.widgets.versions_state import VersionTreeState
from tests.browser.versions_lab import StoreVersions, add, event, fill, set_heads


class AskedVersions(StoreVersions):
    """Keeps what is asked for until `work`, which another process would do."""

    def __init__(self, store: PreferenceStore) -> None:
        super().__init__(store)
        self.asked: list[str] = []

    def versions(self) -> list[VersionRecord]:
        records = super().versions()
        return [replace(r, is_awaited=r.version.name in self.asked) for r in records]

    def checkout(self, name: str) -> None:
        if self.failure:
            raise self.failure
        self.asked.append(name)

    def undo(self) -> None:
        parent = self.store.version(self.store.get_setting("head.policy")).parent
        assert parent is not None
        self.asked.append(parent)

    def work(self) -> None:
        StoreVersions.checkout(self, self.asked.pop(0))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        fill(opened)  # present: policy@5 with reward@2
        yield opened


@pytest.fixture
def source(store: PreferenceStore) -> AskedVersions:
    return AskedVersions(store)


@pytest.fixture
def state(source: AskedVersions) -> VersionTreeState:
    return VersionTreeState(source)


def do(state: VersionTreeState, kind: str, **fields: object) -> str:
    """Send an event as the page that shows the state would; what was told."""
    state.apply([event(kind, **{"present": state.view["present"], **fields})])
    return told(state)


def told(state: VersionTreeState) -> str:
    return state.notice["text"] if state.notice else ""


def work(state: VersionTreeState, source: AskedVersions) -> str:
    source.work()
    state.refresh()
    return told(state)


def test_what_was_asked_for_is_awaited_and_becomes_present_later(state, source):
    assert do(state, "checkout", name="policy@1") == (
        "Asked for policy@1: it becomes present when the worker gets to it."
    )
    assert state.view["present"] == ["policy@5", "reward@2"]
    assert state.view["awaited"] == ["policy@1"]
    assert state.view["back"] == []
    assert work(state, source).startswith("Present now: policy@1 with reward@0.")
    assert state.view["present"] == ["policy@1", "reward@0"]
    assert state.view["awaited"] == []
    assert state.view["back"] == ["policy@5", "reward@2"]


def test_a_refresh_meanwhile_says_nothing_new(state, source):
    do(state, "checkout", name="policy@1")
    notice = state.notice
    state.refresh()
    assert state.notice is notice


def test_what_somebody_else_asked_for_is_awaited_too_and_told_by_the_tree_alone(state, source):
    source.checkout("policy@2")
    state.refresh()
    assert state.view["awaited"] == ["policy@2"]
    assert work(state, source) == ""
    assert state.view["present"] == ["policy@2", "reward@1"]
    assert state.view["back"] == []


def test_the_same_is_asked_for_once(state, source):
    do(state, "checkout", name="policy@1")
    assert do(state, "checkout", name="policy@1") == "policy@1 was asked for already."
    assert source.asked == ["policy@1"]


def test_every_way_is_gone_back_when_it_is_asked_for(state, source):
    for name in ("policy@1", "policy@3"):
        do(state, "checkout", name=name)
        work(state, source)
    assert do(state, "back").startswith("Asked for policy@1 with reward@0: ")
    assert source.asked == ["policy@1", "reward@0"]
    work(state, source)
    assert state.view["present"] == ["policy@1", "reward@0"]
    assert state.view["back"] == ["policy@5", "reward@2"]
    work(state, source)  # the reward that is there already
    assert state.view["back"] == ["policy@5", "reward@2"]
    do(state, "back")
    work(state, source)
    assert state.view["present"] == ["policy@5", "reward@2"]
    assert state.view["back"] == []


def test_a_way_back_is_over_when_its_reward_has_come_too(state, source, store):
    set_heads(store, "policy@2", "reward@2")  # policy@2 was trained with reward@1
    state.refresh()
    for name in ("policy@6", "policy@1"):
        do(state, "checkout", name=name)
        work(state, source)
    for _ in range(2):
        do(state, "back")
        work(state, source)
        if source.asked:
            work(state, source)
    assert state.view["present"] == ["policy@2", "reward@2"]
    assert state.view["back"] == []
    assert told(state).startswith("Present now: policy@2 with reward@2.")


def test_work_that_was_before_it_is_where_the_way_back_leads(state, source, store):
    do(state, "checkout", name="policy@1")
    add(store, "policy@7", "policy@5", with_=["reward@2"])  # PPO ends first
    set_heads(store, "policy@7")
    state.refresh()
    assert state.view["awaited"] == ["policy@1"]
    work(state, source)
    assert state.view["back"] == ["policy@7", "reward@2"]


def test_what_never_comes_is_told_and_no_longer_awaited(state, source):
    do(state, "checkout", name="policy@1")
    source.asked.clear()  # cancelled, or it failed
    state.refresh()
    assert told(state) == ("policy@1 was asked for, and is not present: policy@5 with reward@2 is.")
    assert state.view["awaited"] == []
    assert state.view["back"] == []
    state.refresh()
    notice = state.notice
    state.refresh()
    assert state.notice is notice


def test_undo_is_asked_for_once_and_leads_to_the_parent_that_was_seen(state, source):
    assert do(state, "undo").startswith("Asked for policy@4: ")
    assert do(state, "undo") == "policy@4 was asked for already."
    work(state, source)
    assert state.view["present"][0] == "policy@4"
    assert state.view["undo"] == "policy@2"


def test_two_wishes_come_one_after_the_other(state, source):
    do(state, "checkout", name="policy@1")
    do(state, "checkout", name="policy@3")
    assert state.view["awaited"] == ["policy@1", "policy@3"]
    work(state, source)
    assert state.view["present"] == ["policy@1", "reward@0"]
    work(state, source)
    assert state.view["present"] == ["policy@3", "reward@1"]
    assert state.view["back"] == ["policy@1", "reward@0"]


def test_what_cannot_be_asked_for_is_told(state, source):
    source.failure = LabInUse("the queue is full: wait.")
    assert "Not checked out. Nothing was changed. the queue is full" in do(
        state, "checkout", name="policy@1"
    )
    assert state.view["awaited"] == []
