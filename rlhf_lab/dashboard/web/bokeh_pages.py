"""The pages themselves: Bokeh applications, and the handlers that guard them.

A page's token says which sign-in it was made for. It is signed and no secret: whoever has it needs
that sign-in's cookie as well, which no script can read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bokeh.application.handlers import Handler
from bokeh.io.doc import patch_curdoc
from bokeh.protocol.exceptions import ProtocolError
from bokeh.util.token import check_token_signature, get_session_id, get_token_payload
from panel.io.application import Application
from panel.io.server import DocHandler, WSHandler
from panel.io.state import set_curdoc
from tornado.web import HTTPError

from rlhf_lab.dashboard.access import Actor, is_allowed
from rlhf_lab.dashboard.pages import PAGES, Page
from rlhf_lab.dashboard.shell.frame import frame
from rlhf_lab.dashboard.web.policy import guard
from rlhf_lab.dashboard.web.security import LabHandler, is_own_origin, sign_in_of

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.server.session import ServerSession
    from bokeh.server.tornado import BokehTornado
    from tornado.httputil import HTTPServerRequest

    from rlhf_lab.dashboard.accounts import SignIn
    from rlhf_lab.dashboard.web.site import Site

# In a page's token: the public id of the sign-in that it was made for.
SIGN_IN = "sign_in"
# How a request could name a session that was made for somebody else.
_FOREIGN_SESSION = ("bokeh-token", "bokeh-session-id")


def applications(site: Site, pages: Iterable[Page]) -> dict[str, Application]:
    """One application for each page, by its path."""
    return {f"/{page.name}": _application(site, page) for page in pages}


def _application(site: Site, page: Page) -> Application:
    return Application(PageBuilder(site, page))  # type: ignore[no-untyped-call]


class PageBuilder(Handler):
    """Makes a page for whoever its token names.

    Panel's own handler shows the traceback to whoever asked when a page cannot be made, with
    whatever texts are in it. Here the error goes up to `PageHandler`.
    """

    def __init__(self, site: Site, page: Page) -> None:
        super().__init__()
        self._site = site
        self._page = page

    def process_request(self, request: HTTPServerRequest) -> dict[str, Any]:
        """What the token is to hold besides."""
        sign_in = sign_in_of(request, self._site)
        return {SIGN_IN: sign_in.id if sign_in else ""}

    def modify_document(self, doc: Document) -> None:
        """Fill it in.

        Raises:
            SignedOut, NotAllowed: whoever it is for may not see the page by now.
        """
        session: Any = doc.session_context
        actor = Actor(self._site.accounts, session.token_payload[SIGN_IN])
        actor.require(self._page.action)
        context = self._site.context(actor)
        with patch_curdoc(doc), set_curdoc(doc):
            framed = frame(context, self._page.name, self._page.build(context))
            framed.server_doc(doc, title=doc.title)


class PageHandler(LabHandler, DocHandler):
    """Answers with a page, if whoever asks may see it."""

    async def prepare(self) -> None:
        """Refuse before anything is made.

        Raises:
            SignedOut: nobody is signed in.
            NotAllowed: their role is too low.
            ConfigError: the server is not known under the address that was asked.
            HTTPError: the request names a session, which only the page itself may.
        """
        self.require_known_host()
        if "Bokeh-Session-Id" in self.request.headers or any(
            name in self.request.arguments for name in _FOREIGN_SESSION
        ):
            raise HTTPError(400, reason="A page is asked for without a session")
        self.require(page_of(self.application_context.url).action)
        self.xsrf_token  # noqa: B018 - sets its cookie, which forms on the page need

    async def get_session(self) -> ServerSession:  # type: ignore[override]
        """A new one, whose page has a content security policy with a number used once."""
        session: ServerSession = await super().get_session()  # type: ignore[misc]
        self.set_header("Content-Security-Policy", guard(session.document))
        return session


class PageSocket(WSHandler):
    """The connection of a page, which its own sign-in alone may open."""

    application: BokehTornado
    sign_in: SignIn

    @property
    def site(self) -> Site:
        """The server's."""
        site: Site = self.application.settings["site"]
        return site

    async def prepare(self) -> None:
        """Refuse the handshake unless origin, cookie, token and role go together."""
        refusal = self._refusal()
        if refusal:
            self.set_status(403, refusal)
            self.finish()
            return
        await super().prepare()  # type: ignore[no-untyped-call]

    def check_origin(self, origin: str) -> bool:
        """Only pages of ours."""
        return is_own_origin(origin, self.site)

    def open(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Bokeh's
        """It is watched from here on: a sign-in may end while it is open."""
        self.application.settings["sockets"].add(self)
        return super().open(*args, **kwargs)  # type: ignore[no-untyped-call]

    def on_close(self) -> None:
        """No longer."""
        self.application.settings["sockets"].discard(self)
        super().on_close()

    async def _receive(self, fragment: str | bytes) -> Any:  # noqa: ANN401 - Bokeh's
        """Look at what comes only while the sign-in counts; a message comes in three pieces."""
        message = await super()._receive(fragment)
        return None if message is None or self.leave_if_signed_out() else message

    def leave_if_signed_out(self) -> bool:
        """Close if the sign-in ended or the role no longer suffices for the page."""
        sign_in = self.site.accounts.sign_in_by_id(self.sign_in.id)
        is_over = sign_in is None or not is_allowed(
            sign_in.account.role, page_of(self.application_context.url).action
        )
        if is_over:
            self.close(4401, "signed out")
        return is_over

    def get_current_user(self) -> str | None:
        """For Bokeh, to which anybody is somebody."""
        found = sign_in_of(self.request, self.site)
        return found.id if found else None

    def _refusal(self) -> str:
        if not is_own_origin(self.request.headers.get("Origin", ""), self.site):
            return "Foreign origin"
        found = sign_in_of(self.request, self.site)
        if found is None:
            return "Signed out"
        if not is_allowed(found.account.role, page_of(self.application_context.url).action):
            return "Not allowed"
        token = self.request.headers.get("Sec-WebSocket-Protocol", "").partition(",")[2].strip()
        self.sign_in = found
        return self._refusal_of(token, found)

    def _refusal_of(self, token: str, found: SignIn) -> str:
        """What is wrong with a page's token."""
        try:
            is_signed = check_token_signature(token, self.application.secret_key, signed=True)
            payload = get_token_payload(token) if is_signed else {}
            session_id = get_session_id(token) if is_signed else ""
        except Exception:  # noqa: BLE001 - whatever a made-up token makes its parser do
            return "Malformed token"
        if not is_signed:
            return "Forged token"
        if payload.get(SIGN_IN) != found.id:
            return "Token of another sign-in"
        if payload.get("session_expiry", 0) <= time.time():
            return "Expired token"
        try:
            self.application_context.get_session(session_id)
        except ProtocolError:  # ended for want of a connection, or of a server before this one
            return "Unknown session"
        return ""


class ClosedHandler(LabHandler):
    """In the place of what Bokeh offers for embedding pages elsewhere, which nobody does here."""

    def initialize(self, **kwargs: Any) -> None:  # noqa: ANN401 - of all applications
        """Take what handlers of applications are given."""

    def prepare(self) -> None:
        """There is nothing."""
        raise HTTPError(404)


PATTERNS = [
    (r"/ws", PageSocket),
    (r"/metadata", ClosedHandler),
    (r"/autoload.js", ClosedHandler),
    (r"/?", PageHandler),
]


def page_of(url: str | None) -> Page:
    """The page at a path."""
    return PAGES[(url or "").lstrip("/")]
