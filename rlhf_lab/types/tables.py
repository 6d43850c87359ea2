"""Tables that are too long to be read whole: what a widget asks of them, and what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

ColumnKind = Literal["text", "label", "number", "time", "id"]


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """One thing that rows have.

    Attributes:
        name: What queries call it.
        title: What people call it.
        kind: "text" may be long, "label" is one of few words, an "id" is there to be copied.
        sortable: Whether rows can be ordered by it.
        values: Those it can be filtered by; empty where there are none, or too many to list.
        shown: Whether rows have a cell for it; some things are there to filter by alone.
        importance: 1 is always shown; 3 goes first where there is little room.
    """

    name: str
    title: str
    kind: ColumnKind = "label"
    sortable: bool = False
    values: tuple[str, ...] = ()
    shown: bool = True
    importance: Literal[1, 2, 3] = 1


@dataclass(frozen=True, kw_only=True)
class TableQuery:
    """Which rows, and in which order.

    Attributes:
        search: Words that are somewhere in a row's texts; empty for all rows.
        filters: The value that a column has, by its name.
        sort: Name of a column; empty for what was stored last first.
        descending: Whether the largest or latest comes first.
    """

    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row: its id, and a short text of one line for each column that is shown."""

    id: str
    cells: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TablePage:
    """Some rows of a query, and how many there are of it, as of one moment."""

    total: int
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, kw_only=True)
class TableText:
    """A text from a person or a model, whole.

    Attributes:
        label: What it is, as in "Prompt" or "A. rank 1".
        note: Where it comes from, as in "policy@1".
        text: Markdown, as it was written; whoever shows it makes it safe.
    """

    label: str
    note: str = ""
    text: str


@dataclass(frozen=True, kw_only=True)
class TableDetail:
    """All there is to know of one row.

    Attributes:
        title: What it is, as in "response".
        facts: Short texts by what they say, in order.
        texts: The long ones, in order.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    texts: tuple[TableText, ...]


class TableSource(Protocol):
    """A table that is read page by page; nothing asks it for all rows."""

    @property
    def name(self) -> str:
        """What its rows are, plural, as in "responses"."""
        ...

    @property
    def searches(self) -> str:
        """What a search looks at, as in "responses" or "comments and texts"."""
        ...

    def columns(self) -> Sequence[TableColumn]:
        """Its columns, in order, with the values there are now."""
        ...

    def page(self, query: TableQuery, offset: int, limit: int) -> TablePage:
        """Rows of a query from a place on; none where that is behind the last.

        One method for rows and their number: read apart, they could disagree while people judge,
        and a search would be made twice.
        """
        ...

    def detail(self, row_id: str) -> TableDetail:
        """One row, whole.

        Raises:
            LabError: it is not there.
        """
        ...
