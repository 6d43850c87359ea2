"""The lab, served to a team: `serve(directory)`, or `rlhf-lab serve DIRECTORY`.

Needs Panel: `pip install rlhf-lab[dashboard]`. The server's process never imports torch; model
work is done by a worker process that follows the store.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlhf_lab.dashboard.server import serve
    from rlhf_lab.dashboard.settings import ServeSettings

__all__ = ["ServeSettings", "serve"]

_HOMES = {"serve": "server", "ServeSettings": "settings"}


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is: parts of the dashboard need no Panel."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
