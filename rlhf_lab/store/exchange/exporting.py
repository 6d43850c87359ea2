"""Exporting: to a file, a folder that `load_dataset` reads, a `datasets.Dataset`, or the hub."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from rlhf_lab.errors import ConfigError, NotEnoughData, StoreError
from rlhf_lab.store.exchange import formats, reading, writers
from rlhf_lab.store.exchange.card import card
from rlhf_lab.store.exchange.record import Record, What
from rlhf_lab.store.exchange.reports import ExportReport
from rlhf_lab.store.exchange.whole import whole_file, whole_folder
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.store.showing import counted
from rlhf_lab.types import Split, as_path

Ties = Literal["both", "drop"]
WHATS = ("judgments", "prompts", "demonstrations")
_ON_THE_HUB = re.compile(r"([\w.-]+/)?\w[\w.-]*", re.ASCII)
# What the hub and `datasets` call the splits.
_NAMES: dict[str, str] = {"train": "train", "heldout": "test"}


def export_data(
    store: PreferenceStore,
    path: str | Path,
    *,
    what: What = "judgments",
    format: str = "trl",
    split: Split | None = None,
    ties: Ties = "both",
    overwrite: bool = False,
) -> ExportReport:
    """Write what counts in a lab, whole or not at all.

    Args:
        store: Where from.
        path: A .jsonl, .json or .csv file (also with .gz), a .parquet file, or a folder, which
            gets a Parquet file for each split and a dataset card.
        what: "judgments", "prompts" or "demonstrations".
        format: "trl" (chats) and "trl-text" fit everything; judgments can also be "trl-implicit",
            "trl-text-implicit", "hh", "kwise" or "argilla", demonstrations "trl-sft-messages".
        split: Only what is about prompts of this split.
        ties: In formats of pairs, "both" writes a tie as two rows, one each way; "drop" leaves
            these rows out.
        overwrite: Replace a file that is there.

    Raises:
        ConfigError: an argument out of its range, or the path exists.
        NotEnoughData: there is nothing to write.
        StoreError: it cannot be written; nothing is left of it.
    """
    form = formats.to_write(_known(what), format)
    target = as_path(path)
    done = _Counted(form, ties, split)
    if not writers.is_folder(target):
        with whole_file(target, overwrite=overwrite) as aside:
            with writers.writer(aside, target.name, form.columns) as write:
                for _, row in done.rows(store):
                    write(row)
            return done.report(target)
    return _to_folder(store, target, done)


def to_dataset(
    store: PreferenceStore,
    what: What = "judgments",
    format: str = "trl",
    *,
    ties: Ties = "both",
) -> Any:  # noqa: ANN401  (a DatasetDict)
    """What counts as a `datasets.DatasetDict` with "train" and "test" (the held-out prompts).

    Raises:
        ConfigError, NotEnoughData: as for `export_data`.
    """
    return _dataset(store, _Counted(formats.to_write(_known(what), format), ties, None))


def push_to_hub(
    store: PreferenceStore,
    name: object,
    *,
    what: What = "judgments",
    format: str = "trl",
    ties: Ties = "both",
    private: bool = True,
) -> ExportReport:
    """Upload what counts to the hub with its card, as a dataset of one's own.

    Args:
        store: Where from.
        name: As in "user/name".
        what: As for `export_data`, like the next two.
        format: One of its formats.
        ties: How ties are written.
        private: Whether only you can see it.

    Raises:
        ConfigError, NotEnoughData: as for `export_data`.
        StoreError: the hub cannot be reached or refuses.
    """
    import huggingface_hub

    if not isinstance(name, str) or not _ON_THE_HUB.fullmatch(name):
        raise ConfigError(f"push_to_hub={name!r:.80}: the name of a dataset, as in 'user/name'.")
    with TemporaryDirectory() as place:
        folder = Path(place) / name.rpartition("/")[2]
        report = export_data(store, folder, what=what, format=format, ties=ties)
        hub = huggingface_hub.HfApi()
        try:
            hub.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
            hub.upload_folder(repo_id=name, repo_type="dataset", folder_path=folder)
        except Exception as error:  # its client raises errors of whatever carries its requests
            raise StoreError(
                f"{name!r} was not uploaded ({type(error).__name__}: {error!s:.200}): check the "
                "connection and the name, and log in with `hf auth login`. Or export to a folder, "
                "and upload that later."
            ) from error
    return replace(report, path=name)


@dataclass
class _Counted:
    """The rows of an export, counted as they go by."""

    form: formats.Format
    ties: Ties
    split: Split | None
    records: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    annotators: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.ties not in ("both", "drop"):
            raise ConfigError(f"ties={self.ties!r}: use 'both' or 'drop'.")
        if self.split not in (None, "train", "heldout"):
            raise ConfigError(f"split={self.split!r}: use 'train', 'heldout', or None for all.")

    def rows(self, store: PreferenceStore) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each with the split of its prompt."""
        with store.database.read() as session:
            for record in reading.records(session, self.form.what, self.split):
                written = self._written(record)
                split = record.prompt.split
                if not written:
                    self.left_out[_named(record)] += 1
                    continue
                self.records += 1
                self.splits[split] += len(written)
                if record.annotator is not None:
                    self.annotators.add(record.annotator)
                for row in written:
                    yield split, row
        if not self.records:
            out = ", ".join(counted(n, name) for name, n in self.left_out.items())
            raise NotEnoughData(
                f"no {self.form.what} to write as {self.form.name}"
                + (f" (it has no place for {out}): use format='kwise'." if out else ": add some.")
            )

    def _written(self, record: Record) -> list[dict[str, Any]]:
        found = self.form.write(record)
        return [r for r in found if not r.get("tie")] if self.ties == "drop" else found

    def report(self, path: Path | str) -> ExportReport:
        """What was done."""
        return ExportReport(
            path=path,
            what=self.form.what,
            format=self.form.name,
            records=self.records,
            rows=self.splits.total(),
            left_out=dict(self.left_out),
            splits=dict(self.splits),
            annotators=len(self.annotators),
        )


