"""How fast an endpoint is asked, and how much it may cost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.judges.chat.errors import CostLimitReached

_MILLION = 1_000_000


class Pace:
    """Lets requests start at even distances, and all of them wait when an endpoint asks for it.

    Even distances keep any minute, wherever it begins, within the limit.
    """

    def __init__(
        self,
        per_minute: float | None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        """Start.

        Args:
            per_minute: Most requests that start within a minute; None for no limit.
            clock: Seconds.
            sleep: Waits for so many seconds, or raises.
        """
        self._distance = 60 / per_minute if per_minute else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until the next request may start."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self._distance
        if start > now:
            self._sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Let no request start for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a million tokens cost, in any one currency."""

    input: float = 0.0
    output: float = 0.0

    def __post_init__(self) -> None:
        """Refuse prices below nothing."""
        if not (self.input >= 0 and self.output >= 0):
            raise ConfigError(
                f"prices {self.input} and {self.output} per million tokens: 0 or more."
            )

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """Of one request."""
        return (input_tokens * self.input + output_tokens * self.output) / _MILLION


class Budget:
    """Money spent, and set aside for requests that are under way.

    Before a request goes out, the most it can cost is set aside; it goes out only if that and
    everything else still fit into the limit.
    """

    def __init__(self, limit: float | None) -> None:
        """Start with nothing spent.

        Args:
            limit: None for none.
        """
        self.limit = limit
        self.spent = 0.0
        self._set_aside = 0.0
        self._lock = threading.Lock()

    def set_aside(self, most: float) -> None:
        """For a request that is about to go out.

        Raises:
            CostLimitReached: it might cost more than is left.
        """
        with self._lock:
            committed = self.spent + self._set_aside
            if self.limit is not None and committed + most > self.limit:
                raise CostLimitReached(
                    f"{self.spent:.4g} of max_cost={self.limit:g} is spent, {self._set_aside:.4g} "
                    f"set aside for requests under way, and the next may cost {most:.4g}: stopped "
                    "before it. Every answer so far is kept: run the same again with a higher "
                    "max_cost, and only what is missing is asked."
                )
            self._set_aside += most

    def settle(self, most: float, cost: float) -> None:
        """After that request: give back what was set aside, and count what it did cost."""
        with self._lock:
            self._set_aside -= most
            self.spent += cost
