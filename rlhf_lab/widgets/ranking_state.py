"""The ranking widget without a widget: what is shown, and what an event does to it.

The truth is in the `RankingSource`; this holds only the item that is on the screen.

An event of the types "submit", "skip" and "undo" has, beside what every event has,

    {"item": "<key>", "ranks": [1, 2, 2, 4], "seconds": 12.5}

`item` is the key of the item that was on the screen, so that an event from a second, outdated page
cannot judge what its reader never saw. The id of a "submit" or "skip" is the id of the judgment in
the store. "refresh" asks the source again.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import replace
from typing import Final, Literal, TypedDict

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import Judgment, Progress, Ranking, RankingItem, RankingSource
from rlhf_lab.widgets.rendering import render_markdown
from rlhf_lab.widgets.state import Event, WidgetState, reason

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


class View(TypedDict):
    """All that the front end needs, as JSON."""

    phase: Phase
    item: ItemView | None
    progress: dict[str, int]


class RankingState(WidgetState):
    """Shows one item after the other and stores each judgment before it moves on."""

    def __init__(self, source: RankingSource) -> None:
        super().__init__()
        self._source = source
        # Keys tell items apart on the screen. Salted, so that they cannot be matched with ids.
        self._salt = secrets.token_bytes(16)
        self._submitted: dict[str, tuple[int, ...]] = {}
        self._failed: Judgment | None = None
        self._item: RankingItem | None = None
        self._key = ""
        self._progress = Progress(done=0, total=0)
        self._advance()
        self._update()

    @property
    def done(self) -> bool:
        """Whether there were items and every one has been ranked or skipped."""
        return bool(self.view["phase"] == "finished")

    @property
    def progress(self) -> Progress:
        """How far the annotator is, as of the latest event."""
        return self._progress

    def refresh(self) -> None:
        """Ask the source again, for instance after new responses were generated."""
        self._next()
        self.changed()

    def handle(self, event: Event) -> None:
        """Judge, skip, take back or ask again; what fails leaves the item where it is."""
        if event.type == "refresh":
            self._next()
        elif event.text("item") != self._key:
            self.tell(
                "info", "Nothing was changed: this item was already dealt with in another view."
            )
        elif event.type == "undo":
            self._undo()
        else:
            self._judge(event)

    def _next(self) -> None:
        failed = False
        try:
            self._advance()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            failed = True
            self.tell("error", f"The next item could not be read. {reason(error)}")
        self._update(failed=failed)

    def _judge(self, event: Event) -> None:
        try:
            self._failed = self._or_failed(self._judgment(event))
            self._source.submit(self._failed)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            text = f"Not saved, so it is still here; submit it again. {reason(error)}"
            self.tell("error", text)
            return
        self._failed = None
        self._submitted[self._key] = _ranks(event)
        self._next()

    def _judgment(self, event: Event) -> Judgment:
        if self._item is None:
            raise JudgmentError("there is no item on the screen: nothing can be judged now.")
        ids = tuple(response.id for response in self._item.candidates)
        ranking = None
        if event.type == "submit":
            ranks = _ranks(event)
            _check_ranks(ranks, len(ids))
            ranking = Ranking.from_ranks(dict(zip(ids, ranks, strict=True)))
        elif event.type != "skip":
            raise JudgmentError(f"{event.type!r:.40} is no event: submit, skip, undo or refresh.")
        return Judgment(
            id=event.id,
            prompt_id=self._item.prompt.id,
            annotator=self._source.annotator,
            kind="skip" if ranking is None else "ranking",
            shown_order=ids,
            ranking=ranking,
            seconds=_seconds(event),
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
        try:
            item = self._source.undo()
            if item is None:
                self.tell("info", "There is nothing to undo.")
            else:
                self._show(item)
                self._progress = self._source.progress()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self.tell("error", f"Not undone. {reason(error)}")
        self._update()

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

    def _update(self, *, failed: bool = False) -> None:
        done, total = self._progress.done, self._progress.total
        phase: Phase = "ranking"
        if self._item is None:
            phase = "error" if failed else "finished" if total else "empty"
        view: View = {
            "phase": phase,
            "item": self._item_view(self._item) if self._item else None,
            "progress": {"done": done, "total": total},
        }
        self.view = dict(view)

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


def _ranks(event: Event) -> tuple[int, ...]:
    ranks = event.fields.get("ranks", [])
    if not isinstance(ranks, list) or not all(type(r) is int for r in ranks):
        raise JudgmentError(f"event {event.seq} has ranks {ranks!r:.60}: whole numbers are needed.")
    return tuple(ranks)


def _seconds(event: Event) -> float:
    seconds = event.fields.get("seconds", 0.0)
    # A clock that went wrong is no reason to lose a judgment.
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return 0.0
    return max(0.0, float(seconds))


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
