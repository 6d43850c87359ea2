"""Versions with what the store knows of them beside their own figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from rlhf_lab.store.evaluations import evaluations
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import Evaluation, Interval, Version, VersionRecord


def version_records(store: PreferenceStore) -> list[VersionRecord]:
    """Every version of a lab, in the order they were made."""
    versions = store.versions()
    present = {store.get_setting(f"head.{role}") for role in ("policy", "reward")}
    rankings = {v.name: int(v.metrics["rankings"]) for v in versions if "rankings" in v.metrics}
    found, accuracies = _evaluations(store), _accuracies(store)
    return [
        VersionRecord(
            version=version,
            is_present=version.name in present,
            judgments=_judgments(version, rankings),
            accuracy=accuracies.get(version.name),
            evaluations=tuple(found[version.name].values()),
        )
        for version in versions
    ]


def evaluation_between(
    records: Mapping[str, VersionRecord], first: str, second: str
) -> Evaluation | None:
    """What was found last when the second was compared with the first, or the other way round."""
    for evaluation in reversed(records[second].evaluations):
        if evaluation.baseline == first:
            return evaluation
    for evaluation in reversed(records[first].evaluations):
        if evaluation.baseline == second:
            won = evaluation.win_rate
            lost = Interval(estimate=1 - won.estimate, low=1 - won.high, high=1 - won.low, n=won.n)
            return replace(evaluation, baseline=first, win_rate=lost)
    return None


def _judgments(version: Version, rankings: Mapping[str, int]) -> int | None:
    """A policy learns from people through the reward model alone."""
    learned = [rankings[name] for name in (version.name, *version.trained_with) if name in rankings]
    return learned[0] if learned else None


def _evaluations(
    store: PreferenceStore,
) -> defaultdict[str, dict[tuple[str, str | None], Evaluation]]:
    """The latest against each baseline by each judge, by version."""
    latest: defaultdict[str, dict[tuple[str, str | None], Evaluation]] = defaultdict(dict)
    for version, found in evaluations(store):
        key = (found.baseline, found.judge)
        latest[version].pop(key, None)  # so that the last made comes last
        latest[version][key] = found
    return latest


def _accuracies(store: PreferenceStore) -> dict[str, Interval]:
    found = {
        row.version: Interval.from_figures("heldout_accuracy", row.values)
        for row in store.metrics("reward")
    }
    return {name: interval for name, interval in found.items() if interval is not None}
