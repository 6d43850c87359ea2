"""What a browser sent to the dashboard and what it was told, read from the frames between the two.

Pages say what people did in events, `{"seq": ..., "id": ..., "type": "submit"}`, and hear a number
up to which all are dealt with. A judgment is stored under the id of its event, so a page's word and
the database can be held against each other one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rlhf_lab.store import PreferenceStore

WINDOWS = 1000
"""A number's remainder says which window of the browser gave it; see `shared/queue.ts`."""


@dataclass
class Ledger:
    """One browser's.

    Attributes:
        annotator: Who is signed in there.
        sent: Ids of judgments that left the page.
        acknowledged: Those of which the page heard that they are dealt with.
        refused: Those of which it heard that they were not saved.
    """

    annotator: str
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    _numbers: dict[int, str] = field(default_factory=dict)

    def note_sent(self, frame: str | bytes) -> None:
        """Take in a frame from the page."""
        for value in _values(frame):
            if isinstance(value, dict) and value.get("type") == "submit" and "seq" in value:
                self.sent.add(value["id"])
                self._numbers[value["seq"]] = value["id"]

    def note_received(self, frame: str | bytes) -> None:
        """Take in a frame to the page."""
        for value in _values(frame):
            if not isinstance(value, dict):
                continue
            if value.get("attr") == "acked_seq":
                self._acknowledge(value["new"])
            if value.get("attr") == "view" and isinstance(value.get("new"), dict):
                self.refused |= set(value["new"].get("unsaved", ())) & self.sent

    def _acknowledge(self, upto: int) -> None:
        self.acknowledged |= {
            event
            for seq, event in self._numbers.items()
            if seq <= upto and seq % WINDOWS == upto % WINDOWS
        }


@dataclass(frozen=True, kw_only=True)
class Account:
    """Ledgers against the store.

    Attributes:
        acknowledged: How many judgments pages were told are saved.
        lost: How many of them are not in the store, or in somebody else's name.
        duplicated: How many rankings too many there are of an item by one person.
        unsent: How many left a page and are not stored, though nobody was told they were.
    """

    acknowledged: int
    lost: int
    duplicated: int
    unsent: int


def settle(ledgers: list[Ledger], store: PreferenceStore) -> Account:
    """Hold what pages were told against what is stored."""
    lost = acknowledged = duplicated = unsent = 0
    for ledger in ledgers:
        events = store.judgments(annotator=ledger.annotator, include_superseded=True)
        stored = {event.id for event in events}
        told = ledger.acknowledged - ledger.refused
        acknowledged += len(told)
        lost += len(told - stored)
        unsent += len(ledger.sent - ledger.acknowledged - stored)
        items = [(event.prompt_id, frozenset(event.shown_order)) for event in events]
        duplicated += len(items) - len(set(items))
    return Account(acknowledged=acknowledged, lost=lost, duplicated=duplicated, unsent=unsent)


def _values(frame: str | bytes) -> Iterator[Any]:
    """Everything in a frame, at any depth; nothing if it is no JSON."""
    if isinstance(frame, bytes) or not frame.startswith(("{", "[")):
        return
    yield from _within(_plain(json.loads(frame)))


def _within(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _within(inner)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Bokeh writes a mapping as {"type": "map", "entries": [[key, value], ...]}."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "map" and isinstance(value.get("entries", []), list):
        return {str(key): _plain(inner) for key, inner in value.get("entries", [])}
    return {key: _plain(inner) for key, inner in value.items()}
