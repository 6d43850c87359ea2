"""How far a policy has moved from the reference, on its own responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.models import RoleModel, TokenBatch, make_batch
from rlhf_lab.models.roles import RoleName
from rlhf_lab.types import Prompt, Response

ROWS = 8


def kl_per_response(
    model: RoleModel,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    *,
    progress: bool = True,
) -> float:
    """Mean over responses of log policy - log reference, in nats (k1, at the sampling temperature).

    Args:
        model: Its policy role must be the version that wrote the responses.
        prompts: One per response.
        responses: Sampled by the policy.
        progress: Show a bar.
    """
    with model.dense.base():
        policy, reference = (
            _logprob_sums(model, role, prompts, responses, progress)
            for role in ("policy", "reference")
        )
    return sum(p - r for p, r in zip(policy, reference, strict=True)) / len(responses)


def _logprob_sums(
    model: RoleModel,
    role: RoleName,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    progress: bool,
) -> list[float]:
    sampling = responses[0].sampling
    temperature = 1.0 if sampling is None else sampling.temperature
    sums: list[float] = []
    with model.role(role) as held:
        batches = list(plain_batches(model, prompts, responses))
        for batch in tqdm(batches, desc=f"KL: {role}", disable=not progress, leave=False):
            logp: Tensor = held.logprobs(batch, temperature=temperature).logp
            sums.extend(logp.sum(dim=1).tolist())
    return sums


def plain_batches(
    model: RoleModel, prompts: Sequence[Prompt], responses: Sequence[Response]
) -> Iterator[TokenBatch]:
    """Responses beside their prompts, one in each row."""
    encoded = [model.chat.encode(p) for p in prompts]
    for start in range(0, len(responses), ROWS):
        yield make_batch(
            encoded[start : start + ROWS],
            [r.token_ids for r in responses[start : start + ROWS]],
            pad_id=int(model.base.tokenizer.pad_token_id),
            device=model.base.device,
        )
