"""Proximal policy optimisation of the policy role against the reward role.

One step: sample a rollout, score it, shape rewards with the KL to the reference, estimate
advantages, then take a few optimizer steps on policy and value.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from rlhf_lab.algorithms import (
    KLController,
    explained_variance,
    group_relative_advantages,
    kl_k1,
    kl_k3,
    leave_one_out_advantages,
    masked_mean,
    whiten,
)
from rlhf_lab.models import RoleModel
from rlhf_lab.models.generation import sampling_parts
from rlhf_lab.models.memory import Parts, release_memory
from rlhf_lab.models.roles import LearnerName
from rlhf_lab.training.batching import Rows, most_parts, response_groups
from rlhf_lab.training.checkpoints import Checkpoint
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.optimizer import RoleOptimizer
from rlhf_lab.training.ppo_stats import PPOStats, Stopwatch, peak_memory_mb
from rlhf_lab.training.ppo_targets import kept_kl_coef, token_rewards, value_advantages
from rlhf_lab.training.ppo_update import PPOUpdate, Targets, Update
from rlhf_lab.training.rollout import Rollout, RolloutPrompt, Texts, sample_texts, score_texts

COMPARISONS = {"rloo": leave_one_out_advantages, "grpo": group_relative_advantages}


class Sampled(NamedTuple):
    """Responses of a rollout in tokens and their scores, in the order of its prompts."""

    responses: Sequence[Sequence[int]]
    scores: Sequence[float]


class PPOTrainer:
    """Holds the optimizer of policy and value and the KL controller; `step` is one PPO step."""

    def __init__(
        self, model: RoleModel, config: PPOConfig | None = None, *, steps_done: int = 0
    ) -> None:
        """Prepare updates of `model`.

        Args:
            model: Its reward role must be trained and normalised, its value role started.
            config: Settings of every step.
            steps_done: Steps that already went into the policy; numbering and the random streams
                continue from there.
        """
        self.model = model
        self.config = (config or PPOConfig()).resolved()
        assert self.config.sampling
        self.sampling = self.config.sampling
        self.controller: KLController = self.config.controller()
        self.optimizer = RoleOptimizer(
            model,
            self.config.learners,
            kind=self.config.optimizer,
            learning_rate=self.config.learning_rate,
            max_grad_norm=self.config.max_grad_norm,
        )
        self.updater = PPOUpdate(model, self.optimizer, self.config)
        self.steps_done = steps_done
        # For those who look on: told of each part of a step, and the responses of the last one.
        self.begins: Callable[[str], None] | None = None
        self.latest: Sampled | None = None
        self.sampling_parts = sampling_parts(self.sampling)
        self.micro_batch_parts = Parts(
            "PPO micro-batches",
            remedy=f"Lower max_new_tokens={self.sampling.max_new_tokens}, open the lab with "
            "checkpointing=True, or ask rlhf_lab.preflight(...) what fits.",
        )

    def step(self, prompts: Sequence[RolloutPrompt]) -> PPOStats:
        """Sample, score and learn once.

        If it does not finish (Ctrl-C included), weights, moments and KL price are what they were.
        If memory runs out it is repeated in smaller micro-batches, with the same result.

        Raises:
            CertificateError: the ratio is not 1 before the first optimizer step.
            NonFiniteError: scores that are not finite; gradients that are not, several times in
                a row.
            OutOfMemory: not even one response at a time fits.
        """
        clock = Stopwatch(self.begins)
        with self.model.dense.base():
            with clock.phase("rollout"):
                texts = sample_texts(self.model, prompts, self.sampling, self.sampling_parts)
                release_memory()
            planned = response_groups(
                self.model,
                texts.prompts,
                texts.responses,
                tokens=self.config.tokens_per_micro_batch,
                at_least=self.config.minibatches,
            )
            return self.micro_batch_parts.until_they_fit(
                lambda parts: self._learn(texts, planned, parts, clock), most=most_parts(planned)
            )

    def _learn(
        self, texts: Texts, planned: Sequence[Rows], parts: int, clock: Stopwatch
    ) -> PPOStats:
        """Score texts and learn from them, all or nothing."""
        with self._everything_or_nothing():
            with clock.phase("scoring"):
                rollout = score_texts(
                    self.model,
                    texts,
                    planned,
                    parts=parts,
                    temperature=self.sampling.temperature,
                    values=self.config.value_learner,
                )
                rewards = self._rewards(rollout)
                targets = self._targets(rollout, rewards)
                release_memory()
            with clock.phase("update"):
                order = random.Random(f"{self.config.seed}/{self.steps_done}")
                update = self.updater.run(rollout, targets, order)
                release_memory()
            stats = self._stats(rollout, rewards, targets, update, clock)
            self.controller.update(stats.kl, len(rollout.scores))
            self.steps_done += 1
        self.latest = Sampled(texts.responses, rollout.scores.tolist())
        return stats

    # Rewards and advantages

    def _rewards(self, rollout: Rollout) -> Tensor:
        """Shaped rewards, (responses, longest response)."""
        return token_rewards(rollout, self.config, self.controller.coef)

    def _targets(self, rollout: Rollout, rewards: Tensor) -> Targets:
        is_token = rollout.is_response_token
        if rollout.values is None:
            compared = COMPARISONS[self.config.advantage]
            each = compared(rewards.sum(dim=1), self.config.responses_per_prompt)
            return Targets(each.unsqueeze(1) * is_token, None)
        found = value_advantages(rollout, rewards, self.config)
        return Targets(whiten(found.advantages, is_token, keep_mean=False), found.returns)

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
        self,
        rollout: Rollout,
        rewards: Tensor,
        targets: Targets,
        update: Update,
        clock: Stopwatch,
    ) -> PPOStats:
        is_token = rollout.is_response_token
        lengths = is_token.sum(dim=1).float()
        k1, k3 = (f(rollout.logp, rollout.ref_logp) for f in (kl_k1, kl_k3))
        per_response = (
            masked_mean(k1, is_token) * lengths.mean(),
            masked_mean(k3, is_token) * lengths.mean(),
        )
        steps, norms = update.taken, update.grad_norms
        explained = None
        if rollout.values is not None and targets.returns is not None:
            explained = explained_variance(rollout.values, targets.returns, is_token).item()
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
            ended=rollout.ended.float().mean().item(),
            policy_loss=_mean([s.policy_loss for s in steps]),
            value_loss=_mean_of_some([s.value_loss for s in steps]),
            clip_fraction=_mean([s.clip_fraction for s in steps]),
            value_clip_fraction=_mean_of_some([s.value_clip_fraction for s in steps]),
            approx_kl=update.measured[-1].approx_kl if update.measured else float("nan"),
            ratio_max=max((s.ratio_max for s in update.measured), default=float("nan")),
            explained_variance=explained,
            grad_norm_policy=_mean([n["policy"] for n in norms]),
            grad_norm_value=_mean_of_some([_of_values(n) for n in norms]),
            optimizer_steps=len(steps),
            skipped_steps=update.skipped,
            stopped_early=update.stopped_early,
            sampling_parts=self.sampling_parts.count,
            micro_batch_parts=self.micro_batch_parts.count,
            seconds_rollout=clock.seconds["rollout"],
            seconds_scoring=clock.seconds["scoring"],
            seconds_update=clock.seconds["update"],
            peak_memory_mb=peak_memory_mb(self.model.base.device),
        )

    # Checkpoints

    def start_values(self) -> None:
        """The value role starts from the reward role, the head on the policy's trunk at 0."""
        if self.config.value_learner == "policy_value":
            self.model.head("policy_value").start_at_zero()
        else:
            self.model.copy_role("reward", "value")

    def state(self) -> tuple[dict[str, Mapping[str, Tensor]], dict[str, Any]]:
        """Tensors and JSON state that a checkpoint of the policy needs."""
        tensors: dict[str, Mapping[str, Tensor]] = {
            **{role: self.model.state(role) for role in self.config.learners},
            "optimizer": self.optimizer.state(),
        }
        state = {
            "kl_coef": self.controller.coef,
            "kl_coef_start": self.config.kl_coef,
            "steps_done": self.steps_done,
            "tokens_per_micro_batch": self.config.tokens_per_micro_batch,
            "sampling_parts": self.sampling_parts.count,
            "micro_batch_parts": self.micro_batch_parts.count,
        }
        return tensors, state

    def load_state(
        self, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
    ) -> None:
        """Continue from a checkpoint.

        What it lacks starts afresh: the optimizer without moments, the values as in `start_values`.
        """
        self.model.load_state("policy", tensors["policy"])
        learner = self.config.value_learner
        if learner and learner in tensors:
            self.model.load_state(learner, tensors[learner])
        else:
            self.start_values()
        self.optimizer.load_state(tensors.get("optimizer", {}))
        self.steps_done = int(state["steps_done"])
        if (kept := kept_kl_coef(self.config, state)) is not None:
            self.controller.coef = kept
        # A run that goes on rounds as it did before, without running out of memory once more.
        # Checkpoints of earlier releases do not say; another bound wants another trial.
        self.sampling_parts.count = int(state.get("sampling_parts", 1))
        same_bound = state.get("tokens_per_micro_batch") == self.config.tokens_per_micro_batch
        self.micro_batch_parts.count = int(state["micro_batch_parts"]) if same_bound else 1

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Continue from a policy version, whether a PPO step made it or not."""
        if "steps_done" in checkpoint.state:
            self.load_state(checkpoint.tensors, checkpoint.state)
            return
        # The start of a tree: no PPO step has been made from here yet.
        self.model.load_state("policy", checkpoint.tensors["policy"])
        self.start_values()
        self.optimizer.load_state({})
        self.controller = self.config.controller()
        self.steps_done = 0
        self.sampling_parts.count = self.micro_batch_parts.count = 1


def _of_values(norms: Mapping[LearnerName, float]) -> float | None:
    return norms.get("value", norms.get("policy_value"))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _mean_of_some(values: Sequence[float | None]) -> float | None:
    found = [v for v in values if v is not None]
    return _mean(found) if found else None
