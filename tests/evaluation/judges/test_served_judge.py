"""The chat judge against the server that comes with transformers, and the embedded model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.evaluation.judges import ChatJudge, JudgeTemplate
from tests.evaluation.judges.endpoints import answers, prompt

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("openai")

LONGEST_START = 180
# A short question: the model has 135 million parameters, and the machine perhaps two cores.
TEMPLATE = JudgeTemplate(
    system="",
    user="Which answer is better? $fence\n$prompt\n$fence\nA: $first\n$fence\nB: $second\n$fence\n"
    "Reply with exactly one line: Verdict: A or Verdict: B",
    again="Reply with exactly one line: Verdict: A or Verdict: B",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address, and the name of the model it serves."""
    import httpx2

    from rlhf_lab.models.sources import resolve_model

    folder = str(resolve_model())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [Path(sys.executable).parent / "transformers", "serve", folder]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with log.open("w") as told:
        process = subprocess.Popen(
            [*command, *options],
            stdout=told,
            stderr=told,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    try:
        until = time.monotonic() + LONGEST_START
        while True:
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, log.read_text()[-2000:]
            try:
                if httpx2.get(f"http://127.0.0.1:{port}/health", timeout=5).is_success:
                    break
            except httpx2.TransportError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", folder
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.model
@pytest.mark.slow
def test_a_real_server_judges_pairs_in_both_orders_once(server, tmp_path):
    url, model = server
    settings = {
        "template": TEMPLATE,
        "max_tokens": 8,
        "timeout": 600.0,
        "attempts": 2,
        "concurrency": 1,
        "cache": tmp_path / "replies.sqlite",
        "price_in": 1.0,
        "price_out": 2.0,
        "progress": False,
        "name": "embedded",
    }
    asked = [prompt("What is 2 + 2?"), prompt("Name a colour.")]
    items = [
        (asked[0], answers(asked[0], "4", "Perhaps a banana.")),
        (asked[1], answers(asked[1], "Blue.", "I will not.")),
    ]
    judge = ChatJudge(url, model, **settings)
    rankings = judge.rank_many(items)
    report = judge.report()
    assert [sorted(r.response_ids) for r in rankings] == [["r0", "r1"]] * 2
    assert report.pairs == report.prompts == 2
    # Four questions, and one more for each reply without a verdict that was not the last try.
    assert 4 <= report.requests == report.asked <= 8
    assert report.retries == report.estimated == 0
    assert 4 * 30 < report.input_tokens < 8 * 400
    assert 0 < report.output_tokens <= 8 * report.asked
    assert report.cost == pytest.approx((report.input_tokens + 2 * report.output_tokens) / 1e6)
    outcomes = (
        report.same_answer
        + report.both_tie
        + report.half_tie
        + report.first_place
        + report.second_place
        + report.unread
    )
    assert outcomes == report.pairs
    assert (report.consistent is None) == (report.unread == 2)

    again = ChatJudge(url, model, **settings)
    assert again.rank_many(items) == rankings
    assert again.report().requests == 0
    assert again.report().cached == report.asked
