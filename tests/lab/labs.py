"""Small labs, and what the tests of them share."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from rlhf_lab import Lab, PPOConfig, RewardConfig
from rlhf_lab.types import LoraSpec, Sampling

SAMPLING = Sampling(temperature=0.9, max_new_tokens=10)
LORA = LoraSpec(rank=4, alpha=8)
TRAIN = [
    f"Tell me about {thing}."
    for thing in ["tea", "rain", "bread", "ships", "stones", "music", "bees", "clay"]
]
HELDOUT = [f"What is {thing}?" for thing in ["snow", "milk", "rust", "wind"]]
# Rows of the tables of items and leases, and of what numbers them.
HANDED_OUT = re.compile(
    r"""INSERT INTO "((items|assignments)"|sqlite_sequence" VALUES\('(items|assignments)'|"""
    r"""settings" VALUES\('offered)"""
)
PPO = PPOConfig(prompts_per_step=2, responses_per_prompt=2, sampling=SAMPLING, minibatches=2)
REWARD = RewardConfig(epochs=2, learning_rate=1e-2, replay=1.0)


def open_lab(path: Path, folder: Path | str, **changes) -> Lab:
    settings = {
        "model": str(folder),
        "quantize": "none",
        "lora": LORA,
        "sampling": SAMPLING,
        "progress": False,
        **changes,
    }
    return Lab(path, **settings)


def teach(lab: Lab) -> Lab:
    """Everything up to the first reward model."""
    lab.add_prompts(TRAIN, split="train")
    lab.add_prompts(HELDOUT, split="heldout")
    lab.generate(k=3, prompts=6, heldout=0.34)
    lab.annotate()
    lab.update_reward(REWARD)
    return lab


def tell(lab: Lab) -> tuple:
    """What was said and judged, without times."""
    responses = [(r.id, r.text, r.token_ids, r.version) for r in lab.store.responses()]
    judgments = [(j.id, j.shown_order, j.ranking, j.annotator) for j in lab.store.judgments()]
    return responses, judgments


def contents(path: Path) -> tuple[list[str], dict[str, str]]:
    """Everything a lab holds on disk: its database as SQL, and the digest of every checkpoint file.

    Equal before and after means that nothing was half done. Left out is who was handed which item
    to look at, which asking for one changes and nothing was said by.
    """
    with closing(sqlite3.connect(path / "lab.sqlite")) as database:
        rows = [row for row in database.iterdump() if not HANDED_OUT.match(row)]
    files = sorted(f for f in (path / "checkpoints").rglob("*") if f.is_file())
    digests = {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    return rows, digests


class Notes:
    """A listener that writes down what it is told."""

    def __init__(self):
        self.told: list[tuple] = []

    def started(self, *, done, total):
        self.told.append(("started", done, total))

    def phase(self, name):
        self.told.append(("phase", name))

    def add(self, step, figures, *, done=None):
        self.told.append(("add", step, done, dict(figures)))

    def alarm(self, step, alarm):
        self.told.append(("alarm", step, alarm))

    def show(self, samples):
        self.told.append(("show", samples))

    def ended(self, status, text):
        self.told.append(("ended", status, text))

    def named(self, *names: str) -> list[tuple]:
        return [entry for entry in self.told if entry[0] in names]
