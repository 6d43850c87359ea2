"""How large a model is, from its configuration: no weight is loaded, none is even allocated."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from rlhf_lab.errors import ConfigError, UnknownModel
from rlhf_lab.models.certificates import attends_by_mask_alone
from rlhf_lab.models.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from rlhf_lab.types import LoraSpec


class Linear(NamedTuple):
    """One linear layer that 4-bit quantization packs; `adapted` says whether it gets an adapter."""

    inputs: int
    outputs: int
    adapted: bool

    @property
    def numbers(self) -> int:
        """Of its weight."""
        return self.inputs * self.outputs


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """What memory depends on.

    Attributes:
        parameters: All numbers of the base, shared ones once.
        linears: Linear layers but the output head.
        plain: Numbers outside of them, which stay as they are: embeddings, output head, norms,
            biases.
        layers: Decoder layers.
        hidden: Size of the residual stream.
        intermediate: Inner size of the feed-forward part.
        heads: Of the queries.
        key_heads: Of keys and values.
        head_dim: Of each head.
        vocabulary: Rows of the output head.
        normed: Numbers per token that go into norms, but for the first, which learns from nothing.
        norms: Norms per token, of heads one by one, that these numbers are split into.
        context: Longest sequence; 0 where the configuration does not say.
        shares_prompts: Whether responses may share a row with their prompt.
    """

    parameters: int
    linears: tuple[Linear, ...]
    plain: int
    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_heads: int
    head_dim: int
    vocabulary: int
    normed: int
    norms: int
    context: int
    shares_prompts: bool

    @property
    def adapted(self) -> tuple[Linear, ...]:
        """Linear layers with adapters."""
        return tuple(linear for linear in self.linears if linear.adapted)

    def adapter_numbers(self, rank: int) -> int:
        """Of one role: rank x (inputs + outputs) of each adapted layer."""
        return rank * sum(linear.inputs + linear.outputs for linear in self.adapted)


def shape_of(config: PreTrainedConfig, lora: LoraSpec) -> ModelShape:
    """Build the model without weights and read its layers.

    Raises:
        UnknownModel: no causal language model goes by this configuration.
        ConfigError: the adapters' target modules are not in it.
    """
    model = _without_weights(config)
    text = model.config.get_text_config()
    parameters = sum(p.numel() for p in model.parameters())
    linears = _linears(model, _adapted_names(model, lora))
    heads = text.num_attention_heads
    key_heads = getattr(text, "num_key_value_heads", None) or heads
    head_dim = getattr(text, "head_dim", None) or text.hidden_size // heads
    norms = _norms(model, {"q_norm": heads, "k_norm": key_heads}, head_dim)
    return ModelShape(
        parameters=parameters,
        linears=linears,
        plain=parameters - sum(linear.numbers for linear in linears),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        intermediate=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        heads=heads,
        key_heads=key_heads,
        head_dim=head_dim,
        vocabulary=model.get_output_embeddings().weight.shape[0],
        normed=sum(width * pieces for width, pieces in norms) - text.hidden_size,
        norms=sum(pieces for _, pieces in norms) - 1,
        context=getattr(text, "max_position_embeddings", None) or 0,
        shares_prompts=attends_by_mask_alone(text),
    )


def _without_weights(config: PreTrainedConfig) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"), quiet():
            # A copy: building a model writes into its configuration.
            model: PreTrainedModel = AutoModelForCausalLM.from_config(
                copy.deepcopy(config), trust_remote_code=False
            )
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UnknownModel(
            f"model_type {config.model_type!r} is not a causal language model that transformers "
            f"can build ({str(error)[:200]}): choose one such as a Llama, Qwen or SmolLM."
        ) from error
    return model


def _linears(model: PreTrainedModel, adapted: set[str]) -> tuple[Linear, ...]:
    head = model.get_output_embeddings()
    return tuple(
        Linear(module.in_features, module.out_features, name in adapted)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    )


def _adapted_names(model: PreTrainedModel, lora: LoraSpec) -> set[str]:
    """Names of the layers that get an adapter, found by peft itself."""
    from peft import LoraConfig
    from peft.tuners.tuners_utils import check_target_module_exists

    head = model.get_output_embeddings()
    targets: Any = lora.target_modules
    linear = {n for n, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head}
    if targets == "all-linear":
        return linear
    config = LoraConfig(target_modules=targets if isinstance(targets, str) else list(targets))
    found = {name for name in linear if check_target_module_exists(config, name)}
    if not found:
        raise ConfigError(
            f"target_modules={targets!r}: no linear layer of this model is called so. Use "
            f"'all-linear', or some of {sorted({n.rpartition('.')[2] for n in linear})}."
        )
    return found


def _norms(
    model: PreTrainedModel, of_heads: dict[str, int], head_dim: int
) -> list[tuple[int, int]]:
    """Width of each norm, and into how many pieces of that width it cuts a token."""
    found = []
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if type(module).__name__.endswith("Norm") and isinstance(weight, nn.Parameter):
            width = weight.numel()
            # Some models norm each head of queries and keys; others all of them together.
            pieces = of_heads.get(name.rpartition(".")[2], 1) if width == head_dim else 1
            found.append((width, pieces))
    return found
