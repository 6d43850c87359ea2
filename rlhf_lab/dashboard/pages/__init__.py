"""The pages of the dashboard: which there are, who sees them, and what builds each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from rlhf_lab.dashboard.access import Action
    from rlhf_lab.dashboard.context import Context


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page, which has a URL of its own: `/` and its name.

    Attributes:
        name: In its URL, and of its module here.
        title: In the navigation and in the title of the window.
        action: What one must be allowed to do to see it.
    """

    name: str
    title: str
    action: Action

    def build(self, context: Context) -> Viewable:
        """Make the page for somebody who is signed in.

        Its module is imported now and not before: a page costs nothing until somebody opens it.
        """
        module = import_module(f"{__name__}.{self.name}")
        page = cast("Callable[[Context], Viewable]", module.page)
        return page(context)


PAGES: Mapping[str, Page] = MappingProxyType(
    {
        page.name: page
        for page in (
            Page(name="rank", title="Rank", action="rank"),
            Page(name="rounds", title="Rounds", action="see_rounds"),
            Page(name="agreement", title="Agreement", action="see_agreement"),
            Page(name="data", title="Data", action="see_data"),
            # Comparing is for everybody; what came of it the page shows to researchers alone.
            Page(name="evaluate", title="Evaluate", action="compare"),
            Page(name="calibrate", title="Calibrate", action="calibrate"),
            Page(name="people", title="People", action="see_people"),
        )
    }
)
"""By name, in the order of the navigation."""
