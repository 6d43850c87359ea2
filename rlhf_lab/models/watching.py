"""How far work is that makes responses, for whoever looks on, who may also end it."""

from __future__ import annotations

from collections.abc import Callable

from rlhf_lab.errors import Stopped
from rlhf_lab.types import TrainingListener


class Watch:
    """Counts responses for a listener, and asks between batches whether to go on.

    Attributes:
        done: Responses that are stored.
        total: Of so many.
    """

    def __init__(
        self,
        listener: TrainingListener | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Count nothing yet.

        Args:
            listener: Is told; it must not raise.
            stopped: Asked between batches whether work shall end there.
        """
        self.done = self.total = 0
        self._listener = listener
        self._stopped = stopped

    def begin(self, total: int) -> None:
        """So many responses are wanted."""
        self.done, self.total = 0, total
        self._tell(lambda listener: listener.started(done=0, total=total))

    def phase(self, name: str) -> None:
        """A part of the work begins.

        Raises:
            Stopped: it shall not.
        """
        self.go_on()
        self._tell(lambda listener: listener.phase(name))

    def count(self, responses: int) -> None:
        """So many more are stored."""
        self.done += responses
        done = self.done
        self._tell(lambda listener: listener.add(done, {}, done=done))

    def go_on(self) -> None:
        """Asked before each batch.

        Raises:
            Stopped: the work shall end here.
        """
        if self._stopped():
            raise Stopped(f"Stopped: {self.done} of {self.total} responses are there and kept.")

    def _tell(self, what: Callable[[TrainingListener], None]) -> None:
        if self._listener is not None:
            what(self._listener)
