"""`TableBrowser`: a table of `listing` page by page, for widgets; the database does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, literal, select, true

from rlhf_lab.store import checks, rows
from rlhf_lab.store.browsing_details import detail_of
from rlhf_lab.store.database import Database
from rlhf_lab.store.listing import JudgmentTable, Table
from rlhf_lab.store.showing import moment, printable
from rlhf_lab.store.tables import JudgmentRow, PromptRow, ResponseRow
from rlhf_lab.types import TableColumn, TableDetail, TablePage, TableQuery, TableRow
from rlhf_lab.types.tables import ColumnKind

# Of a cell: two lines on the widest page there is.
_CELL = 320
# Nobody finds one of more values in a list; and an id is none that is asked for so.
_MOST_VALUES = 50


@dataclass(frozen=True, kw_only=True)
class _Column:
    """What a column is made of.

    Attributes:
        column: As it is shown, without values.
        cell: Its text, of a value and the texts of prompts; default: as `Spec.shown` has it.
        key: What rows are ordered by.
        values: Where those are found that it can be filtered by, if no fixed set is known.
        is_filter: Whether it can be filtered by.
    """

    column: TableColumn
    cell: Callable[[Any, Mapping[str, str]], str] | None = None
    key: ColumnElement[Any] | None = None
    values: ColumnElement[str] | None = None
    is_filter: bool = False


def _column(
    name: str,
    title: str,
    kind: ColumnKind = "label",
    importance: Literal[1, 2, 3] = 1,
    *,
    shown: bool = True,
    **parts: Any,  # noqa: ANN401 - of `_Column`
) -> _Column:
    about = TableColumn(
        name=name,
        title=title,
        kind=kind,
        importance=importance,
        shown=shown,
        sortable=parts.get("key") is not None,
    )
    return _Column(column=about, is_filter=name in _FILTERS, **parts)


# Fields of `listing_specs` that have few values as a rule.
_FILTERS = frozenset(
    ("version", "purpose", "end_reason", "split", "source", "annotator", "kind", "occasion",
     "strength")
)  # fmt: skip


def _seconds(judgment: Any, _: Mapping[str, str]) -> str:  # noqa: ANN401 - a Judgment
    return f"{judgment.seconds:,.1f} s" if judgment.seconds else ""


def _when(value: Any, _: Mapping[str, str]) -> str:  # noqa: ANN401 - a Response or Judgment
    return moment(value.created_at).removesuffix(" UTC")


_SPLIT_ALONE = _column("split", "split", shown=False)

_COLUMNS: Mapping[str, tuple[_Column, ...]] = {
    "prompts": (
        _column("prompt", "prompt", "text"),
        _column("split", "split", key=PromptRow.split),
        _column("source", "source", "label", 2, key=PromptRow.source, values=PromptRow.source),
        _column("tags", "tags", "label", 3),
        _column("id", "ID", "id", 2),
    ),
    "responses": (
        _column("prompt", "prompt", "text", 2),
        _column("response", "response", "text"),
        _column(
            "length",
            "length",
            "number",
            3,
            cell=lambda response, _: f"{len(response.text):,}",
            key=func.length(ResponseRow.text),
        ),
        _column("version", "version", key=ResponseRow.version, values=ResponseRow.version),
        _column("end_reason", "ended by", "label", 2, key=ResponseRow.end_reason),
        _column("purpose", "purpose", "label", 3, key=ResponseRow.purpose),
        _column("when", "when (UTC)", "time", 3, key=ResponseRow.created_at, cell=_when),
        _column("id", "ID", "id", 2),
        _SPLIT_ALONE,
    ),
    "judgments": (
        _column("when", "when (UTC)", "time", 2, key=JudgmentRow.created_at, cell=_when),
        _column(
            "annotator", "annotator", key=JudgmentRow.annotator, values=JudgmentRow.annotator
        ),
        _column("prompt", "prompt", "text"),
        _column("said", "said"),
        _column("strength", "strength", "label", 3),
        _column("comment", "comment", "text", 3),
        _column("seconds", "took", "number", 2, key=JudgmentRow.seconds, cell=_seconds),
        _column("occasion", "occasion", "label", 3),
        _column("id", "ID", "id", 2),
        _column("kind", "kind", shown=False),
        _column("version", "version", shown=False, values=ResponseRow.version),
        _SPLIT_ALONE,
    ),
}  # fmt: skip

_SEARCHED = {"judgments": "comments and texts"}


class TableBrowser:
    """A `TableSource` over a table of a lab, with the filters that the table has already.

    Nothing reads all rows into Python, but that a search in SQLite has each text looked at there.
    """

    def __init__(self, table: Table[Any]) -> None:
        """Browse the rows of a table, the one stored last first."""
        self._table = table
        # Its neighbours in this package read a table's parts; nobody else should.
        self._database: Database = table._database
        self._spec = table._spec
        self._columns = {one.column.name: one for one in _COLUMNS[self._spec.name]}

    @property
    def name(self) -> str:
        """As in "responses"."""
        return self._spec.name

    @property
    def searches(self) -> str:
        """As in "comments and texts"."""
        return _SEARCHED.get(self.name, self.name)

    def columns(self) -> Sequence[TableColumn]:
        """The columns, with the values that they have in the whole lab."""
        return [
            replace(one.column, values=self._values(one) if one.is_filter else ())
            for one in self._columns.values()
        ]

    def page(self, query: TableQuery, offset: int, limit: int) -> TablePage:
        """Rows of a query and their number, in one transaction.

        Raises:
            ConfigError: a filter or a column to sort by that there is not.
        """
        table = self._asked(query)
        key = self._columns[query.sort].key if query.sort in self._columns else None
        statement = _numbered(table._numbers(), key, query.descending, offset, limit)
        with self._database.read() as session:
            found = session.execute(statement).all()
            wanted = [row.seq for row in found if row.seq is not None]
            stored = select(self._spec.row).where(self._spec.row.seq.in_(wanted))
            values = {row.seq: self._spec.convert(row) for row in session.scalars(stored)}
            shown = [values[seq] for seq in wanted]
            about = {self._spec.prompt_id(value) for value in shown}
            of_prompts = checks.in_chunks(session, select(PromptRow), PromptRow.id, about)
            prompts = {row.id: rows.to_prompt(row).text for (row,) in of_prompts}
        return TablePage(
            total=found[0].total, rows=tuple(self._row(value, prompts) for value in shown)
        )

    def detail(self, row_id: str) -> TableDetail:
        """One row, whole.

        Raises:
            StoreError: it is not in the lab.
        """
        with self._database.read() as session:
            return detail_of(session, self.name, row_id)

    def _asked(self, query: TableQuery) -> Table[Any]:
        table = self._table
        if query.filters:
            table = table.where(**query.filters)
        return table.search(query.search) if query.search.strip() else table

    def _values(self, one: _Column) -> tuple[str, ...]:
        name = one.column.name
        if one.values is None:
            known = self._spec.values.get(name, ())
            return tuple(value for value in known if value != "undo" or self._has_undos)
        query = select(one.values).distinct().order_by(one.values).limit(_MOST_VALUES + 1)
        with self._database.read() as session:
            found = tuple(session.scalars(query))
        return found if len(found) <= _MOST_VALUES else ()

    @property
    def _has_undos(self) -> bool:
        return isinstance(self._table, JudgmentTable) and self._table._everything

    def _row(self, value: Any, prompts: Mapping[str, str]) -> TableRow:  # noqa: ANN401
        cells = {
            one.column.name: _shown(self._cell(one)(value, prompts), one.column.kind)
            for one in self._columns.values()
            if one.column.shown
        }
        return TableRow(id=value.id, cells=cells)

    def _cell(self, one: _Column) -> Callable[[Any, Mapping[str, str]], str]:
        return one.cell or self._spec.shown[one.column.title.lower()]


def _shown(text: str, kind: ColumnKind) -> str:
    if kind == "text":
        text = " ".join(text[: 2 * _CELL].split())  # two lines have no room for lines of their own
    return printable(text, _CELL)


def _numbered(
    numbers: Select[Any],
    key: ColumnElement[Any] | None,
    descending: bool,
    offset: int,
    limit: int,
) -> Select[Any]:
    """How many there are and the numbers of one page: a row for each, at least one.

    Conditions are looked at once for both, as a search looks at every text. Rows with the same key
    are in the order they were stored, so that no row is on two pages.
    """
    if key is not None:
        numbers = numbers.add_columns(key.label("key"))
    found = numbers.cte("found").prefix_with("MATERIALIZED")
    order = _order(found.c, descending)
    page = select(found).order_by(*order).limit(limit).offset(offset).subquery("page")
    count = select(func.count(literal(1)).label("total")).select_from(found).subquery("counted")
    both = select(count.c.total, page.c.seq).select_from(count.join(page, true(), isouter=True))
    return both.order_by(*_order(page.c, descending))


def _order(columns: Any, descending: bool) -> Iterable[ColumnElement[Any]]:  # noqa: ANN401
    if "key" not in columns:
        return (columns.seq.desc(),)
    return (columns.key.desc() if descending else columns.key.asc(), columns.seq.asc())
