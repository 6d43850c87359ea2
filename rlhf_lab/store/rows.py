"""Between the values of `rlhf_lab.types` and the rows of `tables`: conversions and row checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, cast

from rlhf_lab.errors import PromptError, StoreError
from rlhf_lab.store.tables import (
    DemonstrationRow,
    JudgmentRow,
    MetricsTable,
    PromptRow,
    ResponseRow,
    VersionRow,
    has_lone_surrogate,
)
from rlhf_lab.types import (
    VERSION_NAME,
    Demonstration,
    EndReason,
    Judgment,
    JudgmentKind,
    Message,
    Occasion,
    Prompt,
    Purpose,
    Ranking,
    Response,
    Sampling,
    Split,
    Strength,
    Version,
)

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class MetricsRow:
    """The figures logged for one step.

    Attributes:
        kind: "reward", "ppo", "evaluation" or another name of the caller's choice.
        version: The version being trained or evaluated.
        values: Figures by name; NaN and infinity are kept.
        judge: Of an evaluation, whose opinion it is; None where nobody's, or nobody knows.
    """

    kind: str
    version: str
    step: int
    values: Mapping[str, float]
    created_at: datetime
    judge: str | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How much a lab holds.

    Attributes:
        prompts: All of them, held-out ones included.
        rankings: Active ones: neither corrected nor undone.
        skips: Active ones.
        annotators: People (or rubrics) with an active ranking or skip.
    """

    prompts: int
    heldout_prompts: int
    responses: int
    rankings: int
    skips: int
    annotators: int
    versions: int


def check_text(prompt: Prompt) -> None:
    """Refuse prompts no tokenizer can encode; NUL characters are fine and kept.

    Raises:
        PromptError: a message holds half of a surrogate pair.
    """
    for message in prompt.messages:
        if has_lone_surrogate(message.content):
            raise PromptError(
                f"{message.content!r:.80} holds half a character (a lone surrogate), which no "
                "tokenizer can encode. Read the text again as UTF-8, or repair it with "
                "text.encode('utf-8', 'replace').decode()."
            )


def aware(when: datetime, what: str) -> datetime:
    """The time itself, if it says which zone it is in and can be told in UTC."""
    if when.tzinfo is None:
        raise StoreError(
            f"{what} has created_at={when.isoformat()} without a time zone: which moment that is "
            "depends on the reader. Use rlhf_lab.types.utc_now() or datetime.now(UTC)."
        )
    try:
        when.astimezone(UTC)
    except OverflowError as error:
        raise StoreError(
            f"{what} has created_at={when.isoformat()}, which in UTC is before the year 1 or after "
            "9999: correct the time or its zone."
        ) from error
    return when


def prompt_values(prompt: Prompt) -> Values:
    """A row for `prompts`."""
    check_text(prompt)
    return {
        "id": prompt.id,
        "messages": [[m.role, m.content] for m in prompt.messages],
        "split": prompt.split,
        "source": prompt.source,
        "tags": list(prompt.tags),
    }


def to_prompt(row: PromptRow) -> Prompt:
    """The prompt a row holds."""
    return Prompt(
        messages=tuple(Message(role=cast(Any, r), content=c) for r, c in row.messages),
        split=cast(Split, row.split),
        source=row.source,
        tags=tuple(row.tags),
    )


def response_values(response: Response) -> Values:
    """A row for `responses`."""
    return {
        "id": response.id,
        "prompt_id": response.prompt_id,
        "text": response.text,
        "token_ids": [int(t) for t in response.token_ids],
        "version": response.version,
        "sampling": None if response.sampling is None else asdict(response.sampling),
        "seed": "" if response.seed is None else str(int(response.seed)),
        "end_reason": response.end_reason,
        "purpose": response.purpose,
        "created_at": aware(response.created_at, f"response {response.id}"),
    }


