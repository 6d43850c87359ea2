"""Files that pages are made of: styles, scripts, and the modules of components."""

from __future__ import annotations

import sys

from panel.io.server import ComponentResourceHandler
from tornado.web import HTTPError, StaticFileHandler

from rlhf_lab.dashboard.web.security import LabHandler

# Kept by browsers, which ask each time whether they changed: after an upgrade nobody has old ones.
_CACHED = "no-cache"
_PACKAGES = ("panel", "rlhf_lab")


class AssetHandler(StaticFileHandler):
    """What the sign-in page needs as well, and so anybody may have."""

    def set_extra_headers(self, path: str) -> None:
        """Say how long they are good for."""
        self.set_header("Cache-Control", _CACHED)


class ComponentHandler(LabHandler, ComponentResourceHandler):
    """The files that a component names.

    Panel's own handler imports whichever module a URL names, for whoever asks. This one looks at
    what pages have imported, of packages that have components, and asks who is there.
    """

    def prepare(self) -> None:
        """Refuse strangers.

        Raises:
            SignedOut: nobody is signed in.
        """
        self.actor.account()

    def set_default_headers(self) -> None:
        """Say how long they are good for."""
        self.set_header("Cache-Control", f"private, {_CACHED}")

    def parse_url_path(self, url_path: str) -> str:
        """The file's path below the root.

        Raises:
            HTTPError: no component of ours or of Panel's names this file.
        """
        module = url_path.partition("/")[0]
        if module.partition(".")[0] not in _PACKAGES or module not in sys.modules:
            raise HTTPError(404)
        return super().parse_url_path(url_path)
