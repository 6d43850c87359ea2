"""The items that a ranking page has in hand, and those that it had a while ago."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rlhf_lab.types import RankingItem, RankingSource
from rlhf_lab.widgets.judging import Names
from rlhf_lab.widgets.ranking_items import Shown

RENEW_SECONDS: Final = 300.0
"""So often are leases renewed while somebody works; thrice in a lease where that is shorter."""

_REMEMBERED: Final = 200
"""So many items of a sitting are remembered beside those in hand."""


class Hand:
    """Has items handed out by a source, ahead of the person, and knows them by their keys.

    Attributes:
        items: Those on the page, in the order to rank them; some may be answered.
    """

    def __init__(
        self, source: RankingSource, ahead: int | None, clock: Callable[[], float]
    ) -> None:
        """Hold nothing yet.

        Args:
            source: Where items come from.
            ahead: How many to hold after a refill; None for as many as suit the source.
            clock: Seconds that only grow.
        """
        self.items: list[Shown] = []
        self._source = source
        self._ahead = ahead
        self._clock = clock
        self._names: Names | None = None
        self._known: dict[str, Shown] = {}
        self._enough = 0.0
        self._fetched_at = 0.0
        self._renew_after = RENEW_SECONDS

    @property
    def left(self) -> list[Shown]:
        """Those that are to be ranked."""
        return [shown for shown in self.items if not shown.answered]

    @property
    def store_key(self) -> str:
        """A name for what a page keeps; empty as long as the source could not be read."""
        return self._names.store if self._names else ""

    @property
    def is_full(self) -> bool:
        """Whether a refill would do nothing."""
        return not self._is_low and self._clock() - self._fetched_at < self._renew_after

    @property
    def _is_low(self) -> bool:
        left = len(self.left)
        return not left or left < self._enough

    def refill(self, *, asked: bool = False) -> None:
        """Have more handed out if few are left, and leases renewed if it is long ago.

        What the source raises leaves everything as it is.

        Args:
            asked: Do it in any case.
        """
        if asked or self._is_low:
            self._fetch(self._ahead)
        elif not self.is_full:
            self._fetch(len(self.left))

    def get(self, key: str) -> Shown | None:
        """The item of this key, also one that has left the page."""
        return self._known.get(key)

    def shown(self, item: RankingItem) -> Shown:
        """An item as the page knows it, or is to know it."""
        key = self.names().of(item)
        if key not in self._known:
            self._known[key] = Shown.of(item, key)
        return self._known[key]

    def put_first(self, shown: Shown) -> None:
        """Make this the one that comes next."""
        self.items = [shown, *(other for other in self.items if other is not shown)]

    def names(self) -> Names:
        """What the page calls items; read from the source once."""
        if self._names is None:
            source = self._source
            versions = () if source.version is None else (source.version,)
            self._names = Names(source.secret, source.annotator, *versions)
        return self._names

    def _fetch(self, count: int | None) -> None:
        # Somebody may be asked about an item twice at a time, after an undo: one on the page.
        fetched = list(dict.fromkeys(map(self._fresh, self._source.upcoming(count))))
        self._fetched_at = self._clock()
        self._renew_after = min(RENEW_SECONDS, self._source.lease_seconds / 3)
        kept = [shown for shown in self.left if shown.kept and shown not in fetched]
        left = [*kept, *fetched]
        # Half of what there is: near the end of the work, too, content is sent seldom.
        self._enough = len(left) / 2
        if left != self.left:
            self.items = left
            self._forget_oldest()

    def _fresh(self, item: RankingItem) -> Shown:
        """One that is to be judged, perhaps once more: then from the start."""
        shown = self.shown(item)
        if shown.answered:
            shown = Shown(item=item, key=shown.key, turns=shown.turns, cards=shown.cards)
            self._known[shown.key] = shown
        return shown

    def _forget_oldest(self) -> None:
        in_hand = {shown.key for shown in self.items}
        others = [key for key in self._known if key not in in_hand]
        for key in others[: max(0, len(others) - _REMEMBERED)]:
            del self._known[key]
