"""The same figures by the tags of prompts: an average may hide that one kind got worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rlhf_lab.evaluation.honest.prompts import numbered, paired, share
from rlhf_lab.evaluation.honest.refusals import declines
from rlhf_lab.types import Interval, Prompt, Response

RESAMPLES: Final = 1_000
UNTAGGED: Final = "no tag"


@dataclass(frozen=True, kw_only=True)
class TagFigures:
    """Of the prompts with one tag; a prompt with two tags counts for both.

    Attributes:
        prompts: How many.
        win_rate: Against the baseline; None where nothing was compared.
        declined: Share of answers that decline.
        truncated: Share cut off at the longest length allowed.
    """

    tag: str
    prompts: int
    win_rate: Interval | None
    declined: Interval
    truncated: Interval


def figures_by_tag(
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    outcomes: Mapping[str, float] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[TagFigures, ...]:
    """Win rate, refusals and cut ends by tag, in the order of tags; prompts without any last.

    Args:
        prompts: Of each response, in the same order.
        responses: Of one version.
        outcomes: From 0 to 1, by prompt id.
        resamples: Draws of prompts.
        seed: Of the draws.

    Raises:
        ConfigError: different numbers of prompts and responses.
    """
    paired(prompts, responses, "prompts and responses")
    rows: dict[str, list[int]] = {}
    for row, prompt in enumerate(prompts):
        for tag in dict.fromkeys(prompt.tags) or (UNTAGGED,):
            rows.setdefault(tag, []).append(row)
    ordered = sorted(rows, key=lambda tag: (tag == UNTAGGED, tag))
    return tuple(
        _figures(
            tag,
            [prompts[row] for row in rows[tag]],
            [responses[row] for row in rows[tag]],
            outcomes or {},
            resamples,
            seed,
        )
        for tag in ordered
    )


def _figures(
    tag: str,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    outcomes: Mapping[str, float],
    resamples: int,
    seed: int,
) -> TagFigures:
    prompt = numbered(p.id for p in prompts)

    def part(hits: Sequence[bool]) -> Interval:
        found = share(prompt, np.array(hits), resamples=resamples, seed=seed)
        assert found is not None  # every tag has a prompt
        return found

    compared = {p.id: outcomes[p.id] for p in prompts if p.id in outcomes}
    won = np.array(list(compared.values()), np.float64)
    return TagFigures(
        tag=tag,
        prompts=int(prompt.max()) + 1,
        win_rate=share(numbered(compared), won, resamples=resamples, seed=seed),
        declined=part([declines(r.text) for r in responses]),
        truncated=part([r.end_reason == "length" for r in responses]),
    )
