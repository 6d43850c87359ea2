"""The optimizer steps of one PPO step: clipped losses over fixed micro-batches."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from rlhf_lab.algorithms import PolicyLoss, ValueLoss, policy_loss, value_loss
from rlhf_lab.errors import CertificateError
from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import trim_heap
from rlhf_lab.models.roles import LearnerName
from rlhf_lab.training.batching import spread
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.training.rollout import Rollout

# Largest |ratio - 1| and approximate KL before the first optimizer step. One layout gives exactly
# 0; the bound leaves room for devices whose kernels are not deterministic.
RATIO_BOUND = 1e-2


class Targets(NamedTuple):
    """What the losses aim at, both (responses, longest response); no returns without values."""

    advantages: Tensor
    returns: Tensor | None


class Losses(NamedTuple):
    """Figures of the losses of each micro-batch whose gradients were accumulated."""

    policy: list[list[float]]
    value: list[list[float]]


class MinibatchStats(NamedTuple):
    """Token means of one minibatch, before its own optimizer step; `ratio_max` is a maximum."""

    policy_loss: float
    clip_fraction: float
    approx_kl: float
    ratio_max: float
    value_loss: float | None = None
    value_clip_fraction: float | None = None

    @property
    def is_finite(self) -> bool:
        """Whether every figure is."""
        return all(math.isfinite(figure) for figure in self if figure is not None)


@dataclass
class Update:
    """What the optimizer steps of one PPO step left to read.

    Attributes:
        measured: Every minibatch with finite figures, also the one that ended the epochs.
        taken: Those whose optimizer step was taken.
        grad_norms: Of the steps taken.
        skipped: Minibatches dropped because something was not finite.
        stopped_early: Whether approximate KL ended the epochs.
    """

    measured: list[MinibatchStats] = field(default_factory=list)
    taken: list[MinibatchStats] = field(default_factory=list)
    grad_norms: list[dict[LearnerName, float]] = field(default_factory=list)
    skipped: int = 0
    stopped_early: bool = False


class PPOUpdate:
    """Takes the optimizer steps on policy and, with "gae", value."""

    def __init__(self, model: RoleModel, optimizer: RoleOptimizer, config: PPOConfig) -> None:
        """Use this optimizer with resolved settings."""
        assert config.sampling
        self.model = model
        self.optimizer = optimizer
        self.config = config
        self._temperature = config.sampling.temperature

    def run(self, rollout: Rollout, targets: Targets, order: random.Random) -> Update:
        """`epochs` passes of `minibatches` optimizer steps, micro-batches dealt anew each time.

        Parts of one planned micro-batch are dealt together.

        Raises:
            CertificateError: the ratio is not 1 before the first optimizer step.
            NonFiniteError: losses or gradients that are not finite, several times in a row.
        """
        update = Update()
        for _ in range(self.config.epochs):
            shuffled = order.sample(range(len(rollout.planned)), len(rollout.planned))
            responses = [
                sum(len(rollout.groups[group]) for group in rollout.planned[number])
                for number in shuffled
            ]
            for minibatch in spread(shuffled, responses, self.config.minibatches):
                groups = [group for number in minibatch for group in rollout.planned[number]]
                if not self._step(rollout, targets, groups, update):
                    return update
        return update

    def _step(
        self, rollout: Rollout, targets: Targets, groups: Sequence[int], update: Update
    ) -> bool:
        """One optimizer step; False if approximate KL ends the epochs instead."""
        stats = self.minibatch(rollout, targets, groups)
        if not stats.is_finite:
            self.optimizer.skip(f"losses and ratios {stats._asdict()}")
            update.skipped += 1
            return True
        if not update.taken:
            _certify_ratio(stats)
        update.measured.append(stats)
        if stats.approx_kl > 1.5 * self.config.approx_kl_target:
            # Measured before this minibatch's own step, which is therefore not taken.
            self.optimizer.forget_gradients()
            update.stopped_early = True
            return False
        norms = self.optimizer.step()
        if norms is None:
            update.skipped += 1
        else:
            update.taken.append(stats)
            update.grad_norms.append(norms)
        return True

    def minibatch(
        self, rollout: Rollout, targets: Targets, groups: Sequence[int]
    ) -> MinibatchStats:
        """Accumulate gradients over some micro-batches; every response token weighs the same."""
        tokens = [int(rollout.batches[group].response_lengths.sum()) for group in groups]
        weights = [count / sum(tokens) for count in tokens]
        gradients = {
            None: self._policy_alone,
            "value": self._two_trunks,
            "policy_value": self._one_trunk,
        }[self.config.value_learner]
        policy, value = gradients(rollout, targets, groups, weights)
        trim_heap()
        loss, clipped, approx_kl, _ = _weighted(policy, weights)
        stats = MinibatchStats(loss, clipped, approx_kl, max(part[3] for part in policy))
        if not value:
            return stats
        error, clipped = _weighted(value, weights)
        return stats._replace(value_loss=error, value_clip_fraction=clipped)

    def _policy_alone(
        self, rollout: Rollout, targets: Targets, groups: Sequence[int], weights: Sequence[float]
    ) -> Losses:
        found = Losses([], [])
        with self.model.role("policy", train=True) as policy:
            for group, weight in zip(groups, weights, strict=True):
                logp = policy.logprobs(rollout.batches[group], temperature=self._temperature).logp
                acting = self._policy_loss(logp, rollout, targets, group)
                (weight * acting.loss).backward()
                found.policy.append(_numbers(acting))
        return found

    def _two_trunks(
        self, rollout: Rollout, targets: Targets, groups: Sequence[int], weights: Sequence[float]
    ) -> Losses:
        found = self._policy_alone(rollout, targets, groups, weights)
        trim_heap()
        with self.model.role("value", train=True) as value:
            for group, weight in zip(groups, weights, strict=True):
                values = value.values(rollout.batches[group])
                valuing = self._value_loss(values, rollout, targets, group)
                (self.config.vf_coef * weight * valuing.loss).backward()
                found.value.append(_numbers(valuing))
        return found

    def _one_trunk(
        self, rollout: Rollout, targets: Targets, groups: Sequence[int], weights: Sequence[float]
    ) -> Losses:
        found = Losses([], [])
        with self.model.role("policy", train=True) as policy:
            for group, weight in zip(groups, weights, strict=True):
                logp, values = policy.logprobs_and_values(
                    rollout.batches[group], temperature=self._temperature
                )
                acting = self._policy_loss(logp.logp, rollout, targets, group)
                valuing = self._value_loss(values, rollout, targets, group)
                (weight * (acting.loss + self.config.vf_coef * valuing.loss)).backward()
                found.policy.append(_numbers(acting))
                found.value.append(_numbers(valuing))
        return found

    def _policy_loss(
        self, logp: Tensor, rollout: Rollout, targets: Targets, group: int
    ) -> PolicyLoss:
        return policy_loss(
            logp,
            rollout.part(rollout.logp, group),
            rollout.part(targets.advantages, group),
            rollout.batches[group].is_response_token,
            clip=self.config.clip,
        )

    def _value_loss(
        self, values: Tensor, rollout: Rollout, targets: Targets, group: int
    ) -> ValueLoss:
        assert rollout.values is not None
        assert targets.returns is not None
        return value_loss(
            values,
            rollout.part(rollout.values, group),
            rollout.part(targets.returns, group),
            rollout.batches[group].is_response_token,
            clip=self.config.value_clip,
        )


def _certify_ratio(first: MinibatchStats) -> None:
    if abs(first.ratio_max - 1) > RATIO_BOUND or first.approx_kl > RATIO_BOUND:
        raise CertificateError(
            f"largest ratio {first.ratio_max:.4f}, approximate KL {first.approx_kl:.2e} before "
            "the first optimizer step, where the policy has not changed yet: old and new "
            "log-probabilities do not come from the same computation. Try quantize='none', or "
            "report this model."
        )


def _numbers(loss: PolicyLoss | ValueLoss) -> list[float]:
    return [figure.item() for figure in loss]


def _weighted(parts: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    columns = zip(*parts, strict=True)
    return [sum(w * v for w, v in zip(weights, column, strict=True)) for column in columns]
