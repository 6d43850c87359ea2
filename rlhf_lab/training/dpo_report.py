"""What one DPO update learned, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from rlhf_lab.store.showing import head_cell, in_frame, text_cell
from rlhf_lab.types import Interval


@dataclass(frozen=True, kw_only=True)
class DPOReport:
    """What one DPO update learned.

    Attributes:
        version: The policy it made.
        rankings: New training rankings.
        replayed: Old ones mixed into each epoch.
        loss_first: Ranking loss in nats per ranking, margins included, over the first half epoch.
        loss_last: The same over the last half epoch.
        heldout_accuracy: Share of ordered pairs of held-out rankings whose better response the
            policy has made likelier than the worse one, against the reference; its 95% interval
            takes prompts as what was sampled. None when no held-out prompt was ranked.
        best: How much likelier the best responses of the new rankings became, in nats per
            response; often below 0, for what is likelier instead may be none of those shown.
        worst: The same for the worst.
        epochs: Passes over the new rankings.
        steps: Optimizer steps.
        stopped: Whether somebody ended it early.
    """

    version: str
    rankings: int
    replayed: int
    loss_first: float
    loss_last: float
    heldout_accuracy: Interval | None
    best: float
    worst: float
    epochs: int
    steps: int
    seconds: float
    stopped: bool = False

    @classmethod
    def from_state(cls, stored: Mapping[str, Any]) -> Self:
        """The report that `as_state` was made from."""
        accuracy = stored["heldout_accuracy"]
        return cls(**{**stored, "heldout_accuracy": Interval(**accuracy) if accuracy else None})

    def as_state(self) -> dict[str, Any]:
        """JSON form, kept inside the version's checkpoint."""
        return asdict(self)

    def __str__(self) -> str:
        """One line."""
        return ", ".join(self._said())

    __repr__ = __str__

    def _said(self) -> Iterator[str]:
        yield f"{self.version}: {self.rankings} new rankings (+ {self.replayed} replayed)"
        yield f"loss {self.loss_first:.2f} → {self.loss_last:.2f}"
        yield f"accuracy on held-out prompts {self.heldout_accuracy or 'not measured'}"
        yield f"best responses {self.best:+.1f} nats, worst {self.worst:+.1f}"
        if self.stopped:
            yield "stopped by hand"
        yield f"{self.seconds:.0f} s"

    def _repr_html_(self) -> str:
        rows = {
            "new rankings": f"{self.rankings} (+ {self.replayed} replayed)",
            "loss": f"{self.loss_first:.3f} → {self.loss_last:.3f}",
            "accuracy on held-out prompts": str(self.heldout_accuracy or "no held-out rankings"),
            "best responses became likelier by": f"{self.best:+.2f} nats",
            "worst responses became likelier by": f"{self.worst:+.2f} nats",
            "optimizer steps": f"{self.steps} in {self.epochs} epochs"
            + (", stopped by hand" if self.stopped else ""),
            "seconds": f"{self.seconds:.0f}",
        }
        body = "".join(
            f"<tr>{head_cell(name, 'row')}{text_cell(value)}</tr>" for name, value in rows.items()
        )
        return in_frame(f"<table><caption>{self.version}</caption>{body}</table>")
