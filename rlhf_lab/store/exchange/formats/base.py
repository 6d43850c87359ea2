"""What a format is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rlhf_lab.store.exchange.record import Record, Row, What


class Format(Protocol):
    """Between rows of one shape and records.

    Attributes:
        name: As in `format="kwise"`.
        what: What it holds.
        needs: Fields without which a row is not of this format.
        columns: Kind of every column that it writes: "text", "int", "float", "bool", "texts",
            "tiers" (lists of lists of integers), "messages", "responses", or "json" for what has
            no fixed shape.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def what(self) -> What: ...  # noqa: D102

    @property
    def needs(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def columns(self) -> Mapping[str, str]: ...  # noqa: D102

    def matches(self, row: Row) -> bool:
        """Whether a row with these fields, whatever else it has, is meant to be of this format."""

    def group(self, row: Row) -> str | None:
        """What consecutive rows of one record have in common; None for a row by itself."""

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """The records that the rows of one group hold.

        Raises:
            RowProblem: names the row, the field, its value and the rule.
        """

    def write(self, record: Record) -> list[dict[str, Any]]:
        """The rows of a record, with every column; none if the format has no place for it."""
