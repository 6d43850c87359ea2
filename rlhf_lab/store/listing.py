"""Tables to look at a lab's data: lazy, immutable, and streamed in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, Any, Generic, Self, SupportsIndex, TypeVar, overload

from sqlalchemy import ColumnElement, Select, func, select

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import checks, rows
from rlhf_lab.store.database import Database
from rlhf_lab.store.listing_specs import JUDGMENTS, PROMPTS, RESPONSES, Filter, Spec, is_active
from rlhf_lab.store.showing import (
    as_html,
    counted,
    head_cell,
    in_frame,
    printable,
    text_cell,
    whole,
)
from rlhf_lab.store.tables import PromptRow
from rlhf_lab.types import Judgment, Prompt, Response

if TYPE_CHECKING:
    import datasets
    import pandas

T = TypeVar("T")
_BATCH = 500
# How much a notebook shows: rows, and characters per cell there and in a terminal.
_ROWS = 20
# How far either database counts.
_MOST = 2**63 - 1
_CELL, _CELL_IN_TERMINAL = 160, 36


@dataclass(frozen=True)
class _Query:
    """What a table shows of its rows, and from which end."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    backwards: bool = False
    cut: bool = False


class Table(Generic[T]):
    """Rows of a lab, to be filtered, looked at, and taken elsewhere.

    Nothing is read before it is needed, and a table never changes: each method gives another one.
    Two looks at one table may differ when people judge in between.
    """

    def __init__(self, database: Database, spec: Spec[T], query: _Query = _Query()) -> None:
        """A table of all rows."""
        self._database = database
        self._spec = spec
        self._query = query

    def where(self, **filters: Filter) -> Self:
        """Only rows for which all of these hold; a list means any of its values.

        Raises:
            ConfigError: a field or value that there is not; names those there are.
        """
        conditions = (self._spec.condition(self._database, k, v) for k, v in filters.items())
        return self._with(*conditions)

    def search(self, words: str) -> Self:
        """Only rows with these words, in this order, somewhere in their texts, in any case.

        Prompts are searched in their messages, responses in their text, judgments in their comment
        and in the prompt and responses that they are about.

        Raises:
            ConfigError: there is nothing to search for.
        """
        if not isinstance(words, str):
            raise ConfigError(f"search({words!r:.80}): words are looked for. Give a text.")
        if not words.strip():
            raise ConfigError(f"search({words!r}): nothing to search for. Give a word or more.")
        return self._with(self._spec.text(self._database, words))

    def newest(self, n: int = _ROWS) -> Self:
        """The n that were stored last, the last one first.

        Raises:
            ConfigError: n is no whole number, below 1, or more than a database counts to.
        """
        number = _number(n)
        if number is None or number < 1:
            raise ConfigError(f"newest({n!r}): a whole number of rows, at least 1.")
        if number > _MOST:
            raise ConfigError(f"newest({n}): at most {_MOST}. Leave newest out to see all rows.")
        order = self._spec.row.seq.asc() if self._query.backwards else self._spec.row.seq.desc()
        return self._cut(self._numbers().order_by(order).limit(number), not self._query.backwards)

    def __len__(self) -> int:
        with self._database.read() as session:
            query = select(func.count(self._spec.row.seq)).where(*self._conditions())
            return session.scalar(query) or 0

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __iter__(self) -> Iterator[T]:
        last: int | None = None
        while True:
            batch = self._read(last, _BATCH)
            yield from (value for _, value in batch)
            if len(batch) < _BATCH:
                return
            last = batch[-1][0]

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Self: ...

    def __getitem__(self, place: int | slice) -> T | Self:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step != 1:
                raise ConfigError(
                    f"step {step}: a table is cut in one piece. Use list(table)[{_told(place)}]."
                )
            numbers = self._ordered(self._numbers()).offset(start).limit(max(stop - start, 0))
            return self._cut(numbers, self._query.backwards)
        number = _number(place)
        if number is None:
            raise ConfigError(
                f"[{place!r:.80}]: rows have numbers, and pieces are cut as in [10:20]. To choose "
                "by what is in them, use where() or search()."
            )
        offset = number if number >= 0 else -number - 1
        found = self._read(None, 1, offset=offset, turned=number < 0) if offset <= _MOST else []
        if not found:
            raise IndexError(f"row {place} of {len(self)} {self._spec.name}")
        return found[0][1]

    # Elsewhere

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a column for each field, lists and dicts as they are.

        Half characters (lone surrogates), which its texts cannot hold, become "?".

        Raises:
            StoreError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise StoreError(
                "pandas is not installed: pip install pandas, or use to_dataset()."
            ) from error
        records = [whole(self._spec.record(value)) for value in self]
        return pandas.DataFrame.from_records(records, columns=list(self._spec.fields))

    def to_dataset(self) -> datasets.Dataset:
        """A `datasets.Dataset` with a column for each field.

        As in a data frame, but that seeds, which may be wider than its integers, become text.
        """
        import datasets

        from rlhf_lab.store.listing_arrow import to_arrow

        return datasets.Dataset(to_arrow(self._spec, self))

    # Shown

    def __repr__(self) -> str:
        count, titles, cells = self._preview()
        shown = [[printable(cell, _CELL_IN_TERMINAL) for cell in line] for line in cells]
        lines = [titles, *shown] if shown else []
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        told = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
        return "\n".join([self._heading(count, len(cells)), *told])

    def _repr_html_(self) -> str:
        count, titles, cells = self._preview()
        longest = (max(map(len, column)) for column in zip(*cells, strict=True))
        heads = "".join(
            head_cell(title, "col", most) for title, most in zip(titles, longest, strict=False)
        )
        body = "".join(
            "<tr>" + "".join(text_cell(cell, _CELL) for cell in line) + "</tr>" for line in cells
        )
        caption = as_html(self._heading(count, len(cells)))
        hint = f"where({', '.join(f'{name}=' for name in self._spec.filters)}), search(words)"
        table = (
            f"<table aria-label='{caption}'><thead><tr>{heads}</tr></thead>"
            f"<tbody>{body}</tbody></table>"
            if cells
            else ""
        )
        return in_frame(f"<p>{caption}</p>{table}<p><small>{as_html(hint)}</small></p>")

    def _heading(self, count: int, shown: int) -> str:
        if not count:
            return f"no {self._spec.name}"
        part = f", the first {shown}" if shown < count else ""
        return f"{counted(count, self._spec.name)}{part}"

    def _preview(self) -> tuple[int, list[str], list[list[str]]]:
        values = [value for _, value in self._read(None, _ROWS)]
        prompts = self._prompts({self._spec.prompt_id(value) for value in values})
        cells = [[cell(value, prompts) for cell in self._spec.shown.values()] for value in values]
        count = len(self) if len(values) == _ROWS else len(values)
        return count, list(self._spec.shown), cells

    def _prompts(self, ids: Iterable[str]) -> Mapping[str, str]:
        with self._database.read() as session:
            found = checks.in_chunks(session, select(PromptRow), PromptRow.id, ids)
            return {row.id: rows.to_prompt(row).text for (row,) in found}

    # Queries

    def _conditions(self) -> tuple[ColumnElement[bool], ...]:
        return self._query.conditions

    def _with(self, *conditions: ColumnElement[bool]) -> Self:
        query = _Query(
            (*self._query.conditions, *conditions), self._query.backwards, self._query.cut
        )
        return type(self)(self._database, self._spec, query)

    def _cut(self, numbers: Select[int], backwards: bool) -> Self:
        part = select(numbers.subquery().c.seq)
        query = _Query((self._spec.row.seq.in_(part),), backwards, cut=True)
        return type(self)(self._database, self._spec, query)

    def _numbers(self) -> Select[int]:
        return select(self._spec.row.seq).where(*self._conditions())

    def _ordered(self, query: Select[Any], *, turned: bool = False) -> Select[Any]:
        seq = self._spec.row.seq
        return query.order_by(seq.desc() if self._query.backwards != turned else seq.asc())

    def _read(
        self, after: int | None, limit: int, *, offset: int = 0, turned: bool = False
    ) -> list[tuple[int, T]]:
        """Rows with their numbers, in a transaction of its own: a loop over a table holds none."""
        seq = self._spec.row.seq
        query = select(self._spec.row).where(*self._conditions())
        if after is not None:
            query = query.where(seq < after if self._query.backwards else seq > after)
        query = self._ordered(query, turned=turned).limit(limit).offset(offset)
        with self._database.read() as session:
            return [(row.seq, self._spec.convert(row)) for row in session.scalars(query)]


