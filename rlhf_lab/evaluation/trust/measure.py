"""How often what pickers pick is what people picked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError, JudgmentError, NotEnoughData
from rlhf_lab.evaluation.agreement.coefficients import RESAMPLES
from rlhf_lab.evaluation.agreement.tables import Floats
from rlhf_lab.evaluation.trust.intervals import mean_interval, share_interval
from rlhf_lab.evaluation.trust.items import TrustItem
from rlhf_lab.evaluation.trust.pickers import BatchPicker, CoinPicker, LengthPicker, Picker, Scores
from rlhf_lab.evaluation.trust.report import Tallies, TrustReport, TrustRow
from rlhf_lab.types import Interval


class Picked(NamedTuple):
    """How one picker's order of an item compares with the person's.

    Attributes:
        right: Pairs that the person ordered and the picker put in the same order; one that the
            picker ties is half right.
        pairs: Pairs that the person ordered.
        best: Probability that its best candidate, drawn from those it ties for best, is in the
            person's best tier.
        tau: Kendall's tau-b; 0 for a picker that ties everything, which tells nothing.
    """

    right: float
    pairs: int
    best: float
    tau: float


def measure_trust(
    items: Sequence[TrustItem],
    pickers: Sequence[Picker | BatchPicker],
    *,
    notes: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: bool = True,
) -> TrustReport:
    """Compare what each picker picks with what people picked.

    Candidates of a prompt are scored once, however many people ranked them. Intervals are 95%
    percentile bootstrap intervals over prompts, since judgments of one prompt hang together.

    Args:
        items: What people picked; those that tie all their candidates say nothing and are left out.
        pickers: Metrics, judges, baselines. One that gives None for an item is measured on the
            others, and its row says on how many.
        notes: Sentences for the report, on what was left out before.
        resamples: Draws for each interval.
        seed: Of the draws.
        progress: Show bars for what takes more than a second.

    Raises:
        NotEnoughData: no item in which anything is above anything.
        ConfigError: no pickers, or two of one name.
        JudgmentError: a picker gave another number of scores than there are candidates, or NaN.
    """
    ordered = [item for item in items if item.has_order]
    if not ordered:
        raise NotEnoughData(
            f"{len(items)} judgments, and in none is one candidate above another: rank some items."
        )
    _check_names([picker.name for picker in pickers])
    numbers = {prompt: n for n, prompt in enumerate(dict.fromkeys(i.prompt.id for i in ordered))}
    cluster = np.array([numbers[item.prompt.id] for item in ordered])
    pairs = np.array([_ordered_pairs(item) for item in ordered], dtype=np.float64)
    rows, right = [], {}
    for picker in pickers:
        found = _picked(picker, ordered, progress)
        rows.append(_row(picker, found, cluster, resamples, seed))
        right[picker.name] = np.array([np.nan if one is None else one.right for one in found])
    return TrustReport(
        judgments=len(ordered),
        prompts=len(numbers),
        annotators=len({item.annotator for item in ordered}),
        rows=tuple(sorted(rows, key=_standing)),
        people=_people(ordered, resamples, seed),
        chance_best=float(np.mean([_chance(item) for item in ordered])),
        notes=tuple(notes),
        tallies=Tallies(cluster=cluster, pairs=pairs, right=right, resamples=resamples, seed=seed),
    )


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ConfigError("0 pickers: name a metric, a judge or a baseline.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"several pickers are called {twice}: give each a name of its own.")


def _standing(row: TrustRow) -> tuple[bool, float]:
    return row.pairs is None, -row.pairs.estimate if row.pairs else 0.0


def _row(
    picker: Picker | BatchPicker,
    found: Sequence[Picked | None],
    cluster: np.typing.NDArray[np.int64],
    resamples: int,
    seed: int,
) -> TrustRow:
    seen = [(prompt, one) for prompt, one in zip(cluster, found, strict=True) if one]
    prompts = np.array([prompt for prompt, _ in seen], dtype=np.int64)
    columns = np.array([one for _, one in seen], dtype=np.float64).reshape(-1, len(Picked._fields))
    right, pairs, best, tau = columns.T
    ones = np.ones(len(seen))
    return TrustRow(
        name=picker.name,
        is_baseline=isinstance(picker, LengthPicker | CoinPicker),
        judgments=len(seen),
        ordered_pairs=int(pairs.sum()),
        pairs=share_interval(prompts, right, pairs, resamples=resamples, seed=seed),
        best=share_interval(prompts, best, ones, resamples=resamples, seed=seed),
        tau=mean_interval(prompts, tau, ones, resamples=resamples, seed=seed),
    )


def _picked(
    picker: Picker | BatchPicker, items: Sequence[TrustItem], progress: bool
) -> list[Picked | None]:
    """Several people's rankings of the same candidates share their scores."""
    keys = [
        (item.prompt.id, frozenset(c.id for c in item.candidates), item.references)
        for item in items
    ]
    distinct: dict[object, TrustItem] = {}
    for key, item in zip(keys, items, strict=True):
        distinct.setdefault(key, item)
    scored = dict(zip(distinct, _scores(picker, list(distinct.values()), progress), strict=True))
    found: list[Picked | None] = []
    for key, item in zip(keys, items, strict=True):
        scores = scored[key]
        if scores is None:
            found.append(None)
            continue
        by_id = dict(zip((c.id for c in distinct[key].candidates), scores, strict=True))
        found.append(compare(item, [by_id[c.id] for c in item.candidates]))
    return found


