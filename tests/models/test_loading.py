from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit
from safetensors.torch import load_file

from rlhf_lab.errors import ConfigError, QuantizationUnsupported, UnknownModel
from rlhf_lab.models import RoleModel, generate, load_base, resolve_model
from rlhf_lab.models.loading import compute_dtype
from rlhf_lab.types import Sampling
from tests.tiny import prompt


def test_nf4_quantizes_the_layers_twice_over_and_nothing_else(tiny_folder: Path):
    base = load_base(str(tiny_folder), device="cpu")
    layers = [m for m in base.model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == 14
    for layer in layers:
        state = layer.weight.quant_state
        assert (layer.weight.dtype, state.quant_type, state.nested) == (torch.uint8, "nf4", True)
    for whole in (base.model.get_input_embeddings(), base.model.get_output_embeddings()):
        assert whole.weight.dtype == base.dtype
    assert base.quantization == "nf4"
    assert not any(p.requires_grad for p in base.model.parameters())
    assert not base.model.training


def test_plain_weights_are_the_files_own(tiny_folder: Path):
    base = load_base(str(tiny_folder), quantize="none", device="cpu", dtype=torch.float32)
    stored = load_file(tiny_folder / "model.safetensors")
    loaded = base.model.state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in stored.items())
    assert (base.quantization, base.dtype, base.device.type) == ("none", torch.float32, "cpu")


def test_other_quantizations_are_refused(tiny_folder: Path):
    with pytest.raises(ConfigError, match=r"quantize='int8': use 'nf4' \(4-bit\) or 'none'"):
        load_base(str(tiny_folder), quantize="int8")


@pytest.mark.parametrize("has", [(True, False), (False, True), (False, False)])
def test_bf16_is_chosen_only_where_the_processor_has_it(monkeypatch, has: tuple[bool, bool]):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has[0])
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has[1])
    expected = torch.bfloat16 if any(has) else torch.float32
    assert compute_dtype(torch.device("cpu")) == expected


@pytest.mark.parametrize("failure", [ImportError, NotImplementedError])
def test_missing_4_bit_kernels_are_said_with_the_way_out(tiny_folder: Path, monkeypatch, failure):
    def broken(*_args, **_kwargs):
        raise failure("no kernels")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", broken)
    with pytest.raises(QuantizationUnsupported, match="pass quantize='none'"):
        load_base(str(tiny_folder), device="cpu")


@pytest.fixture
def copied(tiny_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_folder, tmp_path / "copied")


def test_a_model_without_chat_template_is_refused(copied: Path):
    (copied / "chat_template.jinja").unlink()
    with pytest.raises(UnknownModel, match="has no chat template"):
        load_base(str(copied), quantize="none")


def test_a_model_without_tokenizer_is_refused(copied: Path):
    for path in copied.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(UnknownModel, match="tokenizer"):
        load_base(str(copied), quantize="none")


def test_cut_off_weights_are_refused(copied: Path):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UnknownModel, match="transformers can read"):
        load_base(str(copied), quantize="none")


def test_a_model_that_writes_no_text_is_refused(copied: Path):
    config = json.loads((copied / "config.json").read_text()) | {"model_type": "nonesuch"}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnknownModel, match="transformers can read"):
        load_base(str(copied), quantize="none")


def test_a_missing_padding_token_becomes_the_end_token(copied: Path):
    path = copied / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["pad_token"]
    path.write_text(json.dumps(settings))
    tokenizer = load_base(str(copied), quantize="none").tokenizer
    assert tokenizer.pad_token_id == tokenizer.eos_token_id


@pytest.mark.model
def test_the_embedded_model_loads_in_4_bits_and_answers():
    folder = resolve_model()
    assert (folder / "config.json").is_file()
    assert list(folder.glob("*.safetensors"))
    model = RoleModel(load_base())
    layers = [m for m in model.base.model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == 30 * 7
    assert all(layer.weight.quant_state.nested for layer in layers)
    # The embedding, which is the output head as well, is in the type of the activations.
    embedding = 49_152 * 576 * model.base.dtype.itemsize
    assert model.base.model.get_memory_footprint() - embedding < 170e6 - 49_152 * 576 * 2
    end = model.base.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end in model.chat.stop_ids
    ids = model.chat.encode(prompt("What is the capital of France? Answer in one sentence."))
    with model.role("policy") as policy, model.dense.merged("policy"):
        (careful,) = generate(policy, [ids], [0], Sampling(temperature=0.1, max_new_tokens=24))
        free = generate(policy, [ids] * 8, list(range(8)), Sampling(max_new_tokens=40))
    assert "Paris" in model.chat.decode(careful.token_ids)
    ended = [g for g in free if g.end_reason == "stop"]
    assert ended
    assert {g.token_ids[-1] for g in ended} == {end}
