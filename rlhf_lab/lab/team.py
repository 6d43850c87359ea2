"""A lab's work shared among people, and how far they agree: no model, no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from rlhf_lab.lab.measuring import LabMeasures
from rlhf_lab.store import AssignmentPlan, PreferenceStore

if TYPE_CHECKING:
    from rlhf_lab.evaluation.agreement import AgreementReport


class LabTeam(LabMeasures):
    """The part of a lab that several people share.

    Attributes:
        store: Its database.
        seed: Of everything random in this lab.
    """

    store: PreferenceStore
    seed: int

    @property
    def plan(self) -> AssignmentPlan:
        """How the work is shared out among annotators; `lab.plan = AssignmentPlan(overlap=3)`."""
        return self.store.assignments.plan

    @plan.setter
    def plan(self, plan: AssignmentPlan) -> None:
        self.store.assignments.plan = plan

    def make_gold(self, judgment_ids: Iterable[str]) -> int:
        """Take these rankings for known answers, handed out at the plan's `gold_rate`.

        Returns:
            How many there are.

        Raises:
            JudgmentError: one is no ranking that counts.
        """
        return self.store.assignments.make_gold(list(judgment_ids))

    def agreement(
        self,
        *,
        annotators: Collection[str] | None = None,
        researchers: Collection[str] | None = None,
        disputed: int = 20,
    ) -> AgreementReport:
        """How far people agree with one another, with the researcher and with themselves.

        Args:
            annotators: Only these; default: everybody who ranked, simulated annotators included.
            researchers: Whom the others are compared with; default: accounts of researchers and
                admins, and "me".
            disputed: How many of the most disputed items to report.
        """
        from rlhf_lab.evaluation.agreement import measure_agreement

        return measure_agreement(
            self.store,
            annotators=annotators,
            researchers=researchers,
            disputed=disputed,
            seed=self.seed,
        )
