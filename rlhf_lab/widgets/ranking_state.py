"""The ranking widget without a widget: what is shown, and what an event does to it.

Knows no browser and no widget library, so that every host shares it and tests need neither.
The truth is in the `RankingSource`; this holds only the item that is on the screen.

Events come from the front end as plain dictionaries:

    {"seq": 7, "id": "<uuid>", "type": "submit", "item": "<key>", "ranks": [1, 2, 2, 4],
     "seconds": 12.5}

`seq` orders the events of a page and acknowledges them; `id` makes a re-sent event the same
event (and is the id of the judgment in the store); `item` is the key of the item that was on the
screen, so that an event from a second, outdated page cannot judge what its reader never saw.
Types: "submit", "skip", "undo", and "refresh", which asks the source again.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypedDict

from rlhf_lab.errors import JudgmentError, LabError
from rlhf_lab.types import Judgment, Progress, Ranking, RankingItem, RankingSource
from rlhf_lab.widgets.rendering import render_markdown

MIN_CANDIDATES: Final = 2
MAX_CANDIDATES: Final = 9
"""One digit is one rank."""

LETTERS: Final = "ABCDEFGHI"

Phase = Literal["ranking", "finished", "empty", "error"]


class Turn(TypedDict):
    """One message of the prompt."""

    role: str
    html: str


class Card(TypedDict):
    """One candidate: its letter on the screen and its text, and nothing that unblinds."""

    letter: str
    html: str


class ItemView(TypedDict):
    """What the front end shows of one item; `ranks` is a draft to start from, after an undo."""

    key: str
    turns: list[Turn]
    cards: list[Card]
    ranks: list[int] | None


class Notice(TypedDict):
    """Something to tell the person; `id` grows, so that the same text twice is told twice."""

    id: int
    tone: Literal["info", "error"]
    text: str


class View(TypedDict):
    """All that the front end needs, as JSON."""

    phase: Phase
    item: ItemView | None
    progress: dict[str, int]
    notice: Notice | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """A well-formed event; whether it fits the item on the screen is another question."""

    seq: int
    id: str
    type: str
    item: str
    ranks: tuple[int, ...]
    seconds: float

    @classmethod
    def parse(cls, raw: Mapping[str, Any], seq: int) -> Event:
        """Read what a front end sent.

        Raises:
            JudgmentError: a field is missing or has the wrong type.
        """
        event_id, ranks, seconds = raw.get("id"), raw.get("ranks", []), raw.get("seconds", 0.0)
        if not isinstance(event_id, str) or not re.fullmatch(r"[\w-]{8,64}", event_id):
            raise JudgmentError(f"event {seq} has id {event_id!r:.40}: 8 to 64 letters are needed.")
        if not isinstance(ranks, list) or not all(type(r) is int for r in ranks):
            raise JudgmentError(f"event {seq} has ranks {ranks!r:.60}: whole numbers are needed.")
        if not isinstance(seconds, int | float) or not math.isfinite(seconds):
            seconds = 0.0  # a clock that went wrong is no reason to lose a judgment
        return cls(
            seq=seq,
            id=event_id,
            type=str(raw.get("type")),
            item=str(raw.get("item") or ""),
            ranks=tuple(ranks),
            seconds=max(0.0, float(seconds)),
        )


class RankingState:
    """Shows one item after the other and stores each judgment before it moves on.

    Attributes:
        acked_seq: All events up to this number have been dealt with.
        view: What to show now; a new object after each change.
    """

    def __init__(self, source: RankingSource) -> None:
        self._source = source
        # Keys tell items apart on the screen. Salted, so that they cannot be matched with ids.
        self._salt = secrets.token_bytes(16)
        self._seen: set[str] = set()
        self._submitted: dict[str, tuple[int, ...]] = {}
        self._failed: Judgment | None = None
        self._item: RankingItem | None = None
        self._key = ""
        self._progress = Progress(done=0, total=0)
        self._notices = 0
        self.acked_seq = 0
        self._advance()
        self.view = self._make_view(None)

    @property
    def done(self) -> bool:
        """Whether there were items and every one has been ranked or skipped."""
        return self.view["phase"] == "finished"

    @property
    def progress(self) -> Progress:
        """How far the annotator is, as of the latest event."""
        return self._progress

    def apply(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Apply events in the order of their numbers, each id once, however often it comes.

        Errors never leave here: they become the view's notice, and the item stays.
        """
        numbered = [(_seq(raw), raw) for raw in events]
        for seq, raw in sorted(numbered, key=lambda pair: pair[0]):
            if raw.get("id") not in self._seen:
                self._apply_one(seq, raw)
            self.acked_seq = max(self.acked_seq, seq)

    def refresh(self) -> None:
        """Ask the source again, for instance after new responses were generated."""
        notice = None
        try:
            self._advance()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            notice = self._notice("error", f"The next item could not be read. {_reason(error)}")
        self.view = self._make_view(notice)

    def _apply_one(self, seq: int, raw: Mapping[str, Any]) -> None:
        try:
            event = Event.parse(raw, seq)
        except JudgmentError as error:
            self.view = self._make_view(self._notice("error", f"Not saved: {error}"))
            return
        self._seen.add(event.id)
        if event.type == "refresh":
            self.refresh()
        elif event.item != self._key:
            text = "Nothing was changed: this item was already dealt with in another view."
            self.view = self._make_view(self._notice("info", text))
        elif event.type == "undo":
            self._undo()
        else:
            self._judge(event)

    def _judge(self, event: Event) -> None:
        try:
            self._failed = self._or_failed(self._judgment(event))
            self._source.submit(self._failed)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            text = f"Not saved, so it is still here; submit it again. {_reason(error)}"
            self.view = self._make_view(self._notice("error", text))
            return
        self._failed = None
        self._submitted[self._key] = event.ranks
        self.refresh()

    def _judgment(self, event: Event) -> Judgment:
        if self._item is None:
            raise JudgmentError("there is no item on the screen: nothing can be judged now.")
        ids = tuple(response.id for response in self._item.candidates)
        ranking = None
        if event.type == "submit":
            _check_ranks(event.ranks, len(ids))
            ranking = Ranking.from_ranks(dict(zip(ids, event.ranks, strict=True)))
        elif event.type != "skip":
            raise JudgmentError(f"{event.type!r:.40} is no event: submit, skip, undo or refresh.")
        return Judgment(
            id=event.id,
            prompt_id=self._item.prompt.id,
            annotator=self._source.annotator,
            kind="skip" if ranking is None else "ranking",
            shown_order=ids,
            ranking=ranking,
            seconds=event.seconds,
        )

    def _or_failed(self, judgment: Judgment) -> Judgment:
        """The judgment that failed before, if this one says the same.

        A store may fail after it has written; sent again as it was, it is stored once.
        """
        failed = self._failed
        if failed is None:
            return judgment
        again = replace(
            judgment, id=failed.id, seconds=failed.seconds, created_at=failed.created_at
        )
        return failed if again == failed else judgment

    def _undo(self) -> None:
        notice = None
        try:
            item = self._source.undo()
            if item is None:
                notice = self._notice("info", "There is nothing to undo.")
            else:
                self._show(item)
                self._progress = self._source.progress()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            notice = self._notice("error", f"Not undone. {_reason(error)}")
        self.view = self._make_view(notice)

    def _advance(self) -> None:
        self._show(None)
        self._progress = self._source.progress()
        self._show(self._source.next_item())

    def _show(self, item: RankingItem | None) -> None:
        self._item = item
        self._key = self._key_of(item) if item else ""

    def _key_of(self, item: RankingItem) -> str:
        names = [item.prompt.id, *(response.id for response in item.candidates)]
        return hashlib.sha256(self._salt + "\0".join(names).encode()).hexdigest()[:16]

    def _notice(self, tone: Literal["info", "error"], text: str) -> Notice:
        self._notices += 1
        return Notice(id=self._notices, tone=tone, text=text)

    def _make_view(self, notice: Notice | None) -> View:
        done, total = self._progress.done, self._progress.total
        phase: Phase = "ranking"
        if self._item is None:
            failed = notice is not None and notice["tone"] == "error"
            phase = "error" if failed else "finished" if total else "empty"
        return View(
            phase=phase,
            item=self._item_view(self._item) if self._item else None,
            progress={"done": done, "total": total},
            notice=notice,
        )

    def _item_view(self, item: RankingItem) -> ItemView:
        ranks = self._submitted.get(self._key)
        return ItemView(
            key=self._key,
            turns=[
                Turn(role=m.role, html=render_markdown(m.content)) for m in item.prompt.messages
            ],
            cards=[
                Card(letter=letter, html=render_markdown(response.text))
                for letter, response in zip(LETTERS, item.candidates, strict=False)
            ],
            ranks=list(ranks) if ranks else None,
        )


def _seq(raw: Mapping[str, Any]) -> int:
    seq = raw.get("seq")
    return seq if type(seq) is int else 0


def _check_ranks(ranks: tuple[int, ...], candidates: int) -> None:
    if not MIN_CANDIDATES <= candidates <= MAX_CANDIDATES:
        raise JudgmentError(
            f"this item has {candidates} candidates; ranking by digits needs {MIN_CANDIDATES} to "
            f"{MAX_CANDIDATES}. Skip it."
        )
    if len(ranks) != candidates or not all(1 <= rank <= candidates for rank in ranks):
        raise JudgmentError(
            f"ranks {list(ranks)} for {candidates} candidates: each needs one from 1 to "
            f"{candidates}."
        )


def _reason(error: Exception) -> str:
    """The message of an error of ours; other errors with their type, which says more."""
    return str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
