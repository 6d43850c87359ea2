"""What a lab does with people and data alone: no model, no torch."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from rlhf_lab.annotators import RankingQueue, RubricAnnotator, rank_all
from rlhf_lab.store import PreferenceStore, VersionTable, read_prompts
from rlhf_lab.types import START, Annotator

if TYPE_CHECKING:
    from rlhf_lab.widgets import RankingWidget


class LabData:
    """The part of a lab that needs no model: prompts, ranking, versions as they are recorded.

    Attributes:
        path: The lab directory.
        store: Its database.
        seed: Of everything random in this lab.
    """

    path: Path
    store: PreferenceStore
    seed: int

    # Prompts

    def add_prompts(
        self,
        source: Any,  # noqa: ANN401 - many forms
        *,
        split: Literal["train", "heldout"] | None = None,
        system: str | None = None,
    ) -> int:
        """Add prompts; adding one twice keeps one.

        Args:
            source: A list of strings, of chat messages, of dicts or of `Prompt`, a
                `datasets.Dataset`, or the path of a .jsonl file.
            split: Where they go; default: as each says, else one in five is held out.
            system: A system message put before those that have none.

        Returns:
            How many are new.

        Raises:
            PromptError, ImportFileError: one of them is no prompt; nothing was added.
        """
        return self.store.add_prompts(read_prompts(source, split=split, system=system))

    # Ranking

    def rank(self, annotator: str = "me") -> RankingWidget:
        """The ranking widget over what the present policy wrote.

        Every judgment is on disk before the next item shows; a reloaded widget goes on.
        """
        from rlhf_lab.widgets import RankingWidget

        return RankingWidget(self.queue(annotator))

    def annotate(self, annotator: Annotator | None = None) -> int:
        """Let a simulated annotator rank what nobody has ranked yet.

        Args:
            annotator: Default: the built-in rubric with a little noise.

        Returns:
            How many items it ranked.
        """
        annotator = annotator or RubricAnnotator(noise=0.2, seed=self.seed)
        return rank_all(self.queue(annotator.name, leave_ranked=True), annotator)

    def queue(self, annotator: str = "me", *, leave_ranked: bool = False) -> RankingQueue:
        """The items behind `rank`; with `leave_ranked`, without those that anybody has ranked."""
        return RankingQueue(
            self.store,
            annotator=annotator,
            version=self.version,
            seed=self.seed,
            leave_ranked=leave_ranked,
        )

    # Versions

    @property
    def version(self) -> str:
        """Name of the present policy."""
        return str(self.store.get_setting("head.policy", START))

    @property
    def versions(self) -> VersionTable:
        """All versions as a tree; the present ones are marked."""
        return VersionTable.of(self.store)

    # Closing

    def close(self) -> None:
        """Give back the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
