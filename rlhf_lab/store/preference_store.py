"""`PreferenceStore`: everything a lab must not lose, behind one small class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from rlhf_lab.errors import StoreError
from rlhf_lab.store import chain, checks, events, judging, rows, taking_back
from rlhf_lab.store.assignments import Assignments
from rlhf_lab.store.database import Database
from rlhf_lab.store.jobs import Jobs
from rlhf_lab.store.rows import Counts, MetricsRow
from rlhf_lab.store.tables import (
    ActiveRow,
    DemonstrationRow,
    JudgmentRow,
    MetricsTable,
    PromptRow,
    ResponseRow,
    SettingRow,
    VersionRow,
)
from rlhf_lab.store.trace import Trace, trace
from rlhf_lab.types import (
    Demonstration,
    Judgment,
    JudgmentKind,
    Prompt,
    Response,
    Split,
    Version,
    utc_now,
)

R = TypeVar("R")
T = TypeVar("T")


class PreferenceStore:
    """Prompts, responses, judgments, versions, metrics and settings of one lab.

    What a method has stored is on disk when it returns, and what it refuses leaves nothing
    behind. Any number of threads and processes may use the same lab at once, each process with
    its own store; a store may be shared between threads.

    Args:
        location: Path of an SQLite file (made if absent), or an SQLAlchemy URL: `sqlite:///PATH`
            or `postgresql://...`.
        clock: Gives the time of logged metrics and of leases.

    Attributes:
        database: Its transactions, for what is built on the tables.
        assignments: What is to be judged by whom.
        jobs: Model work that was asked for.

    Raises:
        StoreError: the place cannot be used; the message says why and what to do. Every method
            raises it when the disk is full, the file is not writable or a lock cannot be had.
    """

    def __init__(self, location: Path | str, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Open the database, creating or upgrading its schema."""
        self.database = Database(location)
        self.assignments = Assignments(self.database, clock)
        self.jobs = Jobs(self.database, clock)
        self._clock = clock

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self.database.closed

    def close(self) -> None:
        """Let go of the database; closing twice is fine, using it afterwards is a StoreError."""
        self.database.close()

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Where it is, without a password."""
        return f"PreferenceStore({self.database.where!r})"

    # -- prompts

    def add_prompts(self, prompts: Iterable[Prompt]) -> int:
        """Store prompts in the order given; returns how many were new.

        A prompt that is already there, by its messages, is left as it is: its split does not
        change under the judgments made with it.

        Raises:
            PromptError: a text with a lone surrogate. None of this call's prompts is stored then.
        """
        by_id: dict[str, rows.Values] = {}
        for prompt in prompts:
            values = rows.prompt_values(prompt)
            by_id.setdefault(values["id"], values)
        with self.database.write() as session:
            known = checks.existing(session, PromptRow.id, by_id)
            new = [values for i, values in by_id.items() if i not in known]
            checks.insert_rows(session, PromptRow, new)
        return len(new)

    def prompts(self, split: Split | None = None) -> list[Prompt]:
        """All prompts, or those of one split, in the order they were added."""
        query = select(PromptRow).order_by(PromptRow.seq)
        if split is not None:
            query = query.where(PromptRow.split == split)
        return self._all(query, rows.to_prompt)

    def prompt(self, prompt_id: str) -> Prompt:
        """The prompt with this id.

        Raises:
            StoreError: there is none.
        """
        found = self._all(select(PromptRow).where(PromptRow.id == prompt_id), rows.to_prompt)
        return checks.the_one(found, f"prompt {prompt_id!r}", "prompts()")

    # -- responses

    def add_responses(self, responses: Iterable[Response]) -> int:
        """Store responses, all or none; returns how many were new.

        A response that is already there is skipped, so a retry is safe.

        Raises:
            StoreError: a prompt that is not stored, or another response under a stored id.
        """
        unique: dict[str, Response] = {}
        for response in responses:
            checks.refuse_conflict(unique.setdefault(response.id, response), response)
        values = {i: rows.response_values(r) for i, r in unique.items()}
        with self.database.write() as session:
            wanted = {r.prompt_id: None for r in unique.values()}
            checks.require(wanted, checks.existing(session, PromptRow.id, wanted))
            known = checks.existing(session, ResponseRow.id, unique)
            for stored in checks.by_ids(session, known):
                checks.refuse_conflict(stored, unique[stored.id])
            new = [row for i, row in values.items() if i not in known]
            checks.insert_rows(session, ResponseRow, new)
        return len(new)

    def responses(self, prompt_id: str | None = None, version: str | None = None) -> list[Response]:
        """Responses in the order they were added; to one prompt and by one version if given."""
        query = select(ResponseRow).order_by(ResponseRow.seq)
        if prompt_id is not None:
            query = query.where(ResponseRow.prompt_id == prompt_id)
        if version is not None:
            query = query.where(ResponseRow.version == version)
        return self._all(query, rows.to_response)

    def response(self, response_id: str) -> Response:
        """The response with this id.

        Raises:
            StoreError: there is none.
        """
        query = select(ResponseRow).where(ResponseRow.id == response_id)
        found = self._all(query, rows.to_response)
        return checks.the_one(found, f"response {response_id!r}", "responses()")

    # -- judgments

    def submit(self, judgment: Judgment) -> bool:
        """Store one event; True if it is new, False if this submission is stored already.

        Without `supersedes`, a ranking or skip replaces what this annotator said last about the
        same candidates, unless they were handed out again for comparison.
        `rlhf_lab.store.judging` defines what corrections, undo and redo do.

        Raises:
            JudgmentError: another judgment under the same id; an unknown prompt; responses that
                are unknown or answer another prompt; fewer than 2 in a ranking; a `supersedes`
                that is unknown, of another annotator or prompt, or not active.
        """
        judging.check_itself(judgment)
        rows.aware(judgment.created_at, f"judgment {judgment.id}")
        with self.database.write() as session:
            stored = session.scalar(select(JudgmentRow).where(JudgmentRow.id == judgment.id))
            if stored is not None:
                checks.refuse_other_submission(rows.to_judgment(stored), judgment)
                return False
            checks.check_against_store(session, judgment)
            events.append(session, judgment, self._clock())
        return True

    def judgments(
        self,
        prompt_id: str | None = None,
        annotator: str | None = None,
        kinds: Sequence[JudgmentKind] = ("ranking",),
        include_superseded: bool = False,
    ) -> list[Judgment]:
        """Events in the order they were submitted; by default the rankings that count.

        Args:
            prompt_id: Only events about this prompt.
            annotator: Only events of this person.
            kinds: Which kinds of event to return.
            include_superseded: Also those that were corrected or undone.
        """
        query = select(JudgmentRow).order_by(JudgmentRow.seq).where(JudgmentRow.kind.in_(kinds))
        if not include_superseded:
            query = query.join(ActiveRow, ActiveRow.judgment_id == JudgmentRow.id)
        if prompt_id is not None:
            query = query.where(JudgmentRow.prompt_id == prompt_id)
        if annotator is not None:
            query = query.where(JudgmentRow.annotator == annotator)
        return self._all(query, rows.to_judgment)

    def latest_active(self, annotator: str) -> Judgment | None:
        """This person's latest ranking or skip that still counts."""
        with self.database.read() as session:
            row = taking_back.latest_of_all(session, annotator)
            return None if row is None else rows.to_judgment(row)

    def trace(self, judgment_id: str) -> Trace:
        """Where a judgment comes from, what it was about and what became of it.

        Raises:
            StoreError: there is none of this id.
        """
        with self.database.read() as session:
            return trace(session, judgment_id)

    def add_demonstration(self, demonstration: Demonstration) -> bool:
        """Store an answer that a person wrote; True if new, False if this id is stored already.

        Raises:
            JudgmentError: another demonstration under the same id; an unknown prompt; an
                `edited_from` that is no response to it; a `supersedes` that is unknown, somebody
                else's, or superseded already.
        """
        values = rows.demonstration_values(demonstration)
        with self.database.write() as session:
            stored = session.scalar(
                select(DemonstrationRow).where(DemonstrationRow.id == demonstration.id)
            )
            if stored is not None:
                checks.refuse_other_demonstration(rows.to_demonstration(stored), demonstration)
                return False
            checks.check_demonstration(session, demonstration)
            checks.insert_rows(session, DemonstrationRow, [values])
        return True

    def demonstrations(
        self, prompt_id: str | None = None, *, include_superseded: bool = False
    ) -> list[Demonstration]:
        """Answers that people wrote, in the order they were submitted."""
        query = select(DemonstrationRow).order_by(DemonstrationRow.seq)
        if prompt_id is not None:
            query = query.where(DemonstrationRow.prompt_id == prompt_id)
        if not include_superseded:
            later = aliased(DemonstrationRow)
            query = query.where(
                ~select(later.seq).where(later.supersedes == DemonstrationRow.id).exists()
            )
        return self._all(query, rows.to_demonstration)

    def chain_head(self) -> str:
        """How many events the record of judgments has, and the hash of the last: "NUMBER:HASH"."""
        with self.database.read() as session:
            return str(chain.read_head(session))

    # -- versions, metrics, settings

    def add_version(self, version: Version, *, present: bool = False) -> None:
        """Store a version; it can never be changed afterwards.

        Args:
            version: The new one.
            present: Make it the present one of its role, in the same moment.

        Raises:
            StoreError: the name is taken, or is not ROLE@NUMBER.
            UnknownVersion: its parent, or one it was trained with, is not stored.
        """
        values = rows.version_values(version)
        with self.database.write() as session:
            names = checks.version_names(session)
            if version.name in names:
                raise StoreError(
                    f"{version.name} exists, and versions never change: use the next number."
                )
            for other in (version.parent, *version.trained_with):
                if other is not None and other not in names:
                    raise checks.unknown_version(other, names)
            values["judged"] = str(chain.read_head(session))
            checks.insert_rows(session, VersionRow, [values])
            if present:
                session.merge(SettingRow(key=f"head.{version.role}", value=version.name))

    def versions(self) -> list[Version]:
        """All versions, in the order they were made."""
        return self._all(select(VersionRow).order_by(VersionRow.seq), rows.to_version)

    def version(self, name: str) -> Version:
        """The version of this name.

        Raises:
            UnknownVersion: there is none; the message names similar ones.
        """
        with self.database.read() as session:
            row = session.scalar(select(VersionRow).where(VersionRow.name == name))
            if row is None:
                raise checks.unknown_version(name, checks.version_names(session))
            return rows.to_version(row)

    def log_metrics(
        self,
        kind: str,
        version: str,
        step: int,
        values: Mapping[str, float],
        *,
        judge: str | None = None,
    ) -> None:
        """Store the figures of one step, as in `MetricsRow`; the version need not exist yet."""
        row = {
            "kind": kind,
            "version": version,
            "step": int(step),
            "values": rows.pack_figures(values),
            "created_at": rows.aware(self._clock(), f"{kind} step {step}"),
            "judge": judge,
        }
        with self.database.write() as session:
            checks.insert_rows(session, MetricsTable, [row])

    def metrics(self, kind: str | None = None, version: str | None = None) -> list[MetricsRow]:
        """Logged figures in the order they were logged."""
        query = select(MetricsTable).order_by(MetricsTable.seq)
        if kind is not None:
            query = query.where(MetricsTable.kind == kind)
        if version is not None:
            query = query.where(MetricsTable.version == version)
        return self._all(query, rows.to_metrics)

    def get_setting(self, key: str, default: Any = None) -> Any:  # noqa: ANN401  (any JSON)
        """The value stored under a key, or the default if there is none."""
        with self.database.read() as session:
            row = session.get(SettingRow, key)
            return default if row is None else row.value

    def set_setting(self, key: str, value: Any) -> None:  # noqa: ANN401  (any JSON)
        """Store a JSON value under a key, replacing what was there.

        Raises:
            StoreError: the value would not come back equal from JSON.
        """
        checks.check_json(key, value)
        with self.database.write() as session:
            session.merge(SettingRow(key=key, value=value))

    def counts(self) -> Counts:
        """How many of everything."""
        with self.database.read() as session:
            splits = dict(session.execute(_counted_by(PromptRow.split)).all())
            judged = select(ActiveRow.annotator, ActiveRow.kind, func.count()).where(
                ActiveRow.kind != "undo"
            )
            by_whom = session.execute(judged.group_by(ActiveRow.annotator, ActiveRow.kind)).all()
            responses = session.scalar(select(func.count(ResponseRow.seq)))
            versions = session.scalar(select(func.count(VersionRow.seq)))
        return Counts(
            prompts=sum(splits.values()),
            heldout_prompts=splits.get("heldout", 0),
            responses=responses or 0,
            rankings=sum(n for _, kind, n in by_whom if kind == "ranking"),
            skips=sum(n for _, kind, n in by_whom if kind == "skip"),
            annotators=len({who for who, _, _ in by_whom}),
            versions=versions or 0,
        )

    def _all(self, query: Select[R], convert: Callable[[R], T]) -> list[T]:
        with self.database.read() as session:
            return [convert(row) for row in session.scalars(query)]


def _counted_by(column: InstrumentedAttribute[str]) -> Select[str, int]:
    return select(column, func.count()).group_by(column)
