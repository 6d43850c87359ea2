"""What checkpoints say of themselves, read without their tensors; whatever is missing is None."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rlhf_lab.evaluation.report.pictures import Bin
from rlhf_lab.types import Alarm, Version


def state_of(folder: Path | None, version: Version) -> Mapping[str, Any]:
    """The small state of a checkpoint; empty where there is none to be read.

    Args:
        folder: Of the lab; None for a store without one.
        version: Whose.
    """
    if folder is None:
        return {}
    try:
        state = json.loads((folder / version.path / "state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def reports_of(folder: Path | None, version: Version) -> Mapping[str, Any]:
    """The report that an update left in its checkpoint; empty where there is none."""
    report = state_of(folder, version).get("report")
    return report if isinstance(report, dict) else {}


def settings_in(folder: Path | None, versions: Iterable[Version]) -> Iterator[tuple[str, str]]:
    """How the given versions were trained, as far as their checkpoints tell."""
    for version in versions:
        state, report = state_of(folder, version), reports_of(folder, version)
        told = []
        if isinstance(coef := state.get("kl_coef"), int | float):
            told.append(f"price of a nat of KL {coef:.3g}")
        if isinstance(epochs := report.get("epochs"), int):
            told.append("1 epoch" if epochs == 1 else f"{epochs} epochs")
        if isinstance(kept := report.get("kept_epoch"), int):
            told.append(f"kept the {_ordinal(kept)}")
        if told:
            yield version.name, ", ".join(told)


def _ordinal(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"


def calibration_in(report: Mapping[str, Any]) -> tuple[tuple[Bin, ...], float] | None:
    """The points of a reward update's reliability curve, and its error."""
    try:
        kept = report["calibration"]
        bins = (Bin(float(b["confidence"]), float(b["accuracy"]), int(b["pairs"])) for b in
                kept["bins"])  # fmt: skip
        return tuple(bins), float(kept["error"])
    except (KeyError, TypeError, ValueError):
        return None


def alarms_in(report: Mapping[str, Any]) -> Iterator[Alarm]:
    """The alarm that an update raised, if any."""
    try:
        name, message = report["alarm"]
    except (KeyError, TypeError, ValueError):
        return
    yield Alarm(str(name), str(message))
