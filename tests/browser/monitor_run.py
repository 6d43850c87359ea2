"""A run without a model, for monitors in browser tests; runs in the kernel or a Panel server.

Its figures are fixed, so that a picture changes only when the monitor does.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rlhf_lab.lab.monitoring import PPO_PHASES, ppo_charts
from rlhf_lab.types import Alarm, TrainingSample
from rlhf_lab.widgets import MonitorState
from tests.browser.lab_source import hostile_texts

# What the charts need of a PPOConfig, whose import would load torch into every kernel.
NOTE = "Ends after the present step; all whole steps are kept as a version."
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


class PretendedRun:
    """Steps that only pass time, told to a monitor as a PPO run tells them."""

    def __init__(self, steps: int = 24, clock: Callable[[], float] = time.monotonic):
        self.steps = steps
        self.done = 0
        self.stopped = False
        self.state = MonitorState(
            ppo_charts(6.0),
            title="PPO from policy@0",
            on_stop=self.stop,
            stop_note=NOTE,
            phases=PPO_PHASES,
            clock=clock,
        )

    def stop(self) -> None:
        self.stopped = True

    def step(self, seconds: float = 0.0) -> None:
        for phase in PPO_PHASES:
            self.state.phase(phase)
            time.sleep(seconds / len(PPO_PHASES))
        self.done += 1
        self.state.add(self.done, figures(self.done), done=self.done)
        if self.done == 18:
            self.state.alarm(self.done, DRIFT)
        self.state.show(samples(self.done))

    def run(self, seconds: float = 0.0, *, until: int | None = None) -> PretendedRun:
        """Take steps until told to stop; `until` leaves the run going."""
        self.state.started(done=self.done, total=self.steps)
        while self.done < (until or self.steps) and not self.stopped:
            self.step(seconds)
        if until is None:
            early = self.done < self.steps
            self.state.ended("stopped" if early else "finished", "Kept as policy@1.")
        return self


DRIFT = Alarm(
    "length drift",
    "96 tokens per response, 31 in the first step, more than a factor of 3: the reward may like "
    "length itself. Read some responses, and rank them.",
)


def figures(n: int) -> dict[str, float]:
    """Of step n; curves as PPO draws them, without chance."""
    wave = math.sin(n * 1.7) + 0.6 * math.sin(n * 4.1)
    return {
        "score": 1.4 * (1 - math.exp(-n / 14)) - 0.1 + 0.08 * wave,
        "kl": 9 * (1 - math.exp(-n / 10)) * math.exp(-n / 60) + 0.35 * wave,
        "entropy": 1.1 + 1.3 * math.exp(-n / 16) + 0.05 * wave,
        "clip_fraction": 0.06 + 0.03 * math.exp(-n / 9) + 0.008 * wave,
        "response_length": 31 + 65 / (1 + math.exp((15 - n) / 2.5)) + 1.2 * wave,
        "seconds_rollout": 11 + 0.25 * n + 0.4 * wave,
        "seconds_scoring": 4 + 0.1 * n,
        "seconds_update": 8 + 0.2 * n - 0.3 * wave,
    }


def samples(step: int, more: str = HOSTILE) -> list[TrainingSample]:
    return [
        TrainingSample(
            prompt="Why is the sky blue?",
            before=f"The sky is blue because it is. {more}",
            before_version="policy@0",
            now="Air scatters *blue* light more than red, by $1/\\lambda^4$.",
            step=step,
            score=1.12,
        ),
        TrainingSample(
            prompt="Name a river that flows to the north.", now="The Nile.", step=step, score=-0.3
        ),
    ]


def shown(folder: str, *, hostile: bool = False) -> MonitorState:
    """A run in its middle, which is another one each time: a monitor holds nothing."""
    state = PretendedRun().run(until=20).state
    if hostile:
        texts = hostile_texts(5)
        state.alarm(20, Alarm(texts[0], texts[1]))
        state.show(
            [TrainingSample(prompt=texts[2], before=texts[3], now=texts[4], step=20, score=0.0)]
        )
    return state


@cache
def ongoing() -> PretendedRun:
    """A long run in another thread of this process, the same one for every page."""
    run = PretendedRun(500)
    threading.Thread(target=run.run, args=(0.3,), daemon=True).start()
    return run


def picture() -> MonitorState:
    """What the pictures show: a run that has raised an alarm, after some ten minutes."""
    now = 0.0
    run = PretendedRun(clock=lambda: now)
    run.state.started(done=0, total=run.steps)
    for number in range(1, 21):
        told = figures(number)
        now += sum(told[name] for name in told if name.startswith("seconds"))
        run.step()
    run.state.show(samples(run.done, more=""))
    time.sleep(0.5)  # of changes that come fast, the last is told a moment later
    return run.state


def wait_for(path: str) -> None:
    """Keep the kernel busy until a file is there."""
    while not Path(path).exists():
        time.sleep(0.02)
