"""Files that come and go over HTTP: to and from a real server, and back again."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from rlhf_lab.dashboard import received
from rlhf_lab.dashboard.access import Role
from rlhf_lab.dashboard.web.upload import MOST_BYTES
from rlhf_lab.errors import ImportFileError
from rlhf_lab.lab import Lab
from rlhf_lab.store.exchange.formats import FORMATS
from tests.dashboard.helpers import PASSWORD, Client, Served, served
from tests.dashboard.waiting import until

MIB = 2**20
PAIR = {"prompt": "Why is the sky blue?", "chosen": "It scatters.", "rejected": "It is not."}
People = dict[Role, Client]


def rows(*each: dict) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in each)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose lab these tests fill."""
    folder = tmp_path_factory.mktemp("files") / "lab"
    with Lab(folder, progress=False) as lab:
        lab.add_prompts(["tea"])
    with served(folder, "--no-worker") as running:
        yield running


@pytest.fixture(scope="module")
def people(place: Served) -> People:
    """Somebody of each role, with the token that forms repeat."""
    accounts = place.accounts
    admin = accounts.redeem(accounts.invite_admin(), PASSWORD, name="Root")
    found: People = {"admin": place.signed_in(admin)}
    for role in ("annotator", "researcher"):
        token = accounts.invite(f"some {role}", role, admin.name)
        found[role] = place.signed_in(accounts.redeem(token, PASSWORD))
    return found


@pytest.fixture
def researcher(people: People) -> Client:
    return people["researcher"]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = temporary()
    yield
    until(lambda: temporary() <= before)


def temporary() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("rlhf-lab-[eu]*"))


def headers(client: Client, **more: str) -> dict[str, str]:
    if "_xsrf" not in client.cookies:
        client.get("/account")
        client.get("/login")
    return {
        "Origin": client.served.url,
        "Cookie": client.cookie_header(),
        "X-XSRFToken": client.cookies.get("_xsrf", ""),
        "Accept": "application/json",
        **more,
    }


def upload(client: Client, body: object, name: str = "pairs.jsonl", **asked: str):
    return client.post(
        "/upload", params={"name": name, **asked}, data=body, headers=headers(client)
    )


def is_well(place: Served) -> bool:
    return place.stranger().get("/healthz").json()["status"] == "ok"


# -- importing


def test_a_file_is_imported_once_and_its_sender_is_told_what_came_of_it(place, researcher):
    before = place.store.counts()
    told = upload(researcher, rows(PAIR, {**PAIR, "prompt": "And at night?"}), split="train")
    assert told.status_code == 200
    assert told.headers["Content-Type"].startswith("application/json")
    assert told.headers["X-Content-Type-Options"] == "nosniff"
    assert told.json() == {
        "summary": "pairs.jsonl (trl-text): 2 rows; new: 2 prompts, 4 responses, 2 judgments",
        "rows": 2,
        "formats": ["trl-text"],
        "new": {"prompts": 2, "responses": 4, "judgments": 2, "demonstrations": 0},
        "known": {"prompts": 0, "responses": 0, "judgments": 0, "demonstrations": 0},
        "rejections": 0,
        "rejected": [],
    }
    after = place.store.counts()
    assert (after.prompts, after.rankings) == (before.prompts + 2, before.rankings + 2)
    again = upload(researcher, rows(PAIR, {**PAIR, "prompt": "And at night?"})).json()
    assert (again["new"]["judgments"], again["known"]["judgments"]) == (0, 2)
    assert place.store.counts() == after


def test_what_is_asked_for_is_done(place, researcher):
    asked = {"format": "trl-text", "split": "heldout", "annotator": "Ada"}
    assert upload(researcher, rows({**PAIR, "prompt": "Held?"}), **asked).status_code == 200
    (judgment,) = place.store.judgments(annotator="Ada")
    (asked_about,) = [p for p in place.store.prompts(split="heldout") if p.text == "Held?"]
    assert judgment.prompt_id == asked_about.id
    assert asked_about.source == "pairs.jsonl"


def test_bad_rows_are_named_and_nothing_is_stored(place, researcher):
    before = place.store.counts()
    body = rows({**PAIR, "prompt": "Good?"}, {**PAIR, "chosen": 3})
    told = upload(researcher, body)
    assert told.status_code == 400
    assert told.json()["rejections"] == 1
    (bad,) = told.json()["rejected"]
    assert (bad["line"], bad["field"]) == (2, "chosen")
    assert "Nothing was stored" in told.json()["error"]
    assert place.store.counts() == before
    told = upload(researcher, body, skip_bad="1")
    assert (told.status_code, told.json()["new"]["judgments"]) == (200, 1)


