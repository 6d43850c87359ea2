"""The ranking widget without a widget: what is shown, and what an event does to it.

The truth is in the `RankingSource`. This holds the items that were handed out, so that a page may
go on ranking while the kernel is busy, and what was typed into them.

The content, which changes when items are refilled or one comes back:

    items       each with its key, its turns, its cards and a draft to start from
    criteria    what responses may be rated by
    flags       what may be ticked
    editing     whether a response may be edited into a demonstration
    store_key   a name for whatever a page keeps for this annotator, lab and version

The view, which changes with every event:

    phase       "ranking", "waiting" (others have in hand what is left), "finished", "empty" or
                "error"
    answered    keys of items that are judged or skipped
    current     key of the item that comes first
    progress    {"done", "total"}
    pace        median seconds per item of this sitting, from the third on
    reveal      what the reward model, or whoever is asked, says about the last judgment
    unsaved     ids of those of the latest events whose answer was not saved

An event has, beside what every event has,

    submit       item, ranks, strength, ratings, comment, flags, seconds
    skip         item, comment, flags, seconds
    undo, redo   item: what was on the screen; of: the id of what is taken back, a judgment or an
                 undo, if the page knows it: then nothing else is
    demonstrate  item, card, text, seconds
    refresh

"submit" and "skip" may name any item that was handed out and is not answered: a page may be far
ahead. Their id is the id of the judgment in the store, that of "undo" and "redo" the submission.
A page may send again, in their order, whatever it does not know to have been dealt with, also to
another kernel: what is stored already is acknowledged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final, Literal

from rlhf_lab.errors import ConfigError, JudgmentError
from rlhf_lab.types import FLAGS, Judgment, Progress, RankingItem, RankingSource
from rlhf_lab.widgets.judging import Failures, TakeBack, or_failed
from rlhf_lab.widgets.ranking_answers import (
    Form,
    demonstration_of,
    draft_of,
    draft_to_go_on,
    judgment_of,
)
from rlhf_lab.widgets.ranking_hand import Hand
from rlhf_lab.widgets.ranking_items import LETTERS, Said, Shown
from rlhf_lab.widgets.ranking_resent import Batch
from rlhf_lab.widgets.ranking_reveal import REWARD_MODEL, Reveal, Scorer, reveal
from rlhf_lab.widgets.state import Event, WidgetState, reason

PACE_FROM: Final = 3
"""With fewer items, the median says little."""

Phase = Literal["ranking", "waiting", "finished", "empty", "error"]


class RankingState(WidgetState):
    """Hands items out ahead, and stores each judgment before it is acknowledged.

    Args:
        source: Where items come from and judgments go.
        criteria: What each response may be rated by, from 1 to 5.
        flags: What may be ticked; "all bad" always may.
        editing: Whether a response may be edited into a demonstration.
        reveal: Scores an item's candidates by response id, to be told after each judgment.
        told_by: Whose scores those are, as the page says it.
        ahead: How many items a page holds, so that it need not wait for the kernel; None for as
            many as suit how the work is shared out.
        clock: Seconds that only grow.

    Raises:
        ConfigError: a name is none or comes twice; ahead is below 1.
    """

    def __init__(
        self,
        source: RankingSource,
        *,
        criteria: Sequence[str] = (),
        flags: Sequence[str] = FLAGS,
        editing: bool = True,
        reveal: Scorer | None = None,
        told_by: str = REWARD_MODEL,
        ahead: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        if ahead is not None and ahead < 1:
            raise ConfigError(f"ahead={ahead}: at least 1 item. Leave it out for as many as suit.")
        self._source = source
        self._form = Form.of(criteria, flags, editing=editing)
        self._scorer = reveal
        self._told_by = told_by
        self._hand = Hand(source, ahead, clock)
        self._asked = False
        self._broken = False
        self._progress = Progress(done=0, total=0)
        self._seconds: dict[str, float] = {}
        self._judged: tuple[Shown, Judgment] | None = None
        self._reveal: Reveal | None = None
        self._failures = Failures()
        self._complaints: dict[str, str] = {}
        self._failed_events: list[str] = []
        self._batch = Batch([], set(), self._known)
        self.refresh()

    @property
    def done(self) -> bool:
        """Whether there were items and every one has been ranked or skipped, by whomever."""
        return bool(self.view["phase"] == "finished")

    @property
    def progress(self) -> Progress:
        """How far the annotator is, as of the latest event."""
        return self._progress

    def refresh(self) -> None:
        """Ask the source again, for instance after new responses were generated."""
        self._asked = True
        self._refill()
        self._show()
        self.changed()

    def apply(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Handle events in the order of their numbers, each id once, also across restarts."""
        sent = list(events)
        self._batch = Batch(sent, self._seen, self._known)
        self._failed_events = []
        super().apply(sent)

    def handle(self, event: Event) -> None:
        """Judge, skip, take back or ask again; what fails leaves the item where it is."""
        if self._batch.had_its_turn(event):
            return
        if event.type in ("submit", "skip"):
            self._judge(event)
        elif event.type == "undo":
            self._undo(event)
        elif event.type == "redo":
            self._redo(event)
        elif event.type == "demonstrate":
            self._demonstrate(event)
        elif event.type == "refresh":
            self._asked = True
        else:
            raise JudgmentError(
                f"{event.type!r:.40} is no event: submit, skip, undo, redo, demonstrate or refresh."
            )

    def settle(self) -> None:
        """Have more handed out if few are left, ask for the reveal, tell what failed."""
        if self.defer is None or self._asked or not self._hand.left:
            self._refill()
        else:
            self._read_progress()
            if not self._hand.is_full:
                self.defer(self._have_more)  # whoever has answered hears that first
        self._ask_scorer()
        self._complain()
        self._show()

    # ------------------------------------------------------------------------------------ judging

    def _judge(self, event: Event) -> None:
        shown = self._hand.get(event.text("item"))
        # Who answers anew after an undo that failed means what they say now, and the store replaces
        # what they said before.
        if shown is None or (shown.answered and not self._failures.has_failed("undo")):
            self._refuse(event, shown)
            return
        draft = draft_of(event, self._form, len(shown.cards))
        try:
            said = judgment_of(event, shown.item, self._source.annotator, self._form)
            shown.failed = said = or_failed(said, shown.failed)
            is_new = self._source.submit(said)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            before = shown.draft
            if event.type == "skip" and before is not None:
                draft = {**before, "comment": draft["comment"], "flags": draft["flags"]}
            self._keep(event, shown, error)
            shown.draft = draft
            return
        if said.id == event.id and not is_new:
            # It was stored before this kernel knew of it, and perhaps taken back since.
            shown.failed, shown.kept, self._asked = None, False, True
            return
        shown.failed = None
        shown.answered = True
        shown.kept = False
        shown.said = Said(judgment=said, draft=draft, seconds=event.seconds)
        self._note_seconds(shown)
        self._succeeded(event, said.id)
        self._judged = (shown, said) if said.ranking else None

    def _refuse(self, event: Event, shown: Shown | None) -> None:
        """Tell of a judgment that cannot be taken, unless it was stored before."""
        if self._batch.is_stored(event):
            return
        if shown is not None:
            self.tell(
                "info",
                "Nothing was changed: this item was answered already, perhaps in another view.",
            )
            return
        self._failed_events.append(event.id)
        self._complaints["an answer"] = (
            "its item is not on this page: it was answered already, or others have it now."
        )

    def _demonstrate(self, event: Event) -> None:
        shown = self._hand.get(event.text("item"))
        try:
            if shown is None:
                raise JudgmentError("its item is not on this page: reload it, and edit it again.")
            made = demonstration_of(event, shown.item, self._source.annotator, self._form)
            self._source.demonstrate(made)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            what = f"your answer to {shown.name}" if shown else "an edited answer"
            self._complaints[what] = reason(error)
            self._failed_events.append(event.id)
            return
        self.tell("info", f"Your version of {LETTERS[event.fields['card']]} was saved.")

    def _keep(self, event: Event, shown: Shown, error: Exception) -> None:
        """Leave before the person what could not be saved, or put it there again."""
        shown.kept = True
        if shown not in self._hand.items:
            self._hand.put_first(shown)
        self._failures.note_judgment(event, shown.key)
        self._failed_events.append(event.id)
        self._complaints[shown.name] = reason(error)

    # -------------------------------------------------------------------------------- taking back

    def _undo(self, event: Event) -> None:
        unsaved = self._hand.get(self._failures.taken_back_by(event) or "")
        failed = unsaved.failed.id if unsaved is not None and unsaved.failed else None
        if unsaved is not None and failed not in self._known([failed or ""]):
            self._hand.put_first(unsaved)
            return
        item = self._take_back(event, self._source.undo, failed)
        if item is None:
            return
        shown = self._hand.shown(item)
        shown.draft = draft_to_go_on(shown, item)
        shown.failed = None  # if it was stored after all, it is taken back: said again, it is new
        shown.answered = False
        shown.kept = True
        self._seconds.pop(shown.key, None)
        self._hand.put_first(shown)

    def _redo(self, event: Event) -> None:
        item = self._take_back(event, self._source.redo)
        if item is None:
            return
        shown = self._hand.shown(item)
        shown.answered = True
        shown.kept = False
        self._note_seconds(shown)

    def _known(self, ids: Iterable[str]) -> Set[str]:
        """Those of these ids that are stored; none if that cannot be found out."""
        try:
            return self._source.known(ids)
        except Exception:  # noqa: BLE001 - what is done then comes under its id, and fails by itself
            return set()

    def _take_back(
        self, event: Event, act: TakeBack, meant: str | None = None
    ) -> RankingItem | None:
        submission = self._failures.id_for(event)
        meant = meant or self._failures.meant_by(event)
        done = "undone" if event.type == "undo" else "redone"
        try:
            self._hand.names()  # whatever can fail must fail before it
            item = act(submission, meant)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._failures.note_act(event)
            self.tell("error", f"Not {done}. {reason(error)}")
            return None
        self._succeeded(event, submission)
        if item is None:
            nothing = f"There is nothing to {event.type}."
            other = f"Nothing was {done}: it was meant for an answer that is not the latest now."
            self.tell("info", other if meant else nothing)
        return item

    # ------------------------------------------------------------------------------------ telling

    def _have_more(self) -> None:
        if not self._hand.is_full:
            self._refill()
            self._show()
            self.changed()

    def _refill(self) -> None:
        asked, self._asked = self._asked, False
        try:
            self._hand.refill(asked=asked)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._broken = True
            # While there are items in hand, a later refill may do.
            if asked or not self._hand.left:
                self.tell("error", f"The next items could not be read. {reason(error)}")
            return
        self._read_progress()

    def _read_progress(self) -> None:
        try:
            self._progress = self._source.progress()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._broken = True
            self.tell("error", f"The progress could not be read. {reason(error)}")
            return
        self._broken = False

    def _succeeded(self, event: Event, stored_as: str) -> None:
        self._failures.succeeded(event, stored_as)
        self._judged = self._reveal = None

    def _note_seconds(self, shown: Shown) -> None:
        if shown.said is not None and shown.said.seconds > 0:
            self._seconds[shown.key] = shown.said.seconds

    def _ask_scorer(self) -> None:
        """Never before the judgment is stored, and only about what still counts."""
        if self._scorer is None or self._judged is None:
            return
        shown, judgment = self._judged
        self._judged = None
        try:
            if judgment.ranking is not None:
                scores = self._scorer(shown.item)
                said = judgment.ranking
                self._reveal = reveal(shown.key, shown.item, said, scores, self._told_by)
        except Exception as error:  # noqa: BLE001 - the judgment is saved, whatever a model does
            self.tell("info", f"Saved; {self._told_by} could not be asked. {reason(error)}")

    def _complain(self) -> None:
        """Tell at once of all that was not saved."""
        if not self._complaints:
            return
        names, reasons = list(self._complaints), dict.fromkeys(self._complaints.values())
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        why = " ".join(each[:1].upper() + each[1:] for each in reasons)
        self.tell("error", f"Not saved: {', '.join(names[:3])}{more}. {why}")
        self._complaints.clear()

    def _show(self) -> None:
        self._show_content()
        left = self._hand.left
        done, total = self._progress.done, self._progress.total
        phase: Phase = "ranking"
        if not left:
            phase = "error" if self._broken else self._ended()
        several = len(self._seconds) >= PACE_FROM
        self.view = {
            "phase": phase,
            "answered": [shown.key for shown in self._hand.items if shown.answered],
            "current": left[0].key if left else "",
            "progress": {"done": done, "total": total},
            "pace": statistics.median(self._seconds.values()) if several else None,
            "reveal": self._reveal,
            "unsaved": list(self._failed_events),
        }

    def _ended(self) -> Phase:
        """Why there is nothing to rank, where the source could be read."""
        if not self._progress.total:
            return "empty"
        # Nothing for them although something is open: others have it in hand.
        return "finished" if self._progress.done >= self._progress.total else "waiting"

    def _show_content(self) -> None:
        """Leaves the content the same object if it is the same, which hosts compare quickly."""
        content = {
            "items": [shown.view() for shown in self._hand.items],
            "criteria": list(self._form.criteria),
            "flags": list(self._form.flags),
            "editing": self._form.editing,
            "store_key": self._hand.store_key,
        }
        if content != self.content:
            self.content = content
