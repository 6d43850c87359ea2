"""What `measure_trust` found, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.agreement.tables import Floats, Ints
from rlhf_lab.evaluation.trust.intervals import mean_interval
from rlhf_lab.evaluation.trust.plot import dots_and_intervals
from rlhf_lab.store.showing import as_html, counted, head_cell, in_frame, printable, text_cell
from rlhf_lab.types import Interval

Verdict = Literal["better than a coin", "not told from a coin", "worse than a coin", "not measured"]
_BETTER: Final = "better than a coin"

_COLUMNS = (
    "picked by",
    "pairs in their order",
    "best first",
    "Kendall's tau-b",
    "judgments",
    "",
)


@dataclass(frozen=True, kw_only=True)
class TrustRow:
    """How often one picker picks what people picked; all None where it saw nothing.

    Attributes:
        is_baseline: Whether it knows nothing of what is good.
        judgments: How many it was measured on.
        ordered_pairs: Pairs of candidates that people put in an order in them.
        pairs: Share of those that it puts in the same order; one that it ties counts one half.
        best: Share of judgments whose best candidate it picks.
        tau: Mean of Kendall's tau-b over judgments, from -1 to 1.
    """

    name: str
    is_baseline: bool
    judgments: int
    ordered_pairs: int
    pairs: Interval | None
    best: Interval | None
    tau: Interval | None

    @property
    def verdict(self) -> Verdict:
        """Whether the interval of pairs lies on one side of one half."""
        if self.pairs is None:
            return "not measured"
        if self.pairs.low > 0.5:
            return _BETTER
        return "worse than a coin" if self.pairs.high < 0.5 else "not told from a coin"


@dataclass(frozen=True, kw_only=True)
class Tallies:
    """What rows were made of, by judgment, so that two of them can be compared.

    Attributes:
        cluster: Number of the prompt.
        pairs: That people ordered.
        right: Of those, by picker; NaN where it was not measured.
    """

    cluster: Ints
    pairs: Floats
    right: Mapping[str, Floats]
    resamples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrustReport:
    """How far numbers can be trusted on these data: as far as they pick what people picked.

    Attributes:
        judgments: That put one candidate above another.
        prompts: They are of.
        annotators: Who made them.
        rows: By share of pairs, the most trusted first.
        people: Share of pairs that two people put in the same order; None if nobody ranked what
            somebody else did.
        chance_best: How often a best candidate is picked by chance.
        notes: What was left out, a sentence each.
    """

    judgments: int
    prompts: int
    annotators: int
    rows: tuple[TrustRow, ...]
    people: Interval | None
    chance_best: float
    notes: tuple[str, ...] = ()
    tallies: Tallies = field(repr=False, compare=False)

    def row(self, name: str) -> TrustRow:
        """The row of this name.

        Raises:
            ConfigError: there is none.
        """
        for one in self.rows:
            if one.name == name:
                return one
        raise ConfigError(f"no row {name!r}: there are {', '.join(r.name for r in self.rows)}.")

    def difference(self, first: str, second: str) -> Interval:
        """How much larger the first one's share of pairs is than the second one's.

        Of the same judgments, those that both were measured on, drawn together: much narrower than
        the two intervals of the rows are apart.

        Raises:
            ConfigError: no row of that name.
            NotEnoughData: no judgment that both were measured on.
        """
        names = self.row(first).name, self.row(second).name
        one, other = (self.tallies.right[name] for name in names)
        both = ~(np.isnan(one) | np.isnan(other))
        found = mean_interval(
            self.tallies.cluster[both],
            (one - other)[both],
            self.tallies.pairs[both],
            resamples=self.tallies.resamples,
            seed=self.tallies.seed,
        )
        if found is None:
            raise NotEnoughData(
                f"{first!r} and {second!r} were measured on no judgment in common: give both the "
                "same prompts, with references."
            )
        return found

    @property
    def meaning(self) -> str:
        """What it means in plain words, a line each."""
        return "\n".join(self._meaning())

    def _meaning(self) -> Iterator[str]:
        measured = [row for row in self.rows if not row.is_baseline]
        for verdict in (_BETTER, "not told from a coin", "worse than a coin"):
            if names := [row.name for row in measured if row.verdict == verdict]:
                yield f"{verdict[0].upper()}{verdict[1:]}: {', '.join(names)}."
        if names := [row.name for row in measured if row.verdict == "not measured"]:
            yield (
                f"Not measured: {', '.join(names)}. A reference metric needs what a text should be "
                'like: write demonstrations (`lab.demonstrate`), or pass references="best".'
            )
        yield from self._against_length(measured)
        if self.people:
            yield (
                f"Two people put a pair in the same order {self.people} of the time: what does so "
                "as often is as good as one more person."
            )
        if len({row.judgments for row in self.rows if row.pairs}) > 1:
            yield (
                "Rows rest on different judgments: compare two of them with "
                "report.difference(one, other)."
            )
        yield from self.notes

    def _against_length(self, measured: list[TrustRow]) -> Iterator[str]:
        """Where longer is better, whatever does not beat length may measure nothing else."""
        if not any(row.name == "length" and row.verdict == _BETTER for row in self.rows):
            return
        alike = [
            row.name
            for row in measured
            if row.verdict == _BETTER and self._beats_length(row.name) is False
        ]
        if alike:
            yield (
                f"Not shown to beat length alone: {', '.join(alike)}. On these data they may "
                "measure little else."
            )

    def _beats_length(self, name: str) -> bool | None:
        try:
            return self.difference(name, "length").low > 0
        except NotEnoughData:
            return None

    def __str__(self) -> str:
        """A table, and what it means."""
        lines = [_COLUMNS, *(_cells(row, self.judgments) for row in self.rows)]
        lines = [tuple(printable(cell, 40) for cell in line) for line in lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        told = (printable(line) for line in self._meaning())
        return "\n".join([self._head(), "", *table, "", *told])

    __repr__ = __str__

    def _head(self) -> str:
        return (
            f"How often each picks what people picked: {counted(self.judgments, 'judgments')} of "
            f"{counted(self.prompts, 'prompts')} by {counted(self.annotators, 'annotators')}, 95% "
            f"intervals over prompts; best first by chance {self.chance_best:.2f}"
        )

    def _repr_html_(self) -> str:
        told = "".join(f"<li>{as_html(line)}</li>" for line in self._meaning())
        rows = [_cells(row, self.judgments) for row in self.rows]
        longest = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
        heads = "".join(
            head_cell(title, "col", n) for title, n in zip(_COLUMNS, longest, strict=True)
        )
        body = "".join(
            f"<tr>{''.join(text_cell(cell, 40) for cell in cells)}</tr>" for cells in rows
        )
        return in_frame(
            f"<p>{as_html(self._head())}</p>",
            dots_and_intervals(
                [(row.name, row.pairs, row.is_baseline) for row in self.rows if row.pairs],
                people=self.people,
            ),
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>",
            f"<ul>{told}</ul>" if told else "",
        )


def _cells(row: TrustRow, judgments: int) -> tuple[str, ...]:
    seen = f"{row.judgments:,}" + (f" of {judgments:,}" if row.judgments < judgments else "")
    verdict = "baseline" if row.is_baseline else row.verdict
    return (row.name, *map(_told, (row.pairs, row.best, row.tau)), seen, verdict)


def _told(value: Interval | None) -> str:
    """Without the number of prompts, which the whole table shares."""
    return "–" if value is None else f"{value.estimate:.2f} [{value.low:.2f}, {value.high:.2f}]"
