"""The tree of versions over a real store: what is shown, and where an event leads."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.errors import CheckpointError, LabInUse
from rlhf_lab.store import PreferenceStore
from rlhf_lab.widgets.versions_state import WAYS_BACK, VersionTreeState
from tests.browser.versions_lab import StoreVersions, add, event, fill, set_heads

DAMAGED = CheckpointError("checkpoints/policy@1/adapter.safetensors: altered. Restore a backup.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        yield opened


@pytest.fixture
def source(store: PreferenceStore) -> StoreVersions:
    fill(store)
    return StoreVersions(store)


@pytest.fixture
def state(source: StoreVersions) -> VersionTreeState:
    return VersionTreeState(source)


def do(state: VersionTreeState, kind: str, **fields: object) -> str:
    """Send an event as the page that shows the state would; what was told."""
    state.apply([event(kind, **{"present": state.view["present"], **fields})])
    return state.notice["text"] if state.notice else ""


def shown(state: VersionTreeState, name: str) -> dict:
    return next(v for v in state.content["versions"] if v["name"] == name)


# What is shown


def test_a_version_comes_with_its_figures_and_what_was_found_out_since(state):
    found = shown(state, "policy@5")
    assert found["parent"] == "policy@4"
    assert found["trained_with"] == ["reward@2"]
    assert found["metrics"] == {"steps": 8.0, "score": 0.83, "kl": 6.1}
    assert found["judgments"] == 96  # those its reward model learned from
    assert found["record"] == 0
    assert found["made"] == "2026-03-04T15:00:00+00:00"
    assert [e["baseline"] for e in found["evaluations"]] == ["policy@2", "policy@0"]
    last = found["evaluations"][-1]["win_rate"]
    assert (last["estimate"], last["n"]) == (0.71, 64)
    assert (last["low"], last["high"]) == pytest.approx((0.64, 0.78))
    assert shown(state, "policy@0")["judgments"] is None


def test_a_reward_version_has_its_accuracy_with_an_interval(state):
    accuracy = shown(state, "reward@1")["accuracy"]
    assert accuracy == {"estimate": 0.67, "low": pytest.approx(0.59), "high": 0.75, "n": 30}
    assert shown(state, "reward@1")["judgments"] == 58


def test_a_repeated_evaluation_replaces_the_one_before(store, source):
    from tests.browser.versions_lab import evaluate, interval

    evaluate(store, "policy@5", "policy@2", interval(0.7, 0.05))
    found = shown(VersionTreeState(source), "policy@5")["evaluations"]
    assert [e["baseline"] for e in found] == ["policy@0", "policy@2"]
    assert found[-1]["win_rate"]["estimate"] == 0.7


def test_figures_that_are_no_numbers_are_sent_as_none(store):
    add(store, "policy@0", score=math.nan, kl=math.inf)
    set_heads(store, "policy@0")
    store.log_metrics("evaluation", "policy@0", 0, {"win_rate": 0.2, "kl": 1.0})  # older release
    state = VersionTreeState(StoreVersions(store))
    assert shown(state, "policy@0")["metrics"] == {"score": None, "kl": None}
    assert shown(state, "policy@0")["evaluations"] == []
    json.dumps(state.values(), allow_nan=False)


def test_the_start_alone_is_an_empty_tree(store):
    state = VersionTreeState(StoreVersions(store))
    assert state.view["phase"] == "empty"
    assert state.content == {"versions": []}
    add(store, "policy@0")
    set_heads(store, "policy@0")
    state.refresh()
    assert state.view["phase"] == "empty"
    assert state.present == ["policy@0"]
    add(store, "reward@0", rankings=4)
    state.refresh()
    assert state.view["phase"] == "ready"


def test_it_says_what_is_present_and_where_undo_leads(state):
    assert state.view == {
        "phase": "ready",
        "present": ["policy@5", "reward@2"],
        "awaited": [],
        "undo": "policy@4",
        "back": [],
        "compared": [],
        "can_compare": False,
        "evaluate_page": None,
    }


# Going from one version to another


def test_a_checkout_brings_the_reward_along_and_shows_the_way_back(state, store):
    assert do(state, "checkout", name="policy@1").startswith("Present now: policy@1 with reward@0.")
    assert store.get_setting("head.policy") == "policy@1"
    assert state.view["present"] == ["policy@1", "reward@0"]
    assert state.view["undo"] == "policy@0"
    assert state.view["back"] == ["policy@5", "reward@2"]


def test_back_restores_the_reward_too_where_the_policy_was_not_trained_with_it(state, store):
    set_heads(store, "policy@2", "reward@2")  # policy@2 was trained with reward@1
    state.refresh()
    do(state, "checkout", name="policy@0")
    do(state, "back")
    assert state.view["present"] == ["policy@2", "reward@2"]
    assert state.view["back"] == []


def test_every_way_is_gone_back_one_after_the_other(state):
    for name in ("policy@1", "policy@3", "policy@6"):
        do(state, "checkout", name=name)
    seen = []
    while state.view["back"]:
        do(state, "back")
        seen.append(state.view["present"])
    assert seen == [
        ["policy@3", "reward@1"],
        ["policy@1", "reward@0"],
        ["policy@5", "reward@2"],
    ]
    assert do(state, "back") == "There is nothing to go back to: no checkout was made here."


def test_fifty_ways_back_are_kept(state):
    for number in range(WAYS_BACK + 5):
        do(state, "checkout", name=f"policy@{1 + number % 2}")
    for _ in range(WAYS_BACK):
        do(state, "back")
    assert state.view["back"] == []


def test_ways_back_end_where_somebody_else_went_on(state, store):
    do(state, "checkout", name="policy@1")
    add(store, "policy@7", "policy@1")
    set_heads(store, "policy@7")
    state.refresh()
    assert state.view["back"] == []
    assert state.view["undo"] == "policy@1"


def test_undo_goes_to_the_parent_and_leaves_the_reward(state):
    assert "Present now: policy@4 with reward@2" in do(state, "undo")
    assert state.view["present"] == ["policy@4", "reward@2"]
    do(state, "back")
    assert state.view["present"] == ["policy@5", "reward@2"]


def test_undo_at_the_start_is_told(state, store):
    set_heads(store, "policy@0")
    state.refresh()
    assert state.view["undo"] is None
    told = do(state, "undo")
    assert told == (
        "Not undone. Nothing was changed. policy@0 is the start: there is nothing to undo."
    )


def test_a_reward_version_is_checked_out_alone(state):
    do(state, "checkout", name="reward@0")
    assert state.view["present"] == ["policy@5", "reward@0"]


@pytest.mark.parametrize(
    "failure", [DAMAGED, LabInUse("process 4711 works in it: wait."), OSError("disk")]
)
@pytest.mark.parametrize("kind", ["checkout", "undo"])
def test_what_fails_is_told_and_nothing_changed(state, source, kind, failure):
    before = dict(state.view)
    source.failure = failure
    told = do(state, kind, name="policy@1")
    assert "Nothing was changed." in told
    assert str(failure) in told
    assert state.notice["tone"] == "error"
    assert state.view == before
    source.failure = None
    do(state, kind, name="policy@1")
    assert state.view != before


def test_a_way_back_that_fails_can_be_tried_again(state, source):
    do(state, "checkout", name="policy@1")
    source.failure = DAMAGED
    assert "Not gone back. Nothing was changed." in do(state, "back")
    assert state.view["back"] == ["policy@5", "reward@2"]
    source.failure = None
    do(state, "back")
    assert state.view["present"] == ["policy@5", "reward@2"]


def test_a_way_back_that_fails_half_way_says_where_it_stopped(state, source, monkeypatch):
    do(state, "checkout", name="policy@0")  # no reward of its own: reward@2 stays
    do(state, "checkout", name="reward@0")
    do(state, "checkout", name="policy@1")
    original = source.checkout

    def fails_for_rewards(name: str):
        if name.startswith("reward"):
            raise DAMAGED
        return original(name)

    monkeypatch.setattr(source, "checkout", fails_for_rewards)
    assert do(state, "back").startswith("Not gone back. Present now: policy@0 with reward@0.")


def test_an_event_that_saw_another_present_version_changes_nothing(state, store):
    """It waited while a cell trained: an undo would take back another round than it meant."""
    seen = state.view["present"]
    add(store, "policy@7", "policy@5", with_=["reward@2"])
    set_heads(store, "policy@7")
    for kind in ("undo", "checkout", "back"):
        told = do(state, kind, name="policy@1", present=seen)
        assert told.startswith("Nothing was changed: meanwhile policy@7 with reward@2 became")
        assert state.view["present"] == ["policy@7", "reward@2"]
    assert shown(state, "policy@7")["parent"] == "policy@5"  # the page has caught up
    do(state, "undo")
    assert state.view["present"] == ["policy@5", "reward@2"]


def test_an_event_sent_twice_moves_once(state):
    undo = event("undo", present=state.view["present"])
    state.apply([undo, undo])
    assert state.view["present"] == ["policy@4", "reward@2"]


def test_the_present_version_is_not_loaded_again(state, source):
    source.failure = AssertionError("loaded")
    assert do(state, "checkout", name="policy@5") == "policy@5 is present already."


@pytest.mark.parametrize("name", ["policy@99", "", "../etc", None, 7])
def test_an_unknown_version_is_told(state, name):
    assert "is no version of this lab" in do(state, "checkout", name=name)
    assert state.view["present"] == ["policy@5", "reward@2"]


def test_an_unknown_event_is_told(state):
    assert "'delete' is no event" in do(state, "delete", name="policy@1")


# Comparing


def test_two_are_compared_by_what_the_lab_says_of_them(source):
    asked = []

    def compare(first: str, second: str) -> str:
        asked.append((first, second))
        return f'run lab.compare("{first}", "{second}").'

    state = VersionTreeState(source, compare)
    assert do(state, "compare", first="policy@1", second="policy@5") == (
        'run lab.compare("policy@1", "policy@5").'
    )
    assert asked == [("policy@1", "policy@5")]
    assert state.view["compared"] == ["policy@1", "policy@5"]


def test_without_anybody_to_ask_the_figures_are_all(state):
    assert do(state, "compare", first="policy@1", second="policy@5") == ""
    assert state.view["compared"] == ["policy@1", "policy@5"]


@pytest.mark.parametrize(("first", "second"), [("policy@1", "reward@1"), ("policy@1", "policy@1")])
def test_only_two_of_one_role_are_compared(state, first, second):
    told = do(state, "compare", first=first, second=second)
    assert "choose two different versions of one role" in told
    assert state.view["compared"] == []


# A source that fails


def test_a_tree_that_cannot_be_read_is_told_and_can_be_read_later(state, source, monkeypatch):
    def fails():
        raise OSError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(source, "versions", fails)
        assert "OSError: database is locked" in do(state, "refresh")
        assert state.view["phase"] == "error"
        assert VersionTreeState(source).view["phase"] == "error"
    do(state, "refresh")
    assert state.view["phase"] == "ready"
