"""`LabHandler`: what every request goes through, whatever it is for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote, urlsplit

from tornado.ioloop import IOLoop
from tornado.web import HTTPError, RequestHandler

from rlhf_lab.dashboard.access import Action, Actor
from rlhf_lab.dashboard.logs import request_id, tell
from rlhf_lab.dashboard.web.plain import render
from rlhf_lab.errors import AccessError, ConfigError, LabError, NotAllowed, SignedOut, Throttled

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from rlhf_lab.dashboard.accounts import Account, SignIn
    from rlhf_lab.dashboard.web.site import Site

P = ParamSpec("P")
T = TypeVar("T")

LOGIN = "/login"


class LabHandler(RequestHandler):
    """Base of the dashboard's own handlers.

    A POST is refused unless it repeats the token of its XSRF cookie, as the field `_xsrf` or the
    header `X-XSRFToken`, and says that it comes from a page of ours. A handler calls `require`
    first, and may raise what the library raises: `SignedOut` leads to the sign-in page, a role
    that is too low is a 403, and any other error of ours a 400 in its own words.
    """

    @cached_property
    def site(self) -> Site:
        """The server's."""
        site: Site = self.application.settings["site"]
        return site

    @property
    def actor(self) -> Actor:
        """Whoever is signed in.

        Raises:
            SignedOut: nobody is.
        """
        if self.current_user is None:
            raise SignedOut("you are not signed in: sign in to go on.")
        return Actor(self.site.accounts, self.current_user.id)

    def require(self, action: Action) -> Account:
        """Their account, if they may do this now.

        Raises:
            SignedOut: nobody is signed in.
            NotAllowed: their role is too low.
        """
        return self.actor.require(action)

    def require_known_host(self) -> None:
        """Refuse addresses whose pages could do nothing, since none of ours may come from there.

        Raises:
            ConfigError: it is one.
        """
        host = self.request.host.lower()
        if host not in self.site.origins:
            raise ConfigError(
                f"this server does not know itself as {host!r:.80}: open {self.site.base_url}, or "
                "have it started with --allow-websocket-origin and that host."
            )

    @property
    def address(self) -> str:
        """Of the client, as far as it can be known."""
        return client_address(self.request, self.site.proxies)

    async def in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what takes long, while others are served."""
        loop = IOLoop.current()
        return await loop.run_in_executor(self.site.threads, lambda: call(*args, **kwargs))

    def show(self, page: str, *, status: int = 200, **values: object) -> None:
        """Answer with one of the plain pages."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        account = self.current_user.account if self.current_user else None
        xsrf = self.xsrf_token.decode()
        self.write(render(page, account=account, xsrf=xsrf, **values))

    def sign_in(self, secret: str) -> None:
        """Give the browser a sign-in; what it had before it is no longer in its cookie."""
        self.set_cookie(
            self.site.cookie,
            secret,
            path="/",
            httponly=True,
            secure=self.site.is_secure,
            samesite="Lax",  # "Strict" would greet those who follow a link in a mail as strangers
        )

    # -- what tornado asks

    def set_default_headers(self) -> None:
        """Nothing of ours is kept by caches, unless a handler says so."""
        self.set_header("Cache-Control", "no-store")

    def get_current_user(self) -> SignIn | None:
        """The sign-in that the request's cookie names, if it still counts."""
        return sign_in_of(self.request, self.site)

    def check_xsrf_cookie(self) -> None:
        """Refuse what a page of another site has the browser send.

        Raises:
            HTTPError: 403.
        """
        origin = self.request.headers.get("Origin")
        if origin is not None and not is_own_origin(origin, self.site):
            raise HTTPError(403, "POST from another origin", reason="Cross-origin request refused")
        super().check_xsrf_cookie()

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """What is refused is no fault of the server, and no traceback."""
        if isinstance(value, LabError):
            tell("refused", request=request_id(self.request), why=type(value).__name__)
        else:
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """Answer in the words of the error, where it is one of ours."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if isinstance(error, SignedOut) and self._is_page():
            self.redirect(login_url(self.request.uri or "/"))
        else:
            super().send_error(_status(error, status_code), **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """A page for people, a line of text for scripts."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        words = self.words_of(error, status_code)
        if isinstance(error, Throttled):
            self.set_header("Retry-After", str(error.wait))
        if self._wants_html():
            self.show("error", status=status_code, words=words, code=status_code)
        else:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.write(words + "\n")

    def words_of(self, error: BaseException | None, status: int) -> str:
        """What to tell people of an error: its own words, if it is one of ours."""
        return str(error) if isinstance(error, LabError) else _in_words(status, self._reason)

    def _wants_html(self) -> bool:
        return "text/html" in self.request.headers.get("Accept", "")

    def _is_page(self) -> bool:
        return self.request.method in ("GET", "HEAD") and self._wants_html()


class UnknownHandler(LabHandler):
    """Everything that is not there."""

    def prepare(self) -> None:
        """Say so, whatever the method."""
        raise HTTPError(404)


def sign_in_of(request: HTTPServerRequest, site: Site) -> SignIn | None:
    """The sign-in that a request's cookie names, if it still counts."""
    cookie = request.cookies.get(site.cookie)
    return site.accounts.signed_in(cookie.value) if cookie is not None else None


def is_own_origin(origin: str, site: Site) -> bool:
    """Whether a page of this origin is one of ours; a page without one ("null") is not."""
    return urlsplit(origin).netloc.lower() in site.origins


def client_address(request: HTTPServerRequest, proxies: frozenset[str]) -> str:
    """Who sent a request: the last in the chain that is no proxy of ours.

    What stands further left in X-Forwarded-For the client may have made up.
    """
    address = str(request.remote_ip)
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while address in proxies and hops:
        address = hops.pop().strip() or address
    return address


def own_path(path: str, default: str = "/") -> str:
    """The path, if it leads to a page of ours; anything that could lead elsewhere is replaced."""
    is_plain = path.isprintable() and "\\" not in path
    is_own = path.startswith("/") and not path.startswith("//")
    return path if is_plain and is_own and not urlsplit(path).netloc else default


def login_url(wanted: str) -> str:
    """Where to sign in to go on to a page."""
    return LOGIN if own_path(wanted) == "/" else f"{LOGIN}?next={quote(own_path(wanted), safe='/')}"


def _status(error: BaseException | None, otherwise: int) -> int:
    match error:
        case SignedOut():
            return 401
        case Throttled():
            return 429
        case NotAllowed() | AccessError():
            return 403
        case LabError():
            return 400
        case _:
            return otherwise


def _in_words(status: int, reason: str) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return "There is no such page."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "That did not work. The server's log says more."
    return f"{reason}."
