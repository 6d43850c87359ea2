"""`/download`: what a lab holds, as a file for other tools."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from tornado.iostream import StreamClosedError

from rlhf_lab.dashboard.logs import tell
from rlhf_lab.dashboard.web.security import LabHandler
from rlhf_lab.errors import ConfigError
from rlhf_lab.store.exchange import ExportReport, export_data
from rlhf_lab.store.exchange.exporting import WHATS
from rlhf_lab.store.exchange.record import What
from rlhf_lab.store.exchange.sources import KNOWN_FILES

_CHUNK = 256 * 1024


class DownloadHandler(LabHandler):
    """Writes an export aside, and sends it.

    Nothing of what is asked for becomes part of a path: each word is one of a fixed set, or
    refused in words.
    """

    async def get(self) -> None:
        """Send `what` (judgments, prompts, demonstrations) in a `format`, as a file of a `kind`."""
        account = self.require("export")
        what = self._one_of("what", WHATS, "judgments")
        kind = self._one_of("kind", [file.removeprefix(".") for file in KNOWN_FILES], "jsonl")
        with TemporaryDirectory(prefix="rlhf-lab-export-") as folder:
            file = Path(folder) / f"export.{kind}"
            report = await asyncio.to_thread(self._export, file, what)
            tell("exported", what=what, format=report.format, rows=report.rows, by=account.name)
            self.set_header("Content-Type", "application/octet-stream")
            name = f"{what}-{report.format}.{kind}"
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
            await self._send(file)

    def _export(self, file: Path, what: str) -> ExportReport:
        asked: dict[str, Any] = {
            "format": self.get_query_argument("format", "trl"),
            "split": self.get_query_argument("split", "") or None,
            "ties": self.get_query_argument("ties", "both"),
        }
        return export_data(self.site.lab.store, file, what=cast(What, what), **asked)

    async def _send(self, file: Path) -> None:
        self.set_header("Content-Length", str(file.stat().st_size))
        with file.open("rb") as opened:
            while chunk := await asyncio.to_thread(opened.read, _CHUNK):
                self.write(chunk)
                try:
                    await self.flush()  # waits for who reads slowly, so that little is in memory
                except StreamClosedError:
                    return  # they went away

    def _one_of(self, name: str, known: Sequence[str], default: str) -> str:
        value = self.get_query_argument(name, default)
        if value not in known:
            raise ConfigError(f"{name}={value!r:.40}: use one of {', '.join(known)}.")
        return value
