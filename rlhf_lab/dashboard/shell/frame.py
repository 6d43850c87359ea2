"""What is around every page: header, navigation, the person's menu, and messages."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import panel as pn
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from panel.viewable import Viewable

from rlhf_lab.dashboard.access import is_allowed
from rlhf_lab.dashboard.accounts import Account
from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages import PAGES, Page
from rlhf_lab.dashboard.shell.acting import live, messages
from rlhf_lab.dashboard.shell.design import LabDesign

ASSETS = "/assets"
"""Where the server serves the folder `static`."""

_TEMPLATES = Path(__file__).parent.parent / "templates"
_CHECK_SECONDS = 5.0


def frame(context: Context, page_name: str, body: Viewable) -> pn.Template:
    """A page body in the dashboard's frame, with the pages that this person may see.

    Raises:
        SignedOut: nobody is signed in behind the context any more.
    """
    account = context.actor.account()
    framed = _LabTemplate(
        template=_template(),
        items={"messages": messages(context), "body": body},
        design=LabDesign,
    )
    for name, value in _variables(context, page_name, account).items():
        framed.add_variable(name, value)
    _settle_document(f"{PAGES[page_name].title} · {lab_name(context)}")
    # So that a page that only shows things notices, too, when its person is signed out.
    live(context, lambda: None, seconds=_CHECK_SECONDS)
    return framed


def navigation(account: Account) -> list[Page]:
    """The pages that somebody may see, in order."""
    return [page for page in PAGES.values() if is_allowed(account.role, page.action)]


def lab_name(context: Context) -> str:
    """What the lab is called: as its folder is."""
    return context.lab.path.name or "RLHF Lab"


def _variables(context: Context, page_name: str, account: Account) -> dict[str, Any]:
    return {
        "assets": ASSETS,
        "account": account,
        "lab_name": lab_name(context),
        "nonce": "",  # a new one each time a page is sent; see `rlhf_lab.dashboard.web.policy`
        "page_name": page_name,
        "page_title": PAGES[page_name].title,
        "pages": navigation(account),
    }


def _settle_document(title: str) -> None:
    document = pn.state.curdoc
    if document is not None:
        document.title = title  # Bokeh's script writes it over the one in the HTML
        # The page finds its server again by itself, and tells so.
        document.config.update(reconnect_session=False, notify_connection_status=False)


class _LabTemplate(pn.Template):
    """A template of Panel that asks for no style of Panel's themes."""

    def resolve_resources(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Panel's own
        # Style sheets of components stand in their shadow roots. Panel asks for them in the head
        # of the page as well, by their places on the server's disk, which nobody serves.
        return super().resolve_resources(*args, **{**kwargs, "extras": None})


@cache
def _template() -> Template:
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    return templates.get_template("page.html.jinja")
