"""What the logs say, and above all what they do not."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import tornado.httpclient
import tornado.httpserver
import tornado.netutil
import tornado.web

from rlhf_lab.dashboard import logs
from rlhf_lab.errors import ConfigError, PromptError
from tests.dashboard.waiting import result_of

Lines = Callable[[], list[dict]]
TOUCHED = ("", "bokeh", "panel", "tornado", "asyncio", "py.warnings", logs.OURS)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where logs go; afterwards logging is as it was."""
    loggers = [logging.getLogger(name) for name in TOUCHED]
    before = [(log, log.handlers[:], log.level, log.propagate) for log in loggers]
    yield io.StringIO()
    logging.captureWarnings(False)
    for log, handlers, level, propagate in before:
        log.handlers[:], log.propagate = handlers, propagate
        log.setLevel(level)


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    logs.configure("info", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def all_lines(stream: io.StringIO) -> Lines:
    logs.configure("debug", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(text: str) -> None:
    raise PromptError(f"{text!r}: too long")


def test_a_line_is_one_object_with_time_level_logger_event_and_facts(lines):
    before = datetime.now(UTC)
    logs.tell("job started", job="j1", steps=3)
    (line,) = lines()
    time = datetime.fromisoformat(line.pop("time"))
    assert abs((time - before).total_seconds()) < 5
    assert line == {
        "level": "info",
        "logger": "rlhf_lab.dashboard",
        "event": "job started",
        "job": "j1",
        "steps": 3,
    }


def test_a_fact_with_line_ends_and_escapes_stays_in_its_line(lines):
    logs.tell("job failed", note='two\nlines\x1b[31m "quoted"   \ud800')
    (line,) = lines()
    assert line["note"] == 'two\nlines\x1b[31m "quoted"   \ud800'


def test_names_of_people_are_said_at_debug_alone(lines):
    logs.tell("signed in", account="ada", by="bob", address="192.0.2.7")
    (line,) = lines()
    assert "account" not in line
    assert "by" not in line
    assert line["address"] == "192.0.2.7"


def test_debug_says_names(all_lines):
    logs.tell("signed in", account="ada")
    assert all_lines()[-1]["account"] == "ada"


def test_an_error_is_its_type_and_its_places_and_not_its_words(lines):
    try:
        fail("Dear diary")
    except PromptError:
        logging.getLogger("tornado.application").error("Uncaught exception", exc_info=True)
    (line,) = lines()
    assert line["error"] == "PromptError"
    assert [place.rsplit(" ", 1)[1] for place in line["at"]] == [
        "test_an_error_is_its_type_and_its_places_and_not_its_words",
        "fail",
    ]
    assert line["at"][0].rpartition(":")[0] == __file__
    assert "diary" not in json.dumps(line)


def test_debug_says_the_words_of_an_error(all_lines):
    try:
        fail("Dear diary")
    except PromptError:
        logging.getLogger("tornado.application").error("Uncaught exception", exc_info=True)
    assert all_lines()[-1]["words"] == "'Dear diary': too long"


@pytest.mark.parametrize("name", ["tornado.general", "bokeh.server.views.ws", "panel.auth"])
def test_what_other_libraries_log_keeps_its_template_without_values(lines, name):
    logging.getLogger(name).warning("Invalid cookie signature %r", "2|1:0|secret")
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("Invalid cookie signature %r", name)


def test_debug_keeps_values_of_other_libraries_out_too(all_lines):
    logging.getLogger("bokeh.server.views.ws").error("broke: %r", {"comment": "Dear diary"})
    assert all_lines()[-1]["event"] == "broke: %r"


def test_of_a_long_message_the_first_line_is_kept(lines):
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: Dear diary")
    assert lines()[0]["event"] == "Task exception was never retrieved"


def test_other_libraries_are_quiet_below_warning(all_lines):
    for name in ("tornado.access", "bokeh.server", "panel.io", "asyncio"):
        logging.getLogger(name).info("GET /invite/abc")
    assert all_lines() == []


def test_panel_speaks_through_the_same_handler(lines, capsys):
    import panel.io.logging  # noqa: F401  (it brings a handler of its own)

    logs.configure("info", (stream := io.StringIO()))
    logging.getLogger("panel").error("broke")
    assert json.loads(stream.getvalue())["logger"] == "panel"
    assert capsys.readouterr().out == ""


def test_warnings_are_lines_too(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old name", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert line["event"].endswith("DeprecationWarning: old name")


def test_a_level_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="--log-level 'loud': use one of debug, info, warning"):
        logs.configure("loud")


def test_warning_hides_what_is_told_at_info(stream):
    logs.configure("warning", stream)
    logs.tell("signed in")
    logs.tell("worker died", logging.WARNING)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "worker died"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/invite/s3cret", "/invite/…"),
        ("http://lab.example/invite/s3cret?next=/rank", "http://lab.example/invite/…"),
        ("GET /login?code=abc&state=x (192.0.2.7)", "GET /login (192.0.2.7)"),
        ("/rank", "/rank"),
        ("Is it well? It is.", "Is it well? It is."),
    ],
)
def test_no_query_and_no_invitation_is_left_of_a_path(text, left):
    assert logs.plain(text) == left


class Answering(tornado.web.RequestHandler):
    def get(self, status: str) -> None:
        self.set_header("X-Request-Id", logs.request_id(self.request))
        if status == "boom":
            fail("Dear diary")
        self.set_status(int(status))


def ask(*paths: str) -> list[tornado.httpclient.HTTPResponse]:
    """Answers of a real server whose requests are logged."""

    async def all_of_them() -> list[tornado.httpclient.HTTPResponse]:
        routes = [(r"/(?:invite/)?(\w+)/?.*", Answering)]
        app = tornado.web.Application(routes, log_function=logs.tell_request)
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(app)
        server.add_socket(socket)
        client = tornado.httpclient.AsyncHTTPClient()
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        try:
            return [await client.fetch(url + path, raise_error=False) for path in paths]
        finally:
            server.stop()
            await server.close_all_connections()

    return result_of(all_of_them())


def test_a_request_is_logged_with_its_id_and_without_its_query(lines):
    (answer,) = ask("/200?token=s3cret")
    (line,) = lines()
    assert line.pop("ms") >= 0
    assert line.pop("time")
    assert line == {
        "level": "info",
        "logger": "rlhf_lab.dashboard",
        "event": "request",
        "request": answer.headers["X-Request-Id"],
        "method": "GET",
        "path": "/200",
        "status": 200,
    }


def test_an_invitation_is_not_logged(lines, stream):
    ask("/invite/404/s3cret", "/invite/boom?s3cret")
    assert [line["path"] for line in lines() if "path" in line] == ["/invite/…"] * 2
    assert "s3cret" not in stream.getvalue()


def test_a_request_that_broke_is_an_error_with_its_places(lines, stream):
    ask("/boom?x=1")
    broke, request = lines()
    assert (broke["error"], broke["event"]) == ("PromptError", "Uncaught exception %s")
    assert (request["level"], request["status"]) == ("error", 500)
    assert "diary" not in stream.getvalue()
