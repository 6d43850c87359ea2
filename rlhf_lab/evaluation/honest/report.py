"""All that an evaluation must say of a version, in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.honest.criteria import CriterionRating, criteria_ratings
from rlhf_lab.evaluation.honest.lengths import RewardLength, reward_length_correlation
from rlhf_lab.evaluation.honest.overoptimisation import OverOptimisation
from rlhf_lab.evaluation.honest.overoptimisation_plot import curve_svg
from rlhf_lab.evaluation.honest.refusals import Refusals, refusal_rates
from rlhf_lab.evaluation.honest.tags import TagFigures, figures_by_tag
from rlhf_lab.evaluation.honest.texts import TextFigures, describe_texts
from rlhf_lab.evaluation.honest.win_rates import LengthControlled, length_controlled_win_rate
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.showing import as_html, counted, head_cell, in_frame, printable, text_cell
from rlhf_lab.types import CRITERIA, Interval, Judgment, Prompt, Response

if TYPE_CHECKING:
    from rlhf_lab.algorithms.calibration import Calibration
    from rlhf_lab.evaluation.win_rate import EvalReport

RESAMPLES: Final = 1_000
_UNKNOWN: Final = "–"
_WITHIN, _OVER_ALL = "Spearman's, within a prompt", "Spearman's, over all answers"


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
        name: What was measured.
        value: None where it was not.
        interval: 95% over prompts; None for what has none.
        note: How to read it.
        is_share: Whether it is written in percent.
    """

    name: str
    value: float | None
    interval: Interval | None
    note: str
    is_share: bool

    @property
    def told(self) -> str:
        """As in "12% [8%, 17%]"."""
        if self.value is None:
            return _UNKNOWN
        values = [self.value]
        if self.interval is not None:
            values += [self.interval.low, self.interval.high]
        estimate, *ends = [f"{v:.0%}" if self.is_share else f"{v:.2f}" for v in values]
        return f"{estimate} [{', '.join(ends)}]" if ends else estimate


