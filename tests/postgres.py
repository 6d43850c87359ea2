"""A PostgreSQL server for tests: its own data directory, a free loopback port, gone afterwards."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_number = itertools.count()


def find_program(name: str) -> str | None:
    """A program of the server; Debian keeps them off the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, places)]))


@contextmanager
def running_server() -> Iterator[str]:
    """A server that trusts loopback connections; yields its URL, with no database in it."""
    initdb, postgres = find_program("initdb"), find_program("postgres")
    if initdb is None or postgres is None:
        raise FileNotFoundError("no PostgreSQL server: install it (Debian: postgresql)")
    # The server refuses to run as root; Debian's package brings a user for it.
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="rlhf-lab-postgres-") as place:
        data = Path(place) / "data"
        data.mkdir()
        if user:
            os.chmod(place, 0o755)
            shutil.chown(data, **user)
        # To a file: a pipe that nobody reads is full after some hundred databases, and the server
        # stands still.
        with (Path(place) / "messages").open("w+b") as messages:
            quiet: dict[str, Any] = {
                "stdout": messages,
                "stderr": subprocess.STDOUT,
                "cwd": place,
                **user,
            }
            arguments = ["-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"]
            subprocess.run([initdb, *arguments], check=True, timeout=60, **quiet)
            port = _free_port()
            server = subprocess.Popen(
                [postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", ""], **quiet
            )
            try:
                url = f"postgresql+psycopg://tester@127.0.0.1:{port}"
                _wait_until_up(server, url, messages)
                yield url
            finally:
                server.terminate()
                try:
                    server.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


def new_database(server_url: str) -> str:
    """The URL of an empty database on a running server."""
    import psycopg

    name = f"lab_{os.getpid()}_{next(_number)}"
    with psycopg.connect(_plain(server_url) + "/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server_url}/{name}"


def drop_database(url: str) -> None:
    """Remove a database, whoever is still connected to it."""
    import psycopg

    server_url, _, name = url.rpartition("/")
    with psycopg.connect(_plain(server_url) + "/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(server: subprocess.Popen[bytes], url: str, messages: BinaryIO) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(_plain(url) + "/postgres").close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                messages.seek(0)
                said = messages.read().decode(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {error}\n{said}") from error
            time.sleep(0.1)
        else:
            return
