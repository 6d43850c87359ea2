"""The table, and the JSON line that ends every benchmark's output."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Comparison, SideFailed

PACKAGES = ("rlhf-lab", "torch", "transformers", "peft", "bitsandbytes", "accelerate")
VERDICTS = {True: "[green]met[/]", False: "[red]missed[/]", None: "[yellow]not measured[/]"}


@dataclass(frozen=True, kw_only=True)
class Report:
    """A benchmark's outcome.

    Attributes:
        benchmark: Its name.
        comparisons: One per workload.
        same: What is the same on both sides, and what is not; a sentence each.
        shown: Figures for the table, by name, beside seconds and memory.
        settings: As given on the command line.
        quick: Whether the figures mean nothing.
        versions: Of the peer, by package.
    """

    benchmark: str
    comparisons: Sequence[Comparison]
    same: Sequence[str]
    shown: Sequence[str] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    quick: bool = False
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """1 if any side failed; a missed target is a figure, not a failure."""
        return int(any(c.failed for c in self.comparisons))

    def as_json(self) -> dict[str, Any]:
        """What the last line holds."""
        return {
            "benchmark": self.benchmark,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "device": device_name(),
            "quick": self.quick,
            "settings": self.settings,
            "versions": _versions() | self.versions,
            "workloads": [c.as_json() for c in self.comparisons],
        }

    def show(self, console: Console | None = None) -> int:
        """Print the table, the terms and the JSON line; returns the exit status."""
        console = console or Console()
        console.print(self._table())
        for sentence in self.same:
            console.print(f"- {sentence}", markup=False)
        for comparison in self.comparisons:
            for name, side in (("ours", comparison.ours), ("peer", comparison.peer)):
                if isinstance(side, SideFailed):
                    console.print(f"\n{comparison.workload}: {name} FAILED", style="bold red")
                    console.print(side.reason, markup=False)
        if self.quick:
            console.print("Quick run: it shows that both sides run; its figures mean nothing.")
        # Past the console, which would wrap it.
        console.file.write(json.dumps(_finite(self.as_json())) + "\n")
        return self.exit_status

    def _table(self) -> Table:
        table = Table(title=f"{self.benchmark} on {device_name()}", show_lines=True)
        table.add_column("workload", ratio=2)
        table.add_column("figure", ratio=2)
        for column in ("ours", "peer"):
            table.add_column(column, justify="right", ratio=1)
        table.add_column("targets", ratio=2)
        for comparison in self.comparisons:
            table.add_row(*self._cells(comparison))
        return table

    def _cells(self, comparison: Comparison) -> list[str]:
        figures = comparison.figures
        names = ["s", "peak_mb", *self.shown]
        sides = [
            "failed"
            if f"{side}_error" in figures
            else "\n".join(_number(figures.get(f"{side}_{name}")) for name in names)
            for side in ("ours", "peer")
        ]
        both = {k: v for k, v in figures.items() if not k.startswith(("ours_", "peer_"))}
        targets = [f"{t}: {VERDICTS[t.met(figures)]}" for t in comparison.targets]
        measured = [f"{name} {_number(value)}" for name, value in both.items()]
        return [
            comparison.workload,
            "\n".join(names),
            *sides,
            "\n".join([*measured, *targets]),
        ]


def device_name() -> str:
    """The GPU if there is one, else the processor's model."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()


def processor_name() -> str:
    """The processor's model."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_number, value))}]"
    return "–" if value is None else str(value)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """JSON has no NaN: null stands for what is no number."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
