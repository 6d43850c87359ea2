"""The ranking widget for Jupyter: synced traits around `RankingState`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from rlhf_lab.errors import LabError
from rlhf_lab.types import Progress, RankingSource
from rlhf_lab.widgets.ranking_state import RankingState

_STATIC = Path(__file__).parent / "static"


class RankingWidget(anywidget.AnyWidget):
    """Ranks the items of a source, blind, with keys, mouse or touch.

    A judgment is durable in the source before the next item shows. The widget holds no truth:
    shown again, or made anew after a restart of the kernel, it resumes at the source's next item.

    It talks to its front end through three synced traits and no custom messages, so that any
    host that syncs values can show it:

    Attributes:
        view: From Python: what to show (see `ranking_state.View`).
        acked_seq: From Python: every event up to this number has been dealt with.
        events: From the front end: the events that are not acknowledged yet.

    Args:
        source: Where items come from and judgments go.

    Raises:
        LabError: the front end has not been built (only in a checkout that was not installed).
    """

    view = traitlets.Dict().tag(sync=True)
    acked_seq = traitlets.Int(0).tag(sync=True)
    events = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, source: RankingSource) -> None:
        self._state = RankingState(source)
        self._esm, self._css = _bundle("ranker.js"), _bundle("ranker.css")
        super().__init__(view=dict(self._state.view))

    @property
    def done(self) -> bool:
        """Whether there were items and every one has been ranked or skipped."""
        return self._state.done

    @property
    def progress(self) -> Progress:
        """How many items are ranked or skipped, of how many."""
        return self._state.progress

    def refresh(self) -> None:
        """Ask the source again, for instance after `lab.generate()`."""
        self._state.refresh()
        self._publish()

    @traitlets.observe("events")
    def _on_events(self, change: dict[str, Any]) -> None:
        self._state.apply(change["new"])
        self._publish()

    def _publish(self) -> None:
        # One message, so that the front end never sees an acknowledgement with the old view.
        with self.hold_sync():
            self.view = dict(self._state.view)
            self.acked_seq = self._state.acked_seq


def _bundle(name: str) -> str:
    path = _STATIC / name
    if not path.is_file():
        raise LabError(
            f"{path} is missing: the widgets' front end is not built. In a checkout run "
            "`pip install -e .`, or `npm ci && npm run build` in widgets/."
        )
    return path.read_text(encoding="utf-8")
