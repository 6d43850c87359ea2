"""The tree of versions on a page: what is asked of it is asked of the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.shell import Fragment, empty_state, tool
from rlhf_lab.errors import NotAllowed, NotEnoughData
from rlhf_lab.store import evaluation_between, version_records
from rlhf_lab.store.standing import tree_mark
from rlhf_lab.types import START, Job, JobKind, VersionRecord
from rlhf_lab.widgets.panel import VersionTreePane

EVALUATE_PAGE = "/evaluate"
_WANTED = {"checkout": "name", "undo": "to"}


class AskedVersions:
    """A `VersionSource` that has the worker go where a person wants: the server has no weights."""

    def __init__(self, context: Context, asked: Callable[[], None] = lambda: None) -> None:
        """Look at nothing yet.

        Args:
            context: Of the page.
            asked: Called when a version was asked for.
        """
        self._context = context
        self._asked = asked

    def versions(self) -> list[VersionRecord]:
        """Every version, in the order they were made.

        Raises:
            SignedOut, NotAllowed: this person may not see them.
        """
        if not self._context.actor.may("see_rounds"):
            raise NotAllowed("see_rounds: versions are for researchers. Ask one of them.")
        # The jobs first: one that ends in between is then awaited a moment too long, and never
        # taken for one that came to nothing.
        awaited = {wanted(job) for job in self._context.jobs.open()}
        records = version_records(self._context.store)
        return [replace(r, is_awaited=r.version.name in awaited) for r in records]

    def checkout(self, name: str) -> None:
        """Ask for a version to become the present one."""
        self._ask("checkout", {"name": name, "with_reward": True})

    def undo(self) -> None:
        """Ask for the parent of the present policy.

        By its name: a job that is before this one may make another policy the present one, whose
        parent is not the one that this person saw.

        Raises:
            NotEnoughData: the present policy is the start.
        """
        present = self._context.lab.version
        parent = None if present == START else self._context.store.version(present).parent
        if parent is None:
            raise NotEnoughData(f"{present} is the start: there is nothing to undo.")
        self._ask("undo", {"to": parent})

    def compare(self, first: str, second: str) -> str:
        """What is known of two versions side by side."""
        if not first.startswith("policy"):
            return f"The figures of {first} and {second} are all there is: they write nothing."
        records = {record.version.name: record for record in self.versions()}
        found = evaluation_between(records, first, second)
        if found is None:
            return f"{second} was not evaluated against {first}."
        return f"{second} won {found.win_rate} against {first}."

    def _ask(self, kind: JobKind, arguments: Mapping[str, Any]) -> None:
        account = self._context.actor.require("ask_job")
        self._context.jobs.ask(kind, arguments, account.name)
        self._asked()


class Versions:
    """The tree on a page, which follows the store.

    Attributes:
        shown: The tree, or what stands in its place.
        policies: Names of all policies, the oldest first.
    """

    def __init__(self, context: Context) -> None:
        """Show the tree as it is."""
        self._context = context
        source = AskedVersions(context, self._look_again)
        self._mark: Any = None
        self._pane = VersionTreePane(source, source.compare, evaluate_page=EVALUATE_PAGE)
        self._none = Fragment(
            empty_state(
                "Only the start so far",
                "Each reward update makes a reward version, and each PPO run a policy version. "
                "Then you compare them here, go back, and branch.",
            )
        )
        self.policies: list[str] = []
        self.shown = tool(self._none)

    def update(self, open_jobs: Sequence[Job]) -> None:
        """Read the tree again, if it has changed."""
        mark = (*tree_mark(self._context.store), *(job.id for job in open_jobs if wanted(job)))
        if mark == self._mark:
            return
        self._mark = mark
        tree = self._pane.state
        tree.refresh()
        names = [version["name"] for version in tree.content["versions"]]
        self.policies = [name for name in names if name.startswith("policy@")]
        shown = self._none if tree.view["phase"] == "empty" else self._pane
        if list(self.shown) != [shown]:
            self.shown[:] = [shown]

    def _look_again(self) -> None:
        """What was asked for may be over before the next look: then nothing else has changed."""
        self._mark = None


def wanted(job: Job) -> str | None:
    """The version that a job makes the present one, if that is what it is for."""
    return job.arguments.get(_WANTED[job.kind]) if job.kind in _WANTED else None
