"""Items whose answer is known, and how far somebody's answers are from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rlhf_lab.types.annotators import RankingItem
from rlhf_lab.types.intervals import wilson_interval
from rlhf_lab.types.judgments import Judgment, PairAgreement, Ranking
from rlhf_lab.types.models import Interval

HUMAN_AGREEMENT: Final = (0.63, 0.77)
"""How often trained people agree with researchers on a pair, from study to study.

Source: 63% in Bai et al. (2022), section 2.1; 77 +- 2% in Stiennon et al. (2020), section 3.3.
"""


@dataclass(frozen=True, kw_only=True)
class KnownItem:
    """An item of the calibration set as one annotator sees it.

    Attributes:
        item: With its candidates in their blind order.
        answer: What a researcher said.
        said: What the annotator said when they were first asked: afterwards they knew the answer.
    """

    item: RankingItem
    answer: Ranking
    said: Judgment | None = None

    @property
    def agreement(self) -> PairAgreement:
        """In how many pairs the annotator and the researcher agree; none without an opinion."""
        if self.said is None or self.said.ranking is None:
            return PairAgreement(0, 0)
        return self.said.ranking.agreement(self.answer)

    @property
    def differs(self) -> bool:
        """Whether the annotator ranked otherwise, a tie instead of an order included."""
        if self.said is None or self.said.ranking is None:
            return False
        return self.said.ranking.ranks() != self.answer.ranks()


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """How far one annotator's first answers are from what researchers said.

    Attributes:
        annotator: Who.
        answered: The items they have judged or skipped, in order.
        total: How many items the set has for them.
    """

    annotator: str
    answered: tuple[KnownItem, ...]
    total: int

    @classmethod
    def of(cls, annotator: str, items: Iterable[KnownItem]) -> CalibrationReport:
        """Of the whole set."""
        found = tuple(items)
        answered = tuple(known for known in found if known.said is not None)
        return cls(annotator=annotator, answered=answered, total=len(found))

    @property
    def left(self) -> int:
        """How many items are still to be answered."""
        return self.total - len(self.answered)

    @property
    def pairs(self) -> PairAgreement:
        """Over all items."""
        found = [known.agreement for known in self.answered]
        return PairAgreement(sum(f.agreed for f in found), sum(f.compared for f in found))

    @property
    def agreement(self) -> Interval | None:
        """Share of pairs on which both agree; None where there are none.

        With Wilson's interval over items: the pairs of one item are no independent opinions.
        """
        agreed, compared = self.pairs
        if not compared:
            return None
        items = sum(known.agreement.compared > 0 for known in self.answered)
        return wilson_interval(agreed / compared, items)

    @property
    def differing(self) -> tuple[KnownItem, ...]:
        """The items they ranked otherwise."""
        return tuple(known for known in self.answered if known.differs)
