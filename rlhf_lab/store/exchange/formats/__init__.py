"""The formats that files are read and written in, and which one a row has."""

from __future__ import annotations

from collections.abc import Iterable

from rlhf_lab.errors import ConfigError
from rlhf_lab.store.exchange.formats.argilla import Argilla
from rlhf_lab.store.exchange.formats.base import Format
from rlhf_lab.store.exchange.formats.kwise import Kwise
from rlhf_lab.store.exchange.formats.pairs import all_pairs
from rlhf_lab.store.exchange.formats.single import Prompts, Sft
from rlhf_lab.store.exchange.record import Row, What

# In the order in which they are tried.
FORMATS: tuple[Format, ...] = (
    Argilla(),
    Kwise(),
    *all_pairs(),
    Sft("trl-sft", "chat"),
    Sft("trl-sft-text", "text"),
    Sft("trl-sft-messages", "messages"),
    Prompts("trl-prompt", chat=True),
    Prompts("trl-prompt-text", chat=False),
)
_BY_NAME = {f.name: f for f in FORMATS}
# What the short names mean for other things than judgments.
_SHORT = {
    ("demonstrations", "trl"): "trl-sft",
    ("demonstrations", "trl-text"): "trl-sft-text",
    ("prompts", "trl"): "trl-prompt",
    ("prompts", "trl-text"): "trl-prompt-text",
}

__all__ = ["FORMATS", "Format", "describe_unknown", "detect", "named", "to_write"]


def named(name: object) -> Format:
    """The format of this name.

    Raises:
        ConfigError: there is none.
    """
    if not isinstance(name, str) or name not in _BY_NAME:
        raise ConfigError(f"format={name!r}: use one of {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def to_write(what: What, name: object) -> Format:
    """The format to write something in; "trl" and "trl-text" fit everything.

    Raises:
        ConfigError: there is none of that name for it.
    """
    found = _BY_NAME.get(_SHORT.get((what, name), name)) if isinstance(name, str) else None
    if found is None or found.what != what:
        fitting = [f.name for f in FORMATS if f.what == what]
        raise ConfigError(f"format={name!r}: {what} are written as {', '.join(fitting)}.")
    return found


def detect(row: Row) -> Format | None:
    """The first format that matches."""
    return next((f for f in FORMATS if f.matches(row)), None)


def describe_unknown(fields: Iterable[str]) -> str:
    """Why no format matched: what is there, what is known, and what the nearest one lacks."""
    there = set(fields)
    nearest = max(FORMATS, key=lambda f: (len(there & set(f.needs)) / len(f.needs), -len(f.needs)))
    lacking = [f for f in nearest.needs if f not in there]
    known = "; ".join(f"{f.name} ({', '.join(f.needs)})" for f in FORMATS)
    hint = (
        f"The nearest is {nearest.name}, which lacks {', '.join(map(repr, lacking))}: map it, as "
        f"in columns={{{lacking[0]!r}: 'its name here'}}."
        if lacking
        else f"The nearest is {nearest.name}, but its fields have other types here."
    )
    return f"fields {sorted(there)!r:.300} fit no format. Known: {known}. {hint}"
