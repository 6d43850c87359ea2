"""Win rate of one version against another on the same held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rlhf_lab.algorithms import bootstrap_mean
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.evaluation.decline import EarlierBest, decline_alarm
from rlhf_lab.evaluation.judges.batch import rank_many
from rlhf_lab.evaluation.reward_gain import preference_alarm
from rlhf_lab.store.showing import as_html, in_frame, text_cell
from rlhf_lab.types import Alarm, Annotator, Interval, Prompt, Ranking, Response

Verdict = Literal["better", "unclear", "worse"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One held-out prompt with both versions' responses; `outcome` is 1, 0.5 or 0 for `after`."""

    prompt: Prompt
    before: Response
    after: Response
    outcome: float


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """How a version compares with a baseline.

    Attributes:
        version: The one judged.
        baseline: What it is compared with.
        judge: Who compared.
        win_rate: Share of prompts won, ties counting one half, with its 95% interval over prompts.
        kl: Policy against reference on the version's own responses, k1, nats per response.
        length: Mean tokens per response of the version.
        baseline_length: Mean tokens per response of the baseline.
        ended: Share of the version's responses that ended by themselves.
        baseline_ended: The same for the baseline.
        samples: Every comparison, in the order of the prompts.
        reward: The reward version that the policy was trained with, else the present one; None
            without any.
        reward_gain: How much higher it scores the version's responses than the baseline's, in
            standard deviations of the start's scores, with its 95% interval over prompts.
        best: The ancestor that won most against the same baseline, by the same reward.
    """

    version: str
    baseline: str
    judge: str
    win_rate: Interval
    kl: float
    length: float
    baseline_length: float
    ended: float
    baseline_ended: float
    samples: tuple[Sample, ...]
    reward: str | None = None
    reward_gain: Interval | None = None
    best: EarlierBest | None = None

    @property
    def alarm(self) -> Alarm | None:
        """The reward speaks for the version, and preference does not, or less than it did."""
        if self.reward is None or self.reward_gain is None:
            return None
        return preference_alarm(
            self.version, self.baseline, self.reward, self.reward_gain, self.win_rate
        ) or (
            self.best
            and decline_alarm(self.version, self.reward, self.reward_gain, self.win_rate, self.best)
        )

    @property
    def verdict(self) -> Verdict:
        """Whether the whole interval of the win rate lies on one side of one half."""
        if self.win_rate.low > 0.5:
            return "better"
        return "unclear" if self.win_rate.high >= 0.5 else "worse"

    def __str__(self) -> str:
        """One line, and one for an alarm."""
        risen = f"{self.reward} {self.reward_gain} higher, " if self.reward_gain else ""
        told = f"\nAlarm: {self.alarm}" if self.alarm else ""
        return (
            f"{self.version} against {self.baseline}: win rate {self.win_rate} by {self.judge}, "
            f"{risen}KL {self.kl:.1f} nats per response, length {self.baseline_length:.0f} → "
            f"{self.length:.0f}, ended {self.baseline_ended:.0%} → {self.ended:.0%}{told}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cards = "".join(_card(s) for s in self.samples[:4])
        told = "<br>".join(map(as_html, str(self).split("\n")))
        return in_frame(f"<p>{told}</p><table style='width:100%'>{cards}</table>")


def _card(sample: Sample) -> str:
    cells = (sample.prompt.text, sample.before.text, sample.after.text)
    return f"<tr>{''.join(map(text_cell, cells))}</tr>"


def compare_versions(
    prompts: Sequence[Prompt],
    before: Sequence[Response],
    after: Sequence[Response],
    judge: Annotator,
    *,
    kl: float,
    seed: int = 0,
) -> EvalReport:
    """Let a judge compare two versions' responses, one of each per prompt.

    Args:
        prompts: Held-out prompts.
        before: The baseline's response to each prompt.
        after: The version's response to each prompt.
        judge: Ranks the two; they are shown in an order that says nothing of which is which.
        kl: As in `EvalReport`.
        seed: Of the bootstrap.

    Raises:
        NotEnoughData: no prompts.
        JudgmentError: the judge did not rank the two responses it was shown.
    """
    if not prompts:
        raise NotEnoughData(
            "0 held-out prompts: add some with split='heldout' (`lab.add_prompts`)."
        )
    # In an order that says nothing of which is which.
    pairs = [sorted(pair, key=lambda r: r.id) for pair in zip(before, after, strict=True)]
    rankings = rank_many(judge, list(zip(prompts, pairs, strict=True)))
    samples = [
        Sample(prompt=p, before=b, after=a, outcome=_outcome(ranking, b, a))
        for p, b, a, ranking in zip(prompts, before, after, rankings, strict=True)
    ]
    return EvalReport(
        version=after[0].version,
        baseline=before[0].version,
        judge=judge.name,
        win_rate=bootstrap_mean([[s.outcome] for s in samples], seed=seed),
        kl=kl,
        length=_mean([len(r.token_ids) for r in after]),
        baseline_length=_mean([len(r.token_ids) for r in before]),
        ended=_mean([r.end_reason == "stop" for r in after]),
        baseline_ended=_mean([r.end_reason == "stop" for r in before]),
        samples=tuple(samples),
    )


def _outcome(ranking: Ranking, before: Response, after: Response) -> float:
    ranks = ranking.ranks()
    return 0.5 + 0.5 * ((ranks[after.id] < ranks[before.id]) - (ranks[after.id] > ranks[before.id]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