def test_who_may_not_import_does_not(place, people):
    before = place.store.counts()
    told = upload(people["annotator"], rows({**PAIR, "prompt": "Mine?"}))
    assert told.status_code == 403
    assert "researcher" in told.json()["error"]
    assert upload(place.stranger(), rows(PAIR)).status_code == 401
    assert place.store.counts() == before


def test_what_a_page_of_another_site_sends_is_refused(place, people, researcher):
    before = place.store.counts()
    body, asked = rows({**PAIR, "prompt": "Forged?"}), {"name": "pairs.jsonl"}
    good = headers(researcher)
    for bad in ({"X-XSRFToken": ""}, {"X-XSRFToken": "2|1|2|3"}, {"Origin": "http://evil.example"}):
        told = researcher.post("/upload", params=asked, data=body, headers={**good, **bad})
        assert told.status_code == 403, bad
    assert place.store.counts() == before


TRICKS = [
    "../../../../tmp/evil.jsonl",
    "/etc/evil.jsonl",
    "..\\..\\evil.jsonl",
    "C:\\evil.jsonl",
    "%2e%2e%2fevil.jsonl",
    "a/../evil.jsonl",
    "evil.jsonl\x00.png.jsonl",
    "\r\nSet-Cookie: evil=1\r\n.jsonl",
    "<img src=x onerror=alert(1)>.jsonl",
    "{{7*7}}.jsonl",
    ".jsonl",
    "x" * 5000 + ".jsonl",
    "\u202egpj.jsonl",
]


@pytest.mark.parametrize("name", TRICKS, ids=range(len(TRICKS)))
def test_a_name_is_words_and_never_a_path(place, researcher, name):
    told = upload(researcher, rows(PAIR), name)
    assert told.status_code == 200
    assert "evil" not in told.headers.get("Set-Cookie", "")
    called = told.json()["summary"].partition(" (trl-text)")[0]
    assert called.endswith(".jsonl")
    assert len(called) <= 200
    assert called.isprintable()
    assert "/" not in called
    assert not list(place.lab.parent.rglob("*evil*"))
    assert not Path("/etc/evil.jsonl").exists()


@pytest.mark.parametrize("name", ["", "x", "x.exe", "x.jsonl.exe", "..", "lab.sqlite"])
def test_other_kinds_of_files_are_refused(researcher, name):
    told = upload(researcher, rows(PAIR), name)
    assert told.status_code == 400
    assert "only .jsonl" in told.json()["error"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x.jsonl", b""),
        ("x.jsonl", b"\x00\xff" * 1000),
        ("x.json", b"[" * 100_000),
        ("x.jsonl.gz", b"\x1f\x8b broken"),
        ("x.jsonl.gz", gzip.compress(rows(PAIR))[:-9]),
        ("x.parquet", b"PAR1 broken PAR1"),
        ("x.csv", b'prompt,chosen\n"open'),
    ],
    ids=range(7),
)
def test_broken_files_are_refused_by_their_own_name(place, researcher, name, body):
    told = upload(researcher, body, name)
    assert told.status_code == 400
    assert name in told.json()["error"]
    assert "rlhf-lab-upload" not in told.text
    assert is_well(place)


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"],
)
def test_a_form_is_no_file(place, researcher, kind):
    before = place.store.counts()
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="../a"\r\n\r\n{}\r\n--x'
    told = researcher.post(
        "/upload?name=x.jsonl", data=body, headers=headers(researcher, **{"Content-Type": kind})
    )
    assert told.status_code == 400
    assert place.store.counts() == before
    assert is_well(place)


def test_a_few_bytes_do_not_unpack_to_all_of_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(received, "MOST_UNPACKED", 5 * MIB)
    bomb = tmp_path / "x.jsonl.gz"
    bomb.write_bytes(gzip.compress(bytes(50 * MIB), 1))
    too_much = pytest.raises(ImportFileError, match=r"bomb.gz: holds more than 5 MiB once it is un")
    with Lab(tmp_path / "lab", progress=False) as lab, too_much:
        received.import_received(lab.store, bomb, "bomb.gz", {"skip_bad": False})


