"""Which numbers a model folder holds."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlhf_lab.models import load_base
from rlhf_lab.models.fingerprint import weights_fingerprint

Weights = dict[str, Tensor]


@pytest.fixture
def weights(tiny_folder: Path) -> Weights:
    return load_file(tiny_folder / "model.safetensors")


def fingerprint(tmp_path: Path, weights: Weights, name: str = "model.safetensors") -> str:
    for file in tmp_path.glob("*"):
        file.unlink()
    save_file(weights, tmp_path / name)
    return weights_fingerprint(tmp_path)


@pytest.fixture
def known(tiny_folder: Path) -> str:
    return weights_fingerprint(tiny_folder)


# What it does not depend on


def test_it_is_the_same_in_every_precision_and_quantization(tiny_folder: Path, known: str):
    assert len(known) == 16
    for quantize, dtype in (
        ("none", torch.float32),
        ("nf4", torch.float32),
        ("none", torch.bfloat16),
    ):
        base = load_base(str(tiny_folder), quantize=quantize, device="cpu", dtype=dtype)
        assert base.weights == known


def test_it_is_the_same_however_the_tensors_are_stored(
    tmp_path: Path, weights: Weights, known: str
):
    assert fingerprint(tmp_path, dict(reversed(weights.items()))) == known
    assert fingerprint(tmp_path, weights, "other.safetensors") == known
    half = {k: v.bfloat16() for k, v in weights.items()}
    assert fingerprint(tmp_path, half) != known
    rounded = fingerprint(tmp_path, half)
    assert fingerprint(tmp_path, {k: v.float() for k, v in half.items()}) == rounded
    (tmp_path / "model.safetensors").unlink()
    parts = {"a.safetensors": {}, "b.safetensors": {}}
    for n, (key, value) in enumerate(weights.items()):
        list(parts.values())[n % 2][key] = value
    for file, part in parts.items():
        save_file(part, tmp_path / file)
    places = {key: file for file, part in parts.items() for key in part}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    # What the index does not name is not read, by transformers neither.
    save_file({"x": torch.ones(2)}, tmp_path / "consolidated.safetensors")
    assert weights_fingerprint(tmp_path) == known


def test_a_head_that_is_the_embedding_may_stand_there_twice(tmp_path: Path, weights: Weights):
    tied = {k: v for k, v in weights.items() if k != "lm_head.weight"}
    twice = {**tied, "lm_head.weight": tied["model.embed_tokens.weight"].clone()}
    assert fingerprint(tmp_path, twice) == fingerprint(tmp_path, tied)


# What it depends on


def test_every_tensor_its_name_and_its_shape_count(tmp_path: Path, weights: Weights, known: str):
    for key, value in weights.items():
        if not key.endswith("norm.weight"):  # all ones, as other norms are
            assert fingerprint(tmp_path, {**weights, key: 1.001 * value}) != known, key
    assert fingerprint(tmp_path, {**weights, "extra": torch.tensor(1.0)}) != known
    first, second = (f"model.layers.{n}.mlp.up_proj.weight" for n in (0, 1))
    swapped = {**weights, first: weights[second], second: weights[first]}
    assert fingerprint(tmp_path, swapped) != known
    norm = weights["model.norm.weight"]
    assert fingerprint(tmp_path, {**weights, "model.norm.weight": 1.001 * norm}) != known


def test_tensors_without_a_dimension_or_with_nothing_in_them_count_too(tmp_path: Path):
    one, two = ({"scale": torch.tensor(x), "none": torch.zeros(0, 4)} for x in (1.0, 2.0))
    assert fingerprint(tmp_path, one) != fingerprint(tmp_path, two)


@pytest.mark.model
def test_the_embedded_model_takes_a_moment():
    from rlhf_lab.models.sources import resolve_model

    folder = resolve_model()
    weights_fingerprint(folder)
    began = time.process_time()
    weights_fingerprint(folder)
    assert time.process_time() - began < 0.3
