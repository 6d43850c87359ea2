"""Proximal policy optimisation of the policy role against the reward role.

One step: sample a rollout, score it, shape rewards with the KL to the reference, estimate
advantages, then take a few optimizer steps on policy and value.

The micro-batches of a step are formed once and used for old and new log-probabilities alike.
Kernels may round differently in other layouts, and then the ratio would not start at exactly 1.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlhf_lab.algorithms import (
    KLController,
    explained_variance,
    generalized_advantages,
    kl_k1,
    kl_k3,
    masked_mean,
    policy_loss,
    shaped_rewards,
    value_loss,
    whiten,
)
from rlhf_lab.errors import CertificateError
from rlhf_lab.models import Generated, RoleModel, TokenBatch, generate, make_batch
from rlhf_lab.models.roles import RoleName
from rlhf_lab.training.batching import micro_batches, spread
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.optimizer import RoleOptimizer

# Largest |log ratio| before the first optimizer step. One layout gives exactly 0; the bound
# leaves room for devices whose kernels are not deterministic.
RATIO_BOUND = 1e-2


class RolloutPrompt(NamedTuple):
    """A prompt in tokens and the seeds of the responses wanted for it."""

    token_ids: Sequence[int]
    seeds: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class PPOStats:
    """One PPO step in figures; token statistics are means over response tokens.

    Attributes:
        step: Counted from the policy's start, 1 is the first.
        score: Mean normalised reward of the rollout, before the KL penalty.
        score_std: Its standard deviation.
        objective: Mean shaped reward per response: score minus KL penalty.
        kl: Policy against reference, k1, nats per response (may be negative by chance).
        kl_k3: The same by k3, nats per response.
        kl_coef: Price of a nat in this step.
        entropy: Nats per token.
        response_length: Mean tokens.
        ended: Share of responses that ended by themselves.
        policy_loss: Mean over the optimizer steps, like all that follow.
        value_loss: Clipped squared error, without vf_coef.
        clip_fraction: Share of tokens whose ratio was clipped.
        value_clip_fraction: Share of tokens whose value was clipped.
        approx_kl: Rollout policy against updated policy, nats per token, in the last minibatch.
        ratio_max: Largest probability ratio of a token.
        explained_variance: Of returns by the values before the update.
        grad_norm_policy: Before clipping.
        grad_norm_value: Before clipping.
        optimizer_steps: Taken in this step.
        skipped_steps: Dropped because a gradient was not finite.
        stopped_early: Whether approx_kl ended the epochs.
        seconds_rollout: Sampling.
        seconds_scoring: Log-probabilities, reward and values.
        seconds_update: Optimizer steps.
        peak_memory_mb: Peak of the process (CPU) or of the device (CUDA) so far.
    """

    step: int
    score: float
    score_std: float
    objective: float
    kl: float
    kl_k3: float
    kl_coef: float
    entropy: float
    response_length: float
    ended: float
    policy_loss: float
    value_loss: float
    clip_fraction: float
    value_clip_fraction: float
    approx_kl: float
    ratio_max: float
    explained_variance: float
    grad_norm_policy: float
    grad_norm_value: float
    optimizer_steps: int
    skipped_steps: int
    stopped_early: bool
    seconds_rollout: float
    seconds_scoring: float
    seconds_update: float
    peak_memory_mb: float

    def __str__(self) -> str:
        """One line for a terminal."""
        seconds = self.seconds_rollout + self.seconds_scoring + self.seconds_update
        return (
            f"step {self.step:>3}  score {self.score:+.2f}  KL {self.kl:.1f} nats  "
            f"length {self.response_length:.0f}  ended {self.ended:.0%}  entropy {self.entropy:.2f}  "
            f"{seconds:.0f} s"
        )

    def as_metrics(self) -> dict[str, float]:
        """All figures by name, as numbers."""
        return {k: float(v) for k, v in asdict(self).items()}


@dataclass
class _Rollout:
    """Sampled responses and all that the update needs, (responses, longest response) on CPU or GPU."""

    prompts: list[Sequence[int]]
    generated: list[Generated]
    groups: list[list[int]]
    is_response_token: Tensor
    logp: Tensor
    entropy: Tensor
    ref_logp: Tensor
    values: Tensor
    scores: Tensor


class _Targets(NamedTuple):
    advantages: Tensor
    returns: Tensor


class _MinibatchStats(NamedTuple):
    policy_loss: float
    value_loss: float
    clip_fraction: float
    value_clip_fraction: float
    approx_kl: float
    ratio_max: float


class _Update:
    """What the optimizer steps of one PPO step left to read."""

    def __init__(self) -> None:
        self.minibatches: list[_MinibatchStats] = []
        self.grad_norms: list[dict[RoleName, float]] = []
        self.stopped_early = False


class _Stopwatch:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


class PPOTrainer:
    """Holds the optimizer of policy and value and the KL controller; `step` is one PPO step."""

    def __init__(self, model: RoleModel, config: PPOConfig | None = None, *, steps_done: int = 0) -> None:
        """Prepare updates of `model`.

        Args:
            model: Its reward role must be trained and normalised, its value role started.
            config: Settings of every step.
            steps_done: Steps that already went into the policy; numbering and the random streams
                continue from there.
        """
        self.model = model
        self.config = config or PPOConfig()
        self.controller: KLController = self.config.controller()
        self.optimizer = RoleOptimizer(
            model,
            ["policy", "value"],
            learning_rate=self.config.learning_rate,
            max_grad_norm=self.config.max_grad_norm,
        )
        self.steps_done = steps_done

    def step(self, prompts: Sequence[RolloutPrompt]) -> PPOStats:
        """Sample, score and learn once.

        If it does not finish (Ctrl-C included), weights, moments and KL price are what they were.

        Raises:
            CertificateError: the ratio is not 1 before the first optimizer step.
            NonFiniteError: gradients that are not finite, several times in a row.
        """
        clock = _Stopwatch()
        with self.model.dense.base(), self._everything_or_nothing():
            with clock.phase("rollout"):
                texts = self._sample(prompts)
            with clock.phase("scoring"):
                rollout = self._score(*texts)
                rewards = self._rewards(rollout)
                targets = self._targets(rollout, rewards)
            with clock.phase("update"):
                update = self._update(rollout, targets)
            stats = self._stats(rollout, rewards, targets, update, clock)
            self.controller.update(stats.kl, len(rollout.generated))
            self.steps_done += 1
        return stats

    # Rollout

    def _sample(self, prompts: Sequence[RolloutPrompt]) -> tuple[list[Sequence[int]], list[Generated]]:
        rows = [(p.token_ids, seed) for p in prompts for seed in p.seeds]
        with self.model.role("policy") as policy, self.model.dense.merged("policy"):
            generated = generate(
                policy, [ids for ids, _ in rows], [seed for _, seed in rows], self.config.sampling
            )
        return [ids for ids, _ in rows], generated

    def _score(self, prompts: list[Sequence[int]], generated: list[Generated]) -> _Rollout:
        lengths = [len(p) + len(g.token_ids) for p, g in zip(prompts, generated, strict=True)]
        device = self.model.base.device
        shape = (len(prompts), max(len(g.token_ids) for g in generated))
        rollout = _Rollout(
            prompts=prompts,
            generated=generated,
            groups=micro_batches(lengths, self.config.tokens_per_micro_batch),
            is_response_token=torch.zeros(shape, dtype=torch.bool, device=device),
            logp=torch.zeros(shape, device=device),
            entropy=torch.zeros(shape, device=device),
            ref_logp=torch.zeros(shape, device=device),
            values=torch.zeros(shape, device=device),
            scores=torch.zeros(shape[0], device=device),
        )
        batches = [self._batch(rollout, group) for group in rollout.groups]
        temperature = self.config.sampling.temperature
        with self.model.role("policy") as policy:
            for rows, batch in zip(rollout.groups, batches, strict=True):
                found = policy.logprobs(batch, temperature=temperature)
                _put(rollout.logp, rows, found.logp)
                _put(rollout.entropy, rows, found.entropy)
                _put(rollout.is_response_token, rows, batch.is_response_token)
        with self.model.role("reference") as reference:
            for rows, batch in zip(rollout.groups, batches, strict=True):
                _put(rollout.ref_logp, rows, reference.logprobs(batch, temperature=temperature).logp)
        with self.model.role("value") as value:
            for rows, batch in zip(rollout.groups, batches, strict=True):
                _put(rollout.values, rows, value.values(batch))
        with self.model.role("reward") as reward:
            for rows, batch in zip(rollout.groups, batches, strict=True):
                rollout.scores[rows] = self.model.head("reward").normalised(reward.scores(batch))
        return rollout

    def _batch(self, rollout: _Rollout, rows: Sequence[int]) -> TokenBatch:
        return make_batch(
            [rollout.prompts[i] for i in rows],
            [rollout.generated[i].token_ids for i in rows],
            pad_id=int(self.model.base.tokenizer.pad_token_id),
            device=self.model.base.device,
        )

    # Rewards and advantages

    def _rewards(self, rollout: _Rollout) -> Tensor:
        """Shaped rewards, (responses, longest response)."""
        config = self.config
        scores = rollout.scores
        if config.score_clip:
            scores = scores.clamp(-config.score_clip, config.score_clip)
        unended = torch.tensor([g.end_reason != "stop" for g in rollout.generated], device=scores.device)
        scores = scores - config.missing_eos_penalty * unended
        return shaped_rewards(
            scores,
            kl_k1(rollout.logp, rollout.ref_logp),
            rollout.is_response_token,
            self.controller.coef,
        )

    def _targets(self, rollout: _Rollout, rewards: Tensor) -> _Targets:
        is_token = rollout.is_response_token
        if self.config.whiten_rewards:
            rewards = whiten(rewards, is_token, keep_mean=True)
        found = generalized_advantages(
            rewards, rollout.values, is_token, gamma=self.config.gamma, lam=self.config.lam
        )
        return _Targets(whiten(found.advantages, is_token, keep_mean=False), found.returns)

    # Update

    def _update(self, rollout: _Rollout, targets: _Targets) -> _Update:
        """`epochs` passes of `minibatches` optimizer steps each, micro-batches dealt anew each time."""
        order = random.Random(f"{self.config.seed}/{self.steps_done}")
        update = _Update()
        for _ in range(self.config.epochs):
            groups = order.sample(rollout.groups, len(rollout.groups))
            for minibatch in spread(groups, self.config.minibatches):
                stats = self._minibatch(rollout, targets, minibatch)
                if not update.minibatches:
                    self._certify_ratio(stats)
                if stats.approx_kl > 1.5 * self.config.approx_kl_target:
                    # Measured before this minibatch's own step, which is therefore not taken.
                    self.optimizer.forget_gradients()
                    update.stopped_early = True
                    return update
                update.minibatches.append(stats)
                update.grad_norms.append(self.optimizer.step())
        return update

    def _minibatch(
        self, rollout: _Rollout, targets: _Targets, groups: Sequence[Sequence[int]]
    ) -> _MinibatchStats:
        """Accumulate gradients of one minibatch; every response token weighs the same."""
        config = self.config
        counts = [float(rollout.is_response_token[list(g)].sum()) for g in groups]
        weights = [count / sum(counts) for count in counts]
        policy_parts, value_parts = [], []
        with self.model.role("policy", train=True) as policy:
            for rows, weight in zip(groups, weights, strict=True):
                batch = self._batch(rollout, rows)
                logp = policy.logprobs(batch, temperature=config.sampling.temperature).logp
                old, advantages = (_take(t, rows, logp) for t in (rollout.logp, targets.advantages))
                found = policy_loss(logp, old, advantages, batch.is_response_token, clip=config.clip)
                (weight * found.loss).backward()  # type: ignore[no-untyped-call]
                policy_parts.append([float(part) for part in found])
        with self.model.role("value", train=True) as value:
            for rows, weight in zip(groups, weights, strict=True):
                batch = self._batch(rollout, rows)
                values = value.values(batch)
                old, returns = (_take(t, rows, values) for t in (rollout.values, targets.returns))
                error = value_loss(
                    values, old, returns, batch.is_response_token, clip=config.value_clip
                )
                (config.vf_coef * weight * error.loss).backward()  # type: ignore[no-untyped-call]
                value_parts.append([float(part) for part in error])
        loss, clipped, approx_kl, _ = _weighted(policy_parts, weights)
        value_error, value_clipped = _weighted(value_parts, weights)
        ratio_max = max(part[3] for part in policy_parts)
        return _MinibatchStats(loss, value_error, clipped, value_clipped, approx_kl, ratio_max)

    @staticmethod
    def _certify_ratio(first: _MinibatchStats) -> None:
        if abs(first.ratio_max - 1) > RATIO_BOUND or first.approx_kl > RATIO_BOUND:
            raise CertificateError(
                f"largest ratio {first.ratio_max:.4f}, approximate KL {first.approx_kl:.2e} before the "
                "first optimizer step, where the policy has not changed yet: old and new log-probabilities "
                "do not come from the same computation. Try quantize='none', or report this model."
            )

    @contextmanager
    def _everything_or_nothing(self) -> Iterator[None]:
        before = replace(self.controller)  # type: ignore[type-var]
        try:
            with self.optimizer.whole_or_nothing():
                yield
        except BaseException:
            self.controller = before
            raise

    # Reading

    def _stats(
        self, rollout: _Rollout, rewards: Tensor, targets: _Targets, update: _Update, clock: _Stopwatch
    ) -> PPOStats:
        is_token = rollout.is_response_token
        lengths = is_token.sum(dim=1).float()
        k1, k3 = (f(rollout.logp, rollout.ref_logp) for f in (kl_k1, kl_k3))
        per_response = masked_mean(k1, is_token) * lengths.mean(), masked_mean(k3, is_token) * lengths.mean()
        steps = update.minibatches
        norms = update.grad_norms
        return PPOStats(
            step=self.steps_done + 1,
            score=rollout.scores.mean().item(),
            score_std=rollout.scores.std().item(),
            objective=rewards.sum(dim=1).mean().item(),
            kl=per_response[0].item(),
            kl_k3=per_response[1].item(),
            kl_coef=self.controller.coef,
            entropy=masked_mean(rollout.entropy, is_token).item(),
            response_length=lengths.mean().item(),
            ended=sum(g.end_reason == "stop" for g in rollout.generated) / len(rollout.generated),
            policy_loss=_mean([s.policy_loss for s in steps]),
            value_loss=_mean([s.value_loss for s in steps]),
            clip_fraction=_mean([s.clip_fraction for s in steps]),
            value_clip_fraction=_mean([s.value_clip_fraction for s in steps]),
            approx_kl=steps[-1].approx_kl,
            ratio_max=max(s.ratio_max for s in steps),
            explained_variance=explained_variance(rollout.values, targets.returns, is_token).item(),
            grad_norm_policy=_mean([n["policy"] for n in norms]),
            grad_norm_value=_mean([n["value"] for n in norms]),
            optimizer_steps=len(steps),
            skipped_steps=sum(n["policy"] != n["policy"] for n in norms),
            stopped_early=update.stopped_early,
            seconds_rollout=clock.seconds["rollout"],
            seconds_scoring=clock.seconds["scoring"],
            seconds_update=clock.seconds["update"],
            peak_memory_mb=peak_memory_mb(self.model.base.device),
        )

    # Checkpoints

    def state(self) -> tuple[dict[str, Mapping[str, Tensor]], dict[str, Any]]:
        """Tensors and JSON state that a checkpoint of the policy needs."""
        tensors: dict[str, Mapping[str, Tensor]] = {
            "policy": self.model.state("policy"),
            "value": self.model.state("value"),
            "optimizer": self.optimizer.state(),
        }
        return tensors, {"kl_coef": self.controller.coef, "steps_done": self.steps_done}

    def load_state(self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.model.load_state("policy", tensors["policy"])
        self.model.load_state("value", tensors["value"])
        self.optimizer.load_state(tensors["optimizer"])
        self.steps_done = int(state["steps_done"])
        if self.config.kl == "adaptive":
            self.controller.coef = float(state["kl_coef"])


def peak_memory_mb(device: torch.device) -> float:
    """Peak so far, in 10^6 bytes: of the device's memory on CUDA, of the process otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    # Linux counts in kibibytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _put(target: Tensor, rows: Sequence[int], values: Tensor) -> None:
    target[list(rows), : values.shape[1]] = values.to(target.dtype)


def _take(source: Tensor, rows: Sequence[int], like: Tensor) -> Tensor:
    return source[list(rows), : like.shape[1]]


def _weighted(parts: Sequence[Sequence[float]], weights: Sequence[float]) -> list[float]:
    columns = zip(*parts, strict=True)
    return [sum(w * v for w, v in zip(weights, column, strict=True)) for column in columns]


def _mean(values: Sequence[float]) -> float:
    finite = [v for v in values if v == v]
    return sum(finite) / len(finite) if finite else float("nan")
