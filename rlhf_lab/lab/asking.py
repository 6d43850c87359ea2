"""Asking people, or what stands in for them, about responses: no model, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rlhf_lab.annotators import ComparisonQueue, RankingQueue, RubricAnnotator, rank_all
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.demonstrating import LabDemonstrations
from rlhf_lab.types import FLAGS, START, Annotator, RankingItem, Split, Strategy

if TYPE_CHECKING:
    from rlhf_lab.widgets import ComparisonWidget, RankingWidget


class LabAsking(LabDemonstrations):
    """The part of a lab in which responses are ranked and versions compared."""

    @property
    def version(self) -> str:
        """Name of the present policy."""
        return str(self.store.get_setting("head.policy", START))

    # Ranking

    def rank(
        self,
        annotator: str = "me",
        *,
        criteria: Sequence[str] = (),
        flags: Sequence[str] = FLAGS,
        editing: bool = True,
        reveal: bool = False,
        ahead: int | None = None,
        strategy: Strategy | None = None,
    ) -> RankingWidget:
        """The ranking widget over what the present policy wrote.

        Every judgment is on disk before it counts as done; a reloaded widget goes on.

        Args:
            annotator: Who ranks.
            criteria: What each response may be rated by, from 1 to 5, as in
                `["helpful", "harmless", "honest"]`; none by default.
            flags: What may be ticked beside "all bad".
            editing: Whether a response may be edited into a demonstration.
            reveal: Tell after each judgment how the present reward model orders the responses.
                What it says may sway the person who ranks: leave it off while data is collected.
            ahead: How many items the page holds, so that ranking goes on while a cell runs; by
                default 48, or 8 with `overlap` in the plan: what one person has in hand, others
                wait for.
            strategy: "informative" shows first what would teach the reward model most, but for a
                fifth that comes at random, so that estimates from those alone hold for all, and
                held-out prompts, which measure. "random" looks at nothing. Default: as the plan
                says, which is "random" unless it was changed.

        Raises:
            ConfigError: a name is none or comes twice, ahead is below 1, or there is no model
                to ask here.
            NotEnoughData: `reveal` without a reward model.
        """
        from rlhf_lab.widgets import RankingWidget

        return RankingWidget(
            self.queue(annotator, strategy=strategy),
            criteria=criteria,
            flags=flags,
            editing=editing,
            reveal=self._scorer() if reveal else None,
            ahead=ahead,
        )

    def _scorer(self) -> Callable[[RankingItem], Mapping[str, float]]:
        raise ConfigError("reveal=True asks the reward model, which this lab was opened without.")

    def annotate(
        self,
        annotator: Annotator | None = None,
        *,
        items: int | None = None,
        strategy: Strategy | None = None,
    ) -> int:
        """Let a simulated annotator rank what nobody has ranked yet.

        Args:
            annotator: Default: the built-in rubric with a little noise.
            items: At most so many; default: all.
            strategy: Which come first, as for `rank`.

        Returns:
            How many items it ranked.
        """
        annotator = annotator or RubricAnnotator(noise=0.2, seed=self.seed)
        queue = self.queue(annotator.name, leave_ranked=True, strategy=strategy)
        return rank_all(queue, annotator, most=items)

    def queue(
        self,
        annotator: str = "me",
        *,
        version: str | None = None,
        leave_ranked: bool = False,
        strategy: Strategy | None = None,
    ) -> RankingQueue:
        """The items behind `rank`, or of another version; perhaps without what anybody ranked."""
        of = version or self.version
        queue = RankingQueue(
            self.store,
            annotator=annotator,
            version=of,
            seed=self.seed,
            leave_ranked=leave_ranked,
            strategy=strategy,
        )
        if (strategy or self.plan.strategy) == "informative":
            self._refresh_priorities(of)
        return queue

    def _refresh_priorities(self, version: str) -> None:
        """Without a model, what was reckoned last is what there is."""

    # Comparing versions

    def compare(
        self,
        first: str,
        second: str = START,
        *,
        annotator: str = "me",
        prompts: int | None = None,
        split: Split | None = "heldout",
    ) -> ComparisonWidget:
        """The comparing widget: responses of two versions to the same prompts, blind.

        It shows what `lab.evaluate` and `lab.generate` stored: `lab.evaluate(baseline=second)`
        with `first` checked out has both answer the same held-out prompts. Every comparison is on
        disk before it is acknowledged; a reloaded widget goes on. Names show at the end, or when
        they are asked for.

        Comparisons are judgments like any other. Those on held-out prompts never train anything:
        they measure the reward model. Those on training prompts are learned from at the next
        `update_reward`.

        Args:
            first: The version whose win rate is shown at the end; also `import:SOURCE`.
            second: What it is compared with.
            annotator: Who compares.
            prompts: At most so many, in the order they were added; default: all.
            split: Of the prompts: "heldout", "train", or None for both.

        Raises:
            NotEnoughData: there is no prompt that both have answered.
            UnknownVersion: one of them does not exist.
            ConfigError: a version against itself, or prompts below 1.
        """
        from rlhf_lab.widgets import ComparisonWidget

        return ComparisonWidget(
            self.comparison(first, second, annotator=annotator, prompts=prompts, split=split)
        )

    def comparison(
        self,
        first: str,
        second: str = START,
        *,
        annotator: str = "me",
        prompts: int | None = None,
        split: Split | None = "heldout",
    ) -> ComparisonQueue:
        """The pairs behind `compare`; arguments and errors are the same."""
        return ComparisonQueue(
            self.store,
            (first, second),
            annotator=annotator,
            seed=self.seed,
            prompts=prompts,
            split=split,
        )