def _named(record: Record) -> str:
    return {"skip": "skips", "ranking": "rankings of a single tie"}.get(record.kind, record.kind)


def _known(what: What) -> What:
    if what not in WHATS:
        raise ConfigError(f"what={what!r}: use one of {', '.join(map(repr, WHATS))}.")
    return what


def _to_folder(store: PreferenceStore, target: Path, done: _Counted) -> ExportReport:
    columns = done.form.columns
    files: dict[str, str] = {}
    with whole_folder(target) as aside:
        (aside / "data").mkdir()
        with ExitStack() as stack:
            write: dict[str, writers.Write] = {}
            for split, row in done.rows(store):
                if split not in write:
                    files[_NAMES[split]] = file = f"data/{_NAMES[split]}.parquet"
                    write[split] = stack.enter_context(writers.writer(aside / file, file, columns))
                write[split](row)
        report = done.report(target)
        in_order = dict(sorted(files.items(), reverse=True))
        text = card(target.name, report, columns, in_order)
        (aside / "README.md").write_text(text, "utf-8")
    return report


def _dataset(store: PreferenceStore, done: _Counted) -> Any:  # noqa: ANN401
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

    columns = done.form.columns
    held: dict[str, list[dict[str, Any]]] = {}
    tables: dict[str, list[Any]] = {}
    for split, row in done.rows(store):
        part = held.setdefault(split, [])
        part.append(writers.table_row(row, columns))
        if len(part) == 1000:
            tables.setdefault(split, []).append(writers.arrow_table(part, columns))
            part.clear()
    for split, part in held.items():
        tables.setdefault(split, []).append(writers.arrow_table(part, columns))
    return DatasetDict(
        {_NAMES[s]: Dataset(pa.concat_tables(tables[s])) for s in sorted(tables, reverse=True)}
    )
