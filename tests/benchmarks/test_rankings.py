import gzip
import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from benchmarks.figures import Comparison, Measured, SideFailed
from benchmarks.rankings import FILE, Ranked, load_split
from benchmarks.reward import by_prompt, over_seeds


@pytest.fixture(scope="module")
def tokenizer(tiny_folder: Path):
    return AutoTokenizer.from_pretrained(tiny_folder)


def test_pairs_leave_out_ties():
    ranked = Ranked([1], [[2], [3], [4], [5]], [2, 1, 2, 3])
    assert set(ranked.pairs) == {(1, 0), (1, 2), (1, 3), (0, 3), (2, 3)}


def test_split_is_by_prompt_and_another_seed_holds_out_others(tokenizer):
    splits = [load_split(None, tokenizer, heldout=2, seed=seed) for seed in (0, 0, 1)]
    for split in splits:
        assert (len(split.train), len(split.heldout)) == (4, 2)
        prompts = [tuple(r.prompt) for r in (*split.train, *split.heldout)]
        assert len(set(prompts)) == 6
    assert splits[0] == splits[1] != splits[2]


def test_file_is_read_with_end_tokens_and_ranks_in_the_order_of_the_responses(tokenizer, tmp_path):
    row = {
        "prompt": "Why?",
        "responses": [{"text": t} for t in ("a", "bb", "c")],
        "ranking": [[2], [0, 1]],
    }
    single_tie = row | {"ranking": [[0, 1, 2]]}
    with gzip.open(tmp_path / FILE, "wt") as out:
        out.write(json.dumps(row) + "\n" + json.dumps(single_tie) + "\n")
    (found,) = load_split(str(tmp_path), tokenizer, heldout=0, seed=0).train
    assert found.ranks == [2, 2, 1]
    assert [c[-1] for c in found.candidates] == [tokenizer.eos_token_id] * 3
    assert list(map(len, found.candidates)) == [2, 3, 2]


def test_missing_file_says_what_it_has_to_hold(tokenizer, tmp_path):
    with pytest.raises(SystemExit, match=r"is missing: name the folder.*\"ranking\""):
        load_split(str(tmp_path), tokenizer, heldout=0, seed=0)


def test_values_of_one_prompt_come_together_over_seeds():
    assert by_prompt([{"a": [1.0], "b": [0.0]}, {"a": [0.5]}]) == {"a": [1.0, 0.5], "b": [0.0]}


def seed(ours: list[float], peer: list[float]) -> Comparison:
    def side(seconds: float, right: list[float]) -> Measured:
        return Measured(seconds=seconds, peak_mb=1.0, details={"right": {"a": right}})

    return Comparison(workload="w", ours=side(1.0, ours), peer=side(4.0, peer))


def test_seeds_become_one_row_with_accuracies_and_their_difference():
    found = over_seeds([seed([1.0, 1.0], [1.0, 0.0]), seed([1.0, 0.0], [0.5, 0.5])], ())
    assert found.figures["ours_accuracy"] == 0.75
    assert found.figures["peer_accuracy"] == 0.5
    assert found.figures["accuracy_gain"] == 0.25
    assert found.figures["ours_accuracy_by_seed"] == [1.0, 0.5]
    assert found.figures["speedup"] == 4.0
    assert "ours_right" not in found.figures


def test_failed_seed_is_the_outcome():
    broken = Comparison(workload="w", ours=SideFailed(reason="no"), peer=SideFailed(reason="no"))
    assert over_seeds([seed([1.0], [1.0]), broken], ()) is broken
