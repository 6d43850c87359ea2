"""The comparing widget without a widget: what is shown, and what an event does to it.

The truth is in the `ComparisonSource`; this holds only the pairs that the page was handed. They are
handed out ahead, so that a person goes on while the kernel is busy. An event of type "submit" has,
beside what every event has,

    {"item": "<key>", "choice": "A" | "B" | "tie", "strength": null, "seconds": 12.5}

"skip" has `item` and `seconds`. Both may name any pair on the page that is not answered, and their
id is that of the judgment in the store. "undo" takes back the latest judgment or skip, "redo" the
latest undo, once for each id; with `of`, the id of a judgment, only if it is about that, or if the
latest answer could not be saved: then that is meant. "refresh" looks again for responses. "reveal"
shows the names before the end; whatever is judged, skipped or taken back afterwards hides them
again. A page may send again, also to another kernel, whatever it does not know to have been dealt
with: what is stored already is acknowledged.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final, get_args

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import (
    ComparisonReport,
    ComparisonSource,
    Judgment,
    Progress,
    Ranking,
    RankingItem,
)
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.comparison_lead import Lead
from rlhf_lab.widgets.comparison_views import (
    Back,
    Choice,
    ItemView,
    Phase,
    View,
    choice_of,
    item_view,
    result_of,
    short_name,
)
from rlhf_lab.widgets.judging import Names, TakeBack, or_failed
from rlhf_lab.widgets.state import Event, WidgetState, reason

AHEAD: Final = 24
"""How many pairs are on the page at most."""

REMEMBERED: Final = 100
"""How many of the latest answers the page knows, so that an undo is shown at once."""


class ComparisonState(WidgetState):
    """Hands out pairs ahead and stores each comparison before it is acknowledged."""

    def __init__(self, source: ComparisonSource, *, ahead: int = AHEAD) -> None:
        super().__init__()
        self._source = source
        self._ahead = ahead
        self._names: Names | None = None
        self._pairs: dict[str, RankingItem] = {}  # all that the page ever had
        self._views: dict[str, ItemView] = {}
        self._handed: list[str] = []
        # Keys of pairs as they were answered, the latest last, and as answers were taken back. Both
        # also hold pairs whose answer could not be saved: they are in `_unsaved`, too.
        self._acts: list[str] = []
        self._undone: list[str] = []
        self._unsaved: set[str] = set()
        self._choices: dict[str, Choice] = {}
        self._ids: dict[str, str] = {}  # of the judgment of each pair
        # What was stored under the id of an earlier event, which had failed.
        self._stored_as: dict[str, str] = {}
        self._back: Back | None = None
        self._failed: dict[str, Judgment] = {}
        # Ids of an undo and a redo that failed: sent again, each is the same act.
        self._failed_acts: dict[str, str] = {}
        self._complaints: dict[str, str] = {}
        self._revealed = False
        self._lead = Lead()
        self._report = ComparisonReport(first="", second="", annotator="")
        self._update()

    @property
    def done(self) -> bool:
        """Whether every pair has been compared or skipped."""
        return bool(self.view["phase"] == "finished")

    @property
    def progress(self) -> Progress:
        """How far the annotator is, as of the latest event."""
        return Progress(done=self._report.done, total=self._report.total)

    @property
    def report(self) -> ComparisonReport:
        """What was said so far. It names the versions: do not look while comparing."""
        return self._source.report()

    def refresh(self) -> None:
        """Look again for responses, for instance after `lab.evaluate()`."""
        self._look_again()
        self._update()
        self.changed()

    def handle(self, event: Event) -> None:
        """Compare, skip, take back, ask again or show names; what fails changes nothing."""
        self._revealed = event.type == "reveal" or (self._revealed and event.type == "refresh")
        if event.type == "refresh":
            self._look_again()
        elif event.type == "undo":
            self._undo(event)
        elif event.type == "redo":
            self._redo(event)
        elif event.type in ("submit", "skip"):
            self._judge(event)
        elif event.type != "reveal":
            raise JudgmentError(
                f"{event.type!r:.40} is no event: submit, skip, undo, redo, refresh or reveal."
            )

    def settle(self) -> None:
        """Tell at once of all that was not saved, and read what is so now from the source."""
        if self._complaints:
            names, reasons = list(self._complaints), dict.fromkeys(self._complaints.values())
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            again = (
                "They come again: submit them" if len(names) > 1 else "It comes again: submit it"
            )
            told = f"Not saved: {', '.join(names[:3])}{more}. {again} then."
            self.tell("error", " ".join([told, *reasons]))
            self._complaints.clear()
        self._update()

    # -- what events do

    def _judge(self, event: Event) -> None:
        key = event.text("item")
        # Who answers anew after an undo that failed means what they say now.
        is_answered = key in self._answered and "undo" not in self._failed_acts
        if key not in self._pairs or is_answered:
            self._refuse(event)
            return
        choice = _choice(event)
        if choice is not None:
            self._choices[key] = choice
        try:
            judgment = self._judgment(event, self._pairs[key], choice)
        except Exception as error:  # noqa: BLE001 - what a page sent may be anything
            self._not_saved(key, error)
        else:
            self._store(key, or_failed(judgment, self._failed.get(key)), event.id)

    def _refuse(self, event: Event) -> None:
        """Tell of an answer that cannot be taken, unless it was stored before."""
        if event.id not in self._known([event.id]):
            self.tell(
                "info", "Nothing was changed: this pair was already dealt with in another view."
            )

    def _store(self, key: str, judgment: Judgment, event_id: str) -> None:
        try:
            self._failed[key] = judgment
            is_new = self._source.submit(judgment)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._not_saved(key, error)
            return
        del self._failed[key]
        self._unsaved.discard(key)
        if judgment.id == event_id and not is_new:
            # Stored before this kernel knew of it, and perhaps taken back since.
            self._forget_acts()
            return
        self._ids[key] = judgment.id
        if judgment.id != event_id:
            self._stored_as[event_id] = judgment.id
        self._acts = [*self._without(key), key]
        self._undone = []
        self._failed_acts.clear()

    def _not_saved(self, key: str, error: Exception) -> None:
        self._unsaved.add(key)
        self._acts = [*self._without(key), key]
        self._complaints[short_name(self._pairs[key])] = reason(error)

    def _judgment(self, event: Event, pair: RankingItem, choice: Choice | None) -> Judgment:
        ids = tuple(response.id for response in pair.candidates)
        ranking = None
        if choice is not None:
            ranks = {"A": (1, 2), "B": (2, 1), "tie": (1, 1)}[choice]
            ranking = Ranking.from_ranks(dict(zip(ids, ranks, strict=True)))
        return Judgment(
            id=event.id,
            prompt_id=pair.prompt.id,
            annotator=self._source.annotator,
            kind="skip" if ranking is None else "ranking",
            shown_order=ids,
            ranking=ranking,
            strength=event.fields.get("strength") if ranking else None,
            seconds=event.seconds,
        )

    def _forget_acts(self) -> None:
        """Read from the source what is open: what was last is no longer known here."""
        self._acts = [key for key in self._acts if key in self._unsaved]
        self._undone = []
        self._handed = []

    def _undo(self, event: Event) -> None:
        last = self._acts[-1] if self._acts else ""
        if last in self._unsaved and not self._is_stored(last):
            # What the person takes back is what they did last, and that is not stored.
            self._acts.pop()
            self._undone.append(last)
            self._to_front(last, event.id)
            self.tell("info", "That answer had not been saved, so there was nothing to take back.")
            return
        pair = self._take_back(event, self._source.undo, "Not undone.")
        if pair is None:
            return
        key = self._know(pair)
        self._acts = self._without(key)
        self._unsaved.discard(key)
        self._failed.pop(key, None)  # what is taken back is not what could not be stored
        self._undone.append(key)
        self._to_front(key, event.id)

    def _redo(self, event: Event) -> None:
        last = self._undone[-1] if self._undone else ""
        if last in self._failed:  # what was taken back there had not been saved
            self._undone.pop()
            self._store(last, self._failed[last], event.id)
            return
        pair = self._take_back(event, self._source.redo, "Not done again.")
        if pair is None:
            return
        key = self._know(pair)
        self._acts = [*self._without(key), key]
        self._undone = self._undone[:-1]

    def _take_back(self, event: Event, act: TakeBack, failure: str) -> RankingItem | None:
        if event.type not in self._failed_acts and event.id in self._known([event.id]):
            self._forget_acts()  # an earlier kernel did it, and perhaps more came after
            return None
        # A store may fail after it has written: sent again under its id, the act is done once.
        submission = self._failed_acts.setdefault(event.type, event.id)
        meant = self._meant_by(event)
        try:
            pair = act(submission, meant)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self.tell("error", f"{failure} {reason(error)}")
            return None
        self._failed_acts.clear()
        if pair is None:
            again, done = ("undo", "undone") if event.type == "undo" else ("do again", "done again")
            nothing = f"There is nothing to {again}."
            other = f"Nothing was {done}: it was meant for an answer that is not the latest now."
            self.tell("info", other if meant else nothing)
            if meant:
                self._forget_acts()
        elif pair.said is not None:
            self._remember(self._know(pair), pair.said)
        return pair

    def _meant_by(self, event: Event) -> str | None:
        """The id of the judgment that an undo or redo says it is about, if it says so."""
        if self._acts and self._acts[-1] in self._unsaved:
            return None  # the page did not know that it was stored after all
        of = event.text("of")
        return self._stored_as.get(of, of) or None

    def _remember(self, key: str, said: Judgment) -> None:
        """What was taken back or brought back: perhaps nobody said it to this kernel."""
        self._ids[key] = said.id
        if said.ranking is not None:
            self._choices[key] = choice_of(said.ranking, said.shown_order)

    def _known(self, ids: list[str]) -> Set[str]:
        """Those of these ids that are stored; none if that cannot be found out."""
        try:
            return self._source.known(ids)
        except Exception:  # noqa: BLE001 - then the person is told more than is needed
            return set()

    def _is_stored(self, key: str) -> bool:
        """Whether the store has an answer that it failed to confirm."""
        try:
            waiting = self._source.waiting(max(self._report.total, self._ahead))
        except Exception:  # noqa: BLE001 - then the answer counts as what the person was told
            return False
        return key not in {self._key_of(pair) for pair in waiting}

    def _look_again(self) -> None:
        self._handed = []
        try:
            self._source.refresh()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self.tell("error", f"The pairs could not be read. {reason(error)}")

    # -- what is shown

    def _update(self) -> None:
        failed = False
        try:
            self._know_names()
            self._refill()
            self._report = self._source.report()
            self._lead.look(self._report)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            failed = True
            self.tell("error", f"The next pairs could not be read. {reason(error)}")
        self.content = {
            "items": [self._views[key] for key in self._handed],
            "store_key": self._names.store if self._names else "",
        }
        self.view = dict(self._view(failed))

    def _refill(self) -> None:
        """Hand out more when half of what was handed out is answered."""
        left = self._left()
        if len(left) > self._ahead // 2:
            return
        waiting = [self._know(pair) for pair in self._source.waiting(self._ahead)]
        if set(waiting) != set(left):
            # What the page shows stays where it is; what somebody answered elsewhere goes.
            kept = [key for key in left if key in set(waiting)]
            self._handed = kept + [key for key in waiting if key not in set(kept)]
            self._acts = [k for k in self._acts if k in self._unsaved or k not in set(waiting)]

    @property
    def _answered(self) -> list[str]:
        return [key for key in self._acts if key not in self._unsaved]

    def _without(self, key: str) -> list[str]:
        return [act for act in self._acts if act != key]

    def _left(self) -> list[str]:
        answered = set(self._answered)
        return [key for key in self._handed if key not in answered]

    def _to_front(self, key: str, event: str) -> None:
        if key not in self._handed:
            self._handed.insert(0, key)
        self._back = Back(item=key, event=event)

    def _know(self, pair: RankingItem) -> str:
        key = self._key_of(pair)
        if key not in self._pairs:
            self._pairs[key] = pair
            self._views[key] = item_view(key, pair)
        return key

    def _key_of(self, pair: RankingItem) -> str:
        return self._know_names().of(pair)

    def _know_names(self) -> Names:
        """What the page calls pairs; read from the source once."""
        if self._names is None:
            source = self._source
            versions = sorted(source.versions)
            self._names = Names(source.secret, source.annotator, "compared", *versions)
        return self._names

    def _view(self, failed: bool) -> View:
        report, left = self._report, self._left()
        phase: Phase = "comparing"
        if not left:
            phase = "error" if failed else "finished" if report.total else "empty"
        shown = self._revealed or phase == "finished"
        drafts = {key: self._choices[key] for key in left if key in self._choices}
        answered = self._answered[-max(REMEMBERED, len(self._handed)) :]
        undone = self._undone[-REMEMBERED:]
        return {
            "phase": phase,
            "answered": answered,
            "undone": undone,
            "ids": {key: self._ids[key] for key in [*answered, *undone] if key in self._ids},
            "drafts": drafts,
            "back": self._back,
            "progress": {"done": report.done, "total": report.total},
            "lead": sendable.interval(report.lead if phase == "finished" else self._lead.told),
            "result": result_of(report) if shown else None,
        }


def _choice(event: Event) -> Choice | None:
    """What was chosen; None for a skip."""
    if event.type == "skip":
        return None
    choice = event.fields.get("choice")
    for known in get_args(Choice):
        if choice == known:
            return known  # type: ignore[no-any-return]
    raise JudgmentError(
        f"event {event.seq} has choice {choice!r:.40}: 'A', 'B' or 'tie' is needed."
    )
