"""What a lab does with people and data alone: no model, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from rlhf_lab.annotators import ComparisonQueue, RankingQueue, RubricAnnotator, rank_all
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.demonstrating import LabDemonstrations
from rlhf_lab.store import (
    AuditReport,
    BackupReport,
    JudgmentTable,
    PreferenceStore,
    Table,
    TableBrowser,
    Trace,
    VersionTable,
    audit,
    backup_lab,
    prompt_table,
    read_prompts,
    response_table,
)
from rlhf_lab.types import FLAGS, START, Annotator, Prompt, RankingItem, Response, Split

if TYPE_CHECKING:
    from rlhf_lab.lab.serving import Dashboard
    from rlhf_lab.store.exchange import ExportReport, ImportReport
    from rlhf_lab.widgets import ComparisonWidget, RankingWidget, TableWidget


class LabData(LabDemonstrations):
    """The part of a lab that needs no model: prompts, ranking, versions as they are recorded.

    Attributes:
        path: The lab directory.
        store: Its database.
        seed: Of everything random in this lab.
        progress: Whether to show progress bars.
    """

    path: Path
    store: PreferenceStore
    seed: int
    progress: bool

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

    # To and from other tools

    def import_(
        self,
        source: Any,  # noqa: ANN401 - many forms
        *,
        format: str | None = None,
        columns: Mapping[str, str] | None = None,
        split: Literal["train", "heldout"] | None = None,
        annotator: str | None = None,
        skip_bad: bool = False,
    ) -> ImportReport:
        """Import judgments, demonstrations or prompts: all of a source, or nothing.

        Importing the same source twice adds nothing.

        Args:
            source: A .jsonl, .json, .csv (also .gz) or .parquet file, a folder of Parquet files,
                a `datasets.Dataset` or `DatasetDict`, or a list of rows.
            format: Default: found by the fields of the rows; `docs/data.md` lists the formats.
            columns: What a field is called in the source, as in `{"chosen": "better"}`.
            split: Where the prompts go; default: as each row or part says, else one in five is
                held out.
            annotator: Who judged, where the rows do not say; default "imported".
            skip_bad: Import the good rows although there are bad ones.

        Raises:
            ImportFileError: it cannot be read, or rows were rejected: its `report` has each with
                line, field and reason. Nothing was stored.
        """
        from rlhf_lab.store.exchange import import_data

        return import_data(
            self.store,
            source,
            format=format,
            columns=columns,
            split=split,
            annotator=annotator,
            skip_bad=skip_bad,
            progress=self.progress,
        )

    def _export_data(
        self,
        path: str | Path | None,
        what: Literal["judgments", "prompts", "demonstrations"],
        format: str,
        push_to_hub: str | None,
        **options: Any,  # noqa: ANN401 - of `export_data`
    ) -> ExportReport:
        from rlhf_lab.store import exchange

        if (path is None) == (push_to_hub is None):
            raise ConfigError(
                f"path={str(path)!r} and push_to_hub={push_to_hub!r}: pass one of them, a file or "
                "folder to write, or the name of a dataset on the hub."
            )
        if path is not None:
            return exchange.export_data(self.store, path, what=what, format=format, **options)
        return exchange.push_to_hub(
            self.store, str(push_to_hub), what=what, format=format, ties=options["ties"]
        )

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

        Raises:
            ConfigError: a name is none or comes twice, ahead is below 1, or there is no model
                to ask here.
            NotEnoughData: `reveal` without a reward model.
        """
        from rlhf_lab.widgets import RankingWidget

        return RankingWidget(
            self.queue(annotator),
            criteria=criteria,
            flags=flags,
            editing=editing,
            reveal=self._scorer() if reveal else None,
            ahead=ahead,
        )

    def _scorer(self) -> Callable[[RankingItem], Mapping[str, float]]:
        raise ConfigError("reveal=True asks the reward model, which this lab was opened without.")

    def annotate(self, annotator: Annotator | None = None) -> int:
        """Let a simulated annotator rank what nobody has ranked yet.

        Args:
            annotator: Default: the built-in rubric with a little noise.

        Returns:
            How many items it ranked.
        """
        annotator = annotator or RubricAnnotator(noise=0.2, seed=self.seed)
        return rank_all(self.queue(annotator.name, leave_ranked=True), annotator)

    def queue(
        self, annotator: str = "me", *, version: str | None = None, leave_ranked: bool = False
    ) -> RankingQueue:
        """The items behind `rank`, or of another version; perhaps without what anybody ranked."""
        of = version or self.version
        return RankingQueue(
            self.store, annotator=annotator, version=of, seed=self.seed, leave_ranked=leave_ranked
        )

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

    # Looking at data

    @property
    def prompts(self) -> Table[Prompt]:
        """All prompts, as in `lab.prompts.where(split="heldout").search("tea")`."""
        return prompt_table(self.store.database)

    @property
    def responses(self) -> Table[Response]:
        """All responses, as in `lab.responses.where(version="policy@1").newest(5)`."""
        return response_table(self.store.database)

    @property
    def judgments(self) -> JudgmentTable:
        """Rankings and skips that count, as in `lab.judgments.where(annotator="me")`.

        `lab.judgments.with_superseded()` is the whole record.
        """
        return JudgmentTable(self.store.database)

    def browse(
        self,
        what: Literal["prompts", "responses", "judgments"] | Table[Any] = "responses",
        *,
        page_size: int = 50,
    ) -> TableWidget:
        """The table widget: search, filter and sort any number of rows, and read them whole.

        A method of the lab, not of its tables: those are the store's, which knows no widgets.

        Args:
            what: A kind of rows, the one stored last first, or a table with filters of its own,
                as in `lab.browse(lab.responses.where(version="policy@1"))`.
            page_size: Rows to start with: 25, 50, 100 or 200.

        Raises:
            ConfigError: there are no such rows, or no such size.
        """
        from rlhf_lab.widgets import TableWidget

        return TableWidget(self._rows(what), page_size=page_size)

    def _rows(self, what: str | Table[Any]) -> TableBrowser:
        if isinstance(what, Table):
            return TableBrowser(what)
        if what not in ("prompts", "responses", "judgments"):
            raise ConfigError(
                f"browse({what!r:.80}): 'prompts', 'responses', 'judgments', or one of the lab's "
                "tables."
            )
        table: Table[Any] = getattr(self, what)
        return TableBrowser(table)

    def trace(self, judgment_id: str) -> Trace:
        """Where a judgment comes from, what it was about and what became of it.

        Raises:
            StoreError: there is none of this id.
        """
        return self.store.trace(judgment_id)

    # Serving a team

    def dashboard(
        self,
        *,
        port: int | None = None,
        address: str | None = None,
        options: Sequence[str] = (),
        patience: float = 60,
    ) -> Dashboard:
        """Serve this lab to a team, as `rlhf-lab serve` does, while this process lives.

        Run twice, it gives the one that runs. Everything goes on here meanwhile, but models: one
        process at a time works with them, and the other says who does.

        Args:
            port: Default: one that is free.
            address: Where it listens; default: for this machine alone.
            options: More words for `rlhf-lab serve`, as in `["--no-worker"]`.
            patience: Seconds within which it has to answer.

        Raises:
            ConfigError: it is served already, and not as asked.
            DashboardError: it does not start; the message ends with what the server said.
        """
        from rlhf_lab.lab.serving import dashboard

        return dashboard(self.path, port=port, address=address, options=options, patience=patience)

    # Keeping data

    def audit(self, *, expected: str | None = None) -> AuditReport:
        """Verify the whole record of judgments: nothing altered, removed, inserted or moved.

        Args:
            expected: A head that was noted elsewhere (`report.head`), which must still hold.

        Raises:
            ConfigError: what is expected is no head.
        """
        return audit(self.store, expected=expected, progress=self.progress)

    def backup(self, file: str | Path) -> BackupReport:
        """Write everything into one file, while the lab is in use; `rlhf-lab restore` reads it.

        Raises:
            StoreError: the file exists or cannot be written; nothing is left behind.
        """
        return backup_lab(self.store, self.path, file, progress=self.progress)

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

    def __exit__(self, *error: object) -> None:
        self.close()
