"""Monitors of a lab's updates: which curves there are, and where they are shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlhf_lab.types import Alarm, RunEnd, TrainingSample

if TYPE_CHECKING:
    from rlhf_lab.training.ppo_run import PPORun
    from rlhf_lab.widgets import Chart, MonitorState, MonitorWidget

LONG_SECONDS = 2.0
"""An update that takes no longer than this shows its report alone."""

PPO_PHASES = {"rollout": "sampling", "scoring": "scoring", "update": "learning"}
PPO_STOP = "Ends after the present step; all whole steps are kept as a version."
UPDATE_PHASES = {"learning": "learning", "scoring": "scoring"}
REWARD_STOP = "Ends after the present pass over the rankings, which is kept."
STEP_STOP = "Ends after the present step; what is learned by then becomes a version."


def in_notebook() -> bool:
    """Whether this code runs in a kernel, whose outputs are a page."""
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None


class NotebookMonitors:
    """Makes monitors of PPO runs and shows them in notebooks."""

    def make(self, run: PPORun) -> MonitorWidget:
        """A widget that watches the run."""
        from rlhf_lab.widgets import MonitorState, MonitorWidget

        state = MonitorState(
            ppo_charts(run.config.kl_target if run.config.kl == "adaptive" else None),
            title=f"PPO from {run.before}",
            on_stop=run.stop,
            stop_note=PPO_STOP,
            phases=PPO_PHASES,
        )
        run.watch(state)
        state.took_before(run.seconds)
        return MonitorWidget(state)

    def has_page(self) -> bool:
        """Whether code runs in a notebook."""
        return in_notebook()

    def show(self, monitor: object) -> None:
        """Put it into the output of the present cell."""
        from IPython.display import display

        display(monitor)  # type: ignore[no-untyped-call]


def ppo_charts(kl_target: float | None) -> tuple[Chart, ...]:
    """What tells early whether a PPO run is worth going on with.

    Args:
        kl_target: What an adaptive price of KL aims at; None where it is fixed.
    """
    from rlhf_lab.widgets import Chart, Curve

    return (
        Chart(
            title="Reward score",
            unit="normalised",
            curves=(Curve(name="score", label="score"),),
            form="signed",
            about="Should rise, in steps and not at once. 0 is where the reference stands.",
        ),
        Chart(
            title="KL to the reference",
            unit="nats per response",
            curves=(Curve(name="kl", label="KL"),),
            target=kl_target,
            about="How far the policy has moved"
            + ("." if kl_target is None else "; its price changes until it meets the target."),
        ),
        Chart(
            title="Entropy",
            unit="nats per token",
            curves=(Curve(name="entropy", label="entropy"),),
            about="Falls slowly. Near 0 the policy says one thing only.",
        ),
        Chart(
            title="Clip fraction",
            unit="of tokens",
            curves=(Curve(name="clip_fraction", label="clipped"),),
            form="percent",
            about="Tokens whose update was cut. Much above 20%: lower the learning rate.",
        ),
        Chart(
            title="Response length",
            unit="tokens",
            curves=(Curve(name="response_length", label="length"),),
            about="A steady rise with the score means that length itself is rewarded.",
        ),
        Chart(
            title="Seconds by phase",
            unit="per step",
            curves=(
                Curve(name="seconds_rollout", label="sampling"),
                Curve(name="seconds_scoring", label="scoring"),
                Curve(name="seconds_update", label="learning"),
            ),
            form="seconds",
        ),
    )


def reward_charts() -> tuple[Chart, ...]:
    """What a reward update shows while it learns."""
    from rlhf_lab.widgets import Chart, Curve

    return (
        Chart(
            title="Ranking loss",
            unit="nats per ranking",
            curves=(
                Curve(name="loss", label="learning"),
                Curve(name="heldout_loss", label="held-out"),
            ),
            about="Held-out rising while learning falls: it learns the rankings by heart.",
        ),
        Chart(
            title="Accuracy",
            unit="of ordered pairs",
            curves=(
                Curve(name="heldout_accuracy", label="held-out"),
                Curve(name="prequential_accuracy", label="before learning"),
            ),
            form="percent",
            target=0.5,
            about="50% is chance.",
        ),
    )


def sft_charts() -> tuple[Chart, ...]:
    """What fine-tuning shows while it learns."""
    from rlhf_lab.widgets import Chart, Curve

    return (
        Chart(
            title="Loss",
            unit="nats per token",
            curves=(
                Curve(name="loss", label="learning"),
                Curve(name="heldout_loss", label="held-out"),
            ),
            about="Of what people wrote. Held-out is measured before the first step and after all.",
        ),
    )


def dpo_charts() -> tuple[Chart, ...]:
    """What DPO shows while it learns."""
    from rlhf_lab.widgets import Chart, Curve

    return (
        Chart(
            title="Ranking loss",
            unit="nats per ranking",
            curves=(Curve(name="loss", label="learning"),),
            about="Begins where every order is as likely as any other.",
        ),
        Chart(
            title="Accuracy",
            unit="of ordered pairs",
            curves=(Curve(name="heldout_accuracy", label="held-out"),),
            form="percent",
            target=0.5,
            about="Of what the policy has made likelier. 50% is chance.",
        ),
    )


class UpdateMonitor:
    """Watches an update, and shows itself when it takes long.

    Attributes:
        stopping: Whether somebody asked for the end.
        shown: Whether it is on a page.
    """

    def __init__(
        self,
        charts: Sequence[Chart],
        *,
        title: str,
        stop_note: str,
        at_once: bool,
        show: Callable[[Any], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch.

        Args:
            charts: Its curves.
            title: What is watched.
            stop_note: What the stop button does.
            at_once: Show it however short the update is.
            show: How to put it on a page.
            clock: Seconds, rising.
        """
        from rlhf_lab.widgets import MonitorState

        self.stopping = False
        self.state: MonitorState = MonitorState(
            charts,
            title=title,
            on_stop=self.stop,
            stop_note=stop_note,
            phases=UPDATE_PHASES,
        )
        self._show = show
        self._clock = clock
        self._due = clock() + (0.0 if at_once else LONG_SECONDS)
        self.shown = False

    def stop(self) -> None:
        """End as soon as what is learned can be kept."""
        self.stopping = True

    def started(self, *, done: int, total: int) -> None:
        """See `TrainingListener`, as for all that follow."""
        self.state.started(done=done, total=total)
        self._show_if_long()

    def phase(self, name: str) -> None:
        """A part of the update begins."""
        self.state.phase(name)
        self._show_if_long()

    def add(self, step: int, figures: Mapping[str, float], *, done: int | None = None) -> None:
        """A step was made."""
        self.state.add(step, figures, done=done)
        self._show_if_long()

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Something should be looked at."""
        self.state.alarm(step, alarm)

    def show(self, samples: Sequence[TrainingSample]) -> None:
        """Such an update has none."""

    def ended(self, status: RunEnd, text: str) -> None:
        """The update is over."""
        self.state.ended(status, text)

    def _show_if_long(self) -> None:
        if not self.shown and self._clock() >= self._due:
            from rlhf_lab.widgets import MonitorWidget

            self.shown = True
            self._show(MonitorWidget(self.state))


def reward_monitor(wanted: bool | None) -> UpdateMonitor | None:
    """A monitor for a reward update; see `_monitor`."""
    return _monitor(wanted, reward_charts, "Reward update", REWARD_STOP)


def sft_monitor(wanted: bool | None) -> UpdateMonitor | None:
    """A monitor for fine-tuning; see `_monitor`."""
    return _monitor(wanted, sft_charts, "Fine-tuning", STEP_STOP)


def dpo_monitor(wanted: bool | None) -> UpdateMonitor | None:
    """A monitor for DPO; see `_monitor`."""
    return _monitor(wanted, dpo_charts, "DPO", STEP_STOP)


def _monitor(
    wanted: bool | None, charts: Callable[[], Sequence[Chart]], title: str, stop_note: str
) -> UpdateMonitor | None:
    """A monitor, if one is wanted and there is a page for it.

    Args:
        wanted: None for "in a notebook, if it takes long".
        charts: Makes its curves.
        title: What is watched.
        stop_note: What the stop button does.
    """
    if wanted is False or not in_notebook():
        return None
    return UpdateMonitor(
        charts(),
        title=title,
        stop_note=stop_note,
        at_once=wanted is True,
        show=NotebookMonitors().show,
    )