def to_response(row: ResponseRow) -> Response:
    """The response a row holds."""
    return Response(
        id=row.id,
        prompt_id=row.prompt_id,
        text=row.text,
        token_ids=tuple(row.token_ids),
        version=row.version,
        sampling=None if row.sampling is None else Sampling(**row.sampling),
        seed=int(row.seed) if row.seed else None,
        end_reason=cast(EndReason, row.end_reason),
        purpose=cast(Purpose, row.purpose),
        created_at=row.created_at,
    )


def judgment_values(judgment: Judgment) -> Values:
    """A row for `judgments`."""
    ranking = judgment.ranking
    return {
        "id": judgment.id,
        "prompt_id": judgment.prompt_id,
        "annotator": judgment.annotator,
        "kind": judgment.kind,
        "shown_order": list(judgment.shown_order),
        "tiers": None if ranking is None else [list(tier) for tier in ranking.tiers],
        "strength": judgment.strength,
        "criteria": {i: dict(r) for i, r in judgment.criteria.items()} or None,
        "comment": judgment.comment,
        "flags": list(judgment.flags) or None,
        "occasion": judgment.occasion,
        "seconds": float(judgment.seconds),
        "supersedes": judgment.supersedes,
        "created_at": aware(judgment.created_at, f"judgment {judgment.id}"),
    }


def to_judgment(row: JudgmentRow) -> Judgment:
    """The judgment a row holds."""
    tiers = row.tiers
    return Judgment(
        id=row.id,
        prompt_id=row.prompt_id,
        annotator=row.annotator,
        kind=cast(JudgmentKind, row.kind),
        shown_order=tuple(row.shown_order),
        ranking=None if tiers is None else Ranking(tiers=tuple(tuple(t) for t in tiers)),
        strength=cast("Strength | None", row.strength),
        criteria=row.criteria or {},
        comment=row.comment,
        flags=tuple(row.flags or ()),
        occasion=cast(Occasion, row.occasion or "regular"),
        seconds=row.seconds,
        supersedes=row.supersedes,
        created_at=row.created_at,
    )


def demonstration_values(demonstration: Demonstration) -> Values:
    """A row for `demonstrations`."""
    values = {f.name: getattr(demonstration, f.name) for f in fields(demonstration)}
    aware(demonstration.created_at, f"demonstration {demonstration.id}")
    return {**values, "seconds": float(demonstration.seconds)}


def to_demonstration(row: DemonstrationRow) -> Demonstration:
    """The demonstration a row holds."""
    return Demonstration(**{f.name: getattr(row, f.name) for f in fields(Demonstration)})


def version_values(version: Version) -> Values:
    """A row for `versions`.

    Raises:
        StoreError: a name that is not ROLE@NUMBER.
    """
    if not VERSION_NAME.match(version.name):
        raise StoreError(
            f"{version.name!r} is not a version name: use policy@NUMBER or reward@NUMBER."
        )
    return {
        "name": version.name,
        "parent": version.parent,
        "path": version.path,
        "trained_with": list(version.trained_with),
        "metrics": pack_figures(version.metrics),
        "created_at": aware(version.created_at, f"version {version.name}"),
    }


def to_version(row: VersionRow) -> Version:
    """The version a row holds."""
    return Version(
        name=row.name,
        parent=row.parent,
        path=row.path,
        trained_with=tuple(row.trained_with),
        metrics=unpack_figures(row.metrics),
        judged=row.judged or "",
        created_at=row.created_at,
    )


def to_metrics(row: MetricsTable) -> MetricsRow:
    """The figures a row holds."""
    return MetricsRow(
        kind=row.kind,
        version=row.version,
        step=row.step,
        values=unpack_figures(row.values),
        created_at=row.created_at,
        judge=row.judge,
    )


def pack_figures(figures: Mapping[str, float]) -> dict[str, float | str]:
    """Figures as strict JSON, which has no NaN or infinity: those become strings."""
    numbers = {name: float(x) for name, x in figures.items()}
    return {name: x if math.isfinite(x) else str(x) for name, x in numbers.items()}


def unpack_figures(figures: Mapping[str, float | str]) -> dict[str, float]:
    """The inverse of `pack_figures`."""
    return {name: float(x) for name, x in figures.items()}