@dataclass(frozen=True, kw_only=True)
class HonestReport:
    """What a version's answers are like beside how often they win. Intervals are over prompts.

    Attributes:
        version: Who wrote the answers.
        texts: Length, ends and variety.
        refusals: Where it should decline, and where it should not.
        criteria: What people rated this version's answers, by criterion; empty without any.
        tags: The same figures by the tags of prompts.
        win_rate: Against `baseline`; None if it was not compared.
        baseline: What it was compared with.
        controlled: The win rate without what length alone wins.
        reward_length: How reward goes with length; None without scores.
        calibration: Whether the reward model is as sure as it is right; None if not given.
        curve: Proxy and gold along the versions before it; None if not given.
    """

    version: str
    texts: TextFigures
    refusals: Refusals
    criteria: tuple[CriterionRating, ...]
    tags: tuple[TagFigures, ...] = field(repr=False)
    win_rate: Interval | None = None
    baseline: str | None = None
    controlled: LengthControlled | None = None
    reward_length: RewardLength | None = None
    calibration: Calibration | None = None
    curve: OverOptimisation | None = None

    def figures(self) -> tuple[Figure, ...]:
        """Every line of the table; those that were not measured have no value.

        Every report has the same lines in the same order, and then criteria of one's own.
        """
        return tuple(self._figures())

    def _figures(self) -> Iterator[Figure]:
        controlled = self.controlled.win_rate if self.controlled else None
        against = f"against {self.baseline}" if self.baseline else "against a baseline"
        yield _share("win rate", self.win_rate, against)
        yield _share("length-controlled", controlled, "with answers as long as the baseline's")
        yield from self._rated()
        yield _share("declines, asked to", self.refusals.asked, "of what it should; more is better")
        yield _share("declines, not asked to", self.refusals.others, "of the rest; less is better")
        yield _share("truncated", self.texts.truncated, "cut off at the longest length allowed")
        yield _share("empty", self.texts.empty, "nothing to read")
        yield _mean("words", self.texts.words, "per answer")
        yield _mean("tokens", self.texts.tokens, "per answer, end token included")
        for n, value in enumerate(self.texts.distinct, start=1):
            yield Figure(f"distinct-{n}", value, None, "falls with the amount of text", True)
        yield self._length_preferred()
        error = self.calibration.error if self.calibration else None
        yield Figure("calibration error", error, None, "of the reward model's certainty", False)

    def _length_preferred(self) -> Figure:
        """Within a prompt if any has several answers, for this is what training sees."""
        found = self.reward_length
        if found is None:
            return _mean("reward with length", None, _WITHIN)
        if found.within.spearman is None:
            return _mean("reward with length", found.overall.spearman, _OVER_ALL)
        return _mean("reward with length", found.within.spearman, _WITHIN)

    def _rated(self) -> Iterator[Figure]:
        """Each criterion by itself: what is harmless may be of no help."""
        found = {rating.criterion: rating for rating in self.criteria}
        for criterion in dict.fromkeys((*CRITERIA, *found)):
            rating = found.get(criterion)
            note = f"1 to 5, {counted(rating.ratings, 'ratings')}" if rating else "1 to 5"
            yield _mean(criterion, rating.rating if rating else None, note)

    @property
    def meaning(self) -> str:
        """What to look at, a line each."""
        return "\n".join(self._meaning())

    def _meaning(self) -> Iterator[str]:
        found = self.controlled
        if found is not None and found.raw.low > 0.5 and found.win_rate.low <= 0.5:
            yield (
                "At equal length it is not seen to win: part of the win rate is how long its "
                "answers are."
            )
        elif found is not None and found.raw.low <= 0.5 < found.win_rate.low:
            yield "At equal length it wins: how long its answers are hides it."
        yield self.refusals.meaning
        if self.texts.truncated.estimate > 0.1:
            yield (
                f"{self.texts.truncated.estimate:.0%} of the answers are cut off: allow more "
                "tokens (max_new_tokens), or judge those that ended apart."
            )
        if self.reward_length is not None:
            yield self.reward_length.meaning
        if self.curve is not None:
            yield self.curve.meaning

    def __str__(self) -> str:
        """The table, and what to look at."""
        return "\n".join([str(honest_table([self])), "", *self._meaning()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        told = "".join(f"<li>{as_html(line)}</li>" for line in self._meaning())
        return in_frame(
            f"<p>{as_html(self._head())}</p>",
            honest_table([self]).as_table(notes=True),
            _tag_table(self.tags),
            f"<ul>{told}</ul>" if told else "",
            curve_svg(self.curve) if self.curve else "",
        )

    def _head(self) -> str:
        return (
            f"{self.version}: {counted(self.texts.responses, 'answers')} to "
            f"{counted(self.texts.prompts, 'prompts')}, 95% intervals over prompts"
        )


@dataclass(frozen=True, kw_only=True)
class HonestTable:
    """Figures of several versions side by side.

    Attributes:
        versions: A column each.
        rows: Of each figure, its name, its note, and what is written in each column.
    """

    versions: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        """A line for each figure."""
        lines = [("", *self.versions), *((name, *cells) for name, _, cells in self.rows)]
        lines = [tuple(printable(cell, 40) for cell in line) for line in lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_frame(self.as_table())

    def as_table(self, *, notes: bool = False) -> str:
        """As HTML.

        Args:
            notes: With a column that says how to read each figure.
        """
        titles = ("", *self.versions, *(("how to read it",) if notes else ()))
        heads = "".join(head_cell(title, "col") for title in titles)
        body = "".join(
            f"<tr>{head_cell(name, 'row')}{''.join(text_cell(cell, 40) for cell in cells)}"
            f"{text_cell(note) if notes else ''}</tr>"
            for name, note, cells in self.rows
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def honest_table(reports: Sequence[HonestReport]) -> HonestTable:
    """Several versions side by side; a figure that none of them has is left out.

    Raises:
        NotEnoughData: no reports.
    """
    if not reports:
        raise NotEnoughData("0 reports: describe at least one version.")
    by_name = [{figure.name: figure for figure in report.figures()} for report in reports]
    names = dict.fromkeys(name for figures in by_name for name in figures)
    rows = []
    for name in names:
        found = [figures.get(name) for figures in by_name]
        known = [figure for figure in found if figure is not None and figure.value is not None]
        if known:
            cells = tuple(figure.told if figure else _UNKNOWN for figure in found)
            rows.append((name, known[0].note, cells))
    return HonestTable(versions=tuple(report.version for report in reports), rows=tuple(rows))


def describe_responses(
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    *,
    scores: Mapping[str, float] | None = None,
    judgments: Sequence[Judgment] = (),
    evaluation: EvalReport | None = None,
    calibration: Calibration | None = None,
    curve: OverOptimisation | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> HonestReport:
    """All figures of one version's responses.

    Args:
        prompts: Of each response, in the same order.
        responses: Of one version.
        scores: The reward of responses by id, where it is known.
        judgments: With ratings of these responses; others do not matter.
        evaluation: `lab.evaluate()` of this version.
        calibration: Of the reward model, as from `pairwise_calibration`.
        curve: As from `over_optimisation`.
        resamples: Draws of prompts for the intervals.
        seed: Of the draws.

    Raises:
        NotEnoughData: no responses.
        ConfigError: prompts that are not those of the responses, responses of several versions, or
            an evaluation of another one.
        NonFiniteError: scores that are NaN or infinite.
    """
    version = _the_version(prompts, responses, evaluation)
    outcomes = {s.prompt.id: s.outcome for s in evaluation.samples} if evaluation else {}
    return HonestReport(
        version=version,
        texts=describe_texts(responses, resamples=resamples, seed=seed),
        refusals=refusal_rates(prompts, responses, resamples=resamples, seed=seed),
        criteria=criteria_ratings(
            judgments, {r.id: version for r in responses}, resamples=resamples, seed=seed
        ),
        tags=figures_by_tag(prompts, responses, outcomes, resamples=resamples, seed=seed),
        win_rate=evaluation.win_rate if evaluation else None,
        baseline=evaluation.baseline if evaluation else None,
        controlled=length_controlled_win_rate(evaluation, resamples=resamples, seed=seed)
        if evaluation
        else None,
        reward_length=_reward_length(responses, scores or {}, resamples, seed),
        calibration=calibration,
        curve=curve,
    )


def describe_version(
    store: PreferenceStore,
    version: str,
    *,
    scores: Mapping[str, float] | None = None,
    evaluation: EvalReport | None = None,
    calibration: Calibration | None = None,
    curve: OverOptimisation | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> HonestReport:
    """`describe_responses` of all that a version answered in a lab.

    Texts, refusals and tags are of its answers for evaluation, on prompts it did not learn from,
    if there are any; ratings of whatever people rated.

    Args:
        store: The lab's.
        version: A policy, or `import:SOURCE`.
        scores: As for `describe_responses`.
        evaluation: As there.
        calibration: As there.
        curve: As there, such as from `stored_curve`.
        resamples: As there.
        seed: As there.

    Raises:
        NotEnoughData: it answered nothing.
    """
    written = store.responses(version=version)
    responses = [r for r in written if r.purpose == "evaluation"] or written
    asked = {prompt.id: prompt for prompt in store.prompts()}
    judgments = store.judgments()
    found = describe_responses(
        [asked[r.prompt_id] for r in responses],
        responses,
        scores=scores,
        evaluation=evaluation,
        calibration=calibration,
        curve=curve,
        resamples=resamples,
        seed=seed,
    )
    rated = criteria_ratings(
        judgments, {r.id: version for r in written}, resamples=resamples, seed=seed
    )
    return replace(found, criteria=rated)


def _the_version(
    prompts: Sequence[Prompt], responses: Sequence[Response], evaluation: EvalReport | None
) -> str:
    if not responses:
        raise NotEnoughData("0 responses to describe: generate or evaluate first.")
    if [p.id for p in prompts] != [r.prompt_id for r in responses]:
        raise ConfigError(
            f"{len(prompts)} prompts are not those of the {len(responses)} responses: give the "
            "prompt of each response, in the same order."
        )
    versions = sorted({r.version for r in responses})
    if len(versions) > 1:
        raise ConfigError(f"responses of {', '.join(versions)}: describe one version at a time.")
    if evaluation is not None and evaluation.version != versions[0]:
        raise ConfigError(
            f"an evaluation of {evaluation.version} with responses of {versions[0]}: give that of "
            "the same version."
        )
    return versions[0]


def _reward_length(
    responses: Sequence[Response], scores: Mapping[str, float], resamples: int, seed: int
) -> RewardLength | None:
    """In tokens where they are known, else in characters."""
    scored = [r for r in responses if r.id in scores]
    if len(scored) < 2:
        return None
    in_tokens = all(r.token_ids for r in scored)
    return reward_length_correlation(
        [scores[r.id] for r in scored],
        [len(r.token_ids) if in_tokens else len(r.text) for r in scored],
        [r.prompt_id for r in scored],
        resamples=resamples,
        seed=seed,
    )


def _share(name: str, value: Interval | None, note: str) -> Figure:
    return _mean(name, value, note)._replace(is_share=True)


def _mean(name: str, value: Interval | None, note: str) -> Figure:
    return Figure(name, value.estimate if value else None, value, note, is_share=False)


def _tag_table(tags: Sequence[TagFigures]) -> str:
    heads = "".join(
        head_cell(title, "col") for title in ("tag", "prompts", "win rate", "declined", "truncated")
    )
    rows = []
    for one in tags:
        shares = (one.win_rate, one.declined, one.truncated)
        told = "".join(text_cell(_share("", share, "").told) for share in shares)
        rows.append(f"<tr>{text_cell(one.tag, 40)}{text_cell(f'{one.prompts:,}')}{told}</tr>")
    body = "".join(rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
