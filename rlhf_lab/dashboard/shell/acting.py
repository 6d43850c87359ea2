"""What pages do when somebody acts: they tell what came of it, and notice who is signed out."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any, ParamSpec
from weakref import WeakKeyDictionary

import panel as pn
from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.shell.fragment import Act, Fragment, html
from rlhf_lab.dashboard.shell.pieces import Text, Tone, button, notice
from rlhf_lab.errors import LabError, SignedOut

P = ParamSpec("P")
SIGN_IN_AGAIN = "/login?ended=1"

_log = logging.getLogger(__name__)
_numbers = itertools.count()
_messages: WeakKeyDictionary[Context, Fragment] = WeakKeyDictionary()


def messages(context: Context) -> Fragment:
    """Where this page tells what came of an act; the frame shows it above the page."""
    if context not in _messages:
        shown = Fragment(_region(), css_classes=["lab-messages"])
        shown.on_act(lambda _: shown.put(_region()))
        _messages[context] = shown
    return _messages[context]


def tell(context: Context, tone: Tone, text: Text) -> None:
    """Tell the person something, until they close it or something else is told.

    What went well goes by itself after a few seconds.
    """
    close = button("Close", "close", tone="quiet", small=True)
    told = html(
        """
        <div class="lab-told" data-row="{{ row }}"{% if fades %} data-fades{% endif %}>
        {{ t }}</div>
        """,
        row=f"told-{next(_numbers)}",  # the same text again is told again
        fades=tone in ("ok", "info"),
        t=notice(tone, text, close),
    )
    messages(context).put(_region(told))


def leave(context: Context, address: str) -> None:
    """Have the browser go to another page of the dashboard."""
    messages(context).address = address


def acting(context: Context, do: Callable[P, Text | None]) -> Callable[P, None]:
    """A callback for buttons and forms that tells what `do` returns, or why it was refused.

    Nothing that happens in it is lost: errors of ours are told as they are, any other is logged
    and told as such, and whoever is signed out is led to sign in again.
    """

    def callback(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            told = do(*args, **kwargs)
        except SignedOut:
            leave(context, SIGN_IN_AGAIN)
        except LabError as error:
            tell(context, "error", sentence(str(error)))
        except Exception as error:  # noqa: BLE001 - the page goes on, and the person must know
            _log.exception("an act on a page failed")
            tell(
                context,
                "error",
                f"That did not work: {type(error).__name__}. The server's log says more.",
            )
        else:
            if told:
                tell(context, "ok", told)

    return callback


def live(context: Context, update: Callable[[], None], *, seconds: float = 1.0) -> None:
    """Call `update` every so often while somebody has the page open.

    Whoever is signed out is led to sign in again. An update that fails is logged and tried again
    at the next turn: a page that follows must not stop because of one look that went wrong.
    """
    if not is_served():
        return  # nobody has it open
    of_page: Any = pn.state.curdoc.session_context  # type: ignore[union-attr]
    follow = following(context, update)

    def follow_if_seen() -> None:
        # A page that was left lives on for a while, and must not be handed anything meanwhile.
        session = of_page._session  # which Bokeh offers in no other way
        if session is not None and session.connection_count:
            follow()

    pn.state.add_periodic_callback(follow_if_seen, period=round(1000 * seconds), start=True)


def is_served() -> bool:
    """Whether a page is being made by a server, for somebody who opens it."""
    return pn.state.curdoc is not None and pn.state.curdoc.session_context is not None


def once_closed(do: Callable[[], None]) -> None:
    """Do this when the page that is being made has been closed for a minute or two."""
    if is_served():
        pn.state.on_session_destroyed(lambda _: do())


def following(context: Context, update: Callable[[], None]) -> Callable[[], None]:
    """What `live` calls."""

    def follow() -> None:
        try:
            context.actor.account()
            update()
        except SignedOut:
            leave(context, SIGN_IN_AGAIN)
        except Exception:  # noqa: BLE001 - the next turn may do
            _log.exception("a page could not be brought up to date")

    return follow


def _region(told: Text = "") -> Markup:
    """Is there before there is anything to tell: only then do screen readers tell it."""
    return html('<div role="status" aria-live="polite">{{ told }}</div>', told=told)


def sentence(text: str) -> str:
    """With a capital letter, as it stands by itself."""
    return text[:1].upper() + text[1:]


def each(**acts: Callable[[Act], Text | None]) -> Callable[[Act], Text | None]:
    """An `on_act` that calls one of these by the name of the act; other names do nothing.

    Names in the page have hyphens where these have underscores.
    """

    def on_act(act: Act) -> Text | None:
        do = acts.get(act.name.replace("-", "_"))
        return do(act) if do is not None else None

    return on_act
