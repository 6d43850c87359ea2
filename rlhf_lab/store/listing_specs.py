"""What each table of `listing` has: fields to filter by, texts to search, columns to show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_args

from sqlalchemy import ColumnElement, Text, cast, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from rlhf_lab.errors import ConfigError
from rlhf_lab.store import rows
from rlhf_lab.store.database import Database
from rlhf_lab.store.searching import Words, in_json_list, json_form
from rlhf_lab.store.showing import letter, moment
from rlhf_lab.store.tables import ActiveRow, JudgmentRow, PromptRow, ResponseRow, has_lone_surrogate
from rlhf_lab.types import (
    EndReason,
    Judgment,
    JudgmentKind,
    Occasion,
    Prompt,
    Purpose,
    Response,
    Split,
    Strength,
)

T = TypeVar("T")
Filter = str | date | Iterable[str]
# From a database and the values asked for to a condition on rows.
Condition = Callable[[Database, list[Any]], ColumnElement[bool]]
Cell = Callable[[Any, Mapping[str, str]], str]
# Between two texts of a JSON list, as it is stored.
_BETWEEN = '", "'


@dataclass(frozen=True, kw_only=True)
class Spec(Generic[T]):
    """One kind of table.

    Attributes:
        name: Plural, as people say it.
        row: Its class of rows, with a `seq`.
        convert: From a row to the value people get.
        filters: Conditions by the name of their field.
        values: Of the fields that have a fixed set of them.
        text: The condition that words are somewhere in a row's texts.
        prompt_id: The prompt that a value is about.
        shown: How a cell reads, by the title of its column; given the value and texts of prompts.
        fields: Names of the fields of a record.
        record: All fields as plain lists, dicts, texts and numbers.
    """

    name: str
    row: Any
    convert: Callable[[Any], T]
    filters: Mapping[str, Condition]
    values: Mapping[str, tuple[str, ...]]
    text: Callable[[Database, str], ColumnElement[bool]]
    prompt_id: Callable[[T], str]
    shown: Mapping[str, Cell]
    fields: tuple[str, ...]
    record: Callable[[T], dict[str, Any]]

    def condition(self, database: Database, name: str, wanted: Filter) -> ColumnElement[bool]:
        """One filter.

        Raises:
            ConfigError: there is no such field, or it never has such a value.
        """
        if name not in self.filters:
            raise ConfigError(
                f"{name!r} is nothing to filter {self.name} by: use {', '.join(self.filters)}."
            )
        if name == "since":
            return self.filters[name](database, [_moment(wanted)])
        values = [wanted] if isinstance(wanted, str) else _listed(name, wanted)
        known = self.values.get(name, ())
        for value in values:
            if not isinstance(value, str) or (known and value not in known):
                choice = f"use {', '.join(map(repr, known))}" if known else "use a text"
                raise ConfigError(f"{name}={value!r}: {choice}, or a list of such.")
        return self.filters[name](database, values)


def is_active() -> ColumnElement[bool]:
    """Whether a ranking or skip counts."""
    active = select(ActiveRow.judgment_id).where(
        ActiveRow.judgment_id == JudgmentRow.id, ActiveRow.kind != "undo"
    )
    return active.exists()


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ConfigError(
                f"since={value!r} is no time: use a datetime, or a text such as '2025-03-01' or "
                "'2025-03-01T12:00:00+00:00'."
            ) from error
    if isinstance(value, datetime):
        # A date alone is taken as UTC, as times are shown.
        at_midnight = value.time() == datetime.min.time()
        if value.tzinfo is None and not at_midnight:
            raise ConfigError(f"since={value.isoformat()} has no time zone: add one, as in +00:00.")
        return _in_utc(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ConfigError(f"since={value!r}: use a datetime, a date or an ISO text.")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # within a day of the year 1 or 9999
        raise ConfigError(
            f"since={value.isoformat()} is no time in UTC: use one from "
            f"{date.min} to {date.max} there."
        ) from error


def _listed(name: str, wanted: object) -> list[Any]:
    values = list(wanted) if isinstance(wanted, Iterable) else []
    if not values:
        raise ConfigError(f"{name}={wanted!r}: use a text, or a list of one or more.")
    return values


# -- conditions


def _is(column: InstrumentedAttribute[Any]) -> Condition:
    return lambda database, values: column.in_(values)


def _since(column: InstrumentedAttribute[datetime]) -> Condition:
    return lambda database, values: column >= values[0]


def _has_tag(database: Database, values: list[Any]) -> ColumnElement[bool]:
    # Both as `dump_json` writes a list of tags: escaped if one of them has half a character.
    forms = {json.dumps(value, ensure_ascii=e) for value in values for e in (False, True)}
    wanted = (literal(f, Text) for f in forms - {_BETWEEN} if not has_lone_surrogate(f))
    found = [in_json_list(database, PromptRow.tags, form) for form in wanted]
    return or_(*found, *([_has_separator()] if _BETWEEN in forms else []))


def _has_separator() -> ColumnElement[bool]:
    """Whether ", " is among the tags: it reads like the end of one tag and the start of the next.

    So it has to be the first, or to come after such an end.
    """
    tags = cast(PromptRow.tags, Text)
    return or_(tags.startswith(f"[{_BETWEEN}"), tags.contains(f'", {_BETWEEN}'))


def _of_prompt(column: InstrumentedAttribute[str], condition: Condition) -> Condition:
    """A filter by what the prompt of a row is."""

    def of_prompt(database: Database, values: list[Any]) -> ColumnElement[bool]:
        return column.in_(select(PromptRow.id).where(condition(database, values)))

    return of_prompt


def _shows(database: Database, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a judgment showed a response for which a condition holds."""
    shown = in_json_list(database, JudgmentRow.shown_order, json_form(ResponseRow.id))
    of_it = ResponseRow.prompt_id == JudgmentRow.prompt_id
    return select(ResponseRow.seq).where(of_it, condition, shown).exists()


