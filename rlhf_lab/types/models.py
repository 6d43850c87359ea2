"""Versions of a model, the shape of its adapters, and figures about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Self

from rlhf_lab.errors import ConfigError
from rlhf_lab.types.clock import utc_now

# Small enough for a CPU, Apache-2.0.
DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"

# The version that every tree of policies starts with.
START = "policy@0"
# The name of an alarm that training and evaluation may both raise.
REWARD_ALONE = "reward up, preference not"
# Of evaluation alone: an ancestor was better, by people or a judge, and the reward does not see it.
PAST_ITS_BEST = "past its best"
VERSION_NAME = re.compile(r"^(policy|reward)@(\d+)$")


@dataclass(frozen=True, kw_only=True)
class Version:
    """An immutable checkpoint in the tree of versions.

    Attributes:
        name: "policy@3" or "reward@2".
        parent: The version it was trained from; None for the start of a tree.
        trained_with: Names of the other versions that took part (a policy's reward model).
        path: Checkpoint folder, relative to the lab directory.
        metrics: Figures worth showing in a tree, by name.
        judged: Head of the record of judgments when it was made, as "NUMBER:HASH": what it can
            have learned from. The store sets it.
    """

    name: str
    parent: str | None
    path: str
    trained_with: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    judged: str = ""
    created_at: datetime = field(default_factory=utc_now)

    @property
    def role(self) -> str:
        """The part before the @: "policy" or "reward"."""
        return self.name.partition("@")[0]

    @property
    def number(self) -> int:
        """The number after the @."""
        return int(self.name.partition("@")[2])

    @property
    def is_start(self) -> bool:
        """Whether a policy is what later ones are measured from: the first, or a fine-tuned one.

        It is the reference of the policies that grow from it.
        """
        return self.role == "policy" and (self.parent is None or "demonstrations" in self.metrics)


@dataclass(frozen=True, kw_only=True)
class LoraSpec:
    """Shape of the low-rank adapters, the same for every role.

    Attributes:
        rank: Inner dimension r of the update B @ A.
        alpha: The update is scaled by alpha / rank.
        target_modules: Names of linear layers, or "all-linear" for all but the output head.
    """

    rank: int = 16
    alpha: int = 32
    target_modules: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        """Refuse adapters without room."""
        if self.rank < 1 or self.alpha <= 0:
            raise ConfigError(
                f"rank={self.rank}, alpha={self.alpha}: both must be positive. Use 16 and 32."
            )


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95% interval.

    Attributes:
        estimate: The mean.
        low: 2.5% point.
        high: 97.5% point.
        n: Independent units behind it (prompts, not pairs).
    """

    estimate: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """As in "0.71 [0.62, 0.80] (n=64)"."""
        return f"{self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}] (n={self.n})"

    def figures(self, name: str) -> dict[str, float]:
        """As the store keeps it: four figures, the estimate under the name itself."""
        ends = {f"{name}_low": self.low, f"{name}_high": self.high, f"{name}_n": float(self.n)}
        return {name: self.estimate, **ends}

    @classmethod
    def from_figures(cls, name: str, kept: Mapping[str, float]) -> Self | None:
        """The one that `figures` was made of; None if not all four are kept."""
        if not {name, f"{name}_low", f"{name}_high", f"{name}_n"} <= kept.keys():
            return None
        return cls(
            estimate=kept[name],
            low=kept[f"{name}_low"],
            high=kept[f"{name}_high"],
            n=int(kept[f"{name}_n"]),
        )


class Alarm(NamedTuple):
    """Something that should be looked at: its name, and the value, the rule and the next step."""

    name: str
    message: str

    def __str__(self) -> str:
        """As shown under a progress bar."""
        return f"{self.name}: {self.message}"
