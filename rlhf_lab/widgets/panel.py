"""The widgets for Panel: the same states and the same front end as in Jupyter.

Kept apart from `rlhf_lab.widgets`, which needs no Panel: `pip install rlhf-lab[dashboard]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import panel as pn
import param
from panel.custom import AnyWidgetComponent

from rlhf_lab.types import (
    FLAGS,
    ComparisonSource,
    RankingSource,
    TableSource,
    TokenReport,
    VersionSource,
)
from rlhf_lab.widgets.bundle import STATIC, bundle
from rlhf_lab.widgets.comparison_state import ComparisonState
from rlhf_lab.widgets.monitor_state import MonitorState
from rlhf_lab.widgets.ranking_reveal import REWARD_MODEL, Scorer
from rlhf_lab.widgets.ranking_state import RankingState
from rlhf_lab.widgets.state import WidgetState
from rlhf_lab.widgets.table_state import TableState
from rlhf_lab.widgets.tokens_state import Figure, TokenState
from rlhf_lab.widgets.versions_state import Compare, VersionTreeState


class LabPane(AnyWidgetComponent):
    """A state, shown by a bundled module; see `rlhf_lab.widgets.jupyter.LabWidget`."""

    content = param.Dict(default={}, doc="From Python: what is large and changes seldom.")
    view = param.Dict(default={}, doc="From Python: what may change with every event.")
    notice = param.Dict(default=None, allow_None=True, doc="From Python: what to tell.")
    acked_seq = param.Integer(default=0, doc="From Python: events up to here are dealt with.")
    events = param.List(default=[], item_type=dict, doc="From the page: events to deal with.")

    __abstract = True
    _bundle: ClassVar[Path]
    # Panel would load the sheet beside a bundle by its address. It came after the widget, which was
    # seen without it for a moment, wider than a phone.
    _bundle_css: ClassVar[list[Path]] = []

    # Panel waits so many milliseconds for more of the same before it tells of anything.
    _debounce: ClassVar[int] = 0

    @property
    def _stylesheets(self) -> list[str]:  # type: ignore[override]
        return [bundle(self._bundle.with_suffix(".css").name)]

    def __init__(self, state: WidgetState, **params: Any) -> None:  # noqa: ANN401 - Panel's own
        self.state = state
        super().__init__(  # type: ignore[no-untyped-call]
            **{"sizing_mode": "stretch_width", **state.values(), **params}
        )
        self.param.watch(self._on_events, "events")
        self._end = state.on_change(self._publish)
        served = pn.state.curdoc is not None and pn.state.curdoc.session_context is not None
        state.defer = _after_this if served else None

    def _on_events(self, change: param.parameterized.Event) -> None:
        if change.new:  # a page that has heard that all is dealt with has none left
            self.state.apply(change.new)

    def _publish(self) -> None:
        # In one update, so that the front end never sees an acknowledgement with the old view.
        self.param.update(**self.state.values())


def _after_this(do: Callable[[], None]) -> None:
    pn.state.execute(do, schedule=True)


class RankingPane(LabPane):
    """Ranks the items of a source, as `RankingWidget` does, with the same options."""

    state: RankingState
    _bundle = STATIC / "ranker.js"

    def __init__(
        self,
        source: RankingSource,
        *,
        criteria: Sequence[str] = (),
        flags: Sequence[str] = FLAGS,
        editing: bool = True,
        reveal: Scorer | None = None,
        told_by: str = REWARD_MODEL,
        ahead: int | None = None,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        state = RankingState(
            source,
            criteria=criteria,
            flags=flags,
            editing=editing,
            reveal=reveal,
            told_by=told_by,
            ahead=ahead,
        )
        super().__init__(state, **params)


class ComparisonPane(LabPane):
    """Compares two versions of a source, as `ComparisonWidget` does."""

    state: ComparisonState
    _bundle = STATIC / "comparer.js"

    def __init__(self, source: ComparisonSource, **params: Any) -> None:  # noqa: ANN401 - Panel's own
        super().__init__(ComparisonState(source), **params)


class TokenPane(LabPane):
    """Shows where the credit went, as `TokenWidget` does.

    Args:
        reports: One for each response; None while they are being computed
            (`pane.state.show_reports(...)` then brings them).
        figure: Shown first.
        params: Panel's own.
    """

    state: TokenState
    _bundle = STATIC / "tokens.js"

    def __init__(
        self,
        reports: Sequence[TokenReport] | None,
        *,
        figure: Figure | None = None,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        super().__init__(TokenState(reports, figure=figure), **params)


class VersionTreePane(LabPane):
    """Shows versions as a tree, as `VersionTreeWidget` does.

    Args:
        source: Where versions come from; it may have others do what is asked for.
        compare: Takes the names of two versions and says what is known of them.
        evaluate_page: Address of a page that takes two versions as `first` and `second`.
        params: Panel's own.
    """

    state: VersionTreeState
    _bundle = STATIC / "versions.js"

    def __init__(
        self,
        source: VersionSource,
        compare: Compare | None = None,
        *,
        evaluate_page: str | None = None,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        state = VersionTreeState(source, compare, evaluate_page=evaluate_page)
        super().__init__(state, **params)


class TablePane(LabPane):
    """Pages through a table, as `TableWidget` does."""

    state: TableState
    _bundle = STATIC / "tables.js"

    def __init__(
        self,
        source: TableSource,
        *,
        page_size: int = 50,
        **params: Any,  # noqa: ANN401 - Panel's own
    ) -> None:
        super().__init__(TableState(source, page_size=page_size), **params)


class MonitorPane(LabPane):
    """Shows a run while it goes on, as `MonitorWidget` does.

    The button works while the server is free: for a run in another process or thread, not for one
    that the server's own thread is busy with.
    """

    state: MonitorState
    _bundle = STATIC / "monitor.js"

    def __init__(self, state: MonitorState, **params: Any) -> None:  # noqa: ANN401 - Panel's own
        self._sent = state.content
        super().__init__(state, **params)

    def _publish(self) -> None:
        values = self.state.values()
        # param compares old and new values number by number, and a long run has many.
        if self.state.content is self._sent:
            del values["content"]
        self._sent = self.state.content
        self.param.update(**values)
