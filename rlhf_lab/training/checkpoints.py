"""Checkpoints: safetensors and JSON in a folder that exists whole or not at all.

A checkpoint is written beside its place, flushed to disk, and renamed; a manifest with the
SHA-256 of every file is written last. Reading checks all of it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor

from rlhf_lab.errors import CheckpointError, DiskFull

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Named groups of tensors ("policy", "optimizer" ...) and a small JSON state."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any] = field(default_factory=dict)


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that `folder` is either absent or complete.

    Raises:
        CheckpointError: `folder` exists; checkpoints are immutable.
        DiskFull: no room left; nothing is left behind.
    """
    if folder.exists():
        raise CheckpointError(
            f"{folder} exists: checkpoints are immutable. Choose another version name."
        )
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        for group, tensors in checkpoint.tensors.items():
            contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
            # Not save_file: it hides a full disk behind an error of its own.
            (aside / f"{group}.safetensors").write_bytes(save(contiguous))
        _write_json(aside / "state.json", checkpoint.state)
        _write_json(aside / MANIFEST, {p.name: _digest(p) for p in sorted(aside.iterdir())})
        for path in [*aside.iterdir(), aside]:
            _flush(path)
        os.rename(aside, folder)
        _flush(folder.parent)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(
                f"no room left for {folder}: free some space and run the step again."
            ) from error
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint back.

    Raises:
        CheckpointError: a file is missing, altered or unreadable; names it.
    """
    expected = _manifest(folder)
    for name, digest in expected.items():
        _check(folder / name, digest)
    groups = [Path(n).stem for n in expected if n.endswith(".safetensors")]
    return Checkpoint(
        tensors={group: load_file(folder / f"{group}.safetensors") for group in groups},
        state=json.loads((folder / "state.json").read_text("utf-8")),
    )


def read_state(folder: Path) -> dict[str, Any]:
    """The JSON state of a checkpoint alone, without reading its tensors.

    Raises:
        CheckpointError: it is missing, altered or unreadable.
    """
    path = folder / "state.json"
    _check(path, _manifest(folder)[path.name])
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def thin_checkpoint(folder: Path, groups: Collection[str]) -> None:
    """Keep only these groups of tensors, and the state; a crash leaves the checkpoint readable.

    Raises:
        CheckpointError: it is half-written or unreadable; nothing was removed.
    """
    kept = {n: d for n, d in _manifest(folder).items() if Path(n).stem in {*groups, "state"}}
    # First the manifest, in one move: files it does not list are not read.
    aside = folder / f".{MANIFEST}"
    _write_json(aside, kept)
    _flush(aside)
    os.replace(aside, folder / MANIFEST)
    _flush(folder)
    for file in folder.glob("*.safetensors"):
        if file.name not in kept:
            file.unlink()


_NEXT_STEP = (
    "check out another version (`lab.versions` lists them), or restore the file from a backup."
)


def _check(path: Path, digest: str) -> None:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: {_NEXT_STEP}")
    if _digest(path) != digest:
        raise CheckpointError(f"{path} is not what was written (SHA-256 differs): {_NEXT_STEP}")


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    try:
        found: dict[str, str] = json.loads(path.read_text("utf-8"))
        if "state.json" not in dict(found):
            raise ValueError("it lists no state.json")
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path} is missing, the checkpoint is half-written: {_NEXT_STEP}"
        ) from error
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}): {_NEXT_STEP}") from error
    return found


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True), "utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
