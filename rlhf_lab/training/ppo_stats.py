"""One PPO step in figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import torch

from rlhf_lab.models.memory import peak_rss_mb


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
        value_loss: Clipped squared error, without vf_coef; like all figures of the value role None
            where there is none.
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
        sampling_parts: Into how many parts batches were divided so that sampling fitted into
            memory; 1 where whole ones did.
        micro_batch_parts: The same for the micro-batches that are scored and learned from.
        seconds_rollout: Sampling; like the next two with attempts that ran out of memory.
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
    value_loss: float | None
    clip_fraction: float
    value_clip_fraction: float | None
    approx_kl: float
    ratio_max: float
    explained_variance: float | None
    grad_norm_policy: float
    grad_norm_value: float | None
    optimizer_steps: int
    skipped_steps: int
    stopped_early: bool
    sampling_parts: int
    micro_batch_parts: int
    seconds_rollout: float
    seconds_scoring: float
    seconds_update: float
    peak_memory_mb: float

    @property
    def seconds(self) -> float:
        """Of all phases."""
        return self.seconds_rollout + self.seconds_scoring + self.seconds_update

    def __str__(self) -> str:
        """One line for a terminal."""
        return (
            f"step {self.step:>3}  score {self.score:+.2f}  KL {self.kl:.1f} nats  "
            f"length {self.response_length:.0f}  ended {self.ended:.0%}  entropy "
            f"{self.entropy:.2f}  "
            f"{self.seconds:.0f} s"
        )

    def as_metrics(self) -> dict[str, float]:
        """All figures by name, as numbers; without those there are none of."""
        return {k: float(v) for k, v in asdict(self).items() if v is not None}


class Stopwatch:
    """Seconds by phase; tells `begins` of each as it begins."""

    def __init__(self, begins: Callable[[str], None] | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._begins = begins

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add a block's time to this name's, also if it does not finish."""
        if self._begins:
            self._begins(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def peak_memory_mb(device: torch.device) -> float:
    """Peak so far, in 10^6 bytes: of the device's memory on CUDA, of the process otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return peak_rss_mb()
