"""What responses are like without asking whether they are good: length, ends, variety of words."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.honest.prompts import mean_between, numbered, share
from rlhf_lab.types import Interval, Response

RESAMPLES: Final = 1_000
# A run of letters and digits, or one sign of a script that sets no spaces between words.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|"
    r"[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+(?:['\u2019][^\W\d]+)*"
)


@dataclass(frozen=True, kw_only=True)
class TextFigures:
    """Of one version's responses. Intervals are 95% bootstrap ones over prompts.

    Attributes:
        responses: How many.
        prompts: Prompts they answer.
        words: Mean per response.
        tokens: The same, end token included; None where some are not known, as of imported texts.
        truncated: Share cut off at the longest length allowed.
        empty: Share without anything to read.
        distinct: Share of different ones among all runs of 1, 2 and 3 words, see `distinct_n`; None
            where there are no such runs.
    """

    responses: int
    prompts: int
    words: Interval
    tokens: Interval | None
    truncated: Interval
    empty: Interval
    distinct: tuple[float | None, float | None, float | None]


def describe_texts(
    responses: Sequence[Response], *, resamples: int = RESAMPLES, seed: int = 0
) -> TextFigures:
    """Lengths, ends and variety of responses.

    Args:
        responses: Of one version.
        resamples: Draws of prompts for the intervals.
        seed: Of the draws.

    Raises:
        NotEnoughData: no responses.
    """
    if not responses:
        raise NotEnoughData("0 responses to describe: generate or evaluate first.")
    prompt = numbered(r.prompt_id for r in responses)
    texts = [words(r.text) for r in responses]

    def mean(counts: Iterable[int]) -> Interval:
        values = np.array(list(counts), np.float64)
        found = mean_between(prompt, values, 0.0, values.max(), resamples=resamples, seed=seed)
        return _some(found)

    def part(hits: Iterable[bool]) -> Interval:
        return _some(share(prompt, np.array(list(hits)), resamples=resamples, seed=seed))

    return TextFigures(
        responses=len(responses),
        prompts=int(prompt.max()) + 1,
        words=mean(map(len, texts)),
        tokens=(
            mean(len(r.token_ids) for r in responses)
            if all(r.token_ids for r in responses)
            else None
        ),
        truncated=part(r.end_reason == "length" for r in responses),
        empty=part(not r.text.strip() for r in responses),
        distinct=(distinct_n(texts, 1), distinct_n(texts, 2), distinct_n(texts, 3)),
    )


def distinct_n(texts: Iterable[Sequence[Hashable]], n: int) -> float | None:
    """How many different runs of n words there are, as a share of all: 1 if none comes twice.

    It falls as there is more text, for there are only so many words: compare versions on the same
    prompts, with as many responses each. An interval would need prompts drawn twice, whose words
    then come twice: there is none.

    Args:
        texts: Words of each, as from `words`, or its tokens; runs end where a text does.
        n: At least 1.

    Returns:
        None if no text has n words.

    Raises:
        ConfigError: n below 1.

    Source: Li et al. (2016), "A Diversity-Promoting Objective Function for Neural Conversation
    Models", section 5.2, which divides by the number of words rather than of runs.
    """
    if n < 1:
        raise ConfigError(f"n={n}: runs have at least 1 word. Use 1, 2 or 3.")
    seen: set[tuple[Hashable, ...]] = set()
    total = 0
    for text in texts:
        runs = [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]
        seen.update(runs)
        total += len(runs)
    return len(seen) / total if total else None


def words(text: str) -> list[str]:
    """Words without regard to case; a character each where a script sets no spaces."""
    return _WORD.findall(text.casefold())


def _some(found: Interval | None) -> Interval:
    assert found is not None  # there are responses
    return found
