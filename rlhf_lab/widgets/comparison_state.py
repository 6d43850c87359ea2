"""The comparing widget without a widget: what is shown, and what an event does to it.

The truth is in the `ComparisonSource`; this holds only the pairs that the page was handed. They are
handed out ahead, so that a person goes on while the kernel is busy. An event of type "submit" has,
beside what every event has,

    {"item": "<key>", "choice": "A" | "B" | "tie", "strength": null, "seconds": 12.5}

"skip" has `item` and `seconds`. Both may name any pair on the page that is not answered, and their
id is that of the judgment in the store. "undo" takes back the latest judgment or skip, "redo" the
latest undo, once for each id. "refresh" looks again for responses. "reveal" shows the names before
the end; whatever is judged, skipped or taken back afterwards hides them again.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from typing import Final, Literal, TypedDict, get_args

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import (
    ComparisonReport,
    ComparisonSource,
    ComparisonVerdict,
    Interval,
    Judgment,
    Progress,
    Ranking,
    RankingItem,
)
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.rendering import render_markdown
from rlhf_lab.widgets.state import Event, WidgetState, reason
from rlhf_lab.widgets.turns import Turn, turns

AHEAD: Final = 24
"""How many pairs are on the page at most."""

LEAD_FROM: Final = 5
"""Before so many comparisons a lead says nothing, and would only say who won the last one."""

REMEMBERED: Final = 100
"""How many of the latest answers the page knows, so that an undo is shown at once."""

Choice = Literal["A", "B", "tie"]
Phase = Literal["comparing", "finished", "empty", "error"]


class Card(TypedDict):
    """One response: its letter, its text as HTML and as it is, and nothing that unblinds."""

    letter: str
    html: str
    text: str


class ItemView(TypedDict):
    """One pair as the page shows it."""

    key: str
    turns: list[Turn]
    cards: list[Card]


class Back(TypedDict):
    """The pair that an undo brought back, and the id of that undo."""

    item: str
    event: str


class Share(TypedDict):
    """A share with its 95% interval."""

    estimate: float
    low: float
    high: float
    n: int


class Side(TypedDict):
    """A version, once it may be named."""

    name: str
    wins: int


class Result(TypedDict):
    """What is shown when names may be seen; `rate` is the win rate of the first."""

    first: Side
    second: Side
    ties: int
    skipped: int
    done: int
    total: int
    unlike: int
    rate: Share | None
    verdict: ComparisonVerdict | None
    needed: int | None


class View(TypedDict):
    """What may change with every event.

    `answered` has the keys of pairs judged or skipped, the latest last: what an undo takes back;
    `undone` those that a redo brings back. `drafts` has what was chosen, for pairs that are to be
    judged again. `lead` is the win rate of whichever leads.
    """

    phase: Phase
    answered: list[str]
    undone: list[str]
    drafts: dict[str, Choice]
    back: Back | None
    progress: dict[str, int]
    lead: Share | None
    result: Result | None


class ComparisonState(WidgetState):
    """Hands out pairs ahead and stores each comparison before it is acknowledged."""

    def __init__(self, source: ComparisonSource, *, ahead: int = AHEAD) -> None:
        super().__init__()
        self._source = source
        self._ahead = ahead
        # Keys tell pairs apart on the page. Salted, so that they cannot be matched with ids.
        self._salt = secrets.token_bytes(16)
        self._pairs: dict[str, RankingItem] = {}  # all that the page ever had
        self._views: dict[str, ItemView] = {}
        self._handed: list[str] = []
        self._answered: list[str] = []
        self._undone: list[str] = []
        self._choices: dict[str, Choice] = {}
        self._back: Back | None = None
        self._failed: dict[str, Judgment] = {}
        self._unsaved = ""  # the pair of the event before, if that was not saved
        self._revealed = False
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
        self.changed()

    def changed(self) -> None:
        """Read what is so now from the source, and tell the hosts; once for many events."""
        self._update()
        super().changed()

    def handle(self, event: Event) -> None:
        """Compare, skip, take back, ask again or show names; what fails changes nothing."""
        unsaved, self._unsaved = self._unsaved, ""
        self._revealed = event.type == "reveal" or (self._revealed and event.type == "refresh")
        if event.type == "refresh":
            self._look_again()
        elif event.type == "undo" and unsaved:
            # What the person takes back is what the page shows last, and that is not stored.
            self._to_front(unsaved, event.id)
            self.tell("info", "That answer had not been saved, so there was nothing to take back.")
        elif event.type == "undo":
            self._undo(event.id)
        elif event.type == "redo":
            self._redo(event.id)
        elif event.type in ("submit", "skip"):
            self._judge(event)
        elif event.type != "reveal":
            raise JudgmentError(
                f"{event.type!r:.40} is no event: submit, skip, undo, redo, refresh or reveal."
            )

    # -- what events do

    def _judge(self, event: Event) -> None:
        key = event.text("item")
        if key not in self._pairs or key in self._answered:
            self.tell(
                "info", "Nothing was changed: this pair was already dealt with in another view."
            )
            return
        choice = _choice(event)
        if choice is not None:
            self._choices[key] = choice
        try:
            judgment = self._judgment(event, self._pairs[key], choice)
            self._failed[key] = self._or_failed(judgment, self._failed.get(key))
            self._source.submit(self._failed[key])
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._unsaved = key
            text = f"Not saved, so it will come again; submit it then. {reason(error)}"
            self.tell("error", text)
            return
        del self._failed[key]
        self._answered.append(key)
        self._undone = []

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

    @staticmethod
    def _or_failed(judgment: Judgment, failed: Judgment | None) -> Judgment:
        """The judgment that failed before, if this one says the same.

        A store may fail after it has written; sent again as it was, it is stored once.
        """
        if failed is None:
            return judgment
        again = replace(
            judgment, id=failed.id, seconds=failed.seconds, created_at=failed.created_at
        )
        return failed if again == failed else judgment

    def _undo(self, submission: str) -> None:
        try:
            pair = self._source.undo(submission)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self.tell("error", f"Not undone. {reason(error)}")
            return
        if pair is None:
            self.tell("info", "There is nothing to undo.")
            return
        key = self._know(pair)
        if key in self._answered:
            self._answered.remove(key)
        self._undone.append(key)
        self._to_front(key, submission)

    def _redo(self, submission: str) -> None:
        try:
            pair = self._source.redo(submission)
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self.tell("error", f"Not done again. {reason(error)}")
            return
        if pair is None:
            self.tell("info", "There is nothing to do again.")
            return
        key = self._know(pair)
        if key not in self._answered:
            self._answered.append(key)
        self._undone = self._undone[:-1]

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
            self._refill()
            self._report = self._source.report()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            failed = True
            self.tell("error", f"The next pairs could not be read. {reason(error)}")
        self.content = {"items": [self._views[key] for key in self._handed]}
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
            self._answered = [key for key in self._answered if key not in set(waiting)]

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
            self._views[key] = _item_view(key, pair)
        return key

    def _key_of(self, pair: RankingItem) -> str:
        names = [pair.prompt.id, *(response.id for response in pair.candidates)]
        return hashlib.sha256(
            self._salt + "\0".join(names).encode("utf-8", "surrogatepass")
        ).hexdigest()[:16]

    def _view(self, failed: bool) -> View:
        report, left = self._report, self._left()
        phase: Phase = "comparing"
        if not left:
            phase = "error" if failed else "finished" if report.total else "empty"
        shown = self._revealed or phase == "finished"
        drafts = {key: self._choices[key] for key in left if key in self._choices}
        return {
            "phase": phase,
            "answered": self._answered[-max(REMEMBERED, len(self._handed)) :],
            "undone": self._undone[-REMEMBERED:],
            "drafts": drafts,
            "back": self._back,
            "progress": {"done": report.done, "total": report.total},
            "lead": _share(report.lead) if report.compared >= LEAD_FROM else None,
            "result": _result(report) if shown else None,
        }


def _item_view(key: str, pair: RankingItem) -> ItemView:
    return {
        "key": key,
        "turns": turns(pair.prompt),
        "cards": [
            Card(
                letter=letter,
                html=render_markdown(response.text),
                text=sendable.text(response.text),
            )
            for letter, response in zip("AB", pair.candidates, strict=True)
        ],
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


def _share(rate: Interval | None) -> Share | None:
    if rate is None:
        return None
    return Share(estimate=rate.estimate, low=rate.low, high=rate.high, n=rate.n)


def _result(report: ComparisonReport) -> Result:
    return Result(
        first=Side(name=report.first, wins=report.wins),
        second=Side(name=report.second, wins=report.losses),
        ties=report.ties,
        skipped=report.skipped,
        done=report.done,
        total=report.total,
        unlike=report.unlike,
        rate=_share(report.win_rate),
        verdict=report.verdict,
        needed=report.needed,
    )
