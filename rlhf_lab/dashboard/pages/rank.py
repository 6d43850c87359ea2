"""Rank: the ranker over what the present policy wrote, shared out as the lab's plan says."""

from __future__ import annotations

import panel as pn
from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.rank_setup import RankingSetup, in_words, save_setup, setup_form
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    button,
    details,
    each,
    empty_state,
    heading,
    html,
    join,
    link,
    live,
    notice,
    page_of,
    tool,
)
from rlhf_lab.dashboard.sources import GuardedRanking, ranking_source
from rlhf_lab.widgets.panel import RankingPane
from rlhf_lab.widgets.rendering import render_markdown

SECONDS = 3.0
"""How often an idle page looks for something to rank."""


def page(context: Context) -> Viewable:
    """Build the page."""
    return RankPage(context).view


class RankPage:
    """One person's ranking of the present policy's responses.

    Whoever is in the middle of an item stays there when another version becomes the present one:
    they are told, and go on with it when they want to.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._top = Fragment(on_act=acting(context, each(set_up=self._set_up)))
        self._news = Fragment(on_act=acting(context, each(go_on=self._go_on)))
        self._nothing = Fragment()
        self._stage = pn.Column(sizing_mode="stretch_width")
        self.view = page_of(self._top, self._news, self._stage)
        self._start()
        live(context, self.follow, seconds=SECONDS)

    @property
    def pane(self) -> RankingPane:
        """The ranker, which is there though nothing may be to rank."""
        return self._pane

    def follow(self) -> None:
        """Show what came meanwhile, unless somebody is in the middle of an item."""
        version = self._context.lab.version
        if self._is_ranking:
            self._news.put(_news(version) if version != self._source.version else Markup())
        elif version != self._source.version:
            self._start()
        else:
            self._look_again()

    @property
    def _is_ranking(self) -> bool:
        return self._phase == "ranking"

    @property
    def _phase(self) -> str:
        return str(self._pane.state.view["phase"])

    def _start(self) -> None:
        """Show the items of the present policy."""
        setup = RankingSetup.read(self._context.store)
        self._source = ranking_source(self._context)
        self._pane = RankingPane(self._source, criteria=setup.criteria, flags=setup.flags)
        self._ranker = tool(self._pane)
        self._news.put(Markup())
        self._show_top(setup)
        self._show_stage()

    def _look_again(self) -> None:
        # Without anything new this reads two rows. What others give back shows in no number.
        if self._phase in ("waiting", "error") or _total(self._source) != self._shown_total:
            self._pane.state.refresh()
            self._show_stage()

    @property
    def _shown_total(self) -> int:
        return int(self._pane.state.view["progress"]["total"])

    def _show_stage(self) -> None:
        shown: Viewable = self._ranker
        if self._phase == "empty":
            self._nothing.put(self._what_is_missing())
            shown = self._nothing
        if list(self._stage) != [shown]:
            self._stage[:] = [shown]

    def _show_top(self, setup: RankingSetup) -> None:
        plan = self._context.lab.plan
        version = self._source.version
        parts = [heading("Rank", f"responses of {version} · {in_words(plan)}")]
        if setup.instructions:
            is_new = self._pane.state.view["progress"]["done"] == 0
            parts.append(_instructions(setup.instructions, is_open=is_new))
        if self._context.actor.may("set_plan"):
            parts.append(setup_form(setup, plan))
        self._top.put(join(*parts))

    def _what_is_missing(self) -> Markup:
        if not self._context.actor.may("ask_job"):
            return empty_state(
                "Nothing to rank yet",
                "Responses appear here as soon as a researcher has some generated. You can leave "
                "this page open: it looks by itself.",
            )
        if not self._context.store.counts().prompts:
            return empty_state(
                "No prompts yet",
                "Ranking needs prompts, and responses to them: import some prompts first.",
                link("Import prompts", "/data", tone="primary"),
            )
        return empty_state(
            "Nothing to rank yet",
            f"{self._source.version} has not answered any prompts that could be ranked. Have it "
            "generate some responses: they appear here by themselves.",
            link("Generate responses", "/rounds", tone="primary"),
        )

    def _set_up(self, act: Act) -> str:
        told = save_setup(self._context, act)
        self._show_top(RankingSetup.read(self._context.store))
        return told

    def _go_on(self, _: Act) -> None:
        self._start()


def _news(version: str) -> Markup:
    return notice(
        "info",
        html(
            "<strong>{{ v }}</strong> is the present policy now. Finish this item first.", v=version
        ),
        button(f"Rank {version}", "go-on", tone="primary"),
    )


def _instructions(text: str, *, is_open: bool) -> Markup:
    # Made safe by the renderer, as what models write is.
    safe = Markup(render_markdown(text))
    return details(
        "Instructions", html('<div class="lab-prose">{{ t }}</div>', t=safe), is_open=is_open
    )


def _total(source: GuardedRanking) -> int:
    return source.progress().total
