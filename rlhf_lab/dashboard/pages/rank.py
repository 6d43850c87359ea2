"""Rank: the ranker over what the present policy wrote, shared out as the lab's plan says."""

from __future__ import annotations

from collections import Counter

import panel as pn
from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.calibrate import calibration_left
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
    once_closed,
    page_of,
    tool,
)
from rlhf_lab.dashboard.sources import ranking_source
from rlhf_lab.widgets.panel import RankingPane
from rlhf_lab.widgets.ranking_state import RankingState
from rlhf_lab.widgets.rendering import render_markdown

SECONDS = 3.0
"""How often an idle page looks for something to rank."""

AHEAD = 6
"""Items that a page holds. Training keeps this server from nothing, so it need not hold as many as
a notebook's; each time some are handed out, all that it holds are sent."""

_open: Counter[str] = Counter()
"""Pages of this server by whose they are, for as long as somebody may come back to them."""


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
        self._pane: RankingPane | None = None
        self.view = page_of(self._top, self._news, self._stage)
        self._start()
        live(context, self.follow, seconds=SECONDS)
        self._name = context.actor.name
        _open[self._name] += 1
        once_closed(self.close)

    def close(self) -> None:
        """Let others have what this person has in hand, if this was their last page."""
        _open[self._name] -= 1
        if not _open[self._name]:
            self._context.store.assignments.give_back(self._name)

    @property
    def pane(self) -> RankingPane | None:
        """The ranker, though nothing may be to rank; None while they have to calibrate first."""
        return self._pane

    def follow(self) -> None:
        """Show what came meanwhile, unless somebody is in the middle of an item."""
        version = self._version_to_rank()
        if self._pane is None:
            self._start()
        elif self._pane.state.view["phase"] == "ranking":
            self._news.put(_news(version) if version != self._version else Markup())
        elif version != self._version:
            self._start()
        else:
            self._look_again(self._pane.state)

    def _start(self) -> None:
        """Show the items of the present policy, or what comes before them."""
        self._version = self._version_to_rank()
        self._news.put(Markup())
        left = self._left_to_calibrate()
        if left:
            # Without a ranker: what it has in hand others would wait for.
            self._put_on_stage(_calibrate_first(left))
        else:
            self._show_ranker()
        self._show_top()

    def _version_to_rank(self) -> str:
        # A PPO run that ends makes a policy that has written nothing: nobody's work ends with it.
        return self._context.store.assignments.version_to_rank(self._context.lab.version)

    def _left_to_calibrate(self) -> int:
        # Who sets up calibration is not held up by it.
        is_asked = not self._context.actor.may("set_plan")
        return calibration_left(self._context) if is_asked else 0

    def _show_ranker(self) -> None:
        setup = RankingSetup.read(self._context.store)
        self._source = ranking_source(self._context, self._version)
        self._pane = RankingPane(
            self._source, criteria=setup.criteria, flags=setup.flags, ahead=AHEAD
        )
        self._ranker = tool(self._pane)
        self._show_stage(self._pane.state)

    def _look_again(self, state: RankingState) -> None:
        # Without anything new this reads two rows. What others give back shows in no number.
        is_new = self._source.progress().total != state.progress.total
        if is_new or state.view["phase"] in ("waiting", "error"):
            state.refresh()
            self._show_stage(state)

    def _show_stage(self, state: RankingState) -> None:
        is_empty = state.view["phase"] == "empty"
        self._put_on_stage(self._what_is_missing() if is_empty else self._ranker)

    def _put_on_stage(self, shown: Viewable | Markup) -> None:
        if isinstance(shown, Markup):
            self._nothing.put(shown)
            shown = self._nothing
        if list(self._stage) != [shown]:
            self._stage[:] = [shown]

    def _show_top(self) -> None:
        setup, plan = RankingSetup.read(self._context.store), self._context.lab.plan
        parts = [heading("Rank", f"responses of {self._version} · {in_words(plan)}")]
        if setup.instructions:
            is_new = self._pane is None or self._pane.state.progress.done == 0
            parts.append(_instructions(setup.instructions, is_open=is_new))
        if self._context.actor.may("set_plan"):
            parts.append(setup_form(setup))
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
            f"{self._version} has not answered any prompts that could be ranked. Have it "
            "generate some responses: they appear here by themselves.",
            link("Generate responses", "/rounds", tone="primary"),
        )

    def _set_up(self, act: Act) -> str:
        told = save_setup(self._context, act)
        self._show_top()
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


def _calibrate_first(left: int) -> Markup:
    items = "1 item waits" if left == 1 else f"{left} items wait"
    return empty_state(
        "Calibrate first",
        f"{items} whose answers are known. Rank them to see how your judgment compares with the "
        "researchers', then go on here.",
        link("Go to Calibrate", "/calibrate", tone="primary"),
    )


def _instructions(text: str, *, is_open: bool) -> Markup:
    # Made safe by the renderer, as what models write is.
    safe = Markup(render_markdown(text))
    return details(
        "Instructions", html('<div class="lab-prose">{{ t }}</div>', t=safe), is_open=is_open
    )
