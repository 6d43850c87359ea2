"""The tree of versions over a lab: a checkout from it is one of the model in memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest

from rlhf_lab import Lab
from rlhf_lab.store import TrainingLock
from rlhf_lab.widgets import VersionTreeWidget
from tests.browser.versions_lab import event
from tests.lab.labs import PPO
from tests.tiny import same


def do(widget: VersionTreeWidget, kind: str, **fields: object) -> str:
    """What a page sends, and what it is told."""
    widget.events = [event(kind, **{"present": widget.view["present"], **fields})]
    return widget.notice["text"] if widget.notice else ""


@pytest.fixture
def tree(taught: Lab) -> Iterator[VersionTreeWidget]:
    widget = taught.tree()
    yield widget
    widget.close()


def test_a_checkout_from_the_tree_puts_the_weights_into_the_model(taught: Lab, tree):
    start = taught.model.state("policy")
    taught.ppo(steps=1, config=PPO).run()
    first = taught.model.state("policy")
    assert not same(first, start)
    tree.refresh()
    assert tree.view["present"] == ["policy@1", "reward@0"]

    assert do(tree, "undo").startswith("Present now: policy@0 with reward@0.")
    assert taught.version == "policy@0"
    assert same(taught.model.state("policy"), start)
    do(tree, "back")
    assert same(taught.model.state("policy"), first)
    do(tree, "checkout", name="policy@0")
    assert same(taught.model.state("policy"), start)
    # The next run makes a branch, which the tree shows.
    taught.ppo(steps=1, config=PPO).run()
    do(tree, "refresh")
    parents = {v["name"]: v["parent"] for v in tree.content["versions"]}
    assert parents["policy@2"] == "policy@0"
    assert tree.view["present"] == ["policy@2", "reward@0"]


def test_figures_come_from_updates_and_evaluations(taught: Lab, tree):
    taught.ppo(steps=1, config=PPO).run()
    report = taught.evaluate(prompts=4)
    do(tree, "refresh")
    shown = {v["name"]: v for v in tree.content["versions"]}
    (found,) = shown["policy@1"]["evaluations"]
    assert found["baseline"] == "policy@0"
    assert found["win_rate"]["estimate"] == report.win_rate.estimate
    assert found["win_rate"]["n"] == 4
    assert found["kl"] == pytest.approx(report.kl)
    assert found["reward"] == "reward@0"
    assert shown["policy@1"]["metrics"].keys() == {"steps", "score", "kl"}
    learned = shown["reward@0"]["metrics"]["rankings"]
    assert shown["policy@1"]["judgments"] == shown["reward@0"]["judgments"] == learned > 0
    accuracy = shown["reward@0"]["accuracy"]
    assert accuracy["estimate"] == shown["reward@0"]["metrics"]["heldout_accuracy"]
    assert accuracy["low"] <= accuracy["estimate"] <= accuracy["high"]

    told = do(tree, "compare", first="policy@0", second="policy@1")
    assert told.startswith(f"policy@1 won {report.win_rate} against policy@0.")


def test_a_comparison_names_the_cells_that_are_missing(taught: Lab, tree, monkeypatch):
    taught.ppo(steps=1, config=PPO).run()
    taught.undo()
    do(tree, "refresh")
    told = do(tree, "compare", first="policy@0", second="policy@1")
    assert (
        "policy@1 was not evaluated against policy@0: run "
        'lab.checkout("policy@1"), then lab.evaluate(baseline="policy@0").'
    ) in told
    monkeypatch.setattr(Lab, "compare", lambda *_: None, raising=False)
    told = do(tree, "compare", first="policy@0", second="policy@1")
    assert told.endswith('To read what both write, run lab.compare("policy@0", "policy@1").')


def test_a_damaged_checkpoint_is_told_and_nothing_changed(taught: Lab, tree):
    start = taught.model.state("policy")
    taught.ppo(steps=1, config=PPO).run()
    taught.undo()
    do(tree, "refresh")
    folder = taught.path / taught.store.version("policy@1").path
    weights = folder / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    told = do(tree, "checkout", name="policy@1")
    assert told.startswith("Not checked out. Nothing was changed.")
    assert "policy@1" in told
    assert tree.notice["tone"] == "error"
    assert tree.view["present"] == ["policy@0", "reward@0"]
    assert same(taught.model.state("policy"), start)


def test_while_a_ppo_loop_is_under_way_nothing_is_checked_out(taught: Lab, tree):
    taught.ppo(steps=1, config=PPO).run()
    do(tree, "refresh")
    for _ in taught.ppo(steps=1, config=PPO):
        told = do(tree, "checkout", name="policy@0")
        assert "Nothing was changed." in told
        assert "a PPO loop is under way" in told
    assert taught.version == "policy@2"


def _hold(path, ready, done):
    lock = TrainingLock(path, purpose="model work")
    lock.acquire()
    ready.set()
    done.wait(60)
    lock.release()


def test_a_lab_that_another_process_holds_is_told(taught: Lab, tree):
    taught.ppo(steps=1, config=PPO).run()
    do(tree, "refresh")
    taught._bench.let_go()
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(taught.path, ready, done))
    process.start()
    try:
        assert ready.wait(60)
        told = do(tree, "checkout", name="policy@0")
    finally:
        done.set()
        process.join(60)
    assert "Nothing was changed." in told
    assert str(process.pid) in told
    assert tree.view["present"] == ["policy@1", "reward@0"]
    do(tree, "checkout", name="policy@0")
    assert taught.version == "policy@0"
