from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from rlhf_lab.errors import ConfigError, NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.training import DemonstratedExample, SFTConfig, SFTTrainer
from tests.tiny import prompt, rows, same, stir


def demonstrations(model: RoleModel) -> list[DemonstratedExample]:
    return [
        DemonstratedExample(demonstration_id=f"d{n}", prompt=question, answer=answer)
        for n, (question, answer) in enumerate(rows(model))
    ]


def plain_loss(model: RoleModel, examples: Sequence[DemonstratedExample]) -> float:
    """Cross-entropy of the answers alone, from the logits that transformers gives, in float64."""
    total, tokens = 0.0, 0
    for example in examples:
        ids = torch.tensor([[*example.prompt, *example.answer]])
        model.peft.set_adapter("policy", inference_mode=True)
        with torch.no_grad():
            logits = model.peft(input_ids=ids).logits[0].double().numpy()
        logp = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        for place, token in enumerate(example.answer, start=len(example.prompt)):
            total -= logp[place - 1, token]
            tokens += 1
    return total / tokens


def test_the_loss_is_that_of_the_answers_tokens_alone(model: RoleModel):
    stir(model, "policy")
    examples = demonstrations(model)
    trainer = SFTTrainer(model)
    assert trainer.loss(examples) == pytest.approx(plain_loss(model, examples), rel=1e-5)


def test_a_step_is_told_by_the_loss_before_it(model: RoleModel):
    examples = demonstrations(model)
    trainer = SFTTrainer(model, SFTConfig(learning_rate=1e-2))
    before = trainer.loss(examples)
    assert trainer.step(examples) == pytest.approx(before, rel=1e-5)
    assert trainer.loss(examples) < before


def test_demonstrations_are_learned_by_heart_and_nothing_but_the_policy_changes(model: RoleModel):
    others = {r: model.state(r) for r in ("reward", "value")}
    examples = demonstrations(model)
    trainer = SFTTrainer(model, SFTConfig(learning_rate=2e-2))
    for _ in range(60):
        trainer.step(examples)
    assert trainer.loss(examples) < 0.3
    assert all(same(model.state(r), s) for r, s in others.items())


def gradients(model: RoleModel, config: SFTConfig) -> dict[str, torch.Tensor]:
    trainer, seen = SFTTrainer(model, config), {}

    def step() -> None:
        found = model.parameters("policy")
        seen.update({k: p.grad.clone() for k, p in found.items() if p.grad is not None})
        trainer.optimizer.forget_gradients()

    trainer.optimizer.step = step
    trainer.step(demonstrations(model))
    return seen


def test_micro_batches_change_nothing(model: RoleModel):
    stir(model, "policy")
    whole = gradients(model, SFTConfig(tokens_per_micro_batch=4096))
    parted = gradients(model, SFTConfig(tokens_per_micro_batch=1))
    assert whole
    for name, gradient in whole.items():
        torch.testing.assert_close(parted[name], gradient, rtol=1e-4, atol=1e-7)


def test_every_demonstration_comes_once_in_every_epoch_in_an_order_of_its_own(model: RoleModel):
    trainer = SFTTrainer(model, SFTConfig(epochs=2, demonstrations_per_step=2, seed=3))
    examples = demonstrations(model) * 3
    steps = [[e.demonstration_id for e in step] for step in trainer.steps(examples)]
    assert [len(step) for step in steps] == [2, 2, 2, 2, 1] * 2
    first, second = ([i for step in part for i in step] for part in (steps[:5], steps[5:]))
    assert sorted(first) == sorted(second) == sorted(e.demonstration_id for e in examples)
    assert first != second
    again = SFTTrainer(model, SFTConfig(epochs=2, demonstrations_per_step=2, seed=3))
    assert steps == [[e.demonstration_id for e in step] for step in again.steps(examples)]


def test_what_is_not_finite_never_reaches_the_weights(model: RoleModel):
    trainer = SFTTrainer(model)
    with torch.no_grad():
        model.parameters("policy")[random.Random(0).choice(list(model.parameters("policy")))].fill_(
            float("nan")
        )
    before = model.state("policy")
    examples = demonstrations(model)
    trainer.step(examples)
    trainer.step(examples)
    with pytest.raises(NonFiniteError, match="3 steps in a row"):
        trainer.step(examples)
    found = model.state("policy")
    assert all(torch.equal(found[k], v) or v.isnan().any() for k, v in before.items())


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", 0), ("learning_rate", 0), ("keep_every", 0)]
)
def test_settings_out_of_range_are_refused(field: str, value: float):
    with pytest.raises(ConfigError, match=f"{field}={value}: it must be above 0"):
        SFTConfig(**{field: value})


def test_a_prompt_cannot_be_learned(model: RoleModel):
    """Two demonstrations that differ in the prompt alone have the same number of tokens learned."""
    (question, answer), *_ = rows(model)
    other = model.chat.encode(prompt("Tell me more, and more, and more."))
    trainer = SFTTrainer(model)
    for asked in (question, other):
        example = DemonstratedExample(demonstration_id="d", prompt=asked, answer=answer)
        assert trainer.loss([example]) == pytest.approx(plain_loss(model, [example]), rel=1e-5)
