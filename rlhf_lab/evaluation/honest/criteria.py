"""Helpful, harmless, honest: what people rated apart from which answer they would rather have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from rlhf_lab.evaluation.honest.prompts import mean_between, numbered
from rlhf_lab.types import CRITERIA, HIGHEST_RATING, LOWEST_RATING, Interval, Judgment

RESAMPLES: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class CriterionRating:
    """What people gave one version's responses on one criterion.

    Attributes:
        version: Who wrote the responses.
        criterion: Such as "helpful".
        rating: Mean from 1, the worst, to 5, with its 95% interval over prompts. A response counts
            once, with the mean of what people gave it.
        ratings: How many were given.
        responses: To how many responses.
    """

    version: str
    criterion: str
    rating: Interval
    ratings: int
    responses: int


def criteria_ratings(
    judgments: Iterable[Judgment],
    versions: Mapping[str, str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[CriterionRating, ...]:
    """Mean ratings of each version on each criterion.

    Responses were rated among others that were shown with them, and not every one was: two
    versions compare only as far as they were rated by the same people on like prompts.

    Args:
        judgments: Those that count, as from `store.judgments()`; of somebody who judged a response
            several times the last rating is taken, and practice is left out.
        versions: Version of each response by its id; ratings of other responses are left out.
        resamples: Draws of prompts.
        seed: Of the draws.

    Returns:
        Versions in the order of their names; helpful, harmless and honest first, then others.
    """
    given: dict[tuple[str, str, str], int] = {}
    prompt_of: dict[str, str] = {}
    for judgment in judgments:
        if judgment.occasion == "calibration":
            continue
        for response, ratings in judgment.criteria.items():
            prompt_of[response] = judgment.prompt_id
            for criterion, rating in ratings.items():
                given[judgment.annotator, response, criterion] = rating
    by_cell: defaultdict[tuple[str, str], defaultdict[str, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for (_, response, criterion), rating in given.items():
        if response in versions:
            by_cell[versions[response], criterion][response].append(rating)
    return tuple(
        _rated(version, criterion, by_cell[version, criterion], prompt_of, resamples, seed)
        for version, criterion in sorted(by_cell, key=_order)
    )


def _order(cell: tuple[str, str]) -> tuple[str, int, str, int, str]:
    """By name and number of the version; the criteria that widgets offer first."""
    version, criterion = cell
    role, _, number = version.partition("@")
    place = CRITERIA.index(criterion) if criterion in CRITERIA else len(CRITERIA)
    return (role, int(number) if number.isdecimal() else 0, version, place, criterion)


def _rated(
    version: str,
    criterion: str,
    ratings: Mapping[str, list[int]],
    prompt_of: Mapping[str, str],
    resamples: int,
    seed: int,
) -> CriterionRating:
    rating = mean_between(
        numbered(prompt_of[response] for response in ratings),
        np.array([sum(of) / len(of) for of in ratings.values()]),
        LOWEST_RATING,
        HIGHEST_RATING,
        resamples=resamples,
        seed=seed,
    )
    assert rating is not None  # a cell has ratings
    return CriterionRating(
        version=version,
        criterion=criterion,
        rating=rating,
        ratings=sum(map(len, ratings.values())),
        responses=len(ratings),
    )