def _shows_version(database: Database, values: list[Any]) -> ColumnElement[bool]:
    # Not the column itself: SQLite would take the index on versions, and read all responses of a
    # version for each judgment.
    return _shows(database, func.coalesce(ResponseRow.version, "").in_(values))


def _on_occasion(database: Database, values: list[Any]) -> ColumnElement[bool]:
    said = JudgmentRow.occasion.in_(values)
    # Rows of earlier releases have none.
    return or_(said, JudgmentRow.occasion.is_(None)) if "regular" in values else said


def _in_prompt(database: Database, words: str) -> ColumnElement[bool]:
    return Words(database, words).in_messages(PromptRow.messages)


def _in_response(database: Database, words: str) -> ColumnElement[bool]:
    return Words(database, words).in_text(ResponseRow.text)


def _in_judgment(database: Database, words: str) -> ColumnElement[bool]:
    found = Words(database, words)
    prompts = select(PromptRow.id).where(found.in_messages(PromptRow.messages))
    return or_(
        found.in_text(JudgmentRow.comment),
        JudgmentRow.prompt_id.in_(prompts),
        _shows(database, found.in_text(ResponseRow.text)),
    )


# -- records and cells


def _prompt_record(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "text": prompt.text,
        "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
        "split": prompt.split,
        "source": prompt.source,
        "tags": list(prompt.tags),
    }


def _response_record(response: Response) -> dict[str, Any]:
    values = {f.name: getattr(response, f.name) for f in fields(response)}
    sampling = None if response.sampling is None else asdict(response.sampling)
    return {**values, "token_ids": list(response.token_ids), "sampling": sampling}


def _judgment_record(judgment: Judgment) -> dict[str, Any]:
    ranking = judgment.ranking
    values = {f.name: getattr(judgment, f.name) for f in fields(judgment) if f.name != "ranking"}
    return {
        **values,
        "shown_order": list(judgment.shown_order),
        "tiers": None if ranking is None else [list(tier) for tier in ranking.tiers],
        "criteria": {i: dict(ratings) for i, ratings in judgment.criteria.items()},
        "flags": list(judgment.flags),
    }


