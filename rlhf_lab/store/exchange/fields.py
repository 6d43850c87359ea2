"""Checking the fields that rows of many formats share, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import log10
from sys import float_info
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rlhf_lab.errors import LabError
from rlhf_lab.store.exchange.record import Record, Row, RowProblem
from rlhf_lab.store.rows import check_text
from rlhf_lab.types import (
    HIGHEST_RATING,
    LOWEST_RATING,
    Message,
    Occasion,
    Prompt,
    Split,
    Strength,
)

Ratings = dict[str, Annotated[int, Field(ge=LOWEST_RATING, le=HIGHEST_RATING)]]

# The kinds of the columns that are written beside those of a format.
OF_PROMPTS = {"split": "text", "source": "text", "tags": "texts"}
OF_JUDGMENTS = {
    "judgment_id": "text",
    "annotator": "text",
    "strength": "text",
    "comment": "text",
    "flags": "texts",
    "seconds": "float",
    "created_at": "text",
    "occasion": "text",
    "random_share": "bool",
    **OF_PROMPTS,
}
OF_DEMONSTRATIONS = {
    "demonstration_id": "text",
    "annotator": "text",
    "comment": "text",
    "seconds": "float",
    "created_at": "text",
    "edited_from": "text",
    **OF_PROMPTS,
}


def _some(text: str) -> str:
    if not text.strip():
        raise ValueError("needs a visible character")
    return text


# Not by a constraint of pydantic's, which cannot look into half a character.
Name = Annotated[str, AfterValidator(_some)]


class Strict(BaseModel):
    """Nothing is converted: 7 is no text and "7" no number."""

    model_config = ConfigDict(strict=True)


class ChatMessage(Strict):
    """One turn as files hold it; other keys are left aside."""

    role: Literal["system", "user", "assistant"]
    content: str


class _Shared(Strict):
    split: Split | None = None
    source: str = ""
    tags: list[str] = []
    judgment_id: Name | None = None
    demonstration_id: Name | None = None
    annotator: Name | None = None
    strength: Strength | None = None
    comment: str = ""
    flags: list[str] = []
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    created_at: datetime | str | None = None
    occasion: Occasion = "regular"
    edited_from: str | None = None


class _Chat(Strict):
    messages: list[ChatMessage]


_TYPES = ("str", "datetime")

M = TypeVar("M", bound=BaseModel)


def check(model: type[M], row: Row, names: Mapping[str, str] | None = None) -> M:
    """The fields of a row that a model names; those that are null count as absent.

    Args:
        model: What they have to be.
        row: Any.
        names: What a field of the model is called in the file, if not the same.

    Raises:
        RowProblem: names the first field that is wrong, its value and the rule.
    """
    names = names or {}
    given = {f: row.get(names.get(f, f)) for f in model.model_fields}
    for name, value in given.items():
        _refuse_too_large(names.get(name, name), value)
    try:
        return model.model_validate({f: x for f, x in given.items() if x is not None})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        first, *rest = problem["loc"]
        # Where several types are allowed, pydantic names the one it tried.
        place = [names.get(str(first), str(first)), *(str(p) for p in rest if p not in _TYPES)]
        if problem["type"] == "missing":
            raise RowProblem(".".join(place), "is missing or null") from error
        raise RowProblem(".".join(place), f"{problem['input']!r:.80}: {problem['msg']}") from error


def _refuse_too_large(name: str, value: object) -> None:
    """Before anything reckons with it, or writes it out, which Python refuses for the largest."""
    if type(value) is int and abs(value) > float_info.max:
        digits = int(value.bit_length() * log10(2)) + 1
        raise RowProblem(
            name,
            f"a number of {digits:,} digits: at most {float_info.max_10_exp} are possible; "
            "correct it",
        )


def required_text(row: Row, name: str) -> str:
    """A field that has to be text; it may be empty."""
    value = row.get(name)
    if value is None:
        raise RowProblem(name, "is missing or null")
    if not isinstance(value, str):
        raise RowProblem(name, f"{value!r:.80}: should be text")
    return value


def messages_in(value: object, name: str) -> tuple[Message, ...]:
    """A list of chat messages."""
    plain = [_as_mapping(m) for m in value] if isinstance(value, (list, tuple)) else value
    chat = check(_Chat, {name: plain}, {"messages": name})
    return tuple(Message(role=m.role, content=m.content) for m in chat.messages)


def make_prompt(messages: tuple[Message, ...], field: str) -> Prompt:
    """The prompt made of messages, or the reason why they are none."""
    try:
        prompt = Prompt(messages=messages)
        check_text(prompt)
    except LabError as error:
        raise RowProblem(field, str(error)) from error
    return prompt


def shared(row: Row, prompt: Prompt) -> dict[str, Any]:
    """What a record has from the columns that all formats share, with its prompt."""
    said = check(_Shared, row)
    return {
        "prompt": Prompt(messages=prompt.messages, source=said.source, tags=tuple(said.tags)),
        "split": said.split,
        "id": said.judgment_id or said.demonstration_id,
        "annotator": said.annotator,
        "strength": said.strength,
        "comment": said.comment,
        "flags": tuple(said.flags),
        "seconds": said.seconds,
        "created_at": _moment(said.created_at),
        "occasion": said.occasion,
        "edited_from": said.edited_from,
    }


def about_prompt(record: Record) -> dict[str, Any]:
    """The columns `OF_PROMPTS` of a record."""
    prompt = record.prompt
    return {"split": prompt.split, "source": prompt.source, "tags": list(prompt.tags)}


def about_judgment(record: Record) -> dict[str, Any]:
    """The columns `OF_JUDGMENTS` of a record."""
    return {
        "judgment_id": record.id,
        "annotator": record.annotator,
        "strength": record.strength,
        "comment": record.comment,
        "flags": list(record.flags),
        "seconds": record.seconds,
        "created_at": _written(record.created_at),
        "occasion": record.occasion,
        "random_share": record.random_share,
        **about_prompt(record),
    }


def about_demonstration(record: Record) -> dict[str, Any]:
    """The columns `OF_DEMONSTRATIONS` of a record."""
    return {
        "demonstration_id": record.id,
        "annotator": record.annotator,
        "comment": record.comment,
        "seconds": record.seconds,
        "created_at": _written(record.created_at),
        "edited_from": record.edited_from,
        **about_prompt(record),
    }


def _as_mapping(message: object) -> object:
    if isinstance(message, Message):
        return {"role": message.role, "content": message.content}
    return message


def _written(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


def _moment(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise RowProblem(
            "created_at", f"{value!r:.80}: should be a time such as 2025-03-01T12:00:00+00:00"
        ) from error
    if when.tzinfo is None:
        raise RowProblem("created_at", f"{value!s:.80}: has no time zone; add one, such as +00:00")
    try:
        return when.astimezone(UTC)
    except OverflowError as error:
        raise RowProblem(
            "created_at", f"{value!s:.80}: is before the year 1 or after 9999 in UTC; correct it"
        ) from error
