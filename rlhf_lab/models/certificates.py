"""What is tested on a model when it is loaded, because a wrong answer later would look right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rlhf_lab.algorithms import token_logprobs
from rlhf_lab.errors import UnknownModel
from rlhf_lab.models.attention import NAME as SHORT_ATTENTION
from rlhf_lab.models.batches import Row, batch_of_rows

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from rlhf_lab.models.roles import Role, RoleModel

# Nats between two computations of a log-probability; bf16 logits alone differ by 0.06.
LOGPROB_BOUND = 0.2


@torch.no_grad()
def certify_output_head(model: RoleModel) -> None:
    """Refuse models that do more to their logits than the output head does.

    Log-probabilities are computed from hidden states and the head's weight alone. A bias, a
    scale or a soft cap (Phi-2, Granite, Cohere, Gemma-2) would make them another model's.

    Raises:
        UnknownModel: the model's own log-probabilities are others.
    """
    base = model.base
    ids = torch.arange(8, device=base.device).unsqueeze(0)
    with model.role("policy") as policy, policy.autocast():
        logits = base.model(input_ids=ids).logits[0, :-1].float()
        hidden = base.model.base_model(input_ids=ids).last_hidden_state[0, :-1]
        ours = token_logprobs(hidden, policy.output_weight(), ids[0, 1:]).logp
    theirs = logits.log_softmax(-1).gather(1, ids[0, 1:, None]).squeeze(1)
    if not (difference := (ours - theirs).abs().max().item()) <= LOGPROB_BOUND:
        raise UnknownModel(
            f"{base.name!r} changes its logits after the output head (a bias, scale or soft cap; "
            f"log-probabilities differ by {difference:.3g}, allowed {LOGPROB_BOUND}): such models "
            "are not supported yet. Choose another, such as a Llama, Qwen or SmolLM."
        )


@torch.no_grad()
def can_share_prompts(model: RoleModel) -> bool:
    """Whether responses may share a row with their prompt without seeing each other.

    They may where every layer attends by the mask it is given, which is tried: a response must
    not change by one bit with its neighbour, and must be about what it is in a row of its own.
    """
    if not attends_by_mask_alone(model.base.model.config.get_text_config()):
        return False
    encode = model.base.tokenizer.encode
    prompt, response = encode("Why is the sky blue?"), encode("The air scatters blue light most.")
    neighbour = encode("Because of the way light bends in air.")
    with model.role("policy") as policy:
        beside = _logp(policy, Row(prompt, [neighbour, response]))
        beside_other = _logp(policy, Row(prompt, [neighbour[::-1], response]))
        alone = _logp(policy, Row(prompt, [response]))
    # The mean: in bf16 single tokens differ by up to 0.3 between layouts, a wrong mask or wrong
    # positions move the mean by 0.7.
    difference = (beside - alone).abs().mean()
    return torch.equal(beside, beside_other) and bool(difference <= LOGPROB_BOUND)


def attends_by_mask_alone(config: PreTrainedConfig) -> bool:
    """Sliding windows, recurrent layers and kernels without masks have rules of their own."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        kinds == {"full_attention"}
        and getattr(config, "sliding_window", None) is None
        and config._attn_implementation in ("sdpa", SHORT_ATTENTION)
    )


def _logp(policy: Role, row: Row) -> Tensor:
    """Of the row's last response."""
    batch = batch_of_rows([row], pad_id=0, device=policy.model.base.device)
    return policy.logprobs(batch).logp[-1, : len(row.responses[-1])]
