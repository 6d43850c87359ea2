"""Importing a file that came over the network: as any other, and never more than fits."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlhf_lab.errors import ImportFileError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.exchange import ImportReport
from rlhf_lab.store.exchange.importing import prepare, run_in_pieces

# What a file may hold once it is unpacked: a few bytes can stand for all the memory there is.
MOST_UNPACKED = 256 * 2**20
# Rejected rows that are told one by one.
MOST_REJECTIONS = 100
_BLOCK = 2**20
_one_at_a_time = threading.Lock()


def import_received(
    store: PreferenceStore, file: Path, name: str, options: Mapping[str, Any]
) -> ImportReport:
    """Import a file while others work in the lab; takes as long as it takes.

    Args:
        store: Where to.
        file: Where it stands, under a name that nobody needs to know.
        name: What its sender calls it.
        options: As for `import_data`, `skip_bad` among them.

    Raises:
        ImportFileError, ConfigError, StoreError: as for `import_data`; nothing was stored.
    """
    settings = dict(options)
    skip_bad = settings.pop("skip_bad")
    try:
        _require_content(file)
        with _one_at_a_time:
            job = prepare(file, name=name, **settings)
            return run_in_pieces(store, job, skip_bad=skip_bad)
    except ImportFileError as error:
        renamed = ImportFileError(str(error).replace(str(file), name))
        renamed.report = error.report
        raise renamed from error


def told_of(report: ImportReport | None) -> dict[str, Any]:
    """A report as JSON."""
    if report is None:
        return {}
    return {
        "rows": report.rows,
        "formats": list(report.formats),
        "new": dict(report.new),
        "known": dict(report.known),
        "rejections": report.rejections,
        "rejected": [rejection._asdict() for rejection in report.rejected[:MOST_REJECTIONS]],
    }


def _require_content(file: Path) -> None:
    if not file.stat().st_size:
        raise ImportFileError(f"{file}: the file is empty: choose another one.")
    if _unpacked(file) > MOST_UNPACKED:
        raise ImportFileError(
            f"{file}: holds more than {MOST_UNPACKED // 2**20} MiB once it is unpacked: divide it, "
            "or import it where the lab is, with: rlhf-lab import DIRECTORY FILE"
        )


def _unpacked(file: Path) -> int:
    """Bytes that reading it gives, or just above the limit; what cannot be read says so later."""
    if file.suffix == ".parquet":
        return _unpacked_parquet(file)
    if file.suffix != ".gz":
        return file.stat().st_size
    size = 0
    try:
        with gzip.open(file) as opened:
            while size <= MOST_UNPACKED and (block := opened.read(_BLOCK)):
                size += len(block)
    except (OSError, EOFError, zlib.error):
        return 0
    return size


def _unpacked_parquet(file: Path) -> int:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            table = opened.metadata
            return sum(table.row_group(n).total_byte_size for n in range(table.num_row_groups))
    except (OSError, pyarrow.ArrowException):
        return 0
