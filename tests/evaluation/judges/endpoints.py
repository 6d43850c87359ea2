"""A chat endpoint in this process that behaves as a test wants it to, badly if need be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from rlhf_lab.types import Message, Prompt, Response


class Answer(NamedTuple):
    """What the endpoint sends: a status, a body, headers, and how long it takes."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def says(text: str, *, usage: object = USAGE, finish: str = "stop", **changes) -> Answer:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"choices": [choice], **({"usage": usage} if usage is not None else {})}
    return Answer(body=json.dumps(body).encode(), **changes)


class Chat:
    """A server's memory: every request's body and headers; `reply` makes what it sends."""

    def __init__(self, reply: Callable[[dict, int], Answer]):
        self.reply = reply
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.url = ""
        self.busy = self.busiest = 0
        self.lock = threading.Lock()

    def take(self, path: str, body: dict, headers: dict[str, str]) -> Answer:
        with self.lock:
            self.paths.append(path)
            self.bodies.append(body)
            self.headers.append(headers)
            number = len(self.bodies) - 1
        return self.reply(body, number)


@contextmanager
def serving(reply: Callable[[dict, int], Answer]) -> Iterator[Chat]:
    chat = Chat(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            with chat.lock:
                chat.busy += 1
                chat.busiest = max(chat.busiest, chat.busy)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = chat.take(self.path, body, {k.lower(): v for k, v in self.headers.items()})
            time.sleep(answer.seconds)
            with chat.lock:
                chat.busy -= 1
            try:
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # whoever asked has gone

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    chat.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def prompt(text: str = "Name a colour.", **changes) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), **changes)


def answers(question: Prompt, *texts: str) -> list[Response]:
    return [
        Response(id=f"r{n}", prompt_id=question.id, text=text, version="policy@0")
        for n, text in enumerate(texts)
    ]


def shown(body: dict) -> tuple[str, str]:
    """The two answers in a request, as they stand in the default template."""
    asked = next(m["content"] for m in body["messages"] if m["role"] == "user")
    return tuple(
        asked.split(f"BEGIN ANSWER {which} ")[1].split("\n", 1)[1].split(f"\nEND ANSWER {which}")[0]
        for which in "AB"
    )


def longer_wins(body: dict, _number: int) -> Answer:
    first, second = shown(body)
    if len(first) == len(second):
        return says("They are alike.\nVerdict: tie")
    return says(f"Because.\nVerdict: {'A' if len(first) > len(second) else 'B'}")
