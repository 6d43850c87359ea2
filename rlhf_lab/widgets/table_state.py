"""The table widget without a widget: one page of a long table, and one row of it whole.

The truth is in the `TableSource`; this holds only the page that is on the screen. Events have,
beside what every event has, one of these:

    {"type": "query", "number": 4, "search": "tea", "filters": {"version": "<key>"},
     "sort": "when", "descending": true, "page": 0, "page_size": 50}
    {"type": "detail", "row": "<key>"}
    {"type": "refresh"}

`number` grows with each query of a page, and the answer says which it answers: an answer to an
earlier question than the last is none. Rows and values of filters are named by keys made here, as
ids and values may hold what no message can carry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypedDict

from rlhf_lab.errors import ConfigError
from rlhf_lab.types import TableColumn, TableDetail, TablePage, TableQuery, TableSource
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.rendering import render_markdown
from rlhf_lab.widgets.state import Event, WidgetState, reason

PAGE_SIZES: Final = (25, 50, 100, 200)

# Of a value in a list to choose from, in characters.
_LABEL = 60

Phase = Literal["ready", "error"]


class Choice(TypedDict):
    """A value that a column can be filtered by."""

    key: str
    label: str


class ColumnView(TypedDict):
    """A column as the front end knows it."""

    name: str
    title: str
    kind: str
    sortable: bool
    shown: bool
    importance: int
    choices: list[Choice]


class RowView(TypedDict):
    """A row of the page; its texts are plain, and put in as such."""

    key: str
    cells: dict[str, str]


class PageView(TypedDict):
    """The answer to the query of this number, with all that was asked."""

    number: int
    phase: Phase
    search: str
    filters: dict[str, str]
    sort: str
    descending: bool
    page: int
    page_size: int
    total: int
    rows: list[RowView]


class TextView(TypedDict):
    """A whole text, as HTML that is safe."""

    label: str
    note: str
    html: str


class DetailView(TypedDict):
    """A row with all there is to know of it, or why that cannot be told."""

    row: str
    title: str
    error: str
    facts: list[list[str]]
    texts: list[TextView]


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A query as a page asks it: filters by keys, and which part of the rows."""

    number: int = 0
    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    descending: bool = False
    page: int = 0
    page_size: int


