"""An independent computation of the policy's gradient: one plain fp64 model, no roles, no adapters.

The adapter is merged into fp64 weights and the gradient of each whole matrix is taken; the chain
rule gives the adapter's. Nothing of `models.roles`, peft or bitsandbytes takes part in the forward
or backward pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rlhf_lab.models import RoleModel, Row

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Parameters beyond which a second model with fp64 weights and gradients is too much to ask.
LARGEST = 300_000_000


def fits_beside(model: RoleModel) -> bool:
    """Whether a plain fp64 model of this size is small enough to stand beside it."""
    return int(model.base.model.num_parameters()) <= LARGEST


def plain_gradients(model: RoleModel, rows: list[Row]) -> dict[str, Tensor]:
    """Gradient of the sum of all response tokens' log-probabilities, by the adapter's parameter.

    Args:
        model: Its policy adapter is the one differentiated by.
        rows: Prompts and responses, each run alone and without padding.

    Returns:
        fp64 tensors by the names of `model.parameters("policy")`.
    """
    plain, adapted = _plain_copy(model)
    for name in adapted:
        plain.get_submodule(name).weight.requires_grad_()
    total = torch.zeros((), dtype=torch.float64, device=model.base.device)
    for row in rows:
        for response in row.responses:
            total = total + _logprob(plain, row.prompt, response)
    total.backward()
    found: dict[str, Tensor] = {}
    for name, layer in adapted.items():
        gradient = plain.get_submodule(name).weight.grad
        a, b = layer.lora_A["policy"].weight, layer.lora_B["policy"].weight
        scaling = layer.scaling["policy"]
        found[_parameter(model, a)] = scaling * b.T.double() @ gradient
        found[_parameter(model, b)] = scaling * gradient @ a.T.double()
    return {k: v.detach() for k, v in found.items()}


def _logprob(plain: PreTrainedModel, prompt: Any, response: Any) -> Tensor:  # noqa: ANN401
    ids = torch.tensor([[*prompt, *response]], device=plain.device)
    logits = plain(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    chosen: Tensor = logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None])
    return chosen.sum()


@torch.no_grad()
def _plain_copy(model: RoleModel) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A plain fp64 model with the policy merged in, and the adapted layers by their name in it."""
    from peft.tuners.lora import LoraLayer
    from transformers import AutoConfig, AutoModelForCausalLM

    source = model.base.model
    settings = source.config.to_dict()
    settings.pop("quantization_config", None)
    config = AutoConfig.for_model(**settings)
    plain = AutoModelForCausalLM.from_config(
        config, dtype=torch.float64, attn_implementation="eager"
    ).to(model.base.device)
    plain.requires_grad_(False)
    plain.eval()
    adapted: dict[str, Any] = {n: m for n, m in source.named_modules() if isinstance(m, LoraLayer)}
    weights = {
        name.replace(".base_layer.", "."): value
        for name, value in source.state_dict().items()
        if ".lora_" not in name
    }
    for name, own in plain.state_dict().items():
        layer = adapted.get(name.removesuffix(".weight"))
        own.copy_(weights[name] if layer is None else _merged(model, layer))
    return plain, adapted


def _merged(model: RoleModel, layer: Any) -> Tensor:  # noqa: ANN401 - peft leaves it untyped
    update = layer.lora_B["policy"].weight.double() @ layer.lora_A["policy"].weight.double()
    dense = model.dense.unpacked(layer.get_base_layer()).weight.double()
    merged: Tensor = dense + layer.scaling["policy"] * update
    return merged


def _parameter(model: RoleModel, weight: nn.Parameter) -> str:
    return next(k for k, p in model.parameters("policy").items() if p is weight)
