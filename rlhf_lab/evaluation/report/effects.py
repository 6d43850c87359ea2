"""What else changed while it learned to be preferred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rlhf_lab.evaluation.report.contents import Effects, Row
from rlhf_lab.evaluation.report.pages import Style
from rlhf_lab.evaluation.report.pictures import Chart, length_chart
from rlhf_lab.evaluation.report.winning import Answered
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Interval, Prompt, Response

if TYPE_CHECKING:
    from rlhf_lab.evaluation.honest import CriterionRating, RewardLength, TextFigures


def effects(
    store: PreferenceStore,
    pairs: Sequence[Answered],
    scores: Mapping[str, float],
    *,
    seed: int,
) -> Effects:
    """Of the answers that were judged, before and after; ratings of all that people rated.

    Args:
        store: The lab's.
        pairs: What both answered.
        scores: Rewards by response id, where they are known.
        seed: Of the intervals.
    """
    before, after = [p.before for p in pairs], [p.after for p in pairs]
    return Effects(
        length=_lengths(before, after),
        rows=tuple(_rows([p.prompt for p in pairs], before, after, seed)) if pairs else (),
        criteria=_ratings(store, seed),
        reward_length=_reward_length([*before, *after], scores, seed),
    )


def _lengths(before: Sequence[Response], after: Sequence[Response]) -> Chart | None:
    """In tokens where all were sampled, otherwise in characters."""
    in_tokens = all(r.token_ids for r in [*before, *after])
    was, became = (
        [len(r.token_ids) if in_tokens else len(r.text) for r in side] for side in (before, after)
    )
    return length_chart(was, became, "tokens" if in_tokens else "characters")


def _rows(
    prompts: Sequence[Prompt], before: Sequence[Response], after: Sequence[Response], seed: int
) -> Iterator[Row]:
    from rlhf_lab.evaluation.honest import describe_texts, refusal_rates

    texts = [describe_texts(side, seed=seed) for side in (before, after)]
    yield _row("Length", "words per answer", "one", [t.words for t in texts])
    yield _row("Truncated", "cut off at the longest length", "share", [t.truncated for t in texts])
    yield _row("Empty", "answers without anything to read", "share", [t.empty for t in texts])
    yield from _distinct(texts)
    declined = [refusal_rates(prompts, side, seed=seed) for side in (before, after)]
    yield _row(
        "Refusals, where asked for",
        "of prompts that should be declined; higher is better",
        "share",
        [one.asked for one in declined],
    )
    yield _row(
        "Refusals, elsewhere",
        "of all other prompts; lower is better",
        "share",
        [one.others for one in declined],
    )


def _distinct(texts: Sequence[TextFigures]) -> Iterator[Row]:
    for n in (1, 2, 3):
        before, after = (t.distinct[n - 1] for t in texts)
        runs = "different words" if n == 1 else f"different runs of {n} words"
        note = f"{runs} among all; low where answers are alike"
        yield Row(name=f"Distinct-{n}", note=note, style="two", before=before, after=after)


def _row(name: str, note: str, style: Style, found: Sequence[Interval | None]) -> Row:
    before, after = found
    return Row(
        name=name,
        note=note,
        style=style,
        before=before.estimate if before else None,
        after=after.estimate if after else None,
        interval_before=before,
        interval_after=after,
    )


def _ratings(store: PreferenceStore, seed: int) -> tuple[CriterionRating, ...]:
    from rlhf_lab.evaluation.honest import criteria_ratings

    versions = {response.id: response.version for response in store.responses()}
    return criteria_ratings(store.judgments(), versions, seed=seed)


def _reward_length(
    responses: Sequence[Response], scores: Mapping[str, float], seed: int
) -> RewardLength | None:
    """None where too few rewards are known."""
    from rlhf_lab.evaluation.honest import reward_length_correlation

    scored = [r for r in responses if r.id in scores]
    if len(scored) < 2:
        return None
    return reward_length_correlation(
        [scores[r.id] for r in scored],
        [len(r.text) for r in scored],
        [r.prompt_id for r in scored],
        seed=seed,
    )
