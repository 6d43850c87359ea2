"""What widgets that people judge with have in common: names on the page, and what failed."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Protocol

from rlhf_lab.types import Judgment, RankingItem
from rlhf_lab.widgets.state import Event


class TakeBack(Protocol):
    """The undo or the redo of a source."""

    def __call__(self, submission: str | None, of: str | None) -> RankingItem | None:
        """Its item, or None."""


class Names:
    """Names of items on a page: the same after a restart, and of no use to find out what is shown.

    Args:
        secret: Of the lab.
        annotator: Who judges.
        versions: Whose responses; none for all.
    """

    def __init__(self, secret: str, annotator: str, *versions: str) -> None:
        self._key = f"{secret}\0{annotator}".encode("utf-8", "surrogatepass")
        self._versions = versions

    @property
    def store(self) -> str:
        """Of what they judge in this lab: answers to items of some versions fit no others."""
        return self._hash("\0".join(["store", *self._versions]))

    def of(self, item: RankingItem) -> str:
        """Of an item as it is shown; the same candidates in another order are another item."""
        ids = (response.id for response in item.candidates)
        return self._hash("\0".join(["item", item.prompt.id, *ids]))

    def _hash(self, text: str) -> str:
        message = text.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:16]


def or_failed(judgment: Judgment, failed: Judgment | None) -> Judgment:
    """The judgment that failed before, if this one says the same.

    A store may fail after it has written; sent again as it was, it is stored once.
    """
    if failed is None:
        return judgment
    again = replace(judgment, id=failed.id, seconds=failed.seconds, created_at=failed.created_at)
    return failed if again == failed else judgment


class Failures:
    """What could not be stored since something could, and under which ids it is stored then.

    What fails may have been written all the same. So an undo or redo that is tried again goes
    under the id of the one that failed, as a judgment does by `or_failed`.
    """

    def __init__(self) -> None:
        self._items: dict[str, str] = {}  # by the id of the event, the latest last
        self._act: tuple[str, str] | None = None
        self._stored_as: dict[str, str] = {}

    def note_judgment(self, event: Event, item: str) -> None:
        """A judgment of this item failed."""
        self._items = {i: other for i, other in self._items.items() if other != item}
        self._items[event.id] = item

    def note_act(self, event: Event) -> None:
        """An undo or redo failed."""
        self._act = (event.type, self.id_for(event))

    def succeeded(self, event: Event, stored_as: str) -> None:
        """This was stored: nobody means any more what failed before."""
        if stored_as != event.id:
            self._stored_as[event.id] = stored_as
        self._items.clear()
        self._act = None

    def id_for(self, event: Event) -> str:
        """The id under which to store an undo or redo."""
        kind, failed = self._act or ("", "")
        return failed if kind == event.type else event.id

    def has_failed(self, kind: str) -> bool:
        """Whether an act of this kind failed, and nothing was stored since."""
        return self._act is not None and self._act[0] == kind

    def meant_by(self, event: Event) -> str | None:
        """The stored id of what an undo or redo says it takes back, if it says so."""
        of = event.text("of")
        return self._stored_as.get(of, of) or None

    def taken_back_by(self, event: Event) -> str | None:
        """The item whose judgment failed, if an undo is about that; it is forgotten."""
        of, on_screen = event.text("of"), event.text("item")
        if of:
            return self._items.pop(of, None)
        # Whoever has not seen yet that something was not saved means that.
        if self._items and on_screen not in self._items.values():
            return self._items.popitem()[1]
        return None