class JudgmentTable(Table[Judgment]):
    """Rankings and skips that count; with `with_superseded`, the whole record."""

    def __init__(
        self,
        database: Database,
        spec: Spec[Judgment] = JUDGMENTS,
        query: _Query = _Query(),
        *,
        everything: bool = False,
    ) -> None:
        """A table of all that count."""
        super().__init__(database, spec, query)
        self._everything = everything

    def with_superseded(self) -> JudgmentTable:
        """Also what was corrected or taken back, and the undos themselves.

        Raises:
            ConfigError: the table was cut by `newest` or a slice already.
        """
        if self._query.cut:
            raise ConfigError("with_superseded() after a cut: call it before newest() or a slice.")
        return JudgmentTable(self._database, self._spec, self._query, everything=True)

    def where(self, **filters: Filter) -> Self:
        """As for any table."""
        kinds = filters.get("kind")
        asked = kinds == "undo" or (isinstance(kinds, list | tuple | set) and "undo" in kinds)
        if asked and not self._everything:
            raise ConfigError(
                "kind='undo': undos are part of the whole record. Use "
                ".with_superseded().where(kind='undo')."
            )
        return super().where(**filters)

    def _conditions(self) -> tuple[ColumnElement[bool], ...]:
        if self._everything or self._query.cut:
            return self._query.conditions
        return (*self._query.conditions, is_active())

    def _with(self, *conditions: ColumnElement[bool]) -> Self:
        found = super()._with(*conditions)
        found._everything = self._everything
        return found

    def _cut(self, numbers: Select[int], backwards: bool) -> Self:
        found = super()._cut(numbers, backwards)
        found._everything = self._everything
        return found


def prompt_table(database: Database) -> Table[Prompt]:
    """All prompts, in the order they were added."""
    return Table(database, PROMPTS)


def response_table(database: Database) -> Table[Response]:
    """All responses, in the order they were stored."""
    return Table(database, RESPONSES)


def _number(value: object) -> int | None:
    """A whole number, also one of NumPy; True is none."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    return index(value)


def _told(place: slice) -> str:
    parts = (place.start, place.stop, place.step)
    return ":".join("" if part is None else str(part) for part in parts)
