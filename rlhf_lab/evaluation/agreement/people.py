"""How each annotator works: with others, with themself, with known answers, and how fast."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from rlhf_lab.evaluation.agreement.report import AnnotatorReport, Pace
from rlhf_lab.evaluation.agreement.shares import Share, clustered_shares
from rlhf_lab.evaluation.agreement.tables import (
    AGAIN,
    ANSWER,
    FIRST,
    KNOWN,
    SECOND,
    TIED,
    WORK,
    Floats,
    Ints,
    Rankings,
    Ratings,
)

# Somebody who judges nothing for so long has a break.
BREAK_SECONDS: Final = 15 * 60
_DAY: Final = 24 * 3600
_NOBODY: Final = np.zeros(0, dtype=np.int64)


def annotator_reports(table: Rankings, researchers: Set[str]) -> tuple[AnnotatorReport, ...]:
    """One of everybody who ranked, in the order of names."""
    work = table.pairs(table.rows(WORK))
    people = len(table.names)
    shares = {
        "with_researchers": _with_researchers(table, work, researchers),
        "with_others": _with_others(work, people),
        "with_themself": _with_themself(work, table.pairs(table.rows(AGAIN)), people),
        "with_answers": _with_answers(table, people),
        "left": left_rates(table),
        "tied": _ties(table, people),
    }
    paces = _paces(table)
    ranked = np.bincount(table.who[table.who >= 0], minlength=people)
    reports = (
        AnnotatorReport(
            name=name,
            is_researcher=name in researchers,
            judgments=int(ranked[number]),
            skips=table.skips.get(name, 0),
            pace=paces[number],
            **{share: of[number] for share, of in shares.items()},
        )
        for number, name in enumerate(table.names)
    )
    return tuple(sorted(reports, key=lambda report: report.name))


def left_rates(table: Rankings) -> list[Share | None]:
    """By annotator, how often what was shown first is above what was shown last; ties left out.

    Nobody saw left and right in what has no duration: it was imported, or simulated.
    """
    seen = (table.who >= 0) & (table.lean != 0) & (table.seconds > 0)
    hits = table.lean[seen] > 0
    return clustered_shares(table.who[seen], table.prompt[seen], hits, len(table.names))


def left_rate(table: Rankings) -> Share | None:
    """The same of everybody together."""
    seen = (table.who >= 0) & (table.lean != 0) & (table.seconds > 0)
    hits = table.lean[seen] > 0
    return clustered_shares(np.zeros_like(table.who[seen]), table.prompt[seen], hits, 1)[0]


def self_consistency(table: Rankings) -> Share | None:
    """Of everybody: pairs put in the same order again, of those put in an order both times."""
    first, again = table.pairs(table.rows(WORK)), table.pairs(table.rows(AGAIN))
    clusters, same = _repeated(first, again)[1:]
    return clustered_shares(np.zeros_like(clusters), clusters, same, 1)[0]


def agreement_between(work: Ratings) -> Share | None:
    """Of all pairs that any two people both put in order, the share in the same order.

    A pair counts as often as there are two people who put it in order.
    """
    counts = work.counts()
    cluster = np.zeros(len(counts), dtype=np.int64)
    cluster[work.unit] = work.cluster
    first, second = counts[:, FIRST], counts[:, SECOND]
    same, both = _twos(first) + _twos(second), _twos(first + second)
    return clustered_shares(np.zeros_like(cluster), cluster, same, 1, both)[0]


def _with_researchers(table: Rankings, work: Ratings, researchers: Set[str]) -> list[Share | None]:
    """Pairs that both put in order, each as often as there are researchers who did."""
    ordered = work.where(work.value != TIED)
    raters, clusters, same = [_NOBODY], [_NOBODY], [_NOBODY]
    for number, name in enumerate(table.names):
        if name in researchers:
            theirs = ordered.rater == number
            said, wanted = _beside(ordered.where(~theirs), ordered.where(theirs))
            raters.append(said.rater)
            clusters.append(said.cluster)
            same.append((said.value == wanted).astype(np.int64))
    rater, cluster, hits = map(np.concatenate, (raters, clusters, same))
    return clustered_shares(rater, cluster, hits, len(table.names))


def _with_others(work: Ratings, people: int) -> list[Share | None]:
    """Pairs that both put in order, each as often as there are others who did."""
    ordered = work.where(work.value != TIED)
    counts = ordered.counts()
    like_them = counts[ordered.unit, ordered.value] - 1
    others = counts[ordered.unit].sum(axis=1) - 1
    return clustered_shares(ordered.rater, ordered.cluster, like_them, people, others)


def _with_themself(first: Ratings, again: Ratings, people: int) -> list[Share | None]:
    """Pairs that were put in order both times."""
    rater, cluster, same = _repeated(first, again)
    return clustered_shares(rater, cluster, same, people)


def _repeated(first: Ratings, again: Ratings) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Who, of which prompt, and whether it was the same, of each pair put in order both times."""
    one, other = (ratings.where(ratings.value != TIED) for ratings in (first, again))
    width = 1 + max(one.unit.max(initial=0), other.unit.max(initial=0))
    key, key_again = (ratings.rater * width + ratings.unit for ratings in (one, other))
    _, left, right = np.intersect1d(key, key_again, assume_unique=True, return_indices=True)
    return one.rater[left], one.cluster[left], one.value[left] == other.value[right]


