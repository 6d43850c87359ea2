"""Everything the page shows, found and worded; nothing in here is looked up again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rlhf_lab.evaluation.report.pages import Style
from rlhf_lab.evaluation.report.pictures import Chart, TreeRow
from rlhf_lab.types import Interval, Prompt, Response, VersionRecord

if TYPE_CHECKING:
    from rlhf_lab.evaluation.agreement import AgreementReport, AnnotatorReport
    from rlhf_lab.evaluation.honest import CriterionRating, LengthControlled, RewardLength
    from rlhf_lab.evaluation.trust import TrustReport

Verdict = Literal["better", "unclear", "worse"]
OutcomeName = Literal["won", "tied", "lost"]


def verdict_of(rate: Interval) -> Verdict:
    """Whether the whole interval of a win rate lies on one side of one half."""
    if rate.low > 0.5:
        return "better"
    return "worse" if rate.high < 0.5 else "unclear"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two versions' answers to one prompt, and what somebody said of them.

    Attributes:
        before: The baseline's.
        after: The present policy's.
        outcome: From 0 (lost) to 1 (won) for `after`; a mean where several said something.
    """

    prompt: Prompt
    before: Response
    after: Response
    outcome: float

    @property
    def name(self) -> OutcomeName:
        """In a word."""
        return "won" if self.outcome > 0.5 else "lost" if self.outcome < 0.5 else "tied"


@dataclass(frozen=True, kw_only=True)
class Win:
    """Whether the present policy is preferred to its baseline, by one judge or by people.

    Attributes:
        by: Who, as a reader understands it.
        is_people: Whether people said so.
        rate: Ties counting one half.
        controlled: The same at equal length; None where single outcomes are not known.
        note: What has to be known of it; "" for nothing.
    """

    by: str
    is_people: bool
    rate: Interval
    controlled: LengthControlled | None
    note: str
    pairs: tuple[Pair, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """As `verdict_of` the rate."""
        return verdict_of(self.rate)


@dataclass(frozen=True, kw_only=True)
class Card:
    """One sample that is shown, with the reward of both answers where it is known."""

    number: int
    pair: Pair
    before: float | None
    after: float | None


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """How many samples ended in one way, and those of them that are shown."""

    name: OutcomeName
    count: int
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """A few answers side by side.

    Attributes:
        by: Whose outcomes these are.
        system: The system message that all prompts share; "" for none.
        reward: The version that scored them; "" if none did.
    """

    outcomes: tuple[Outcomes, ...]
    total: int
    by: str
    system: str
    reward: str

    @property
    def shown(self) -> int:
        """How many cards."""
        return sum(len(one.cards) for one in self.outcomes)


@dataclass(frozen=True, kw_only=True)
class TreeLine:
    """A version in the picture of the tree.

    Attributes:
        row: Where it stands.
        record: What is known of it.
        how: How it was made, in a few words.
        win: Its win rate against the start that the page measures from, if that was found.
        figures: What else to show, as in "KL 3.2".
    """

    row: TreeRow
    record: VersionRecord
    how: str
    win: Interval | None
    figures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure before and after.

    Attributes:
        note: What it is.
        style: How its values are written.
        interval_before: Is written instead of the value where it is known.
    """

    name: str
    note: str
    style: Style
    before: float | None
    after: float | None
    interval_before: Interval | None = None
    interval_after: Interval | None = None

    @property
    def change(self) -> str:
        """With its sign; of shares in percentage points."""
        if self.before is None or self.after is None:
            return "–"
        change = self.after - self.before
        if self.style == "share":
            return f"{round(100 * change) + 0:+d} points".replace("-", "−").replace("+0", "0")
        digits = {"one": 1, "whole": 0}.get(self.style, 2)
        told = f"{round(change, digits) + 0.0:+.{digits}f}"
        return told.replace("-", "−") if float(told) else told.lstrip("+")


@dataclass(frozen=True, kw_only=True)
class RewardAccuracy:
    """How often one reward version puts pairs in the order of people."""

    version: str
    heldout: Interval | None
    prequential: Interval | None


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """How far judges can be trusted.

    Attributes:
        agreement: None where nobody ranked anything.
        names: How annotators are called here.
        annotators: In the order of what they are called.
        coefficients: What agreement is called, its value, and from where on it is good.
        rewards: Of every reward version.
        calibration: Of the latest one.
        metrics: Metrics against people; None where it could not be measured.
        meaning: Of that, a sentence each.
        why_no_metrics: Why it could not.
    """

    agreement: AgreementReport | None
    names: Mapping[str, str]
    annotators: tuple[AnnotatorReport, ...]
    coefficients: tuple[tuple[str, str, Interval | None], ...]
    rewards: tuple[RewardAccuracy, ...]
    calibration: Chart | None
    metrics: TrustReport | None
    meaning: tuple[str, ...]
    why_no_metrics: str


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What else changed.

    Attributes:
        length: Lengths before and after; None without stored answers of both.
        rows: Figures before and after.
        criteria: Ratings by version and criterion.
        reward_length: How reward goes with length; None where rewards are not known.
    """

    length: Chart | None
    rows: tuple[Row, ...]
    criteria: tuple[CriterionRating, ...]
    reward_length: RewardLength | None


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The page.

    Attributes:
        title: Of the lab.
        byline: Model and numbers, under the title.
        present: Name of the present policy.
        baseline: What it is measured from; None where it is itself a start.
        answer: The verdict in words.
        wins: Win rates, the leading one first.
        remarks: Sentences under the verdict.
        samples: None where no two stored answers can be compared.
        tree: Every version; empty for a lab that has not begun.
        curves: KL against win rate, proxy against gold.
        curves_meaning: In words; "" without curves.
        training: Curves over the PPO steps that led to the present policy.
        alarms: As they were raised, or would be.
        facts: How it was made, by name.
        head: Of the record of judgments.
        packages: Names and versions.
        limits: What was not measured, a sentence each.
        date: Of the newest thing in the lab.
    """

    title: str
    byline: str
    present: str
    baseline: str | None
    answer: str
    wins: tuple[Win, ...]
    remarks: tuple[str, ...]
    samples: Samples | None
    tree: tuple[TreeLine, ...]
    curves: tuple[Chart, ...]
    curves_meaning: str
    training: tuple[Chart, ...]
    alarms: tuple[str, ...]
    trust: Trusted
    effects: Effects
    facts: tuple[tuple[str, str], ...]
    head: str
    packages: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    date: str
