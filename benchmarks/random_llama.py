"""A Llama with random 4-bit weights, made on the device: its size matters here, not its words."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from rlhf_lab.models import Base

# The shape of Llama 3 8B.
LLAMA_8B = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}


def random_model(
    shape: dict[str, Any], device: torch.device, dtype: torch.dtype
) -> PreTrainedModel:
    """One layer at a time is made in `dtype` and quantized: the dense model never exists whole.

    Args:
        shape: Arguments of LlamaConfig.
        device: Where the weights are made and stay.
        dtype: Of activations, embeddings and output head.
    """
    import torch
    from bitsandbytes.nn.modules import Linear4bit
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = LlamaConfig(**shape, bos_token_id=None, eos_token_id=None)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    # Its table is computed, not learned, and was not on a meta device.
    model.model.rotary_emb = LlamaRotaryEmbedding(config).to(device)
    for layer in list(model.model.layers.modules()):
        for name, child in list(layer.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(layer, name, _four_bit(child, device, dtype))
    for module in model.modules():
        if isinstance(module, Linear4bit):
            continue
        for name, parameter in list(module.named_parameters(recurse=False)):
            shape_of = parameter.shape
            # Matrices random, the gains of norms 1.
            made = (
                _random(shape_of, device, dtype)
                if len(shape_of) > 1
                else torch.ones(shape_of, device=device, dtype=dtype)
            )
            setattr(module, name, torch.nn.Parameter(made, requires_grad=False))
    model.generation_config = GenerationConfig()
    # The attribute that tells transformers and peft that these layers are 4-bit.
    model.is_loaded_in_4bit = True  # type: ignore[assignment]
    model.eval()
    return model


def _four_bit(linear: nn.Linear, device: torch.device, dtype: torch.dtype) -> nn.Module:
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    made = Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=False,
        compute_dtype=dtype,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    weight = _random(linear.weight.shape, device, dtype)
    # Params4bit is a Parameter by a metaclass that its annotations do not know of.
    packed: Any = Params4bit(
        weight, requires_grad=False, compress_statistics=True, quant_type="nf4", module=made
    )
    made.weight = packed.to(device)
    # As in load_base: without it, CPU kernels repack weights so that no backward pass finds them.
    made.support_avx512bf16_for_cpu = False
    return made


def _random(shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    import torch

    return torch.randn(shape, device=device, dtype=dtype).mul_(0.02)


def random_base(shape: dict[str, Any], device: torch.device, dtype: torch.dtype) -> Base:
    """The model as our side takes it; every id of its small tokenizer is in the vocabulary."""
    from transformers import AutoTokenizer

    from rlhf_lab.models import Base
    from rlhf_lab.testing import tiny_model

    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = AutoTokenizer.from_pretrained(tiny_model(Path(scratch) / "model"))
    return Base(
        model=random_model(shape, device, dtype),
        tokenizer=tokenizer,
        name="random Llama",
        quantization="nf4",
        device=device,
        dtype=dtype,
    )
