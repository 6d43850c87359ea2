"""The widgets for Panel: the same states and the same front end as in Jupyter.

Kept apart from `rlhf_lab.widgets`, which needs no Panel: `pip install rlhf-lab[dashboard]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import param
from panel.custom import AnyWidgetComponent

from rlhf_lab.types import FLAGS, RankingSource
from rlhf_lab.widgets.bundle import STATIC
from rlhf_lab.widgets.ranking_reveal import Scorer
from rlhf_lab.widgets.ranking_state import AHEAD, RankingState
from rlhf_lab.widgets.state import WidgetState


class LabPane(AnyWidgetComponent):
    """A state, shown by a bundled module; see `rlhf_lab.widgets.jupyter.LabWidget`."""

    content = param.Dict(default={}, doc="From Python: what is large and changes seldom.")
    view = param.Dict(default={}, doc="From Python: what may change with every event.")
    notice = param.Dict(default=None, allow_None=True, doc="From Python: what to tell.")
    acked_seq = param.Integer(default=0, doc="From Python: events up to here are dealt with.")
    events = param.List(default=[], item_type=dict, doc="From the page: events to deal with.")

    __abstract = True

    def __init__(self, state: WidgetState, **params: Any) -> None:  # noqa: ANN401 - Panel's own
        self.state = state
        super().__init__(  # type: ignore[no-untyped-call]
            **{"sizing_mode": "stretch_width", **state.values(), **params}
        )
        self.param.watch(self._on_events, "events")
        self._end = state.on_change(self._publish)

    def _on_events(self, change: param.parameterized.Event) -> None:
        self.state.apply(change.new)

    def _publish(self) -> None:
        # In one update, so that the front end never sees an acknowledgement with the old view.
        self.param.update(**self.state.values())


class RankingPane(LabPane):
    """Ranks the items of a source, as `RankingWidget` does, with the same options.

    In a team with a plan, `ahead` is best small: what one person has in hand is nobody else's.
    """

    _bundle: ClassVar = STATIC / "ranker.js"
    _stylesheets: ClassVar[list[Any]] = [STATIC / "ranker.css"]

    def __init__(
        self,
        source: RankingSource,
        *,
        criteria: Sequence[str] = (),
        flags: Sequence[str] = FLAGS,
        editing: bool = True,
        reveal: Scorer | None = None,
        ahead: int = AHEAD,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        state = RankingState(
            source, criteria=criteria, flags=flags, editing=editing, reveal=reveal, ahead=ahead
        )
        super().__init__(state, **params)
