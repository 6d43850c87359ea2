"""A version with what became known of it, and where a widget gets such versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

from rlhf_lab.types.clock import utc_now
from rlhf_lab.types.models import Interval, Version


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `lab.evaluate` found when it compared a policy with a baseline.

    Attributes:
        baseline: The policy it was compared with.
        win_rate: Share of held-out prompts won, ties counting one half.
        kl: Policy against reference, k1, nats per response.
        reward: The reward version that scored both; None without any.
        reward_gain: How much higher it scores the policy, in standard deviations.
        judge: Whose opinion the win rate is; None where an older release did not keep it.
    """

    baseline: str
    win_rate: Interval
    kl: float
    reward: str | None = None
    reward_gain: Interval | None = None
    judge: str | None = None
    created_at: datetime = field(default_factory=utc_now)

    def figures(self) -> dict[str, float]:
        """As the store keeps it, beside the judge and the time; versions by their number."""
        kept = {
            "baseline": float(_number(self.baseline)),
            "kl": self.kl,
            **self.win_rate.figures("win_rate"),
        }
        if self.reward is None or self.reward_gain is None:
            return kept
        gain = self.reward_gain.figures("reward_gain")
        return {**kept, "reward": float(_number(self.reward)), **gain}

    @classmethod
    def from_figures(
        cls, kept: Mapping[str, float], created_at: datetime, judge: str | None = None
    ) -> Self | None:
        """The one that `figures` was made of; None if it was logged without what it needs."""
        win_rate = Interval.from_figures("win_rate", kept)
        if win_rate is None or not {"baseline", "kl"} <= kept.keys():
            return None
        return cls(
            baseline=f"policy@{kept['baseline']:.0f}",
            win_rate=win_rate,
            kl=kept["kl"],
            reward=f"reward@{kept['reward']:.0f}" if "reward" in kept else None,
            reward_gain=Interval.from_figures("reward_gain", kept),
            judge=judge,
            created_at=created_at,
        )


@dataclass(frozen=True, kw_only=True)
class VersionRecord:
    """A version, and what is known of it beside its own figures.

    Attributes:
        version: As it was made.
        is_present: Whether the next step of its role starts from it.
        is_awaited: Whether somebody asked for it and it will become the present one.
        judgments: How many rankings it, or the reward model it was trained with, learned from.
        accuracy: Of a reward model, on held-out prompts.
        evaluations: Of a policy: the latest against each baseline by each judge, the last
            made at the end.
    """

    version: Version
    is_present: bool
    is_awaited: bool = False
    judgments: int | None = None
    accuracy: Interval | None = None
    evaluations: tuple[Evaluation, ...] = ()


class VersionSource(Protocol):
    """Where a tree of versions comes from, and what can be done with it; holds all the state.

    Where another process does what is asked for, `checkout` and `undo` return None: it was asked
    for and will happen, and `versions` tells when it has.
    """

    def versions(self) -> Sequence[VersionRecord]:
        """Every version, in the order they were made."""

    def checkout(self, name: str) -> Version | None:
        """Make a version the present one; with a policy, the reward it was trained with.

        Raises:
            LabError: it could not be loaded, or something else works in the lab; nothing changed.
        """

    def undo(self) -> Version | None:
        """Check out the parent of the present policy; the reward model stays as it is.

        Raises:
            LabError: as for `checkout`, or the present policy is the start.
        """


def _number(version: str) -> int:
    return int(version.partition("@")[2])