def _field(name: str) -> Cell:
    """A cell with the text of a field; an empty one for None."""
    return lambda value, _: getattr(value, name) or ""


def _prompt_text(value: Response | Judgment, prompts: Mapping[str, str]) -> str:
    return prompts.get(value.prompt_id, "")


def _said(judgment: Judgment, prompts: Mapping[str, str]) -> str:
    if judgment.ranking is None:
        return judgment.kind
    names = {i: letter(place) for place, i in enumerate(judgment.shown_order)}
    return " > ".join(
        " = ".join(sorted(names.get(i, i) for i in tier)) for tier in judgment.ranking.tiers
    )


_PROMPT_FILTERS: dict[str, Condition] = {
    "split": _is(PromptRow.split),
    "source": _is(PromptRow.source),
    "tag": _has_tag,
}

_PROMPT_VALUES = {"split": get_args(Split)}


def _filters_by_prompt(column: InstrumentedAttribute[str]) -> dict[str, Condition]:
    """Of a table whose column names a prompt."""
    by = {name: _of_prompt(column, condition) for name, condition in _PROMPT_FILTERS.items()}
    return {"prompt": _is(column), **by}


PROMPTS: Spec[Prompt] = Spec(
    name="prompts",
    row=PromptRow,
    convert=rows.to_prompt,
    filters={**_PROMPT_FILTERS, "prompt": _is(PromptRow.id)},
    values=_PROMPT_VALUES,
    text=_in_prompt,
    prompt_id=attrgetter("id"),
    shown={
        "prompt": _field("text"),
        "split": _field("split"),
        "source": _field("source"),
        "tags": lambda prompt, _: ", ".join(prompt.tags),
        "id": _field("id"),
    },
    fields=("id", "text", "messages", "split", "source", "tags"),
    record=_prompt_record,
)

RESPONSES: Spec[Response] = Spec(
    name="responses",
    row=ResponseRow,
    convert=rows.to_response,
    filters={
        "version": _is(ResponseRow.version),
        "purpose": _is(ResponseRow.purpose),
        "end_reason": _is(ResponseRow.end_reason),
        **_filters_by_prompt(ResponseRow.prompt_id),
        "since": _since(ResponseRow.created_at),
    },
    values={
        "purpose": get_args(Purpose),
        "end_reason": get_args(EndReason),
        **_PROMPT_VALUES,
    },
    text=_in_response,
    prompt_id=attrgetter("prompt_id"),
    shown={
        "prompt": _prompt_text,
        "response": _field("text"),
        "version": _field("version"),
        "ended by": _field("end_reason"),
        "purpose": _field("purpose"),
        "id": _field("id"),
    },
    fields=tuple(f.name for f in fields(Response)),
    record=_response_record,
)

JUDGMENTS: Spec[Judgment] = Spec(
    name="judgments",
    row=JudgmentRow,
    convert=rows.to_judgment,
    filters={
        "annotator": _is(JudgmentRow.annotator),
        "kind": _is(JudgmentRow.kind),
        "occasion": _on_occasion,
        "strength": _is(JudgmentRow.strength),
        "version": _shows_version,
        **_filters_by_prompt(JudgmentRow.prompt_id),
        "since": _since(JudgmentRow.created_at),
    },
    values={
        "kind": get_args(JudgmentKind),
        "occasion": get_args(Occasion),
        "strength": get_args(Strength),
        **_PROMPT_VALUES,
    },
    text=_in_judgment,
    prompt_id=attrgetter("prompt_id"),
    shown={
        "when": lambda judgment, _: moment(judgment.created_at),
        "annotator": _field("annotator"),
        "prompt": _prompt_text,
        "said": _said,
        "strength": _field("strength"),
        "comment": _field("comment"),
        "occasion": _field("occasion"),
        "id": _field("id"),
    },
    fields=(
        "id", "prompt_id", "annotator", "kind", "shown_order", "tiers", "strength", "criteria",
        "comment", "flags", "occasion", "seconds", "supersedes", "created_at",
    ),
    record=_judgment_record,
)  # fmt: skip
