"""What an import or an export did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rlhf_lab.store.showing import as_html, counted, head_cell, in_frame

_NAMES = ("prompts", "responses", "judgments", "demonstrations")


class Rejection(NamedTuple):
    """A row that was not imported.

    Attributes:
        line: Of the file, from 1; or the number of the row, in what has no lines.
        field: Its dotted name; empty where the whole row is meant.
        reason: The value, the rule and the next step.
    """

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        """In one line."""
        name = f"field {self.field} = " if self.field else ""
        return f"line {self.line}: {name}{self.reason}"


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import stored, and what it did not.

    Attributes:
        source: File, folder or dataset.
        formats: Those that were found.
        rows: How many were looked at.
        new: What is in the lab now and was not before: prompts, responses, judgments and
            demonstrations.
        known: Those that rows named and that were there already, from before or from a row above.
        rejected: The first 1,000 rejected rows.
        rejections: How many rows were rejected.
    """

    source: str
    formats: tuple[str, ...]
    rows: int
    new: Mapping[str, int]
    known: Mapping[str, int]
    rejected: tuple[Rejection, ...] = ()
    rejections: int = 0

    def __str__(self) -> str:
        """One line, and one for each of the first rejections."""
        counts = ", ".join(
            counted(self.new[n], n) + (f" ({self.known[n]:,} known)" if self.known[n] else "")
            for n in _NAMES
            if self.new[n] or self.known[n]
        )
        form = " and ".join(self.formats) or "no known format"
        text = f"{self.source} ({form}): {counted(self.rows, 'rows')}; new: {counts or 'nothing'}"
        return text + (f"\n{self.rejected_text()}" if self.rejections else "")

    def rejected_text(self, most: int = 5) -> str:
        """The first rejections, one in a line, and how many there are."""
        lines = [f"{self.rejections:,} of {counted(self.rows, 'rows')} rejected:"]
        lines += [f"  {r}" for r in self.rejected[:most]]
        more = self.rejections - min(most, len(self.rejected))
        return "\n".join([*lines, *([f"  and {more:,} more"] if more else [])])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr>{head_cell(n, 'row')}<td>{self.new[n]:,}</td><td>{self.known[n]:,}</td></tr>"
            for n in _NAMES
        )
        heads = "<td></td><th scope='col'>new</th><th scope='col'>known</th>"
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        form = " and ".join(self.formats) or "no known format"
        head = f"<bdi>{as_html(self.source)}</bdi>: {counted(self.rows, 'rows')}, {as_html(form)}"
        lines = map(as_html, self.rejected_text(20).split("\n")) if self.rejections else ()
        bad = f"<p>{'<br>'.join(lines)}</p>" if self.rejections else ""
        return in_frame(f"<p>{head}</p>{table}{bad}")


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        path: The file, the folder, or the name on the hub.
        what: "judgments", "prompts" or "demonstrations".
        format: As `import_data` finds it.
        records: How many of `what` are in it.
        rows: How many rows they are.
        left_out: How many there was no place for in the format, by what they are.
        splits: Rows by split.
        annotators: How many people have something in it.
    """

    path: Path | str
    what: str
    format: str
    records: int
    rows: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    annotators: int = 0

    def __str__(self) -> str:
        """One line."""
        out = ", ".join(counted(n, name) for name, n in self.left_out.items())
        return (
            f"{self.path} ({self.format}): {counted(self.records, self.what)} in "
            f"{counted(self.rows, 'rows')}" + (f"; no place for {out}" if out else "")
        )

    def _repr_html_(self) -> str:
        return in_frame(f"<p>{as_html(str(self))}</p>")
