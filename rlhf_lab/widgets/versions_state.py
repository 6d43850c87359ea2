"""The tree of versions without a widget: what is shown, and what an event does to it.

The truth is in the `VersionSource`. What this holds of its own is the way back: what was present
before each checkout that was made here. A source may do at once what it is asked for, or have it
done by others: then the move is over when what it leads to is seen to be present.

Events of the types "checkout", "undo" and "back" have, beside what every event has,

    {"name": "policy@1", "present": ["policy@3", "reward@2"]}

`present` is what the page showed as present, so that an event which waited for a kernel that made
a new version meanwhile, or came from an outdated page, changes nothing that its sender did not see.
"compare" has `first` and `second`, "refresh" asks the source again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypedDict

from rlhf_lab.errors import ConfigError, UnknownVersion
from rlhf_lab.types import START, Evaluation, Version, VersionRecord, VersionSource
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.sendable import IntervalView
from rlhf_lab.widgets.state import Event, WidgetState, reason

WAYS_BACK: Final = 50

Phase = Literal["ready", "empty", "error"]

Compare = Callable[[str, str], str]
"""Takes the names of an earlier and a later version, and says where to look at what they write."""


class EvaluationView(TypedDict):
    """A policy against a baseline."""

    baseline: str
    win_rate: IntervalView
    kl: float | None
    reward: str | None
    reward_gain: IntervalView | None
    judge: str | None
    made: str


class VersionView(TypedDict):
    """One version; `made` is a time in ISO 8601, `record` the number of events it knew of."""

    name: str
    role: str
    parent: str | None
    trained_with: list[str]
    metrics: dict[str, float | None]
    judgments: int | None
    record: int | None
    accuracy: IntervalView | None
    evaluations: list[EvaluationView]
    made: str


class View(TypedDict):
    """What may change with an event; `undo` and `back` say where these lead.

    `awaited` are those that were asked for and are not present yet. `compared` are the two that
    were compared last, `can_compare` whether anybody can be asked more. `evaluate_page` is the
    address of the page that compares two, in a host that has pages in the place of cells.
    """

    phase: Phase
    present: list[str]
    awaited: list[str]
    undo: str | None
    back: list[str]
    compared: list[str]
    can_compare: bool
    evaluate_page: str | None


@dataclass(frozen=True, kw_only=True)
class _Move:
    """A way from what is present to something else.

    Attributes:
        to: What is present at its end.
        act: Goes it, or returns None if it was asked for.
        failure: What is told first if it cannot be gone.
        is_way_back: Whether it takes a checkout back.
    """

    to: frozenset[str]
    act: Callable[[], Version | None]
    failure: str
    is_way_back: bool = False


class VersionTreeState(WidgetState):
    """Shows every version, and goes from one to another."""

    def __init__(
        self,
        source: VersionSource,
        compare: Compare | None = None,
        *,
        evaluate_page: str | None = None,
    ) -> None:
        """Ask the source for the first time.

        Args:
            source: Where versions come from.
            compare: Asked when two are compared; what it says becomes the notice.
            evaluate_page: Address of a page that takes two versions as `first` and `second`.
        """
        super().__init__()
        self._source = source
        self._compare = compare
        self._evaluate_page = evaluate_page
        self._records: dict[str, VersionRecord] = {}
        self._compared: list[str] = []
        # What was present before each checkout made here, and what the last one left.
        self._ways_back: list[list[str]] = []
        self._left: list[str] = []
        self._asked: _Move | None = None
        self._read()

    @property
    def present(self) -> list[str]:
        """Names of the present versions, the policy first."""
        return sorted(name for name, record in self._records.items() if record.is_present)

    def refresh(self) -> None:
        """Ask the source again, for instance after `lab.ppo()`."""
        self._read()
        self.changed()

    def handle(self, event: Event) -> None:
        """Check out, undo, go back or compare; what fails is told, and changes nothing."""
        actions: Mapping[str, Callable[[Event], None]] = {
            "checkout": self._checkout,
            "undo": self._undo,
            "back": self._go_back,
            "compare": self._compare_two,
            "refresh": lambda _: None,
        }
        if event.type not in actions:
            raise ConfigError(f"{event.type!r:.40} is no event: use one of {', '.join(actions)}.")
        if not self._read():
            return
        shown = event.fields.get("present")
        if event.type in ("checkout", "undo", "back") and shown != self.present:
            self.tell(
                "info",
                f"Nothing was changed: meanwhile {_names(self.present)} became present. Look "
                "again, and repeat it if you still mean it.",
            )
            return
        actions[event.type](event)

    # What an event does

    def _checkout(self, event: Event) -> None:
        name = self._known(event.text("name")).version.name
        if name in self.present:
            self.tell("info", f"{name} is present already.")
            return
        self._move([name], lambda: self._source.checkout(name), "Not checked out")

    def _undo(self, event: Event) -> None:
        parent = self._parent_of_policy()
        self._move([parent] if parent else [], self._source.undo, "Not undone")

    def _go_back(self, event: Event) -> None:
        if not self._ways_back:
            self.tell("info", "There is nothing to go back to: no checkout was made here.")
            return
        way = self._ways_back[-1]

        def restore() -> Version | None:
            # The policy first: it brings the reward that it was trained with.
            gone = [self._source.checkout(name) for name in way]
            return None if None in gone else gone[-1]

        self._move(way, restore, "Not gone back", is_way_back=True)

    def _move(
        self,
        to: Sequence[str],
        act: Callable[[], Version | None],
        failure: str,
        *,
        is_way_back: bool = False,
    ) -> None:
        move = _Move(to=frozenset(to), act=act, failure=failure, is_way_back=is_way_back)
        awaited = move.to.intersection(self._awaited())
        if awaited and move.to <= awaited.union(self.present):
            self.tell("info", f"{_names(sorted(awaited))} was asked for already.")
            return
        before = self.present
        try:
            moved = move.act()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self._read()
            kept = before == self.present
            now = "Nothing was changed." if kept else f"Present now: {_names(self.present)}."
            self.tell("error", f"{failure}. {now} {reason(error)}")
            return
        self._asked = move
        if moved is None:
            wanted = _names(sorted(move.to))
            self.tell("info", f"Asked for {wanted}: it becomes present when the worker gets to it.")
        self._read()

    def _compare_two(self, event: Event) -> None:
        first, second = (self._known(event.text(side)).version for side in ("first", "second"))
        if first.role != second.role or first.name == second.name:
            raise ConfigError(
                f"{first.name} and {second.name}: choose two different versions of one role."
            )
        self._compared = [first.name, second.name]
        self._update("ready")
        if self._compare is not None:
            self.tell("info", self._compare(first.name, second.name))

    def _known(self, name: str) -> VersionRecord:
        if name not in self._records:
            raise UnknownVersion(f"{name!r:.40} is no version of this lab: choose one of the tree.")
        return self._records[name]

    # What is shown

    def _read(self) -> bool:
        """Ask the source; whether it answered."""
        try:
            records = self._source.versions()
        except Exception as error:  # noqa: BLE001 - any failure of a source must reach the person
            self.tell("error", f"The versions could not be read. {reason(error)}")
            self._update("error")
            return False
        self._records = {record.version.name: record for record in records}
        self._compared = [name for name in self._compared if name in self._records]
        self._follow()
        self.content = {"versions": [_version_view(record) for record in records]}
        self._update("ready" if set(self._records) - {START} else "empty")
        return True

    def _follow(self) -> None:
        """See how far what was asked for has come, and so where the ways back lead from."""
        before, self._left = self._left, self.present
        move, reached = self._asked, set(self.present)
        if move is not None and move.to <= reached:
            self._asked = None
            ways = self._ways_back[:-1] if move.is_way_back else [*self._ways_back, before]
            self._ways_back = ways[-WAYS_BACK:]
            self.tell("info", f"Present now: {_names(self.present)}. The next update starts here.")
        elif move is not None and move.to <= reached.union(self._awaited()) and move.to & reached:
            return  # half way: the policy has come, its reward is still to come
        elif before != self.present:
            self._ways_back = []  # somebody went elsewhere: the ways lead from another place
        self._give_up_what_never_comes()

    def _give_up_what_never_comes(self) -> None:
        """A move that was asked for may be cancelled, fail, or be followed at once by another."""
        if self._asked is None or self._asked.to.intersection(self._awaited()):
            return
        wanted, self._asked = _names(sorted(self._asked.to)), None
        self.tell("info", f"{wanted} was asked for, and is not present: {_names(self.present)} is.")

    def _awaited(self) -> list[str]:
        awaited = (name for name, record in self._records.items() if record.is_awaited)
        return sorted(set(awaited).difference(self.present))

    def _update(self, phase: Phase) -> None:
        back = [name for name in (self._ways_back or [[]])[-1] if name not in self.present]
        view: View = {
            "phase": phase,
            "present": self.present,
            "awaited": self._awaited(),
            "undo": self._parent_of_policy(),
            "back": back,
            "compared": self._compared if len(self._compared) == 2 else [],
            "can_compare": self._compare is not None,
            "evaluate_page": self._evaluate_page,
        }
        self.view = dict(view)

    def _parent_of_policy(self) -> str | None:
        policies = (self._records[n].version for n in self.present)
        return next((v.parent for v in policies if v.role == "policy"), None)


def _version_view(record: VersionRecord) -> VersionView:
    version = record.version
    events = version.judged.partition(":")[0]
    return VersionView(
        name=version.name,
        role=version.role,
        parent=version.parent,
        trained_with=list(version.trained_with),
        metrics={name: sendable.number(value) for name, value in version.metrics.items()},
        judgments=record.judgments,
        record=int(events) if events.isdecimal() else None,
        accuracy=sendable.interval(record.accuracy),
        evaluations=[view for e in record.evaluations if (view := _evaluation_view(e))],
        made=version.created_at.isoformat(),
    )


def _evaluation_view(evaluation: Evaluation) -> EvaluationView | None:
    win_rate = sendable.interval(evaluation.win_rate)
    if win_rate is None:
        return None
    return EvaluationView(
        baseline=evaluation.baseline,
        win_rate=win_rate,
        kl=sendable.number(evaluation.kl),
        reward=evaluation.reward,
        reward_gain=sendable.interval(evaluation.reward_gain),
        judge=evaluation.judge,
        made=evaluation.created_at.isoformat(),
    )


def _names(names: Sequence[str]) -> str:
    return " with ".join(names) or "nothing"
