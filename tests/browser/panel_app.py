"""A Panel server for browser tests: it shows what the Python files in a folder make.

    python -m tests.browser.panel_app PORT FOLDER

`/show?app=NAME` runs FOLDER/NAME.py anew for each page and shows its `shown`. `/block?gate=NAME`
keeps the whole server busy, as a long computation in it would, until FOLDER/NAME is there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import panel as pn
from tornado.web import RequestHandler

MOST_SECONDS = 60


class Block(RequestHandler):
    """Keeps the server from everything else."""

    def initialize(self, folder: Path) -> None:
        self._folder = folder

    def get(self) -> None:
        gate = self._folder / self.get_argument("gate")
        gate.with_suffix(".blocked").touch()
        end = time.monotonic() + MOST_SECONDS
        while not gate.exists() and time.monotonic() < end:
            time.sleep(0.02)


def main(port: int, folder: Path) -> None:
    """Serve until the process is ended."""

    def show() -> pn.Column:
        (name,) = pn.state.session_args["app"]
        path = folder / f"{name.decode()}.py"
        made: dict[str, Any] = {}
        exec(compile(path.read_text("utf-8"), str(path), "exec"), made)
        return pn.Column(made["shown"], sizing_mode="stretch_width")

    pn.extension()
    pn.serve(
        {"show": show},
        port=port,
        address="127.0.0.1",
        websocket_origin=f"127.0.0.1:{port}",
        extra_patterns=[(r"/block", Block, {"folder": folder})],
        show=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
