"""How what is on the Rounds page alone looks."""

from __future__ import annotations

from collections.abc import Callable

from rlhf_lab.dashboard.shell import STATIC, Act, Fragment

ROUNDS_CSS = (STATIC / "rounds.css").read_text("utf-8")


def rounds_fragment(on_act: Callable[[Act], None] | None = None) -> Fragment:
    """A fragment that knows the classes of this page."""
    return Fragment("", on_act, stylesheets=[ROUNDS_CSS])
