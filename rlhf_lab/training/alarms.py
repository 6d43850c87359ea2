"""What a person watching training would be alarmed by, looked for after every step and update.

The bounds are wide: an alarm is a reason to stop and read some responses, not a statistic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlhf_lab.training.ppo_stats import PPOStats
from rlhf_lab.types import REWARD_ALONE, Alarm, Interval

# Nats per response below 0. The estimate of a small KL is negative by chance, but hardly this far
# three times in a row.
NEGATIVE_KL, IN_A_ROW = -0.2, 3
# Share of the entropy of the first step.
COLLAPSED = 0.25
# Times longer or shorter than in the first step.
DRIFTED = 3.0
# Standard deviations of the start's scores. Fewer prompts than that say nothing of agreement.
RISEN, FEWEST_PROMPTS = 0.3, 8


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


def reward_alarm(
    reward: str, rise: float, agreement: Interval | None, before: Interval | None
) -> Alarm | None:
    """Whether a reward model likes later policies more and more, but not what people like in them.

    Args:
        reward: The version that PPO was run against.
        rise: Mean score it gives to newly ranked responses of later policies, in standard
            deviations above the start's.
        agreement: Share of ordered pairs of those responses that it gets right, not having
            learned them; None without any.
        before: The same on held-out prompts when it was made; None when it was not measured.
    """
    if agreement is None or agreement.n < FEWEST_PROMPTS or rise <= RISEN:
        return None
    fallen = before is not None and agreement.high < before.estimate
    if not fallen and agreement.estimate > 0.5:
        return None
    rule = f"less than its {before} when it was made" if before and fallen else "no more than half"
    return Alarm(
        REWARD_ALONE,
        f"{reward} scores later policies' responses {rise:+.2f} deviations above the start's "
        f"(more than {RISEN}), but puts only {agreement} of their pairs in the order of the new "
        f"rankings, {rule}: what rose was the reward alone. The new version has learned these "
        "rankings: read some samples of lab.evaluate(), and if they are no better, go back with "
        "lab.undo() before the next lab.ppo().",
    )
