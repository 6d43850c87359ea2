"""The Rounds page: where the round stands, its steps, the queue, the live monitor, the versions."""

from __future__ import annotations

from collections.abc import Iterable

import panel as pn
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.rounds_forms import FORMS, Starting
from rlhf_lab.dashboard.pages.rounds_monitor import Monitor
from rlhf_lab.dashboard.pages.rounds_plan import PlanForm
from rlhf_lab.dashboard.pages.rounds_queue import Queue
from rlhf_lab.dashboard.pages.rounds_standing import Strip, next_step, working_on
from rlhf_lab.dashboard.pages.rounds_style import ROUNDS_CSS
from rlhf_lab.dashboard.pages.rounds_versions import Versions
from rlhf_lab.dashboard.pages.rounds_worker import WorkerWatch
from rlhf_lab.dashboard.shell import card, leave, live, page_of
from rlhf_lab.store.standing import StandingReader

LATEST = 30
"""So many jobs are read at each turn."""

PLAN_SECONDS = 5.0
"""The form of the plan follows what others set no more often than this."""


class Rounds:
    """The page of one person, which follows the store."""

    def __init__(self, context: Context) -> None:
        """Read everything once."""
        self._context = context
        self._standing = StandingReader(context.store, context.lab.path)
        self._strip = Strip()
        self._watch = WorkerWatch(context.lab.path)
        self._forms = {kind: Starting(context, form, self.update) for kind, form in FORMS.items()}
        self._queue = Queue(context)
        self._monitor = Monitor(context)
        self._versions = Versions(context)
        self._plan = PlanForm(context)
        self.update()

    def update(self) -> None:
        """Show what is so now; what is as it was is sent to nobody."""
        context = self._context
        if not context.actor.may("see_rounds"):
            leave(context, "/")
            return
        standing = self._standing.read()
        open_jobs, latest = context.jobs.open(), context.jobs.all(LATEST)
        self._strip.update(standing, open_jobs, self._watch.look(open_jobs, latest))
        self._queue.update(open_jobs, latest)
        self._monitor.update(latest)
        self._versions.update(open_jobs)
        ahead = None if working_on(open_jobs) else next_step(standing).step
        for kind, form in self._forms.items():
            form.update(self._versions.policies, is_next=kind == ahead)

    def update_plan(self) -> None:
        """Follow what somebody else has set."""
        if self._context.actor.may("see_rounds"):
            self._plan.update()

    def body(self) -> Viewable:
        """The page, from the top."""
        return page_of(
            self._strip.shown,
            card("Start a step", _side_by_side(form.shown for form in self._forms.values())),
            card("Queue", self._queue.shown),
            self._monitor.shown,
            self._versions.shown,
            card("Sharing the work", self._plan.shown),
        )


def _side_by_side(forms: Iterable[Viewable]) -> pn.Column:
    """As many beside one another as there is room for, all of one height."""
    return pn.Column(
        *forms,
        css_classes=["rounds-starts"],
        stylesheets=[ROUNDS_CSS],
        sizing_mode="stretch_width",
    )


def page(context: Context) -> Viewable:
    """The page for somebody who may see rounds.

    Raises:
        SignedOut, NotAllowed: they may not.
    """
    context.actor.require("see_rounds")
    rounds = Rounds(context)
    live(context, rounds.update)
    live(context, rounds.update_plan, seconds=PLAN_SECONDS)
    return rounds.body()
