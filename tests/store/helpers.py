"""Small values for tests of the store."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, Response, Sampling

ROOT = str(Path(__file__).parents[2])
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def prompt(text: str, **changes) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), **changes)


def response(to: Prompt, number: int, **changes) -> Response:
    values = {
        "id": f"{to.text}-{number}",
        "prompt_id": to.id,
        "text": f"answer {number}",
        "token_ids": (number, number + 1),
        "version": "policy@0",
        "sampling": Sampling(temperature=0.7, seed=3),
        "seed": 2**70 + number,
        "end_reason": "stop",
        "created_at": NOON + timedelta(seconds=number),
    }
    return Response(**{**values, **changes})


def ranking(
    submission: str, to: Prompt, *, annotator: str = "ann", best: int = 0, **changes
) -> Judgment:
    other = 1 - best
    values = {
        "id": submission,
        "prompt_id": to.id,
        "annotator": annotator,
        "shown_order": (f"{to.text}-1", f"{to.text}-0"),
        "ranking": Ranking(tiers=((f"{to.text}-{best}",), (f"{to.text}-{other}",))),
        "seconds": 2.5,
        "created_at": NOON,
    }
    return Judgment(**{**values, **changes})


def skip(submission: str, to: Prompt, *, annotator: str = "ann", **changes) -> Judgment:
    return Judgment(
        id=submission, prompt_id=to.id, annotator=annotator, kind="skip", created_at=NOON, **changes
    )


def undo(submission: str, of: Judgment, *, annotator: str = "ann") -> Judgment:
    return Judgment(
        id=submission,
        prompt_id=of.prompt_id,
        annotator=annotator,
        kind="undo",
        supersedes=of.id,
        created_at=NOON,
    )


def fill(store: PreferenceStore, *texts: str, responses: int = 2) -> list[Prompt]:
    prompts = [prompt(text) for text in texts]
    store.add_prompts(prompts)
    store.add_responses(response(p, n) for p in prompts for n in range(responses))
    return prompts


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
