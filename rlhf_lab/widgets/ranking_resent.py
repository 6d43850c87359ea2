"""Events that a page sends again, when nobody remembers which of them were dealt with.

A kernel may die after it dealt with an event and before the page heard of it. The page then sends
the event to the next kernel, which finds in the source what was stored. An undo that had nothing to
take back left nothing there: done now, it would take back what came after it. But a page's events
are dealt with in their order, so whatever comes before one that is stored had its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from rlhf_lab.widgets.state import Event

_JUDGING: Final = ("submit", "skip")
_STORED: Final = (*_JUDGING, "undo", "redo")


@dataclass(frozen=True, kw_only=True)
class _Act:
    seq: int
    id: str
    type: str
    item: str


class Batch:
    """The acts that a page sent together, and what became of them before.

    Args:
        events: As they were sent.
        seen: Ids of those that this kernel has dealt with.
        stored: Asks the source which ids it has; asked once, and only where it matters.
    """

    def __init__(
        self,
        events: Iterable[Mapping[str, Any]],
        seen: Set[str],
        stored: Callable[[Iterable[str]], Set[str]],
    ) -> None:
        self._acts = [act for raw in events if (act := _act(raw)) is not None]
        self._seen = frozenset(act.id for act in self._acts if act.id in seen)
        self._ask = stored
        self._stored: Set[str] | None = None

    def is_stored(self, event: Event) -> bool:
        """Whether the source had it before this batch."""
        if self._stored is None:
            self._stored = self._ask([act.id for act in self._acts if act.id not in self._seen])
        return event.id in self._stored

    def had_its_turn(self, event: Event) -> bool:
        """Whether it was dealt with before, and all that came of it is known here.

        That is so when this kernel dealt with a later one, or when an earlier kernel stored a later
        one and not this. Of judgments it holds only if the same item was judged later: one that
        could not be stored then is stored now.
        """
        if event.type not in _STORED:  # it comes under its id, and twice is once
            return False
        later = [act for act in self._acts if act.seq > event.seq and act.id != event.id]
        if event.type in _JUDGING:
            later = [a for a in later if a.type in _JUDGING and a.item == event.text("item")]
        if not later or any(act.id in self._seen for act in later):
            return bool(later)
        return not self.is_stored(event) and any(act.id in (self._stored or ()) for act in later)


def _act(raw: Mapping[str, Any]) -> _Act | None:
    seq, event_id, kind, item = (raw.get(name) for name in ("seq", "id", "type", "item"))
    if type(seq) is not int or not isinstance(event_id, str) or kind not in _STORED:
        return None
    return _Act(seq=seq, id=event_id, type=str(kind), item=item if isinstance(item, str) else "")
