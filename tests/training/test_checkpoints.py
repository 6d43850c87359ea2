from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from rlhf_lab.errors import CheckpointError, DiskFull
from rlhf_lab.training import Checkpoint, read_checkpoint, write_checkpoint


def sample() -> Checkpoint:
    strided = torch.arange(12.0).reshape(3, 4).T
    policy = {"a.weight": torch.randn(3, 2), "b": strided, "half": torch.ones(2).bfloat16()}
    return Checkpoint(
        tensors={"policy": policy, "optimizer": {"step": torch.tensor(3.0)}},
        state={"kl_coef": 0.1 + 0.2, "steps": 7, "names": ["a", "ü"]},
    )


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path: Path):
    written = sample()
    write_checkpoint(tmp_path / "c", written)
    found = read_checkpoint(tmp_path / "c")
    assert found.state == written.state
    assert found.tensors.keys() == written.tensors.keys()
    for group, tensors in written.tensors.items():
        assert found.tensors[group].keys() == tensors.keys()
        for key, value in tensors.items():
            assert found.tensors[group][key].dtype == value.dtype
            assert torch.equal(found.tensors[group][key], value)
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_empty_groups_survive(tmp_path: Path):
    write_checkpoint(tmp_path / "c", Checkpoint(tensors={"optimizer": {}}))
    assert read_checkpoint(tmp_path / "c").tensors == {"optimizer": {}}


def test_nothing_is_pickled(tmp_path: Path):
    write_checkpoint(tmp_path / "c", sample())
    names = sorted(p.name for p in (tmp_path / "c").iterdir())
    assert names == ["manifest.json", "optimizer.safetensors", "policy.safetensors", "state.json"]


def test_checkpoints_are_immutable(tmp_path: Path):
    write_checkpoint(tmp_path / "c", Checkpoint(tensors={}, state={"n": 1}))
    with pytest.raises(CheckpointError, match=r"c exists: checkpoints are immutable"):
        write_checkpoint(tmp_path / "c", Checkpoint(tensors={}, state={"n": 2}))
    assert read_checkpoint(tmp_path / "c").state == {"n": 1}


@pytest.mark.parametrize("name", ["policy.safetensors", "optimizer.safetensors", "state.json"])
def test_an_altered_file_is_named(tmp_path: Path, name: str):
    write_checkpoint(tmp_path / "c", sample())
    path = tmp_path / "c" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(tmp_path / "c")
    message = str(caught.value)
    assert f"{path} is not what was written (SHA-256 differs)" in message
    assert "check out another version" in message


@pytest.mark.parametrize("name", ["policy.safetensors", "state.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    write_checkpoint(tmp_path / "c", sample())
    (tmp_path / "c" / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        read_checkpoint(tmp_path / "c")


def test_a_cut_off_file_is_named(tmp_path: Path):
    write_checkpoint(tmp_path / "c", sample())
    path = tmp_path / "c" / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match=r"policy\.safetensors is not what was written"):
        read_checkpoint(tmp_path / "c")


def test_a_folder_without_manifest_is_half_written(tmp_path: Path):
    write_checkpoint(tmp_path / "c", sample())
    (tmp_path / "c" / "manifest.json").unlink()
    for folder in (tmp_path / "c", tmp_path / "absent"):
        with pytest.raises(CheckpointError, match="half-written"):
            read_checkpoint(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "3"])
def test_a_manifest_that_lists_no_files_is_named(tmp_path: Path, content: str):
    write_checkpoint(tmp_path / "c", sample())
    (tmp_path / "c" / "manifest.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"manifest\.json cannot be read"):
        read_checkpoint(tmp_path / "c")


@pytest.mark.parametrize("place", ["write_bytes", "write_text", "fsync"])
def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path, monkeypatch, place: str):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os if place == "fsync" else Path, place, full)
    with pytest.raises(DiskFull, match=r"no room left for .*c: free some space and run the step"):
        write_checkpoint(tmp_path / "c", sample())
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    write_checkpoint(tmp_path / "c", sample())


@pytest.mark.parametrize("failure", [PermissionError(errno.EACCES, "no"), KeyboardInterrupt()])
def test_whatever_stops_the_writing_leaves_nothing(tmp_path: Path, monkeypatch, failure):
    def stop(*_args):
        raise failure

    monkeypatch.setattr(os, "rename", stop)
    with pytest.raises(type(failure)):
        write_checkpoint(tmp_path / "c", sample())
    assert list(tmp_path.iterdir()) == []


def test_the_leftovers_of_a_killed_writer_are_in_nobodys_way(tmp_path: Path):
    leftover = tmp_path / ".c.writing"
    leftover.mkdir()
    (leftover / "policy.safetensors").write_bytes(b"half")
    write_checkpoint(tmp_path / "c", sample())
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_the_manifest_holds_every_files_hash(tmp_path: Path):
    write_checkpoint(tmp_path / "c", sample())
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    assert sorted(manifest) == ["optimizer.safetensors", "policy.safetensors", "state.json"]
    assert all(len(digest) == 64 for digest in manifest.values())
