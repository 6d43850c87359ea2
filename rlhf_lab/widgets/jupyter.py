"""The widgets for Jupyter: synced traits around the states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from rlhf_lab.types import (
    FLAGS,
    ComparisonReport,
    ComparisonSource,
    Progress,
    RankingSource,
    TableSource,
    TokenReport,
    VersionSource,
)
from rlhf_lab.widgets.bundle import bundle
from rlhf_lab.widgets.comparison_state import ComparisonState
from rlhf_lab.widgets.monitor_figure import figure_html, figure_text
from rlhf_lab.widgets.monitor_state import MonitorState
from rlhf_lab.widgets.ranking_reveal import REWARD_MODEL, Scorer
from rlhf_lab.widgets.ranking_state import RankingState
from rlhf_lab.widgets.state import WidgetState
from rlhf_lab.widgets.stopping import hear_stops
from rlhf_lab.widgets.table_state import TableState
from rlhf_lab.widgets.tokens_state import Figure, TokenState
from rlhf_lab.widgets.versions_state import Compare, VersionTreeState

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
        self._esm, self._css = bundle(f"{name}.js"), bundle(f"{name}.css")
        super().__init__(**state.values())
        # Not before: a widget whose making fails is told nothing, and kept by no state.
        self._end = state.on_change(self._publish)
        self._publish()  # what another thread changed meanwhile

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
        told_by: Whose scores those are, as the page says it.
        ahead: How many items the page holds, so that it need not wait for the kernel; by default
            48, or 8 where a plan has items for so many people and no more.

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
        told_by: str = REWARD_MODEL,
        ahead: int | None = None,
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


class ComparisonWidget(LabWidget[ComparisonState]):
    """Compares two versions on the same prompts, blind, two keys for each pair.

    A judgment is durable in the source before it is acknowledged. The page goes on while the
    kernel is busy.

    Args:
        source: Where pairs come from and judgments go.
    """

    def __init__(self, source: ComparisonSource) -> None:
        super().__init__(ComparisonState(source), "comparer")

    @property
    def done(self) -> bool:
        """Whether every pair has been compared or skipped."""
        return self.state.done

    @property
    def progress(self) -> Progress:
        """How many pairs are compared or skipped, of how many."""
        return self.state.progress

    @property
    def report(self) -> ComparisonReport:
        """What was said so far. It names the versions: do not look while comparing."""
        return self.state.report

    def refresh(self) -> None:
        """Look again for responses, for instance after `lab.evaluate()`."""
        self.state.refresh()


class TokenWidget(LabWidget[TokenState]):
    """Shows where the credit went: the tokens of responses, coloured by a figure of each.

    Args:
        reports: One for each response.
        figure: Shown first: "log_ratio", "kl", "value", "advantage" or "reward". Default: the
            advantage, or the log-ratio where there is none.
    """

    def __init__(self, reports: Sequence[TokenReport], *, figure: Figure | None = None) -> None:
        super().__init__(TokenState(reports, figure=figure), "tokens")

    @property
    def reports(self) -> tuple[TokenReport, ...]:
        """What is shown, with every figure."""
        return self.state.reports


class VersionTreeWidget(LabWidget[VersionTreeState]):
    """Shows versions as a tree, compares two, checks one out and undoes.

    Args:
        source: Where versions come from; what it raises is told, and changes nothing.
        compare: Takes the names of two versions and says where to look at what they write.
    """

    def __init__(self, source: VersionSource, compare: Compare | None = None) -> None:
        super().__init__(VersionTreeState(source, compare), "versions")

    def refresh(self) -> None:
        """Ask the source again, for instance after `lab.ppo()`."""
        self.state.refresh()


class TableWidget(LabWidget[TableState]):
    """Searches, filters, sorts and pages through a table, and shows its rows whole.

    Args:
        source: The table; `lab.browse("responses")` makes one.
        page_size: Rows to start with: 25, 50, 100 or 200.

    Raises:
        ConfigError: there is no such size of pages.
    """

    def __init__(self, source: TableSource, *, page_size: int = 50) -> None:
        super().__init__(TableState(source, page_size=page_size), "tables")

    def refresh(self) -> None:
        """Read the page again, for instance after `lab.generate()`."""
        self.state.refresh()


class MonitorWidget(LabWidget[MonitorState]):
    """Curves, alarms and samples of a run while it goes on, with a button that ends it.

    A saved notebook has no kernel that could fill a widget. So whenever the run ends, in every
    cell that shows it, it becomes a still picture (`monitor_figure`). Shown again after that, it
    is a widget again until the next cell runs, or the run is taken up again and ends again.

    Args:
        state: Of a run, which tells it what happens.
    """

    def __init__(self, state: MonitorState) -> None:
        self._handles: list[Any] = []
        self._live = False  # whether one of them is a widget
        self._was_over = state.over
        super().__init__(state, "monitor")
        hear_stops(state)

    @property
    def shown(self) -> bool:
        """Whether it is on a page as a widget that waits for the end of its run."""
        return self._live

    def _ipython_display_(self) -> None:
        from IPython.display import display

        found = self._repr_mimebundle_()
        data, metadata = found if found else ({}, {})
        bundle = {**data, **self._still()}
        handle = display(  # type: ignore[no-untyped-call]
            bundle, raw=True, metadata=metadata, display_id=True
        )
        if handle is not None:
            self._handles.append(handle)
            self._live = True
            if self.state.over:
                self._be_still_from_the_next_cell_on(handle)

    def _be_still_from_the_next_cell_on(self, handle: Any) -> None:  # noqa: ANN401 - IPython's
        """No end comes any more that would do it, and the notebook may be saved at any time."""
        shell = get_ipython()
        if shell is None:
            return

        def be_still(*_: object) -> None:
            shell.events.unregister("pre_run_cell", be_still)
            if self.state.over:
                self._live = False
                handle.update(self._still(), raw=True)

        shell.events.register("pre_run_cell", be_still)

    def _still(self) -> dict[str, str]:
        return {"text/html": figure_html(self.state), "text/plain": figure_text(self.state)}

    def _publish(self) -> None:
        super()._publish()
        # Only when it comes to an end: shown after that, it waits for the end of the next part.
        ends, self._was_over = self.state.over and not self._was_over, self.state.over
        if ends and self._handles:
            self._live, still = False, self._still()
            for handle in self._handles:
                handle.update(still, raw=True)
