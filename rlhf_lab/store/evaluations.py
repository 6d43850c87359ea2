"""What evaluations of policies found, and what reward models gave single responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import Evaluation

_EVALUATION: Final = "evaluation"
# Figures are then by response id.
_SCORES: Final = "scores"


class Evaluated(NamedTuple):
    """A policy by name, and what one evaluation of it found."""

    version: str
    found: Evaluation


def log_evaluation(store: PreferenceStore, version: str, found: Evaluation) -> None:
    """Keep what an evaluation of a policy found; when is the store's to say."""
    store.log_metrics(_EVALUATION, version, 0, found.figures(), judge=found.judge)


def evaluations(store: PreferenceStore, version: str | None = None) -> list[Evaluated]:
    """Of one policy or of all, the last one at the end; those of an old release say too little."""
    return [
        Evaluated(row.version, found)
        for row in store.metrics(_EVALUATION, version)
        if (found := Evaluation.from_figures(row.values, row.created_at, row.judge)) is not None
    ]


def log_scores(store: PreferenceStore, reward: str, scores: Mapping[str, float]) -> None:
    """Keep what a reward version gives responses, by their ids; what is kept already stays."""
    kept = response_scores(store, reward)
    if missing := {name: score for name, score in scores.items() if name not in kept}:
        store.log_metrics(_SCORES, reward, len(kept), missing)


def response_scores(store: PreferenceStore, reward: str) -> dict[str, float]:
    """Those that are kept of a reward version, in standard deviations of the start's scores."""
    rows = store.metrics(_SCORES, reward)
    return {response: score for row in rows for response, score in row.values.items()}
