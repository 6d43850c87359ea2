"""Win rates compared with one another, and freed of what length alone wins.

Two versions that were judged on the same prompts against the same baseline share the luck of the
prompts: their difference is known much better than the two intervals suggest. And judges, people
among them, tend to like the longer answer: how much of a win rate is that?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.agreement.coefficients import draws
from rlhf_lab.evaluation.agreement.tables import Floats
from rlhf_lab.store.showing import as_html, in_frame
from rlhf_lab.types import Interval, wilson_interval

if TYPE_CHECKING:
    from rlhf_lab.evaluation.win_rate import EvalReport

RESAMPLES: Final = 2_000
# Of the normal prior of the effect of length, in logits. Without one the effect is infinite where
# the longer answer always wins; this one takes 7 logits, wins of 1,000 to 1, for the end of what
# is plausible. The intercept, which is what is wanted, has none.
PRIOR_DEVIATION: Final = 2.5
_NEWTON_STEPS, _CLOSE_ENOUGH = 60, 1e-12


@dataclass(frozen=True, kw_only=True)
class WinRateDifference:
    """Two versions against the same baseline, on the same prompts.

    Attributes:
        first: Name of one version.
        second: Name of the other.
        baseline: What both were compared with.
        first_rate: Win rate of the first on the shared prompts.
        second_rate: Of the second.
        difference: The first one's less the second one's, with its 95% paired bootstrap interval.
    """

    first: str
    second: str
    baseline: str
    first_rate: float
    second_rate: float
    difference: Interval

    @property
    def verdict(self) -> Literal["better", "unclear", "worse"]:
        """Whether the whole interval lies on one side of 0, as the first one is called."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "unclear"

    def __str__(self) -> str:
        """One line."""
        told = {
            "better": f"{self.first} wins more often",
            "worse": f"{self.first} wins less often",
            "unclear": "which of them wins more often is not told yet",
        }
        return (
            f"{self.first} {self.first_rate:.2f} and {self.second} {self.second_rate:.2f} against "
            f"{self.baseline}: difference {signed(self.difference)}, {told[self.verdict]}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_frame(f"<p>{as_html(str(self))}</p>")


@dataclass(frozen=True, kw_only=True)
class LengthControlled:
    """A win rate without what length alone wins.

    Attributes:
        win_rate: As it would be with answers as long as the baseline's, with its 95% interval.
        raw: As it is.
        effect: Of length, in logits: above 0 where the longer answer wins more often.
        longer: Share of prompts on which the version's answer is longer than the baseline's; of
            equally long ones a half.
    """

    win_rate: Interval
    raw: Interval
    effect: Interval
    longer: float

    @property
    def is_extrapolated(self) -> bool:
        """Whether nearly all answers are longer, or nearly all shorter.

        The rate at equal length is then not seen but drawn out from where answers are.
        """
        return not 0.05 <= self.longer <= 0.95

    def __str__(self) -> str:
        """One or two lines."""
        told = (
            f"length-controlled win rate {self.win_rate}, raw {short(self.raw)}; the version's "
            f"answer is the longer one on {self.longer:.0%} of prompts, effect of length "
            f"{signed(self.effect)} logits"
        )
        if not self.is_extrapolated:
            return told
        side = "longer" if self.longer > 0.5 else "shorter"
        return (
            f"{told}\nNearly all answers are {side} than the baseline's: what equal lengths would "
            "win is a guess of the model. Read some pairs of about equal length."
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_frame(*(f"<p>{as_html(line)}</p>" for line in str(self).split("\n")))


def paired_difference(
    first: Sequence[float], second: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Mean of the first less that of the second, with a 95% bootstrap interval over prompts.

    A prompt is drawn with both of its outcomes, so what made it easy or hard for both cancels.

    Args:
        first: Outcome on each prompt, from 0 to 1.
        second: Of the other version on the same prompts, in the same order.
        resamples: Draws of prompts.
        seed: Of the draws.

    Raises:
        NotEnoughData: no prompts.
        ConfigError: different numbers of outcomes, or one that is not from 0 to 1.

    Source: Efron and Tibshirani (1993), "An Introduction to the Bootstrap", chapter 8.
    """
    apart = _outcomes(first) - _outcomes(second, len(first))
    estimate = float(apart.mean())
    if float(np.ptp(apart)) < 1e-12:
        return _alike(estimate, len(apart))
    drawn = np.concatenate([times @ apart for times in draws(len(apart), resamples, seed)])
    return _percentiles(estimate, drawn / len(apart), len(apart))


def compare_win_rates(
    first: EvalReport, second: EvalReport, *, resamples: int = RESAMPLES, seed: int = 0
) -> WinRateDifference:
    """How much more often one version wins than another, on the prompts that both were judged on.

    Args:
        first: `lab.evaluate()` of one version.
        second: Of another, against the same baseline and by the same judge.
        resamples: Draws of prompts.
        seed: Of the draws.

    Raises:
        ConfigError: other baselines or judges: these win rates have no common scale.
        NotEnoughData: no prompt in common.
    """
    for what in ("baseline", "judge"):
        one, other = getattr(first, what), getattr(second, what)
        if one != other:
            raise ConfigError(
                f"{what} {one!r} and {other!r}: win rates compare only if the {what} is the same. "
                "Evaluate one of the two again."
            )
    wins, others = ({s.prompt.id: s.outcome for s in r.samples} for r in (first, second))
    shared = [prompt for prompt in wins if prompt in others]
    ours, theirs = [wins[prompt] for prompt in shared], [others[prompt] for prompt in shared]
    difference = paired_difference(ours, theirs, resamples=resamples, seed=seed)
    return WinRateDifference(
        first=first.version,
        second=second.version,
        baseline=first.baseline,
        first_rate=sum(ours) / len(ours),
        second_rate=sum(theirs) / len(theirs),
        difference=difference,
    )


def length_controlled_win_rate(
    report: EvalReport, *, resamples: int = RESAMPLES, seed: int = 0
) -> LengthControlled:
    """`length_controlled` of what `lab.evaluate()` found; lengths are in characters."""
    return length_controlled(
        [s.outcome for s in report.samples],
        [len(s.after.text) for s in report.samples],
        [len(s.before.text) for s in report.samples],
        resamples=resamples,
        seed=seed,
    )


def length_controlled(
    outcomes: Sequence[float],
    lengths: Sequence[float],
    baseline_lengths: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> LengthControlled:
    """The win rate that a logistic model predicts for answers as long as the baseline's.

    The logit of winning is `a + b * tanh(d / s)`: d is how much longer the version's answer is, s
    the root mean square distance of d from its mean over all prompts. At d = 0 the rate is
    sigmoid(a). A tie counts one half. b has a normal prior of mean 0 and deviation 2.5, a has
    none: with equal lengths throughout the rate is the raw one exactly.

    AlpacaEval fits many models at once and gives every instruction a difficulty of its own; with
    one version and one baseline there is nothing to tell that from luck, so it is left out.

    Args:
        outcomes: 1 for a win, 0.5 for a tie, 0 for a loss, by prompt.
        lengths: Of the version's answers, in any unit.
        baseline_lengths: Of the baseline's answers.
        resamples: Draws of prompts for the intervals; s stays as it is.
        seed: Of the draws.

    Raises:
        NotEnoughData: no prompts.
        ConfigError: different numbers of values, or an outcome that is not from 0 to 1.

    Source: Dubois et al. (2024), "Length-Controlled AlpacaEval: A Simple Way to Debias Automatic
    Evaluators", equation 2; the prior after Gelman et al. (2008), "A Weakly Informative Default
    Prior Distribution for Logistic and Other Regression Models".
    """
    won = _outcomes(outcomes)
    longer = np.asarray(lengths, np.float64) - np.asarray(baseline_lengths, np.float64)
    if len(longer) != len(won):
        raise ConfigError(f"{len(won)} outcomes and {len(longer)} lengths: one each per prompt.")
    scale = float(longer.std())
    # Always as much longer: there is no scale, and length explains nothing.
    x = np.tanh(longer / scale) if scale else np.zeros(len(won))
    intercept, effect = _fit(x, won, np.ones((1, len(won))))
    parts = [_fit(x, won, times) for times in draws(len(won), resamples, seed)]
    intercepts, effects = (np.concatenate(column) for column in zip(*parts, strict=True))
    rates = np.concatenate([times @ won for times in draws(len(won), resamples, seed)]) / len(won)
    return LengthControlled(
        win_rate=_rate(_sigmoid(intercept)[0], _sigmoid(intercepts), len(won)),
        raw=_rate(won.mean(), rates, len(won)),
        effect=_percentiles(float(effect[0]), effects, len(won)),
        longer=float((longer > 0).mean() + (longer == 0).mean() / 2),
    )


def _fit(x: Floats, won: Floats, times: Floats) -> tuple[Floats, Floats]:
    """Intercept and effect by draw, of how often each prompt is drawn, shape (draws, prompts).

    Newton's method on the concave log posterior, all draws at once; a step that would go too far
    is cut. Where all is won or all lost, the intercept is infinite.
    """
    total, wins = times.sum(axis=1), times @ won
    mixed = (wins > 0) & (wins < total)
    intercept = np.where(wins > 0, np.inf, -np.inf)
    effect = np.zeros(len(times))
    if mixed.any():
        intercept[mixed], effect[mixed] = _newton(x, won, times[mixed])
    return intercept, effect


def _newton(x: Floats, won: Floats, times: Floats) -> tuple[Floats, Floats]:
    share = (times @ won) / times.sum(axis=1)
    a, b = np.log(share / (1 - share)), np.zeros(len(times))
    prior = 1 / PRIOR_DEVIATION**2
    for _ in range(_NEWTON_STEPS):
        chance = _sigmoid(a[:, None] + b[:, None] * x)
        missed, weight = times * (won - chance), times * chance * (1 - chance)
        slope_a, slope_b = missed.sum(axis=1), missed @ x - prior * b
        aa, ab, bb = weight.sum(axis=1) + 1e-12, weight @ x, weight @ x**2 + prior
        determinant = aa * bb - ab**2
        step_a = (bb * slope_a - ab * slope_b) / determinant
        step_b = (aa * slope_b - ab * slope_a) / determinant
        a, b = a + np.clip(step_a, -2, 2), b + np.clip(step_b, -2, 2)
        if max(np.abs(step_a).max(), np.abs(step_b).max()) < _CLOSE_ENOUGH:
            break
    return a, b


def _sigmoid(logits: Floats) -> Floats:
    # Of both signs without overflow.
    return 0.5 + 0.5 * np.tanh(logits / 2)


def _outcomes(values: Sequence[float], wanted: int | None = None) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if wanted is not None and len(found) != wanted:
        raise ConfigError(f"{wanted} and {len(found)} outcomes: one of each version per prompt.")
    if not len(found):
        raise NotEnoughData(
            "0 prompts in common: evaluate on the same held-out prompts (`lab.evaluate`)."
        )
    if not bool(((found >= 0) & (found <= 1)).all()):
        raise ConfigError(
            f"outcomes from {found.min()} to {found.max()}: a win is 1, a tie 0.5, a loss 0."
        )
    return found


def _rate(estimate: float, drawn: Floats, n: int) -> Interval:
    """With Wilson's interval where no draw differs from another."""
    if float(np.ptp(drawn)) < 1e-12:
        return wilson_interval(float(estimate), n)
    return _percentiles(float(estimate), drawn, n)


def _percentiles(estimate: float, drawn: Floats, n: int) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Interval(estimate=estimate, low=low, high=high, n=n)


def _alike(difference: float, n: int) -> Interval:
    """Where all prompts differ by the same, resampling cannot show how it might be otherwise.

    As many of them as Wilson's interval allows could be as far away as outcomes can be.
    """
    others = 1 - wilson_interval(1.0, n).low
    return Interval(
        estimate=difference,
        low=difference - others * (1 + difference),
        high=difference + others * (1 - difference),
        n=n,
    )


def short(value: Interval) -> str:
    """Without the number of prompts."""
    return f"{value.estimate:.2f} [{value.low:.2f}, {value.high:.2f}]"


def signed(value: Interval) -> str:
    """With its sign, as in "+0.12 [-0.03, +0.27] (n=40)"."""
    return f"{value.estimate:+.2f} [{value.low:+.2f}, {value.high:+.2f}] (n={value.n})"
