"""The Data page: what the lab holds, page by page; what comes in, and what goes out."""

from __future__ import annotations

from typing import Final

import panel as pn
from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.data_export import ExportCard
from rlhf_lab.dashboard.pages.data_import import import_card, prompts_card
from rlhf_lab.dashboard.pages.data_trace import asked_for, trace_card
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    button,
    each,
    empty_state,
    heading,
    live,
    page_of,
    stat,
    stats,
    tool,
)
from rlhf_lab.dashboard.sources import table_source
from rlhf_lab.store import Counts, TableBrowser
from rlhf_lab.widgets.panel import TablePane

SECONDS: Final = 5.0
"""How often the counts are read anew; tables are read anew when they are asked to."""

_PAGE_SIZE = 25


def page(context: Context) -> Viewable:
    """Build the page.

    Raises:
        SignedOut, NotAllowed: they may not see the data.
    """
    context.actor.require("see_data")
    return _DataPage(context).view


class _DataPage:
    """Tables, and the ways in and out; an import shows in the tables at once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._top = Fragment(on_act=acting(context, each(refresh=self._refresh)))
        self._panes = {title: self._pane(table) for title, table in self._tables().items()}
        tabs = pn.Tabs(*self._panes.items(), sizing_mode="stretch_width")  # type: ignore[no-untyped-call]
        self._browser, self._nothing = tool(tabs), Fragment(_NOTHING)
        self._stage = pn.Column(sizing_mode="stretch_width")
        self._export = ExportCard(context)
        trace = trace_card(context)
        self.view = page_of(
            self._top,
            *((trace, self._stage) if asked_for("judgment") else (self._stage, trace)),
            prompts_card(context, self.look_again),
            import_card(context, self.look_again),
            self._export.view,
        )
        self._show_counts()
        live(context, self._show_counts, seconds=SECONDS)

    def look_again(self) -> None:
        """Read everything anew."""
        for pane in self._panes.values():
            pane.state.refresh()
        self._show_counts()

    def _tables(self) -> dict[str, TableBrowser]:
        lab = self._context.lab
        return {
            "Prompts": TableBrowser(lab.prompts),
            "Responses": TableBrowser(lab.responses),
            "Judgments": TableBrowser(lab.judgments),
            "Record": TableBrowser(lab.judgments.with_superseded()),
        }

    def _pane(self, table: TableBrowser) -> TablePane:
        return TablePane(table_source(self._context, table), page_size=_PAGE_SIZE)

    def _show_counts(self) -> None:
        self._context.actor.require("see_data")
        counts = self._context.store.counts()
        self._top.put(_top(counts))
        shown = self._browser if counts.prompts else self._nothing
        if list(self._stage) != [shown]:
            self._stage[:] = [shown]
        self._export.follow(counts)

    def _refresh(self, _: Act) -> None:
        self._context.actor.require("see_data")
        self.look_again()


_NOTHING = empty_state(
    "No data yet",
    "Everything starts with prompts: add some below, one in a line, or import a file of prompts, "
    "judgments or demonstrations.",
)


def _top(counts: Counts) -> Markup:
    refresh = button("Read tables anew", "refresh", small=True)
    shown = stats(
        stat("Prompts", f"{counts.prompts:,}", f"{counts.heldout_prompts:,} held out"),
        stat("Responses", f"{counts.responses:,}", _counted(counts.versions, "version")),
        stat("Rankings", f"{counts.rankings:,}", f"{_counted(counts.skips, 'skip')} beside them"),
        stat("Annotators", f"{counts.annotators:,}"),
    )
    return Markup().join((heading("Data", "Search, filter and open any row.", refresh), shown))


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}" + ("" if number == 1 else "s")
