"""The sides that need no peer's package, in this process, on the tiny model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import generate, gpu, memory, ppo, reward
from benchmarks.process import ROOT

# The peers are used as their users do, remarks of their libraries included.
pytestmark = pytest.mark.filterwarnings("ignore")

SMALL_LLAMA = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
}
ROWS = {"prompts": 2, "responses": 2, "prompt_tokens": 16, "new_tokens": 4, "steps": 1}


def test_our_ppo_takes_every_optimizer_step(tiny_folder: Path):
    found = ppo.ours(
        model=str(tiny_folder), prompts=["Tea?", "Why?"], responses=2, new_tokens=4, updates=2
    )
    assert found.details["optimizer_steps"] == ppo.EPOCHS
    assert found.seconds > 0


def test_our_reward_side_counts_the_pairs_it_learned_from(tiny_folder: Path):
    found = reward.ours(model=str(tiny_folder), data=None, heldout=2, seed=0, passes=2)
    assert found.details["pairs"] == 2 * 4 * 5
    assert list(map(len, found.details["right"].values())) == [5, 5]


def test_both_sides_of_generation_sample_every_token(tiny_folder: Path):
    work = {"model": str(tiny_folder), "prompts": ["Tea?", "Why is it so?"], "new_tokens": 20}
    assert generate.ours(**work).details["tokens"] == 40
    assert generate.peer(**work).details["tokens"] == 40


def test_shared_roles_weigh_less_than_separate_models(tiny_folder: Path):
    work = {"model": str(tiny_folder), "rows": 2, "tokens": 16}
    shared = memory.shared_roles(**work).details["weights_mb"]
    assert shared < memory.separate_models(**work, quantized=True).details["weights_mb"]


def test_chunked_and_naive_logprobs_agree(tmp_path: Path):
    size = {"tokens": 300, "dim": 16, "vocabulary": 999}
    sides = [
        side(**size, out=str(tmp_path / f"{name}.npz"))
        for name, side in (("ours", memory.chunked), ("peer", memory.naive))
    ]
    found = memory.largest_difference(tmp_path, *sides)
    assert 0 <= found["difference"] <= 1e-5
    assert 0 <= found["gradient_difference"] <= 1e-5


def test_random_llama_takes_ppo_steps():
    found = gpu.ours(shape=SMALL_LLAMA, device="cpu", micro_batch=64, **ROWS)
    assert found.details["tokens"] == pytest.approx(4 * 20, abs=4 * 4)
    assert found.seconds > 0


@pytest.mark.parametrize("checkpointing", [True, False])
def test_random_llama_takes_supervised_steps(checkpointing):
    found = gpu.peer(shape=SMALL_LLAMA, device="cpu", checkpointing=checkpointing, **ROWS)
    assert found.details["tokens"] == 4 * 20


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_gpu_benchmark_says_that_it_needs_a_gpu(capsys):
    assert gpu.main([]) == 2
    assert "needs a CUDA device" in capsys.readouterr().err


def test_quick_run_of_a_whole_command_ends_with_its_json_line(tiny_folder: Path):
    command = [sys.executable, "-m", "benchmarks.generate", "--quick", "--threads", "1"]
    done = subprocess.run(
        [*command, "--model", str(tiny_folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["quick"] is True
    assert last["settings"]["model"] == tiny_folder.name
    (row,) = last["workloads"]
    assert row["ours_tokens"] == row["peer_tokens"] == 2 * 4