class TableState(WidgetState):
    """Shows one page of a table, and reads another when it is asked to."""

    def __init__(self, source: TableSource, *, page_size: int = 50) -> None:
        """Read the first page.

        Raises:
            ConfigError: there is no such size of pages.
        """
        super().__init__()
        if page_size not in PAGE_SIZES:
            raise ConfigError(f"page_size={page_size!r:.40}: use one of {_told(PAGE_SIZES)}.")
        self._source = source
        self._columns: tuple[TableColumn, ...] = ()
        self._asked = _Asked(page_size=page_size)
        self._ids: dict[str, str] = {}
        self.view = {"detail": None}
        self._read_anew()

    @property
    def total(self) -> int:
        """How many rows the query has that is on the screen."""
        return int(self.content["page"]["total"])

    def refresh(self) -> None:
        """Read the page again, for instance after new responses were generated."""
        self._read_anew()
        self.changed()

    def apply(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Deal with events, but of several queries that come at once with the last alone.

        While a cell runs they pile up, and nobody waits for the answers to the earlier ones.
        """
        raw = list(events)
        last = max((_number(one) for one in raw if one.get("type") == "query"), default=0)
        super().apply(one for one in raw if one.get("type") != "query" or _number(one) == last)

    def handle(self, event: Event) -> None:
        """Read another page, a row, or the same page again."""
        if event.type == "query":
            self._query(event)
        elif event.type == "detail":
            self._show_detail(event.text("row"))
        elif event.type == "refresh":
            self._read_anew()
        else:
            raise ConfigError(f"{event.type!r:.40} is no event: query, detail or refresh.")

    def _query(self, event: Event) -> None:
        number = _number(event.fields)
        if number <= self._asked.number:
            return  # from a second page that has not seen what this one shows
        self._asked = replace(self._asked, number=number)  # also what fails is an answer to it
        try:
            self._asked = self._read_asked(event, number)
        except ConfigError as error:
            self._fail(error)
        else:
            self._read_page()

    def _read_anew(self) -> None:
        try:
            self._columns = tuple(self._source.columns())
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._fail(error)
        else:
            self._read_page()

    def _read_page(self) -> None:
        try:
            found = self._found()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._fail(error)
            return
        self._ids = {_key(row.id): row.id for row in found.rows}
        rows = [RowView(key=_key(row.id), cells=dict(row.cells)) for row in found.rows]
        self._show("ready", found.total, rows)

    def _found(self) -> TablePage:
        """The page that was asked for; the last one there is where that is behind it."""
        query, asked = self._table_query(), self._asked
        found = self._source.page(query, asked.page * asked.page_size, asked.page_size)
        if not found.rows and asked.page:
            last = max(found.total - 1, 0) // asked.page_size
            self._asked = replace(asked, page=last)
            found = self._source.page(query, last * asked.page_size, asked.page_size)
        return found

    def _fail(self, error: Exception) -> None:
        self.tell("error", f"The rows could not be read. {reason(error)}")
        self._ids = {}
        self._show("error", 0, [])

    def _show(self, phase: Phase, total: int, rows: list[RowView]) -> None:
        asked = self._asked
        page = PageView(
            number=asked.number,
            phase=phase,
            search=sendable.text(asked.search),
            filters=dict(asked.filters),
            sort=asked.sort,
            descending=asked.descending,
            page=asked.page,
            page_size=asked.page_size,
            total=total,
            rows=rows,
        )
        self.content = {
            "name": self._source.name,
            "searches": self._source.searches,
            "page_sizes": list(PAGE_SIZES),
            "columns": [_column_view(column) for column in self._columns],
            "page": dict(page),
        }

    # Queries

    def _read_asked(self, event: Event, number: int) -> _Asked:
        fields = event.fields
        filters = fields.get("filters")
        asked = _Asked(
            number=number,
            search=event.text("search"),
            filters=dict(filters) if isinstance(filters, Mapping) else {},
            sort=event.text("sort"),
            descending=fields.get("descending") is True,
            page=_whole(fields.get("page")),
            page_size=_whole(fields.get("page_size")),
        )
        sortable = [column.name for column in self._columns if column.sortable]
        if asked.sort and asked.sort not in sortable:
            raise ConfigError(f"sort={asked.sort!r:.40}: use one of {_told(sortable)}, or none.")
        if asked.page_size not in PAGE_SIZES:
            raise ConfigError(f"page_size={asked.page_size}: use one of {_told(PAGE_SIZES)}.")
        return asked

    def _table_query(self) -> TableQuery:
        asked = self._asked
        return TableQuery(
            search=asked.search,
            filters={name: self._value(name, key) for name, key in asked.filters.items()},
            sort=asked.sort,
            descending=asked.descending,
        )

    def _value(self, name: str, key: object) -> str:
        for column in self._columns:
            for value in column.values if column.name == name else ():
                if _key(value) == key:
                    return value
        raise ConfigError(f"{name!r:.40} has no such value any more: clear the filter.")

    # One row

    def _show_detail(self, key: str) -> None:
        self.view = {"detail": dict(self._detail_view(key))}

    def _detail_view(self, key: str) -> DetailView:
        row_id = self._ids.get(key)
        if row_id is None:
            return _no_detail(key, "This row is not on the page any more.")
        try:
            return _detail_view(key, self._source.detail(row_id))
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            return _no_detail(key, f"This row could not be read. {reason(error)}")


def _column_view(column: TableColumn) -> ColumnView:
    return ColumnView(
        name=column.name,
        title=column.title,
        kind=column.kind,
        sortable=column.sortable,
        shown=column.shown,
        importance=column.importance,
        choices=[Choice(key=_key(value), label=_label(value)) for value in column.values],
    )


def _detail_view(key: str, detail: TableDetail) -> DetailView:
    return DetailView(
        row=key,
        title=detail.title,
        error="",
        facts=[[name, sendable.text(value)] for name, value in detail.facts],
        texts=[
            TextView(label=one.label, note=sendable.text(one.note), html=render_markdown(one.text))
            for one in detail.texts
        ],
    )


def _no_detail(key: str, error: str) -> DetailView:
    return DetailView(row=key, title="", error=sendable.text(error), facts=[], texts=[])


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _label(value: str) -> str:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)
    return shown if len(shown) <= _LABEL else shown[: _LABEL - 1] + "…"


def _number(raw: Mapping[str, Any]) -> int:
    return _whole(raw.get("number"))


def _whole(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _told(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