def _scores(
    picker: Picker | BatchPicker, items: Sequence[TrustItem], progress: bool
) -> Iterator[Scores | None]:
    given: Sequence[Scores | None]
    if isinstance(picker, BatchPicker):
        given = picker.score_all(items, progress=progress)
    else:
        bar = tqdm(items, desc=picker.name, disable=not progress, leave=False, delay=1)
        given = [picker.scores(item) for item in bar]
    for item, scores in zip(items, given, strict=True):
        if scores is not None and (
            len(scores) != len(item.candidates) or any(score != score for score in scores)
        ):
            raise JudgmentError(
                f"{picker.name!r} gave {list(scores)} for {len(item.candidates)} candidates of "
                f"prompt {item.prompt.id}: one number per candidate, none of them NaN; None where "
                "it cannot judge."
            )
        yield scores


def compare(item: TrustItem, scores: Scores) -> Picked:
    """Hold one picker's scores against the person's order, which must have one."""
    ranks = item.ranking.ranks()
    theirs = -np.array([ranks[one.id] for one in item.candidates], dtype=np.float64)
    ours = np.array(scores, dtype=np.float64)
    first, second = np.triu_indices(len(ours), 1)
    person = np.sign(theirs[first] - theirs[second])
    picker = _order(ours[first], ours[second])
    ordered, told = np.abs(person).sum(), np.abs(picker).sum()
    agreed = float((person * picker).sum())  # concordant less discordant pairs
    top = ours == ours.max()
    return Picked(
        right=(float(ordered) + agreed) / 2,
        pairs=int(ordered),
        best=float((theirs[top] == theirs.max()).mean()),
        tau=agreed / float(np.sqrt(ordered * told)) if told else 0.0,
    )


def _order(first: Floats, second: Floats) -> Floats:
    """1 where the first is higher; infinite scores may be equal, too."""
    return (first > second).astype(np.float64) - (first < second)


def _ordered_pairs(item: TrustItem) -> int:
    sizes = [len(tier) for tier in item.ranking.tiers]
    return sum(a * b for a, b in combinations(sizes, 2))


def _chance(item: TrustItem) -> float:
    """How often any candidate is in the person's best tier."""
    return len(item.ranking.tiers[0]) / len(item.candidates)


def _people(items: Sequence[TrustItem], resamples: int, seed: int) -> Interval | None:
    """How often two people who both put two candidates in an order put them in the same one."""
    said: dict[tuple[str, str, str], dict[str, int]] = {}
    for item in items:
        ranks = item.ranking.ranks()
        for one, other in combinations(sorted(ranks), 2):
            if ranks[one] != ranks[other]:
                order = said.setdefault((item.prompt.id, one, other), {})
                order[item.annotator] = 1 if ranks[one] < ranks[other] else -1
    numbers = {prompt: n for n, prompt in enumerate(dict.fromkeys(prompt for prompt, _, _ in said))}
    rows = []
    for (prompt, _, _), orders in said.items():
        above = sum(order > 0 for order in orders.values())
        below = len(orders) - above
        same = (above * (above - 1) + below * (below - 1)) / 2
        rows.append((numbers[prompt], same, len(orders) * (len(orders) - 1) / 2))
    cluster, same_order, both = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    shared = both > 0
    return share_interval(
        cluster[shared].astype(np.int64),
        same_order[shared],
        both[shared],
        resamples=resamples,
        seed=seed,
    )
