"""The widgets for Jupyter: synced traits around the states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import anywidget
import traitlets

from rlhf_lab.types import FLAGS, Progress, RankingSource
from rlhf_lab.widgets.bundle import bundle
from rlhf_lab.widgets.ranking_reveal import Scorer
from rlhf_lab.widgets.ranking_state import AHEAD, RankingState
from rlhf_lab.widgets.state import WidgetState

State = TypeVar("State", bound=WidgetState)


class LabWidget(anywidget.AnyWidget, Generic[State]):
    """A state, shown by a bundled module.

    It talks to its front end through five synced traits and no custom messages, so that any host
    that syncs values can show it. It holds no truth: shown again, or made anew after a restart of
    the kernel, it shows what is so now.

    Attributes:
        content: From Python: what is large and changes seldom.
        view: From Python: what may change with every event.
        notice: From Python: what to tell the person.
        acked_seq: From Python: every event up to this number has been dealt with.
        events: From the front end: the events that are not acknowledged yet.
        state: What is behind it.
    """

    content = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    notice = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    acked_seq = traitlets.Int(0).tag(sync=True)
    events = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, state: State, name: str) -> None:
        """Show a state.

        Args:
            state: What is shown.
            name: Of the bundle.

        Raises:
            LabError: the front end has not been built (only in a checkout that was not installed).
        """
        self.state = state
        self._end = state.on_change(self._publish)
        self._esm, self._css = bundle(f"{name}.js"), bundle(f"{name}.css")
        super().__init__(**state.values())

    def close(self) -> None:
        """Take it off the page."""
        if hasattr(self, "_end"):  # also called for a widget whose making failed
            self._end()
        super().close()

    @traitlets.observe("events")
    def _on_events(self, change: dict[str, Any]) -> None:
        self.state.apply(change["new"])

    def _publish(self) -> None:
        # One message, so that the front end never sees an acknowledgement with the old view.
        with self.hold_sync():
            for name, value in self.state.values().items():
                setattr(self, name, value)


class RankingWidget(LabWidget[RankingState]):
    """Ranks the items of a source, blind, with keys, mouse or touch.

    A judgment is durable in the source before it is acknowledged.

    Args:
        source: Where items come from and judgments go.
        criteria: What each response may be rated by, from 1 to 5; `types.CRITERIA` are usual.
        flags: What may be ticked; "all bad" always may.
        editing: Whether a response may be edited into a demonstration.
        reveal: Scores an item's candidates by response id, to be told after each judgment.
        ahead: How many items the page holds, so that it need not wait for the kernel.

    Raises:
        ConfigError: a name is none or comes twice; ahead is below 1.
        LabError: the front end has not been built (only in a checkout that was not installed).
    """

    def __init__(
        self,
        source: RankingSource,
        *,
        criteria: Sequence[str] = (),
        flags: Sequence[str] = FLAGS,
        editing: bool = True,
        reveal: Scorer | None = None,
        ahead: int = AHEAD,
    ) -> None:
        state = RankingState(
            source, criteria=criteria, flags=flags, editing=editing, reveal=reveal, ahead=ahead
        )
        super().__init__(state, "ranker")

    @property
    def done(self) -> bool:
        """Whether there were items and every one has been ranked or skipped."""
        return self.state.done

    @property
    def progress(self) -> Progress:
        """How many items are ranked or skipped, of how many."""
        return self.state.progress

    def refresh(self) -> None:
        """Ask the source again, for instance after `lab.generate()`."""
        self.state.refresh()
