from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import CheckpointError, StoreError, UnknownVersion
from rlhf_lab.models import RoleModel
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training import Checkpoint
from rlhf_lab.training.versions import VersionNote, VersionTree
from rlhf_lab.types import Version
from tests.tiny import same, stir


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        yield opened


@pytest.fixture
def tree(tmp_path: Path, store: PreferenceStore) -> VersionTree:
    return VersionTree(tmp_path, store)


def weights(number: float) -> Checkpoint:
    return Checkpoint(tensors={"policy": {"w": torch.tensor([number])}}, state={"kept": number})


def note(parent: str | None = None, **changes) -> VersionNote:
    return VersionNote(parent=parent, **changes)


def folders(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "checkpoints").iterdir())


def test_saving_makes_a_numbered_version_and_the_head_of_its_role(tree: VersionTree):
    assert tree.head("policy") is None
    first = tree.save("policy", weights(1), note())
    reward = tree.save("reward", weights(2), note())
    second = tree.save("policy", weights(3), note("policy@0", trained_with=["reward@0"]))
    assert [v.name for v in tree.all()] == ["policy@0", "reward@0", "policy@1"]
    assert (tree.head("policy"), tree.head("reward")) == (second, reward)
    assert (second.parent, second.trained_with) == ("policy@0", ("reward@0",))
    tree.set_head(first)
    assert tree.head("policy") == first
    assert tree.next_name("policy") == "policy@2"
    found = tree.load(second)
    assert found.tensors["policy"]["w"].item() == 3
    assert found.state["kept"] == 3
    assert tree.get("policy@0") == first


def test_unknown_versions_are_named_with_similar_ones(tree: VersionTree):
    tree.save("policy", weights(1), note())
    with pytest.raises(UnknownVersion, match=r"'policy@7' is not a version.*policy@0"):
        tree.get("policy@7")


def test_a_version_is_never_changed(tree: VersionTree, store: PreferenceStore, tmp_path: Path):
    version = tree.save("policy", weights(1), note())
    with pytest.raises(StoreError, match="versions never change"):
        store.add_version(version)
    with pytest.raises(CheckpointError, match="immutable"):
        tree._write(tmp_path / version.path, weights(2), note())
    assert tree.load(version).state["kept"] == 1


def test_a_folder_whose_row_was_never_written_is_replaced(
    tree: VersionTree, store: PreferenceStore, monkeypatch
):
    def crash(version: Version, *, present: bool) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(store, "add_version", crash)
        with pytest.raises(OSError, match="power cut"):
            tree.save("policy", weights(1), note())
    assert tree.all() == []
    assert tree.head("policy") is None
    version = tree.save("policy", weights(2), note())
    assert version.name == "policy@0"
    assert tree.load(version).state["kept"] == 2


def test_the_last_two_steps_are_kept_and_are_no_version_yet(tree: VersionTree, tmp_path: Path):
    tree.save("policy", weights(0), note())
    for step in (1, 2, 10):
        tree.save_step(step, weights(step), note("policy@0"))
    assert folders(tmp_path) == ["policy@0", "policy@1.step10", "policy@1.step2"]
    assert [f.name for f in tree.steps()] == ["policy@1.step10", "policy@1.step2"]
    assert len(tree.all()) == 1


def test_a_run_may_go_back_by_a_step(tree: VersionTree, tmp_path: Path):
    tree.save("policy", weights(0), note())
    for step in (1, 2):
        tree.save_step(step, weights(step), note("policy@0"))
    tree.drop_last_step()
    assert tree.load(tree.finish_steps()).state["kept"] == 1
    assert folders(tmp_path) == ["policy@0", "policy@1.step1"]


def test_the_last_whole_step_becomes_the_version(tree: VersionTree, tmp_path: Path):
    tree.save("policy", weights(0), note())
    tree.save("reward", weights(0), note())
    described = note("policy@0", trained_with=["reward@0"], metrics={"steps": 9, "kl": 0.5})
    tree.save_step(9, weights(9), described)
    version = tree.finish_steps()
    assert (version.name, version.parent, version.trained_with) == (
        "policy@1", "policy@0", ("reward@0",),
    )  # fmt: skip
    assert version.metrics == {"steps": 9, "kl": 0.5}
    assert tree.head("policy") == version
    assert tree.load(version).state["kept"] == 9
    assert tree.finish_steps() is None
    # The next run's steps leave it alone.
    tree.save_step(10, weights(10), note("policy@1"))
    assert folders(tmp_path) == ["policy@0", "policy@1.step9", "policy@2.step10", "reward@0"]


