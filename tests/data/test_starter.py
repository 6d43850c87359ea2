"""The starter prompts: size, mix, lengths and a clean split."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from importlib import resources
from itertools import combinations

import pytest

from rlhf_lab.data import load_prompts
from rlhf_lab.errors import ConfigError
from rlhf_lab.types import Prompt

MIX = {"question": 0.45, "instruction": 0.35, "summarise": 0.15, "decline": 0.05}
SPLITS = ("train", "heldout")
# Words that say nothing about the topic of a prompt.
STOPWORD_TEXT = (
    "a an and are as at be by can do does for from how i if in into is it its me my of on or "
    "so that the this to was what when which who why with you your"
)
STOPWORDS = frozenset(re.findall(r"[a-z]+", STOPWORD_TEXT))


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    """The whole set."""
    return load_prompts()


def of_split(prompts: list[Prompt], split: str) -> list[Prompt]:
    """The prompts of one split, in order."""
    return [p for p in prompts if p.split == split]


def tokens(text: str) -> frozenset[str]:
    """Lower-case words."""
    return frozenset(re.findall(r"[a-z0-9']+", text.lower()))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words over all words."""
    return len(a & b) / len(a | b) if a | b else 0.0


def test_counts(prompts: list[Prompt]) -> None:
    """Enough prompts in both splits."""
    assert len(prompts) >= 288
    assert len(of_split(prompts, "train")) >= 192
    assert len(of_split(prompts, "heldout")) >= 96


def test_train_comes_first(prompts: list[Prompt]) -> None:
    """The documented order."""
    splits = [p.split for p in prompts]
    assert splits == sorted(splits, key=SPLITS.index)


def test_ids_are_unique_and_splits_disjoint(prompts: list[Prompt]) -> None:
    """No prompt occurs twice, in one split or across both."""
    assert len({p.id for p in prompts}) == len(prompts)
    train = {p.text.casefold() for p in of_split(prompts, "train")}
    heldout = {p.text.casefold() for p in of_split(prompts, "heldout")}
    assert not train & heldout


def test_every_line_is_a_prompt(prompts: list[Prompt]) -> None:
    """Exactly the documented keys in the file, and clean values in the prompts."""
    path = resources.files("rlhf_lab.data").joinpath("starter.jsonl")
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert len(lines) == len(prompts)
    for line, prompt in zip(lines, prompts, strict=True):
        row = json.loads(line)
        assert set(row) == {"prompt", "split", "tags"}
        assert isinstance(prompt, Prompt)
        assert prompt.text == row["prompt"] == row["prompt"].strip()
        assert prompt.split in SPLITS
        assert prompt.source == "starter"
        assert len(prompt.tags) == 1
        assert prompt.tags[0] in MIX


@pytest.mark.parametrize("split", SPLITS)
def test_tag_mix(prompts: list[Prompt], split: str) -> None:
    """Both splits have the same mix, and so do their first 64 prompts."""
    chosen = of_split(prompts, split)
    for part, tolerance in ((chosen, 0.03), (chosen[:64], 0.05)):
        counts = Counter(p.tags[0] for p in part)
        for tag, share in MIX.items():
            assert counts[tag] >= 1
            assert counts[tag] / len(part) == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize("split", SPLITS)
def test_tags_are_interleaved(prompts: list[Prompt], split: str) -> None:
    """Any 20 of the first 64 prompts in a row hold several tags, and no tag runs on."""
    tags = [p.tags[0] for p in of_split(prompts, split)[:64]]
    assert all(len(set(tags[i : i + 20])) == len(MIX) for i in range(len(tags) - 19))
    assert all(len(set(tags[i : i + 3])) > 1 for i in range(len(tags) - 2))


def test_lengths(prompts: list[Prompt]) -> None:
    """Short prompts; texts to summarise follow their instruction after a blank line."""
    for prompt in prompts:
        words = len(prompt.text.split())
        if prompt.tags == ("summarise",):
            _, text = prompt.text.split("\n\n")
            assert 30 <= len(text.split()) <= 60, prompt.text
            assert words <= 75, prompt.text
        else:
            assert 4 <= words <= 25, prompt.text


def test_no_near_duplicates(prompts: list[Prompt]) -> None:
    """No two prompts share most of their words, across the splits or within one."""
    bags = [(p.text, tokens(p.text)) for p in prompts]
    for (text_a, a), (text_b, b) in combinations(bags, 2):
        assert jaccard(a, b) < 0.7, (text_a, text_b)


def test_splits_have_their_own_topics(prompts: list[Prompt]) -> None:
    """Across the splits, prompts also differ in the words that carry the topic."""
    heldout = [(p.text, tokens(p.text) - STOPWORDS) for p in of_split(prompts, "heldout")]
    for prompt in of_split(prompts, "train"):
        words = tokens(prompt.text) - STOPWORDS
        for text, other in heldout:
            assert jaccard(words, other) < 0.5, (prompt.text, text)


def test_unknown_name_lists_the_known_ones() -> None:
    """The error says which sets exist."""
    with pytest.raises(ConfigError, match=r"'nope'.*'starter'"):
        load_prompts("nope")


def test_loading_needs_no_torch() -> None:
    """Reading prompts stays light."""
    code = (
        "import sys; from rlhf_lab.data import load_prompts; load_prompts(); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
