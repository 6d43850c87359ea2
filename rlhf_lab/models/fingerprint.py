"""Which numbers a model folder holds, told from a sample of every tensor.

Taken from the files, not from the loaded model: so it is the same on every device, in every
precision and with 4-bit weights or without.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

INDEX, WHOLE = "model.safetensors.index.json", "model.safetensors"
# Rows of each tensor and numbers of each row. Another base differs nearly everywhere, and what
# edits single layers changes whole rows; reading everything would take a second and more per GB.
ROWS, COLUMNS = 8, 128


def weights_fingerprint(folder: Path) -> str:
    """Sixteen hex digits of the SHA-256 over names, shapes and a sample of all tensors.

    How the tensors are spread over files and in which order does not matter, nor whether an output
    head that is the embedding stands there twice, nor bf16 numbers written as fp32.

    Args:
        folder: With config.json and safetensors.
    """
    # Of tensors with the same content the name that sorts last stands for all.
    found = {content: name for name, content in sorted(_tensors(folder))}
    lines = sorted(f"{name} {content}" for content, name in found.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _tensors(folder: Path) -> Iterator[tuple[str, str]]:
    """Name, and shape with the digest of a sample, of every tensor."""
    from safetensors import safe_open

    for file in _files(folder):
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - no dict
                part = weights.get_slice(name)
                shape = part.get_shape()
                # fp32 holds bf16 and fp16 exactly.
                sample = _sample(part, shape).float().contiguous()
                digest = hashlib.sha256(sample.numpy().tobytes()).hexdigest()
                yield name, f"{shape} {digest}"


def _files(folder: Path) -> list[Path]:
    """Those that transformers reads; a folder may hold the same weights in a second form."""
    if (folder / INDEX).is_file():
        named = json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values()
        return sorted({folder / name for name in named})
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    return sorted(folder.glob("*.safetensors"))


def _sample(part: Any, shape: list[int]) -> Tensor:  # noqa: ANN401 - safetensors has no types
    """Numbers from all over a tensor; matrices by rows, so that few pages are read."""
    if len(shape) < 2:
        return _spread(part[:] if shape else part[...])
    last = shape[0] - 1
    rows = sorted({round(last * n / (ROWS - 1)) for n in range(ROWS)})
    return torch.cat([_spread(part[row : row + 1]) for row in rows])


def _spread(values: Tensor) -> Tensor:
    flat = values.flatten()
    return flat[:: max(1, len(flat) // COLUMNS)]
