"""Prompts, answers and evaluations for tests, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rlhf_lab.evaluation.win_rate import EvalReport, Sample
from rlhf_lab.types import Interval, Message, Prompt, Response, Sampling

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def prompt(text: str, *tags: str, split: str = "heldout") -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), tags=tags, split=split)


def answer(to: Prompt, text: str, version: str = "policy@1", number: int = 0, **changes):
    values = {
        "id": f"{version}-{to.text}-{number}",
        "prompt_id": to.id,
        "text": text,
        "token_ids": tuple(range(len(text.split()) + 1)),
        "version": version,
        "sampling": Sampling(),
        "seed": number,
        "created_at": NOON,
        **changes,
    }
    return Response(**values)


def interval(estimate: float, half: float = 0.05, n: int = 64) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half, n=n)


def evaluation(
    outcomes: Sequence[float],
    *,
    version: str = "policy@1",
    baseline: str = "policy@0",
    judge: str = "rubric",
    first: int = 0,
    texts: Sequence[tuple[str, str]] | None = None,
) -> EvalReport:
    """Outcomes on prompts that are numbered from `first` on; texts are baseline's, version's."""
    samples = []
    for place, outcome in enumerate(outcomes):
        to = prompt(f"question {first + place}")
        before, after = texts[place] if texts else ("so", "so")
        samples.append(
            Sample(
                prompt=to,
                before=answer(to, before, baseline),
                after=answer(to, after, version),
                outcome=outcome,
            )
        )
    return EvalReport(
        version=version,
        baseline=baseline,
        judge=judge,
        win_rate=interval(sum(outcomes) / len(outcomes), n=len(outcomes)),
        kl=1.0,
        length=1.0,
        baseline_length=1.0,
        ended=1.0,
        baseline_ended=1.0,
        samples=tuple(samples),
    )