def _with_answers(table: Rankings, people: int) -> list[Share | None]:
    """Pairs that both they and the known answer put in order."""
    known, answers = (table.pairs(table.rows(purpose)) for purpose in (KNOWN, ANSWER))
    said, wanted = _beside(known.where(known.value != TIED), answers.where(answers.value != TIED))
    return clustered_shares(said.rater, said.cluster, said.value == wanted, people)


def _ties(table: Rankings, people: int) -> list[Share | None]:
    """Pairs that they did not put in order."""
    pairs = table.pairs(np.flatnonzero(table.who >= 0))
    return clustered_shares(pairs.rater, pairs.cluster, pairs.value == TIED, people)


def _beside(ratings: Ratings, standard: Ratings) -> tuple[Ratings, Ints]:
    """Ratings of units that the standard rates, too, and its values for them."""
    values = np.full(1 + max(r.unit.max(initial=-1) for r in (ratings, standard)), -1)
    values[standard.unit] = standard.value
    wanted = values[ratings.unit]
    return ratings.where(wanted >= 0), wanted[wanted >= 0]


def _paces(table: Rankings) -> list[Pace]:
    """By annotator; what has no duration was imported or simulated, and is left out."""
    timed = np.flatnonzero((table.who >= 0) & (table.seconds > 0))
    timed = timed[np.lexsort((table.at[timed], table.who[timed]))]
    who = table.who[timed]
    bounds = np.searchsorted(who, np.arange(len(table.names) + 1))
    return [
        _pace(table.seconds[timed[start:end]], table.at[timed[start:end]])
        for start, end in pairwise(bounds)
    ]


def _pace(seconds: Floats, at: Floats) -> Pace:
    """Of one annotator's judgments in the order of time."""
    if not len(at):
        return Pace()
    since = np.diff(at, prepend=-np.inf)
    # After a break, and at the very first, what counts is the judgment itself.
    hours = float(np.where(since > BREAK_SECONDS, seconds, since).sum()) / 3600
    return Pace(
        seconds=float(np.median(seconds)),
        per_hour=len(at) / hours if hours else None,
        per_day=len(at) / len(np.unique(at // _DAY)),
        last=datetime.fromtimestamp(float(at[-1]), UTC),
    )


def _twos(people: Ints) -> Ints:
    """How many pairs of people there are among so many."""
    return people * (people - 1) // 2
