"""What the dashboard answers besides its pages: one line for each path."""

from __future__ import annotations

from typing import Any

from tornado.web import RedirectHandler, RequestHandler

from rlhf_lab.dashboard.shell.fragment import STATIC
from rlhf_lab.dashboard.web.account import AccountHandler
from rlhf_lab.dashboard.web.download import DownloadHandler
from rlhf_lab.dashboard.web.files import AssetHandler, ComponentHandler
from rlhf_lab.dashboard.web.health import HealthHandler
from rlhf_lab.dashboard.web.invite import InviteHandler
from rlhf_lab.dashboard.web.security import LOGIN
from rlhf_lab.dashboard.web.signing_in import LoginHandler, LogoutHandler
from rlhf_lab.dashboard.web.upload import UploadHandler

Route = tuple[str, type[RequestHandler]] | tuple[str, type[RequestHandler], dict[str, Any]]
START = "/rank"


def routes() -> list[Route]:
    """Those of our own."""
    return [
        (r"/", RedirectHandler, {"url": START, "permanent": False}),
        (LOGIN, LoginHandler),
        (r"/logout", LogoutHandler),
        (r"/invite/([\w-]{20,100})", InviteHandler),
        (r"/account", AccountHandler),
        (r"/upload", UploadHandler),
        (r"/download", DownloadHandler),
        (r"/healthz", HealthHandler),
        (r"/assets/(.*)", AssetHandler, {"path": str(STATIC)}),
        (r"/components/(.*)", ComponentHandler),
    ]
