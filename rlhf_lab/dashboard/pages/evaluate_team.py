"""Which two versions the team compares, and how it does so without being told which is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.data_trace import asked_for
from rlhf_lab.dashboard.shell import Act, choice, form, html, section
from rlhf_lab.dashboard.sources import GuardedComparison
from rlhf_lab.errors import ConfigError
from rlhf_lab.store.version_figures import answering_versions
from rlhf_lab.types import ComparisonReport

SETTING = "comparison"
# What somebody who may not know the names reads in their place, at the end.
_ONE, _OTHER = "Version X", "Version Y"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two versions; the win rate is that of the first."""

    first: str
    second: str


class TeamComparison(GuardedComparison):
    """One person's pairs; who may not see evaluations gets no names, not even at the end."""

    def report(self) -> ComparisonReport:
        """What was said so far."""
        found = super().report()
        if self._actor.may("see_evaluation"):
            return found
        return replace(found, first=_ONE, second=_OTHER)


def team_pair(context: Context) -> Pair | None:
    """What the team compares; None where no researcher has chosen anything."""
    kept = context.store.get_setting(SETTING)
    return None if kept is None else Pair(first=kept["first"], second=kept["second"])


def asked_pair(context: Context) -> Pair | None:
    """Two versions that the page's address names, if there are such; it may say anything."""
    first, second = asked_for("first"), asked_for("second")
    known = versions_that_answered(context)
    if first == second or first not in known or second not in known:
        return None
    return Pair(first=first, second=second)


def comparer_source(context: Context, pair: Pair) -> TeamComparison:
    """Where this person's comparer gets its pairs.

    Raises:
        SignedOut, NotAllowed: they may not compare.
        NotEnoughData, UnknownVersion, ConfigError: as for `lab.comparison`.
    """
    context.actor.require("compare")
    queue = context.lab.comparison(pair.first, pair.second, annotator=context.actor.name)
    return TeamComparison(queue, context.actor)


def save_team_pair(context: Context, act: Act) -> Pair:
    """Have the team compare what a form says.

    Raises:
        SignedOut, NotAllowed: they may not choose.
        ConfigError: one of them is no version that has answered anything.
        NotEnoughData: no held-out prompt was answered by both.
    """
    context.actor.require("set_plan")
    pair = Pair(first=act.value("first"), second=act.value("second"))
    known = versions_that_answered(context)
    for name in (pair.first, pair.second):
        if name not in known:
            raise ConfigError(f"{name!r:.60} has answered nothing here: choose one from the list.")
    # Whatever hinders comparing is told now, and not to everybody later.
    context.lab.comparison(pair.first, pair.second, annotator=context.actor.name)
    context.store.set_setting(SETTING, {"first": pair.first, "second": pair.second})
    return pair


def versions_that_answered(context: Context) -> list[str]:
    """Versions and imports with responses, the one that wrote last first."""
    return answering_versions(context.store.database)


def team_form(context: Context, shown: Pair | None) -> Markup:
    """The choice of versions, beginning with those that are shown."""
    known = versions_that_answered(context)
    if len(known) < 2:
        return Markup()
    options: Mapping[str, str] = {name: name for name in known}
    begin = shown or Pair(first=known[0], second=known[-1])
    fields = (
        choice("Version", "first", options, begin.first, help="Whose win rate is shown."),
        choice("Compared with", "second", options, begin.second),
    )
    return section(
        "What the team compares",
        _now(team_pair(context)),
        form("choose", *fields, submit="Have the team compare these"),
    )


def _now(pair: Pair | None) -> Markup:
    if pair is None:
        return html('<p class="lab-muted">Nothing is chosen: annotators see an empty page.</p>')
    return html(
        """
        <p class="lab-muted">Now: <strong>{{ first }}</strong> with <strong>{{ second }}</strong>,
        on held-out prompts that both answered. Annotators see no names, not even at the end.</p>
        """,
        first=pair.first,
        second=pair.second,
    )