def test_of_two_steps_left_by_a_kill_the_later_is_taken(tree: VersionTree, tmp_path: Path):
    tree.save("policy", weights(0), note())
    tree.save_step(9, weights(9), note("policy@0"))
    tree.save_step(10, weights(10), note("policy@0"))
    assert tree.load(tree.finish_steps()).state["kept"] == 10
    assert folders(tmp_path) == ["policy@0", "policy@1.step10"]


def test_a_damaged_step_is_passed_over_for_the_one_before(tree: VersionTree, tmp_path: Path):
    tree.save("policy", weights(0), note())
    tree.save_step(1, weights(1), note("policy@0"))
    damaged = tree.save_step(2, weights(2), note("policy@0"))
    (damaged / "policy.safetensors").write_bytes(b"half")
    version = tree.finish_steps()
    assert (version.name, tree.load(version).state["kept"]) == ("policy@1", 1)


def test_a_damaged_step_alone_is_ignored_and_later_removed(
    tree: VersionTree, tmp_path: Path, model: RoleModel
):
    start = tree.open_policy(model)
    damaged = tree.save_step(1, weights(1), note("policy@0"))
    (damaged / "manifest.json").unlink()
    assert tree.finish_steps() is None
    assert tree.open_policy(model) == start
    tree.save_step(1, weights(1), note("policy@0"))
    tree.save_step(2, weights(2), note("policy@0"))
    assert folders(tmp_path) == ["policy@0", "policy@1.step1", "policy@1.step2"]


def test_steps_from_an_unknown_parent_are_not_adopted(tree: VersionTree):
    tree.save("policy", weights(0), note())
    tree.save_step(1, weights(1), note("policy@5"))
    assert tree.finish_steps() is None


def test_opening_a_new_lab_keeps_the_start_and_reopening_brings_the_head(
    tree: VersionTree, model: RoleModel
):
    stir(model, "policy")
    start = model.state("policy")
    assert tree.open_policy(model).name == "policy@0"
    stir(model, "policy", seed=2)
    tree.save("policy", Checkpoint(tensors={"policy": model.state("policy")}), note("policy@0"))
    taught = model.state("policy")
    stir(model, "policy", seed=3)
    assert tree.open_policy(model).name == "policy@1"
    assert same(model.state("policy"), taught)
    tree.set_head(tree.get("policy@0"))
    tree.open_policy(model)
    assert same(model.state("policy"), start)


def test_altered_weights_of_a_version_are_named(tree: VersionTree, tmp_path: Path):
    version = tree.save("policy", weights(1), note())
    path = tmp_path / version.path / "policy.safetensors"
    path.write_bytes(os.urandom(10))
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        tree.load(version)


def whole(role: str, number: float) -> Checkpoint:
    groups = [role, "value", "optimizer"] if role == "policy" else [role, "optimizer"]
    return Checkpoint(
        tensors={group: {"w": torch.tensor([number])} for group in groups}, state={"kept": number}
    )


def test_older_versions_keep_their_weights_but_not_what_going_on_needs(
    tmp_path: Path, store: PreferenceStore
):
    tree = VersionTree(tmp_path, store, keep_states=2)
    versions = [tree.save("policy", whole("policy", n), note()) for n in range(4)]
    reward = tree.save("reward", whole("reward", 9), note())
    found = [tree.load(v) for v in versions]
    assert [sorted(c.tensors) for c in found] == [
        ["policy"],
        ["policy"],
        ["optimizer", "policy", "value"],
        ["optimizer", "policy", "value"],
    ]
    assert [c.tensors["policy"]["w"].item() for c in found] == [0, 1, 2, 3]
    assert [c.state["kept"] for c in found] == [0, 1, 2, 3]
    assert sorted(p.name for p in (tmp_path / versions[0].path).iterdir()) == [
        "manifest.json",
        "policy.safetensors",
        "state.json",
    ]
    assert "optimizer" in tree.load(reward).tensors


def test_a_crash_while_thinning_leaves_a_readable_version(
    tmp_path: Path, store: PreferenceStore, monkeypatch
):
    tree = VersionTree(tmp_path, store, keep_states=1)
    first = tree.save("policy", whole("policy", 1), note())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda self: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            tree.save("policy", whole("policy", 2), note())
    assert sorted(tree.load(first).tensors) == ["policy"]
    # The next version finishes what was begun.
    tree.save("policy", whole("policy", 3), note())
    assert not (tmp_path / first.path / "optimizer.safetensors").exists()
    assert sorted(tree.load(first).tensors) == ["policy"]
