"""What a reward role is before it has learned anything."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from rlhf_lab.models import RoleModel
from rlhf_lab.models.quiet import quiet
from tests.tiny import batch, rows


def test_a_fresh_reward_reads_the_pretrained_states(model: RoleModel, tiny_folder: Path):
    pairs = rows(model)
    with model.role("reward") as reward:
        found = reward.scores(batch(model, pairs))
    with quiet():
        plain = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32).double()
    head = model.head("reward")
    with torch.no_grad():
        for score, (ids, answer) in zip(found, pairs, strict=True):
            hidden = plain.base_model(torch.tensor([[*ids, *answer]])).last_hidden_state[0, -1]
            expected = hidden @ head.weight.double() + head.bias.double()
            torch.testing.assert_close(score.double(), expected, atol=1e-5, rtol=0)
