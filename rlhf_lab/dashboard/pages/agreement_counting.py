"""The report behind the Agreement page: counted in a thread, once for everybody who looks.

Counting goes through all that was said, which takes seconds where that is much. The server answers
clicks meanwhile, and rests between two counts: people judge all the time, and each judgment changes
the report a little.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from rlhf_lab.evaluation.agreement import AgreementReport, basis_of, measure_agreement
from rlhf_lab.store import PreferenceStore

# How often to look whether anything changed, in seconds.
_LOOK: Final = 2.0
# How many times as long as a count took it rests before the next.
_REST: Final = 20

_log = logging.getLogger(__name__)
_of: WeakKeyDictionary[PreferenceStore, Counting] = WeakKeyDictionary()


class Counting:
    """The latest report on a store; brought up to date when somebody looks.

    Attributes:
        report: None until the first one is counted.
        failed: Whether the last count failed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is counted yet."""
        self.report: AgreementReport | None = None
        self.failed = False
        self._clock = clock
        self._next = float("-inf")
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def look(self, store: PreferenceStore) -> None:
        """Begin to count if something changed, none is counting, and it has rested; never waits."""
        with self._lock:
            if self._clock() < self._next or (self._thread and self._thread.is_alive()):
                return
            self._next = self._clock() + _LOOK
            if self.report and not self.failed and self.report.basis == basis_of(store):
                return
            self._thread = threading.Thread(
                target=self._count, args=[store], name="agreement", daemon=True
            )
            self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Until the count that is going on is done, if one is, and no longer than this."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _count(self, store: PreferenceStore) -> None:
        start = self._clock()
        try:
            self.report = measure_agreement(store)
            self.failed = False
        except Exception:  # noqa: BLE001 - whoever looks is told, and it is tried again
            if store.closed:
                return  # the server stops
            _log.exception("agreement could not be counted")
            self.failed = True
        end = self._clock()
        self._next = end + max(_LOOK, _REST * (end - start))


def counting_of(store: PreferenceStore) -> Counting:
    """The one of this store, for every page in this process."""
    return _of.setdefault(store, Counting())
