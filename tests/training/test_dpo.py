from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from rlhf_lab.errors import ConfigError
from rlhf_lab.models import RoleModel
from rlhf_lab.training import DPOConfig, DPOTrainer, RankedExample
from tests.tiny import prompt, same, stir


def example(model: RoleModel, number: int, ranks: Sequence[int] = (4, 3, 2, 1)) -> RankedExample:
    draw = random.Random(number)
    end = model.base.tokenizer.eos_token_id
    answers = [
        [*(draw.randrange(65, 90) for _ in range(2 + 3 * n)), end] for n in range(len(ranks))
    ]
    return RankedExample(
        judgment_id=f"j{number}",
        prompt=model.chat.encode(prompt(f"Question {number}?")),
        candidates=answers,
        ranks=list(ranks),
    )


def plain_logps(model: RoleModel, one: RankedExample, adapter: str | None) -> list[float]:
    """Of whole answers, one row each, from the logits that transformers gives, in float64."""
    found = []
    for answer in one.candidates:
        ids = torch.tensor([[*one.prompt, *answer]])
        with torch.no_grad():
            if adapter is None:
                with model.peft.disable_adapter():
                    logits = model.peft(input_ids=ids).logits[0]
            else:
                model.peft.set_adapter(adapter, inference_mode=True)
                logits = model.peft(input_ids=ids).logits[0]
        values = logits.double().numpy()
        logp = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
        places = range(len(one.prompt), len(one.prompt) + len(answer))
        found.append(sum(logp[p - 1, t] for p, t in zip(places, answer, strict=True)))
    return found


def test_scores_are_the_log_ratio_to_the_bare_base(model: RoleModel):
    stir(model, "policy")
    trainer = DPOTrainer(model, DPOConfig(beta=0.3))
    (known,) = trainer.with_reference([example(model, 1)])
    (scores,) = trainer.scores([known])
    ours, base = (plain_logps(model, known, adapter) for adapter in ("policy", None))
    assert known.reference_logps == pytest.approx(base, rel=1e-5)
    expected = [0.3 * (a - b) for a, b in zip(ours, base, strict=True)]
    assert scores.tolist() == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_scores_are_the_log_ratio_to_a_fine_tuned_start(model: RoleModel):
    stir(model, "policy")
    model.set_reference(model.state("policy"))
    trainer = DPOTrainer(model)
    (known,) = trainer.with_reference([example(model, 1)])
    assert known.reference_logps == pytest.approx(plain_logps(model, known, "policy"), rel=1e-5)
    assert trainer.scores([known])[0].tolist() == pytest.approx([0] * 4, abs=1e-6)


@pytest.mark.parametrize(("tie", "loss"), [(1.0, math.log(3)), (1e-9, math.log(2))])
def test_at_the_start_every_pair_is_as_likely_either_way(model: RoleModel, tie, loss):
    trainer = DPOTrainer(model, DPOConfig(tie=tie))
    known = trainer.with_reference([example(model, n) for n in range(3)])
    assert trainer.step(known) == pytest.approx(loss, rel=1e-5)


def test_rankings_are_learned_and_nothing_but_the_policy_changes(model: RoleModel):
    others = {r: model.state(r) for r in ("reward", "value")}
    trainer = DPOTrainer(model, DPOConfig(learning_rate=1e-2, beta=0.5))
    known = trainer.with_reference([example(model, n) for n in range(4)])
    first = trainer.step(known)
    for _ in range(30):
        last = trainer.step(known)
    assert last < 0.5 * first
    for one, scores in zip(known, trainer.scores(known), strict=True):
        assert scores.argsort(descending=True).tolist() == np.argsort(one.ranks).tolist()
    assert all(same(model.state(r), s) for r, s in others.items())


def gradients(model: RoleModel, config: DPOConfig, parts: int, *, strength=None):
    trainer, seen = DPOTrainer(model, config), {}
    trainer.parts.count = parts
    known = trainer.with_reference(
        [replace(example(model, n), strength=strength) for n in range(2)]
    )

    def step() -> None:
        found = model.parameters("policy")
        seen.update({k: p.grad.clone() for k, p in found.items() if p.grad is not None})
        trainer.optimizer.forget_gradients()

    trainer.optimizer.step = step
    return seen, trainer.step(known)


def test_one_response_at_a_time_has_the_same_gradient(model: RoleModel):
    stir(model, "policy")
    config = DPOConfig(beta=0.5)
    whole, loss = gradients(model, config, 1)
    parted, same_loss = gradients(model, config, 8)
    assert same_loss == pytest.approx(loss, rel=1e-4)
    assert whole
    for name, gradient in whole.items():
        torch.testing.assert_close(parted[name], gradient, rtol=1e-3, atol=1e-6)


def test_strength_is_a_margin_of_implicit_reward(model: RoleModel):
    # At the start all scores are 0: with a margin m per tier the loss of neighbours is
    # -log(e^(-m/2) / (e^(-m/2) + e^(m/2) + 1)).
    config = DPOConfig(strength_margin=1.5)
    _, loss = gradients(model, config, 1, strength="much")
    apart = [1, 1, 1, 2, 2, 3]  # tiers between the six pairs of four

    def of(margin: float) -> float:
        win, lose = math.exp(-margin / 2), math.exp(margin / 2)
        return -math.log(win / (win + lose + 1))

    assert loss == pytest.approx(sum(of(1.5 * tiers) for tiers in apart) / 6, rel=1e-5)


@pytest.mark.parametrize(
    ("field", "value"), [("beta", 0), ("tie", 0), ("epochs", 0), ("learning_rate", -1)]
)
def test_settings_out_of_range_are_refused(field: str, value: float):
    with pytest.raises(ConfigError, match=f"{field}={value}: it must be above 0"):
        DPOConfig(**{field: value})
