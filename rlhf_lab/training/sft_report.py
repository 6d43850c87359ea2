"""What one fine-tuning on demonstrations learned, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from rlhf_lab.store.showing import head_cell, in_frame, text_cell


@dataclass(frozen=True, kw_only=True)
class SFTReport:
    """What one fine-tuning learned. Losses are means of -log p over answer tokens, in nats.

    Attributes:
        version: The policy it made.
        demonstrations: For training prompts, all learned.
        tokens: Of their answers, end tokens included.
        loss_first: Over the first half epoch.
        loss_last: Over the last half epoch.
        heldout: Demonstrations for held-out prompts, which nothing was learned from.
        heldout_loss_before: Of the policy before on those; None without any.
        heldout_loss: Of the new one.
        epochs: Passes over the demonstrations.
        steps: Optimizer steps.
        stopped: Whether somebody ended it early.
    """

    version: str
    demonstrations: int
    tokens: int
    loss_first: float
    loss_last: float
    heldout: int
    heldout_loss_before: float | None
    heldout_loss: float | None
    epochs: int
    steps: int
    seconds: float
    stopped: bool = False

    @classmethod
    def from_state(cls, stored: Mapping[str, Any]) -> Self:
        """The report that `as_state` was made from."""
        return cls(**stored)

    def as_state(self) -> dict[str, Any]:
        """JSON form, kept inside the version's checkpoint."""
        return asdict(self)

    def __str__(self) -> str:
        """One line."""
        parts = [
            f"{self.version}: {self.demonstrations} demonstrations",
            f"loss {self.loss_first:.2f} → {self.loss_last:.2f} nats per token",
            f"on held-out prompts {self._heldout()}",
            f"{self.seconds:.0f} s",
        ]
        return ", ".join([*parts, "stopped by hand"] if self.stopped else parts)

    __repr__ = __str__

    def _heldout(self) -> str:
        if self.heldout_loss is None or self.heldout_loss_before is None:
            return "not measured"
        return f"{self.heldout_loss_before:.2f} → {self.heldout_loss:.2f} (n={self.heldout})"

    def _repr_html_(self) -> str:
        rows = {
            "demonstrations": f"{self.demonstrations}, {self.tokens} tokens",
            "loss, nats per token": f"{self.loss_first:.3f} → {self.loss_last:.3f}",
            "the same on held-out prompts": self._heldout(),
            "optimizer steps": f"{self.steps} in {self.epochs} epochs"
            + (", stopped by hand" if self.stopped else ""),
            "seconds": f"{self.seconds:.0f}",
        }
        body = "".join(
            f"<tr>{head_cell(name, 'row')}{text_cell(value)}</tr>" for name, value in rows.items()
        )
        return in_frame(f"<table><caption>{self.version}</caption>{body}</table>")
