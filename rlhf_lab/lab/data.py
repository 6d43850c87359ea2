"""What a lab does with people and data alone: no model, no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.asking import LabAsking
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
from rlhf_lab.types import Prompt, Response

if TYPE_CHECKING:
    from rlhf_lab.lab.serving import Dashboard
    from rlhf_lab.store.exchange import ExportReport, ImportReport
    from rlhf_lab.widgets import TableWidget


class LabData(LabAsking):
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
