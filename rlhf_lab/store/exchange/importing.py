"""Importing: every row is looked at, and all of them are stored or none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from rlhf_lab.errors import ConfigError, ImportFileError
from rlhf_lab.store.exchange import formats, sources
from rlhf_lab.store.exchange.formats.kwise import MOST_CANDIDATES
from rlhf_lab.store.exchange.formats.single import says_more
from rlhf_lab.store.exchange.record import Record, Row, RowProblem
from rlhf_lab.store.exchange.reports import ImportReport, Rejection
from rlhf_lab.store.exchange.storing import Keeper, Looker, Settings
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import Split, utc_now

# Records that are stored at once, and rejections that are kept.
_CHUNK, _KEPT = 1000, 1000
# Records that are stored at once while others wait for the lock: some 50 ms.
_PIECE = 100
# Seconds that the lock is free in between: who waits for it looks as often.
_PAUSE = 0.05
_MORE_THAN_A_PROMPT = (
    "this row is more than a prompt, and the file was taken for one of prompts by an earlier row: "
    "repair that row, or name the format"
)
# Rows that are held for one judgment: the pairs of as many tied answers as `kwise` takes.
_MOST_ROWS = MOST_CANDIDATES * (MOST_CANDIDATES - 1)


@dataclass
class _Progress:
    """What is known so far."""

    seen: Callable[[int], object]
    rows: int = 0
    formats: dict[str, None] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)
    rejections: int = 0

    def reject(self, line: int, problem: RowProblem) -> None:
        self.rejections += 1
        if len(self.rejected) < _KEPT:
            self.rejected.append(Rejection(line, problem.field, problem.reason))


def import_data(
    store: PreferenceStore,
    source: Any,  # noqa: ANN401 - many forms
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Split | None = None,
    heldout_fraction: float = 0.2,
    annotator: str | None = None,
    skip_bad: bool = False,
    progress: bool = True,
) -> ImportReport:
    """Import judgments, demonstrations or prompts in one transaction.

    Importing the same source twice adds nothing: where rows carry no `judgment_id`, ids come from
    the file's name, the number of the line and what it says.

    Args:
        store: Where to.
        source: Path of a .jsonl, .json or .csv file (also with .gz), a .parquet file or a folder
            of those; a `datasets.Dataset` or `DatasetDict`; or a list of rows.
        format: One of `rlhf_lab.store.exchange.formats`; default: found by the fields of the rows.
        columns: What a field is called in the source, by its name in the format, as in
            `{"prompt": "question", "chosen": "better"}`.
        split: Where all prompts go. Otherwise the row decides, then the part of the dataset, then
            the prompt's own hash. A prompt that is there already stays where it is.
        heldout_fraction: Share of the hash that goes to "heldout".
        annotator: Who judged, where the row does not say; default "imported".
        skip_bad: Import the good rows although there are bad ones.
        progress: Show a bar.

    Raises:
        ImportFileError: the source cannot be read, or rows were rejected (its `report` names
            them). Nothing was stored then.
        ConfigError: an argument out of its range.
        StoreError: the database refuses to write.
    """
    job = prepare(
        source,
        format=format,
        columns=columns,
        split=split,
        heldout_fraction=heldout_fraction,
        annotator=annotator,
    )
    return run(store, job, skip_bad=skip_bad, progress=progress)


@dataclass(frozen=True, kw_only=True)
class Job:
    """An import that is known to be possible, as far as that can be seen without a lab."""

    parts: list[sources.Part]
    form: formats.Format | None
    columns: Mapping[str, str]
    settings: Settings


def prepare(
    source: Any,  # noqa: ANN401 - many forms
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: Split | None = None,
    heldout_fraction: float = 0.2,
    annotator: str | None = None,
    name: str | None = None,
) -> Job:
    """Check the arguments of `import_data` and find the source; nothing is read yet.

    Args:
        source: As for `import_data`, like the others.
        format: One of those it knows.
        columns: What fields are called.
        split: Where prompts go.
        heldout_fraction: Share of the hash that goes to "heldout".
        annotator: Who judged.
        name: What a file is called, if not as it is stored: ids and sources follow from it.

    Raises:
        ImportFileError, ConfigError: as for `import_data`.
    """
    settings = _settings(split, heldout_fraction, annotator)
    names = _columns(columns)
    form = None if format is None else formats.named(format)
    parts = sources.parts(source, names)
    if name is not None:
        parts = [replace(part, name=name, place=name) for part in parts]
    return Job(parts=parts, form=form, columns=names, settings=settings)


def run(
    store: PreferenceStore, job: Job, *, skip_bad: bool = False, progress: bool = True
) -> ImportReport:
    """Do what was prepared, in one transaction.

    Raises:
        ImportFileError, StoreError: as for `import_data`.
    """
    with _bar(job.parts, progress) as bar, store.database.write() as session:
        done = _Progress(lambda n: None)
        keeper = Keeper(job.settings)
        for part, chunk in _chunks(job, done, bar=bar):
            keeper.store(session, chunk, part, done.reject)
        report = _report(job.parts, keeper, done)
        _refuse(report, skip_bad)
    return report


def run_in_pieces(store: PreferenceStore, job: Job, *, skip_bad: bool = False) -> ImportReport:
    """Do what was prepared while others write: the lock is held for a moment at a time.

    All of the source is looked at before anything is stored, so bad rows are found in time. Only
    a process that dies meanwhile leaves a part of it; the same import adds the rest.

    Raises:
        ImportFileError, StoreError: as for `import_data`.
    """
    with store.database.read() as session:
        looked, looker = _Progress(lambda n: None), Looker(job.settings)
        for part, chunk in _chunks(job, looked):
            looker.store(session, chunk, part, looked.reject)
        _refuse(_report(job.parts, looker, looked), skip_bad)
    done, keeper = _Progress(lambda n: None), Keeper(job.settings)
    for part, chunk in _chunks(job, done, _PIECE):
        start = time.monotonic()
        with store.database.write() as session:
            keeper.store(session, chunk, part, done.reject)
        time.sleep(min(time.monotonic() - start, _PAUSE))
    return _report(job.parts, keeper, done)


def _chunks(
    job: Job,
    done: _Progress,
    size: int = _CHUNK,
    *,
    bar: Any = None,  # noqa: ANN401
) -> Iterator[tuple[sources.Part, list[tuple[int, Record]]]]:
    """What the rows of all parts say, some at a time."""
    before = 0
    for part in job.parts:
        if bar is not None:
            done.seen = _mover(bar, before)
        before += part.size
        records = _records(part, job.form, job.columns, done)
        while chunk := list(islice(records, size)):
            yield part, chunk


def _columns(columns: object) -> dict[str, str]:
    found = {} if columns is None else columns
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) for pair in found.items() for name in pair
    ):
        raise ConfigError(
            f"columns={columns!r:.80}: the source's names by the format's, as in "
            "columns={'prompt': 'question', 'chosen': 'better'}."
        )
    return dict(found)


def _settings(split: Split | None, heldout_fraction: object, annotator: object) -> Settings:
    if not isinstance(heldout_fraction, (int, float)) or not 0 <= heldout_fraction <= 1:
        raise ConfigError(f"heldout_fraction={heldout_fraction!r:.80}: a share from 0 to 1.")
    if split not in (None, "train", "heldout"):
        raise ConfigError(f"split={split!r}: use 'train', 'heldout', or None to split by hash.")
    name = "imported" if annotator is None else annotator
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"annotator={annotator!r:.80}: a name, or None for 'imported'.")
    return Settings(
        split=split,
        heldout_fraction=heldout_fraction,
        annotator=name,
        now=utc_now(),
    )


def _records(
    part: sources.Part,
    given: formats.Format | None,
    columns: Mapping[str, str],
    done: _Progress,
) -> Iterator[tuple[int, Record]]:
    """What the rows of a part say; the rejected ones are noted."""
    form = given
    group: list[tuple[int, Row]] = []
    for line, row in part.rows(columns, done.seen):
        done.rows += 1
        if isinstance(row, RowProblem):
            done.reject(line, row)
            continue
        form = form or formats.detect(row)
        if form is None:
            done.reject(line, RowProblem("", formats.describe_unknown(map(str, row))))
            continue
        if given is None and form.what == "prompts" and (more := says_more(row)):
            done.reject(line, RowProblem(more, _MORE_THAN_A_PROMPT))
            continue
        done.formats[form.name] = None
        if group and (form.group(row) is None or form.group(row) != form.group(group[0][1])):
            yield from _read(form, group, done)
            group = []
        group.append((line, row))
        if len(group) > _MOST_ROWS:
            raise ImportFileError(
                f"{part.place}:{line}: more than {_MOST_ROWS:,} rows say that they are one "
                f"judgment, {form.group(row)!r:.80}: give each judgment its own judgment_id."
            )
    if group and form is not None:
        yield from _read(form, group, done)


def _read(
    form: formats.Format, group: list[tuple[int, Row]], done: _Progress
) -> Iterable[tuple[int, Record]]:
    try:
        found = form.read([row for _, row in group])
        # Each under a line of its own where there are as many: ids come from it.
        return [(group[min(n, len(group) - 1)][0], record) for n, record in enumerate(found)]
    except RowProblem as problem:
        for n, (line, _) in enumerate(group):
            done.reject(line, problem if n == problem.row else _because_of(group, problem))
        return []


def _because_of(group: list[tuple[int, Row]], problem: RowProblem) -> RowProblem:
    return RowProblem("", f"its judgment is rejected because of line {group[problem.row][0]}")


def _report(found: list[sources.Part], keeper: Keeper, done: _Progress) -> ImportReport:
    return ImportReport(
        source=found[0].place if len(found) == 1 else f"{found[0].place} and {len(found) - 1} more",
        formats=tuple(done.formats),
        rows=done.rows,
        new=dict(keeper.new),
        known=dict(keeper.known),
        rejected=tuple(done.rejected),
        rejections=done.rejections,
    )


def _refuse(report: ImportReport, skip_bad: bool) -> None:
    """Give up, so that the transaction stores nothing."""
    if not report.rows:
        raise ImportFileError(f"{report.source} holds no rows: nothing was imported.")
    if not report.rejections or (skip_bad and report.rejections < report.rows):
        return
    hint = (
        "There is nothing to import."
        if report.rejections == report.rows
        else "Repair them, or pass skip_bad=True (--skip-bad) to import the others."
    )
    error = ImportFileError(
        f"{report.source}: {report.rejected_text()}\nNothing was stored. {hint}"
    )
    error.report = report
    raise error


def _bar(found: list[sources.Part], progress: bool) -> AbstractContextManager[Any]:
    from tqdm.auto import tqdm

    size = sum(p.size for p in found)
    unit = found[0].unit if found else "B"
    bar: AbstractContextManager[Any] = tqdm(
        total=size or None,
        unit=unit,
        unit_scale=unit == "B",
        desc="Import",
        disable=not progress,
        leave=False,
    )
    return bar


def _mover(bar: Any, before: int) -> Callable[[int], object]:  # noqa: ANN401
    """Moves the bar to where a part has been read to."""
    return lambda n: bar.update(before + n - bar.n)
