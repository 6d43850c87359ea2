"""What every widget is under its surface: values to show, and what an event does to them.

A state knows no browser and no widget library, so every host shares it and tests need neither.
It holds no truth either: that is in what it was made over, a store or a run.

Events come from a page as plain dictionaries, `{"seq": 7, "id": "<uuid>", "type": "submit", ...}`.
`seq` orders the events of a page and acknowledges them; `id` makes a re-sent event the same event.
What else is in them is each widget's own.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from rlhf_lab.errors import JudgmentError, LabError

Tone = Literal["info", "error"]


class Notice(TypedDict):
    """Something to tell the person; `id` grows, so that the same text twice is told twice."""

    id: int
    tone: Tone
    text: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a person did; whether it fits what is shown is another question.

    Attributes:
        seq: Its number among the events of a page.
        id: The same when it is sent again.
        type: Which values there are is each widget's own.
        fields: All that was sent, unchecked.
    """

    seq: int
    id: str
    type: str
    fields: Mapping[str, Any]

    @classmethod
    def parse(cls, raw: Mapping[str, Any], seq: int) -> Event:
        """Read what a page sent.

        Raises:
            JudgmentError: its id is none.
        """
        event_id = raw.get("id")
        if not isinstance(event_id, str) or not re.fullmatch(r"[\w-]{8,64}", event_id):
            raise JudgmentError(f"event {seq} has id {event_id!r:.40}: 8 to 64 letters are needed.")
        return cls(seq=seq, id=event_id, type=str(raw.get("type")), fields=raw)

    def text(self, name: str) -> str:
        """A field as text; empty where there is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    @property
    def seconds(self) -> float:
        """How long it took. A clock that went wrong says 0: no reason to lose a judgment."""
        seconds = self.fields.get("seconds", 0.0)
        if type(seconds) not in (int, float) or not math.isfinite(seconds):
            return 0.0
        return max(0.0, float(seconds))


class WidgetState(ABC):
    """Values that a host shows, and what it does with what a page sends back.

    Attributes:
        content: What is large and changes seldom, as JSON.
        view: What is small and may change with every event, as JSON.
        notice: What the person was told last, if anything.
        acked_seq: All events up to this number have been dealt with.
        defer: Has something done once what changed has been sent. Of a host that can do that; in
            others all is done before the page is answered.
    """

    def __init__(self) -> None:
        self.content: Mapping[str, Any] = {}
        self.view: Mapping[str, Any] = {}
        self.notice: Notice | None = None
        self.acked_seq = 0
        self.defer: Callable[[Callable[[], None]], None] | None = None
        self._notices = 0
        self._handling = False
        self._seen: set[str] = set()
        self._listeners: list[Callable[[], None]] = []

    @abstractmethod
    def handle(self, event: Event) -> None:
        """Do what an event says; an error that leaves here becomes the notice."""

    def settle(self) -> None:
        """Do what is done once after new events, however many; must not raise."""
        return  # most widgets are done when an event is

    def apply(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Handle events in the order of their numbers, each id once, however often it comes."""
        numbered = sorted(((_seq(raw), raw) for raw in events), key=lambda pair: pair[0])
        new = [(seq, raw) for seq, raw in numbered if _id(raw) not in self._seen]
        if new:
            self._handle_all(new)
        self.acked_seq = max(self.acked_seq, *(seq for seq, _ in numbered), 0)
        self.changed()

    def values(self) -> dict[str, Any]:
        """What a host syncs to its front end, by name."""
        return {
            "content": dict(self.content),
            "view": dict(self.view),
            "notice": self.notice and dict(self.notice),
            "acked_seq": self.acked_seq,
        }

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have a host told whenever values changed; returns what ends that, once or more."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def changed(self) -> None:
        """Tell the hosts."""
        for listener in list(self._listeners):
            listener()

    def tell(self, tone: Tone, text: str) -> None:
        """Put a notice before the person.

        Where several are told of events that came together, an error neither hides nor is hidden.
        """
        self._notices += 1
        before = self.notice
        if self._handling and before is not None and "error" in (before["tone"], tone):
            tone, text = "error", _joined(before["text"], text)
        self.notice = Notice(id=self._notices, tone=tone, text=text)

    def _handle_all(self, new: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        self.notice = None  # what was told of earlier events is no news any more
        self._handling = True
        try:
            for seq, raw in new:
                if _id(raw) not in self._seen:
                    self._handle_one(seq, raw)
            self.settle()
        finally:
            self._handling = False

    def _handle_one(self, seq: int, raw: Mapping[str, Any]) -> None:
        try:
            event = Event.parse(raw, seq)
            self.handle(event)
        except Exception as error:  # noqa: BLE001 - whatever fails must reach the person
            self.tell("error", reason(error))
        # Not before: what an interrupted kernel left half done comes again.
        self._seen.add(_id(raw))


def reason(error: Exception) -> str:
    """The message of an error of ours; other errors with their type, which says more."""
    return str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"


def _joined(before: str, text: str) -> str:
    """Both, one after the other; the same text once."""
    if text in before:
        return before
    return f"{before} {text}" if before.endswith((".", "!", "?")) else f"{before}. {text}"


def _seq(raw: Mapping[str, Any]) -> int:
    seq = raw.get("seq")
    return seq if type(seq) is int else 0


def _id(raw: Mapping[str, Any]) -> str:
    """What an event without a proper id goes by is its number, so that it is told of once."""
    event_id = raw.get("id")
    return event_id if isinstance(event_id, str) else f"#{_seq(raw)}"
