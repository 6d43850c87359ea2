"""Checkpoints as training lays them out."""

from __future__ import annotations

import hashlib
import json


def checkpoint(folder, **files):
    """As training lays it out: files, and a listing of their sums."""
    folder.mkdir(parents=True)
    contents = {"state.json": b"{}", **{f"{k}.safetensors": v for k, v in files.items()}}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    (folder / "manifest.json").write_text(json.dumps(sums))


def files_of(folder):
    return {
        str(f.relative_to(folder)): f.read_bytes()
        for f in (folder / "checkpoints").rglob("*")
        if f.is_file()
    }
