"""Rankings of several responses to each prompt, in the tokens that both sides learn from."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILE = "rankings_k4.jsonl.gz"


class Ranked(NamedTuple):
    """One ranking in tokens; rank 1 is best, equal ranks are ties."""

    prompt: list[int]
    candidates: list[list[int]]
    ranks: list[int]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(better, worse) numbers of every pair that is no tie."""
        places = range(len(self.ranks))
        return [(b, w) for b in places for w in places if self.ranks[b] < self.ranks[w]]


class Split(NamedTuple):
    """Rankings to learn from, and those of other prompts to be measured on."""

    train: list[Ranked]
    heldout: list[Ranked]


def load_split(
    data: str | None,
    tokenizer: PreTrainedTokenizerBase,
    *,
    heldout: int,
    seed: int,
    limit: int | None = None,
) -> Split:
    """Read, encode and split by prompt; another seed holds out other prompts.

    Args:
        data: Folder of the file; None for a few made-up rankings.
        tokenizer: With a chat template.
        heldout: How many prompts.
        seed: Of the shuffle.
        limit: Rankings to use, the first of the file; default: all.

    Raises:
        SystemExit: no such file.
    """
    rows = (made_up_rows() if data is None else read_rows(Path(data)))[:limit]
    found = [ranked for row in rows if (ranked := _encode(row, tokenizer)).pairs]
    random.Random(seed).shuffle(found)
    return Split(found[heldout:], found[:heldout])


def read_rows(folder: Path) -> list[dict[str, Any]]:
    file = folder / FILE
    if not file.is_file():
        raise SystemExit(
            f"{file} is missing: name the folder that holds {FILE} with --data. Each line is a "
            'JSON object with "prompt", "responses" (each with a "text") and "ranking" (tiers of '
            "response numbers, best first)."
        )
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def made_up_rows() -> list[dict[str, Any]]:
    """Longer is better; two of the four are a tie."""
    answers = [{"text": text} for text in ("Yes.", "Oh yes.", "Oh yes!", "Oh yes, please do.")]
    return [
        {"prompt": f"More {what}?", "responses": answers, "ranking": [[3], [1, 2], [0]]}
        for what in ("tea", "bread", "salt", "rain", "wine", "time")
    ]


def _encode(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> Ranked:
    prompt: Any = tokenizer.apply_chat_template(
        [{"role": "user", "content": row["prompt"]}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
    )
    candidates: Sequence[list[int]] = [
        [*tokenizer.encode(r["text"], add_special_tokens=False), tokenizer.eos_token_id]
        for r in row["responses"]
    ]
    ranks = {n: tier for tier, tied in enumerate(row["ranking"], start=1) for n in tied}
    return Ranked(list(prompt), list(candidates), [ranks[n] for n in range(len(candidates))])
