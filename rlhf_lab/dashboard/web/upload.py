"""`/upload`: a file of another tool, imported into the lab."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from tornado.http1connection import HTTP1Connection
from tornado.web import Finish, stream_request_body

from rlhf_lab.dashboard.logs import tell
from rlhf_lab.dashboard.received import import_received, told_of
from rlhf_lab.dashboard.web.security import LabHandler
from rlhf_lab.errors import ImportFileError
from rlhf_lab.store.exchange.sources import KNOWN_FILES
from rlhf_lab.store.showing import printable

MOST_BYTES = 64 * 2**20
# Seconds for which the rest of what is too large is read and dropped. A connection that is closed
# while a browser still sends is a broken one to it, and why it was closed is never read.
_LINGER = 5.0
# Seconds for the whole of a body: who sends more slowly would hold a file here for ever.
_PATIENCE = 600.0
_LONGEST_NAME = 120
_TOO_LARGE = (
    f"more than {MOST_BYTES // 2**20} MiB: divide the file, or import it where the lab is, "
    "with: rlhf-lab import DIRECTORY FILE"
)


@stream_request_body
class UploadHandler(LabHandler):
    """Takes a file as the body of a POST, and answers in JSON.

    The query says what it is called (`name`) and, if it matters, `format`, `split`, `annotator` and
    `skip_bad`, as in `lab.import_`. Until it is imported the file stands in a folder of its own,
    under a name of ours: of the sender's name only a known ending becomes part of it.
    """

    _folder: Path | None = None
    _file: BinaryIO | None = None
    _received = 0
    _refused_at: float | None = None
    _is_importing = False

    def prepare(self) -> None:
        """Refuse what can be refused before anything is sent."""
        self._account = self.require("import")
        suffix = self._suffix()
        connection = cast(HTTP1Connection, self.request.connection)
        connection.set_body_timeout(_PATIENCE)
        announced = int(self.request.headers.get("Content-Length", "0"))
        # Tornado's own limit closes the connection without a word; ours stands below.
        connection.set_max_body_size(sys.maxsize)
        if announced > MOST_BYTES:
            self._refuse_size()
            return
        self._folder = Path(tempfile.mkdtemp(prefix="rlhf-lab-upload-"))
        self._file = (self._folder / f"upload{suffix}").open("wb")

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the file, if it is wanted."""
        self._received += len(chunk)
        if self._refused_at is not None:
            if time.monotonic() - self._refused_at > _LINGER:
                self.finish()
        elif self._received > MOST_BYTES:
            self._refuse_size()
        elif self._file is not None:
            self._file.write(chunk)

    async def post(self) -> None:
        """Import what came, while others are served."""
        if self._refused_at is not None or self._file is None:
            raise Finish
        self._is_importing = True
        self._file.close()
        report = await asyncio.to_thread(
            import_received, self.site.lab.store, Path(self._file.name), self._name, self._asked()
        )
        tell("imported", rows=report.rows, by=self._account.name)
        self.write({"summary": str(report).partition("\n")[0], **told_of(report)})

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """What is wrong, and with which rows: a script asked, so it gets JSON."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        report = told_of(error.report) if isinstance(error, ImportFileError) else {}
        self.write({"error": self.words_of(error, status_code), **report})

    def on_finish(self) -> None:
        """Leave nothing behind."""
        self._forget()

    def on_connection_close(self) -> None:
        """Leave nothing behind of a file that does not come to its end; an import does."""
        super().on_connection_close()
        if not self._is_importing:
            self._forget()

    @property
    def _name(self) -> str:
        """What the sender calls the file, for people: it becomes part of no path."""
        sent = self.get_query_argument("name", "").replace("\\", "/")
        return printable(PurePosixPath(sent).name[-_LONGEST_NAME:])

    def _suffix(self) -> str:
        for suffix in sorted(KNOWN_FILES, key=len, reverse=True):
            if self._name.lower().endswith(suffix):
                return suffix
        raise ImportFileError(
            f"{self._name!r}: only {', '.join(KNOWN_FILES)} can be read. Save the file as one of "
            "these, and name it so."
        )

    def _asked(self) -> dict[str, Any]:
        names = ("format", "split", "annotator")
        given = {name: self.get_query_argument(name, "") or None for name in names}
        return {**given, "skip_bad": self.get_query_argument("skip_bad", "") == "1"}

    def _refuse_size(self) -> None:
        """Answer now, and go on reading for a while."""
        self._refused_at = time.monotonic()
        self._forget()
        words = json.dumps({"error": f"{self._name}: {_TOO_LARGE}"})
        self.set_status(413)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Content-Length", str(len(words)))
        self.set_header("Connection", "close")
        self.write(words)
        self.flush()

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
