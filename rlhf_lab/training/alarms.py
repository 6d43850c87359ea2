"""What a person watching PPO would be alarmed by, looked for after every step.

The bounds are wide: an alarm is a reason to stop and read some responses, not a statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rlhf_lab.training.ppo_stats import PPOStats

# Nats per response below 0. The estimate of a small KL is negative by chance, but hardly this far
# three times in a row.
NEGATIVE_KL, IN_A_ROW = -0.2, 3
# Share of the entropy of the first step.
COLLAPSED = 0.25
# Times longer or shorter than in the first step.
DRIFTED = 3.0


class Alarm(NamedTuple):
    """Something that should be looked at: its name, and the value, the rule and the next step."""

    name: str
    message: str

    def __str__(self) -> str:
        """As shown under a progress bar."""
        return f"{self.name}: {self.message}"


def alarms(history: Sequence[PPOStats]) -> list[Alarm]:
    """What is alarming in the last step, seen against those before it.

    Args:
        history: Steps of one run, oldest first.
    """
    if not history:
        return []
    return [alarm for look in LOOKS if (alarm := look(history)) is not None]


def _negative_kl(history: Sequence[PPOStats]) -> Alarm | None:
    last = [stats.kl for stats in history[-IN_A_ROW:]]
    if len(last) < IN_A_ROW or max(last) >= NEGATIVE_KL:
        return None
    found = ", ".join(f"{kl:.2f}" for kl in last)
    return Alarm(
        "negative KL",
        f"{found} nats per response in {IN_A_ROW} steps in a row, below {NEGATIVE_KL}: a KL cannot "
        "be negative, so the responses were not drawn from the policy that is being measured. "
        "Look at the sampling settings, and run lab.certify().",
    )


def _entropy_collapse(history: Sequence[PPOStats]) -> Alarm | None:
    first, last = history[0].entropy, history[-1].entropy
    if last >= COLLAPSED * first:
        return None
    return Alarm(
        "entropy collapse",
        f"{last:.2f} nats per token, less than {COLLAPSED:.0%} of the {first:.2f} in the first "
        "step: the policy says one thing only. Go back with lab.undo(), then raise kl_coef or "
        "lower learning_rate.",
    )


def _length_drift(history: Sequence[PPOStats]) -> Alarm | None:
    first, last = history[0].response_length, history[-1].response_length
    if first / DRIFTED <= last <= first * DRIFTED:
        return None
    return Alarm(
        "length drift",
        f"{last:.0f} tokens per response, {first:.0f} in the first step, more than a factor of "
        f"{DRIFTED:g}: the reward may like length itself. Read some responses, and rank them.",
    )


LOOKS: tuple[Callable[[Sequence[PPOStats]], Alarm | None], ...] = (
    _negative_kl,
    _entropy_collapse,
    _length_drift,
)