def test_200_megabytes_are_refused_before_they_are_sent(place, researcher):
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
    connection.putrequest("POST", "/upload?name=big.jsonl")
    for name, value in headers(researcher).items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(200 * MIB))
    connection.endheaders()
    answer = connection.getresponse()  # not a byte of the body was sent
    told = json.loads(answer.read())
    connection.close()
    assert answer.status == 413
    assert "big.jsonl: more than 64 MiB" in told["error"]
    assert "rlhf-lab import DIRECTORY FILE" in told["error"]


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_200_megabytes_that_are_sent_all_the_same_cost_no_memory(place, researcher, announced):
    process = psutil.Process(place.process.pid)
    before, most, stop = process.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            most[0] = max(most[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        told = send(researcher, 200 * MIB, announced)
    finally:
        stop.set()
        watching.join()
    assert told is None or told.status_code == 413
    assert most[0] - before < 24 * MIB
    assert is_well(place)


class Zeros:
    """A file that is read as it is sent; with a length, which is then announced, or without."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, most: int = MIB) -> bytes:
        piece = bytes(min(most, self.left))
        self.left -= len(piece)
        return piece


class CountedZeros(Zeros):
    def __len__(self) -> int:
        return self.left


def send(client: Client, size: int, announced: bool) -> requests.Response | None:
    """Send it whatever the server says; None if it hung up."""
    body = CountedZeros(size) if announced else iter(Zeros(size).read, b"")
    try:
        return client.post("/upload?name=big.jsonl", data=body, headers=headers(client))
    except requests.ConnectionError:
        return None


def test_just_within_the_limit_is_taken(place, researcher):
    blank = rows({**PAIR, "prompt": "Blank?"}) + b" " * (MIB - 200)
    lines = [blank, *[b" " * MIB] * (MOST_BYTES // MIB - 2)]
    told = upload(researcher, iter(lines), "blank.jsonl")
    assert (told.status_code, told.json()["rows"]) == (200, 1)


def test_a_file_that_breaks_off_leaves_nothing(place, researcher):
    before = place.store.counts()
    lines = [f"{n}: {v}" for n, v in headers(researcher).items()]
    head = "\r\n".join(["POST /upload?name=x.jsonl HTTP/1.1", f"Host: 127.0.0.1:{place.port}"])
    with socket.create_connection(("127.0.0.1", place.port)) as connection:
        request = f"{head}\r\nContent-Length: 9000\r\n" + "\r\n".join(lines) + "\r\n\r\n"
        connection.sendall(request.encode() + rows(PAIR))
        until(lambda: bool(temporary()))
    assert is_well(place)
    assert place.store.counts() == before


# -- exporting


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "csv", "parquet"])
def test_what_is_exported_can_be_imported_again(place, researcher, tmp_path, kind):
    upload(researcher, rows(PAIR))
    answer = researcher.get("/download", params={"format": "kwise", "kind": kind})
    assert answer.status_code == 200
    name = f"judgments-kwise.{kind}"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (tmp_path / name).write_bytes(answer.content)
    with Lab(tmp_path / "lab", progress=False) as lab:
        lab.import_(tmp_path / name)
        assert lab.store.counts().rankings == place.store.counts().rankings


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_format_is_downloaded_or_said_to_have_nothing_in_it(researcher, form):
    asked = {"what": form.what, "format": form.name}
    answer = researcher.get("/download", params=asked, headers={"Accept": "text/plain"})
    if form.what == "demonstrations":
        assert (answer.status_code, answer.text.startswith("no demonstrations")) == (400, True)
    else:
        name = f"{form.what}-{form.name}.jsonl"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("name", ["what", "format", "kind", "split", "ties"])
@pytest.mark.parametrize(
    "value", ["../../etc/passwd", "/etc/passwd", "policy", "..", "x\r\nSet-Cookie: a=b", "<b>"]
)
def test_words_that_are_not_known_are_refused_in_words(researcher, name, value):
    asked = {"what": "judgments", name: value}
    answer = researcher.get("/download", params=asked, headers={"Accept": "text/plain"})
    assert answer.status_code == 400
    assert f"{name}=" in answer.text
    assert "use " in answer.text or "are written as" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_people_see_the_words_on_a_page_that_escapes_them(researcher):
    answer = researcher.get("/download", params={"what": "<script>alert(1)</script>"})
    assert answer.status_code == 400
    assert "&lt;script&gt;" in answer.text
    assert "<script>alert" not in answer.text


def test_who_may_not_export_does_not(place, people):
    answer = people["annotator"].get("/download")
    assert answer.status_code == 403
    assert "Content-Disposition" not in answer.headers
    stranger = place.stranger().get("/download")
    assert stranger.status_code == 302
    assert stranger.headers["Location"].startswith("/login")
    assert place.stranger().get("/download", headers={"Accept": "*/*"}).status_code == 401


def test_who_goes_away_in_the_middle_leaves_nothing(place, researcher):
    answer = researcher.get("/download", params={"format": "kwise"}, stream=True)
    next(answer.iter_content(1))
    answer.close()
    assert is_well(place)


# -- meanwhile


def test_others_are_answered_while_a_file_is_imported(place, researcher):
    body = rows(*({**PAIR, "prompt": f"Number {n}?"} for n in range(300)))
    answers: list[int] = []
    done = threading.Event()

    def ask() -> None:
        client = place.stranger()
        while not done.is_set():
            answers.append(client.get("/login").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    told = upload(researcher, body)
    done.set()
    asking.join()
    assert told.json()["new"]["judgments"] == 300
    assert set(answers) == {200}
    assert len(answers) > 3
