"""The Evaluate page: the team compares two versions blind; researchers see what came of it."""

from __future__ import annotations

from typing import Final

import panel as pn
from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.evaluate_figures import evaluations, figures_of_responses
from rlhf_lab.dashboard.pages.evaluate_results import results
from rlhf_lab.dashboard.pages.evaluate_team import (
    Pair,
    asked_pair,
    comparer_source,
    save_team_pair,
    team_form,
    team_pair,
)
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    button,
    each,
    empty_state,
    heading,
    link,
    live,
    notice,
    page_of,
    sentence,
    tool,
)
from rlhf_lab.errors import LabError
from rlhf_lab.widgets.panel import ComparisonPane

SECONDS: Final = 5.0
"""How often an open page looks whether the team compares other versions now."""


def page(context: Context) -> Viewable:
    """Build the page.

    Raises:
        SignedOut, NotAllowed: they may not compare.
    """
    context.actor.require("compare")
    return EvaluatePage(context).view


class EvaluatePage:
    """The comparer for everybody, and around it what researchers set up and see.

    Whoever is in the middle of comparing stays there when a researcher chooses other versions:
    they are told, and go on when they want to.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sees_all = context.actor.may("see_evaluation")
        self._pair = (asked_pair(context) if self._sees_all else None) or team_pair(context)
        self._is_asked = self._pair != team_pair(context)
        self._news = Fragment(on_act=acting(context, each(go_on=self._go_on)))
        self._comparer = pn.Column(sizing_mode="stretch_width")
        self._form = Fragment(on_act=acting(context, each(choose=self._choose)))
        self._results = Fragment(on_act=acting(context, each(look_again=self._look_again)))
        self._figures = Fragment()
        researchers = [self._results, self._figures] if self._sees_all else []
        top = [self._form] if self._sees_all else []
        self.view = page_of(
            _heading(self._sees_all), *top, self._news, self._comparer, *researchers
        )
        self._start()
        live(context, self.follow, seconds=SECONDS)

    def follow(self) -> None:
        """Tell of other versions to compare, or show them where nothing was to compare."""
        now = team_pair(self._context)
        if self._is_asked or now == self._pair:
            self._news.put(Markup())
        elif self._pair is None:
            self._go_on(None)
        else:
            go = button("Compare those", "go-on", tone="primary", small=True)
            self._news.put(notice("info", "A researcher chose other versions to compare.", go))

    def _start(self) -> None:
        self._comparer[:] = [self._ask()]
        if self._sees_all:
            self._form.put(team_form(self._context, self._pair))
            self._show_results()

    def _ask(self) -> Viewable:
        """The comparer, or why there is none."""
        if self._pair is None:
            return Fragment(_nothing_chosen(self._sees_all))
        try:
            source = comparer_source(self._context, self._pair)
        except LabError as error:
            return Fragment(_cannot_compare(self._pair, error, self._sees_all))
        return tool(ComparisonPane(source))

    def _show_results(self) -> None:
        self._context.actor.require("see_evaluation")
        self._results.put(results(self._context, self._pair))
        self._figures.put(
            Markup().join((evaluations(self._context), figures_of_responses(self._context)))
        )

    def _choose(self, act: Act) -> str:
        pair = save_team_pair(self._context, act)
        self._pair, self._is_asked = pair, False
        self._start()
        return f"The team compares {pair.first} with {pair.second} from now on, blind."

    def _go_on(self, _: Act | None) -> None:
        self._pair, self._is_asked = team_pair(self._context), False
        self._news.put(Markup())
        self._start()

    def _look_again(self, _: Act) -> None:
        self._show_results()


def _heading(sees_all: bool) -> Markup:
    if sees_all:
        return heading("Evaluate", "Did it get better? By people, by the rubric, by figures.")
    return heading("Compare", "Which answer is better? You are not told who wrote which.")


def _nothing_chosen(sees_all: bool) -> Markup:
    if sees_all:
        return empty_state(
            "No versions to compare yet",
            "Choose two versions above. Both need answers to the same held-out prompts: evaluate "
            "one against the other on Rounds first.",
            link("Go to Rounds", "/rounds", tone="primary"),
        )
    return empty_state(
        "Nothing to compare yet",
        "Pairs appear here as soon as a researcher has chosen two versions. You can leave this "
        "page open: it looks by itself.",
        link("Go to Rank", "/rank"),
    )


def _cannot_compare(pair: Pair, error: LabError, sees_all: bool) -> Markup:
    if not sees_all:
        return _nothing_chosen(sees_all)
    text = (
        f"{pair.first} and {pair.second} cannot be compared yet: {sentence(str(error))} On Rounds, "
        f"check out {pair.first} and evaluate it against {pair.second}."
    )
    return empty_state(
        "Nothing to compare yet", text, link("Go to Rounds", "/rounds", tone="primary")
    )
