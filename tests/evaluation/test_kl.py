from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlhf_lab.evaluation.kl import kl_per_response
from rlhf_lab.models import generate
from rlhf_lab.types import Response, Sampling
from tests.tiny import TEXTS, batch, load_tiny, prompt, stir

SAMPLING = Sampling(temperature=0.7, max_new_tokens=10)


def answers(model, count: int) -> list[tuple]:
    prompts = [prompt(f"{TEXTS[n % 3]} {n}") for n in range(count)]
    ids = [model.chat.encode(p) for p in prompts]
    with model.role("policy") as policy:
        found = generate(policy, ids, list(range(count)), SAMPLING)
    return [
        (p, i, Response(
            id=str(n), prompt_id=p.id, text="", token_ids=tuple(g.token_ids), version="policy@0",
            sampling=SAMPLING, seed=n, end_reason=g.end_reason,
        ))
        for n, (p, i, g) in enumerate(zip(prompts, ids, found, strict=True))
    ]  # fmt: skip


def test_kl_is_the_mean_log_ratio_per_response_at_the_sampling_temperature(tiny_folder: Path):
    model = load_tiny(tiny_folder)
    stir(model, "policy")
    found = answers(model, 11)  # more than one batch of rows
    pairs = [(ids, list(r.token_ids)) for _, ids, r in found]
    total = 0.0
    for pair in pairs:
        for role, sign in (("policy", 1), ("reference", -1)):
            with model.role(role) as held:
                total += (
                    sign * held.logprobs(batch(model, [pair]), temperature=0.7).logp.sum().item()
                )
    kl = kl_per_response(model, [p for p, _, _ in found], [r for *_, r in found], progress=False)
    assert kl == pytest.approx(total / 11, abs=1e-5)
    assert abs(kl) > 0.01


@pytest.mark.parametrize("quantize", ["none", "nf4"])
def test_the_start_has_no_distance_from_the_reference(tiny_folder: Path, quantize: str):
    model = load_tiny(tiny_folder, quantize=quantize, dtype=torch.bfloat16)
    found = answers(model, 3)
    prompts, responses = [p for p, _, _ in found], [r for *_, r in found]
    assert kl_per_response(model, prompts, responses, progress=False) == 0.0
