"""A relay between a browser and a server on this machine, which can cut every connection at once.

What a browser loses then is its network: sockets end in the middle of what they carry, and neither
side said goodbye.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

_CHUNK = 65_536


class Relay:
    """Listens on a port of its own and passes everything on to a server's.

    Attributes:
        port: Where it listens, once `start` was awaited.
    """

    def __init__(self, target: int) -> None:
        """Pass on to this port of the loopback interface."""
        self.port = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> int:
        """End every connection, without a word to either side; returns how many sockets."""
        cut = list(self._writers)
        for writer in cut:
            writer.transport.abort()
        return len(cut)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # the server is down: so is the connection
            writer.transport.abort()
            return
        self._writers |= {writer, to_server[1]}
        await asyncio.gather(
            self._pass_on(reader, to_server[1]), self._pass_on(to_server[0], writer)
        )
        self._writers -= {writer, to_server[1]}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()
