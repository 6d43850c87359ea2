"""`/healthz`, from a real server and with databases that are really broken."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import tornado.httpclient
import tornado.httpserver
import tornado.netutil
import tornado.web

import rlhf_lab
from rlhf_lab.dashboard.web import health
from rlhf_lab.dashboard.web.health import Health, HealthHandler
from rlhf_lab.store import PreferenceStore
from tests.dashboard.helpers import Served
from tests.dashboard.waiting import result_of


@pytest.fixture
def store(tmp_path: Path):
    with PreferenceStore(tmp_path / "lab.sqlite") as opened:
        yield opened


def ask(store: PreferenceStore, worker: Callable[[], str] = lambda: "running") -> tuple[int, dict]:
    """What a server over this store answers."""

    async def answer() -> tornado.httpclient.HTTPResponse:
        routes = [("/healthz", HealthHandler)]
        app = tornado.web.Application(routes, health=Health(store, worker))
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(app)
        server.add_socket(socket)
        url = f"http://127.0.0.1:{socket.getsockname()[1]}/healthz"
        try:
            return await tornado.httpclient.AsyncHTTPClient().fetch(url, raise_error=False)
        finally:
            server.stop()
            await server.close_all_connections()

    answered = result_of(answer())
    return answered.code, json.loads(answered.body)


def test_a_server_tells_anybody_that_it_is_well_and_nothing_else(server: Served):
    answer = server.stranger().get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "worker": "none",
        "version": rlhf_lab.__version__,
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


def test_without_a_worker_people_can_still_work(store):
    assert ask(store, lambda: "restarting") == (
        200,
        {
            "status": "degraded",
            "database": "ok",
            "worker": "restarting",
            "version": rlhf_lab.__version__,
        },
    )


def test_a_database_that_cannot_be_read_is_503_and_no_path_is_named(store, tmp_path):
    with closing(sqlite3.connect(tmp_path / "lab.sqlite")) as other:
        other.execute("ALTER TABLE settings RENAME TO gone")
        other.commit()
        status, told = ask(store)
        assert (status, told["status"], told["database"]) == (503, "degraded", "cannot be read")
        assert str(tmp_path) not in json.dumps(told)
        other.execute("ALTER TABLE gone RENAME TO settings")
        other.commit()
    assert ask(store)[0] == 200


def test_a_database_that_hangs_is_answered_for_soon_and_asked_once(store, monkeypatch):
    monkeypatch.setattr(health, "LONGEST_WAIT", 0.05)
    reads, released = [], threading.Event()
    original = PreferenceStore.get_setting

    def hangs(self, *args):
        reads.append(args)
        released.wait(30)
        return original(self, *args)

    monkeypatch.setattr(PreferenceStore, "get_setting", hangs)

    async def told() -> tuple[list[str], list[str]]:
        asked = Health(store, lambda: "running")
        before = [await asked.database() for _ in range(3)]
        released.set()
        monkeypatch.setattr(health, "LONGEST_WAIT", 10)
        return before, [await asked.database() for _ in range(2)]

    before, after = result_of(told())
    assert before == ["does not answer"] * 3
    assert after == ["ok", "ok"]
    assert len(reads) == 2  # one that hung, which is the first of the last two, and another
