"""Logs: one JSON object a line, without what people wrote and without what lets somebody in.

A line has `time`, `level`, `logger` and `event`, and what else is known: of a request its id,
method, path, status and milliseconds; of an error its type and the places it came through.
Prompts, comments, passwords, tokens, query strings and invite links are left out, and so are names
of people. Level "debug" adds names and the words of errors, which may quote what people wrote.
What other libraries log is kept to its template at every level: the values in it may be cookies,
or whole messages.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO, get_args

from rlhf_lab.errors import ConfigError

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.web import RequestHandler

Level = Literal["debug", "info", "warning", "error"]
Fact = str | int | float | bool | None

OURS = "rlhf_lab.dashboard"
# What the server is made of. Below "warning" they say little of use, and much that is not ours.
_FOREIGN = ("bokeh", "panel", "tornado", "asyncio")
# The name of a person is a fact like any other, but only said at "debug".
_OF_PEOPLE = frozenset({"account", "by"})
_LONGEST = 200
_TOKEN_IN_PATH = re.compile(r"(/invite/)[^\s?#'\"]+")
_QUERY = re.compile(r"(/[^\s?'\"]*)\?[^\s'\"]*")
# Asked for by every page, many times: of no interest unless it fails.
_QUIET = ("/static/", "/assets/", "/healthz", "/favicon.ico")

_log = logging.getLogger(OURS)


def configure(level: Level | str = "info", stream: TextIO | None = None) -> None:
    """Bring everything this process logs into one form.

    Args:
        level: "debug", "info", "warning" or "error".
        stream: Default: standard error.

    Raises:
        ConfigError: no such level.
    """
    if level not in get_args(Level):
        raise ConfigError(f"--log-level {level!r:.40}: use one of {', '.join(get_args(Level))}.")
    number: int = getattr(logging, level.upper())
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(in_detail=number <= logging.DEBUG))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in _FOREIGN:
        _bring_home(name, max(number, logging.WARNING))
    _bring_home(OURS, number)
    logging.captureWarnings(True)


def tell(event: str, level: int = logging.INFO, **facts: Fact) -> None:
    """Log that something happened.

    Args:
        event: In a few words that are always the same, as in "signed in".
        level: As in `logging`.
        facts: What else is known. No texts that people wrote, and nothing secret; `account` and
            `by` are the places for names.
    """
    _log.log(level, event, extra={"facts": facts})


def tell_request(handler: RequestHandler) -> None:
    """Log a request that was answered: tornado's `log_function`."""
    request, status = handler.request, handler.get_status()
    path = plain(request.path)
    quiet = status < 400 and path.startswith(_QUIET)
    level = logging.ERROR if status >= 500 else logging.DEBUG if quiet else logging.INFO
    tell(
        "request",
        level,
        request=request_id(request),
        method=request.method,
        path=path,
        status=status,
        ms=round(1000 * request.request_time(), 1),
    )


def request_id(request: HTTPServerRequest) -> str:
    """The name of a request in the logs; the answer carries it as `X-Request-Id`."""
    found = getattr(request, "lab_id", None)
    if found is None:
        found = request.lab_id = secrets.token_hex(6)  # type: ignore[attr-defined]
    return str(found)


def plain(text: str) -> str:
    """A path or a message without query strings and without what makes a link an invitation."""
    return _QUERY.sub(r"\1", _TOKEN_IN_PATH.sub(r"\1…", text))


class JsonLines(logging.Formatter):
    """A record as one JSON object in one line.

    Args:
        in_detail: With names of people and the words of errors.
    """

    def __init__(self, *, in_detail: bool = False) -> None:
        super().__init__()
        self._in_detail = in_detail

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
            **self._facts(record),
            **self._error(record),
        }
        return json.dumps(line, ensure_ascii=True, default=str)

    def _facts(self, record: logging.LogRecord) -> dict[str, Fact]:
        facts: dict[str, Fact] = getattr(record, "facts", {})
        return {n: x for n, x in facts.items() if self._in_detail or n not in _OF_PEOPLE}

    def _error(self, record: logging.LogRecord) -> dict[str, Any]:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return {}
        found: dict[str, Any] = {"error": type(error).__name__, "at": list(_places(error))}
        if self._in_detail:
            found["words"] = plain(str(error))
        return found


def _event(record: logging.LogRecord) -> str:
    """What happened, in words that are always the same: the first line, without its values."""
    # The template of what `warnings` say is all of the text.
    said = record.getMessage() if record.name == "py.warnings" else str(record.msg)
    return plain((said.splitlines() or [""])[0])[:_LONGEST]


def _places(error: BaseException) -> Iterator[str]:
    """Where an error came through, innermost last: files and lines, no values."""
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} {frame.name}"


def _bring_home(name: str, level: int) -> None:
    """Let a logger speak through the root's handler alone; Panel brings one of its own."""
    logger = logging.getLogger(name)
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(level)
