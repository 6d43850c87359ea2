"""One name, other numbers: a lab belongs to the weights it was made with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import LabMismatch
from rlhf_lab.testing import tiny_model
from tests.lab.labs import PPO, REWARD, SAMPLING, TRAIN, contents, open_lab


@pytest.fixture
def folder(tmp_path: Path, tiny_folder: Path) -> Path:
    """A model folder that a test may write into."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def reopened(path: Path) -> Lab:
    return Lab(path, sampling=SAMPLING, progress=False)


def test_other_weights_under_the_same_name_are_refused_before_anything_happens(
    path: Path, folder: Path
):
    with open_lab(path, folder) as lab:
        lab.add_prompts(TRAIN, split="train")
        lab.generate(k=2, prompts=2)
        lab.annotate()
        made = lab.store.get_setting("identity")["weights"]
        before = contents(path)
    tiny_model(folder, seed=1)
    with reopened(path) as lab:
        for work in (
            lab.generate,
            lambda: lab.update_reward(REWARD),
            lambda: lab.ppo(config=PPO),
            lab.certify,
            lambda: lab.export(path.parent / "out"),
        ):
            with pytest.raises(LabMismatch) as caught:
                work()
        message = str(caught.value)
        assert (
            f"{path} was made with weights of {str(folder)!r} whose fingerprint is {made}"
            in message
        )
        assert "adapters fit only the numbers they were trained on" in message
        assert "Put the former files back" in message
        assert "or choose a new directory" in message
        # What needs no model still works.
        assert lab.queue("other").next_item()
    assert contents(path) == before
    # With the former files it goes on.
    tiny_model(folder, seed=0)
    with reopened(path) as lab:
        assert lab.generate(k=2, prompts=2).new == 0


def test_a_lab_of_an_older_release_takes_on_the_weights_it_is_given(path: Path, folder: Path):
    with open_lab(path, folder) as lab:
        lab.add_prompts(TRAIN, split="train")
        lab.generate(k=2, prompts=1)
        made = lab.store.get_setting("identity")
        lab.store.set_setting("identity", {k: v for k, v in made.items() if k != "weights"})
    with reopened(path) as lab:
        assert lab.generate(k=2, prompts=1).new == 0
        assert lab.store.get_setting("identity") == made
    tiny_model(folder, seed=1)
    with reopened(path) as lab, pytest.raises(LabMismatch, match="fingerprint"):
        lab.generate()


def test_before_the_first_version_nothing_depends_on_the_weights(path: Path, folder: Path):
    with open_lab(path, folder) as lab:
        made = lab.store.get_setting("identity")
        lab.store.set_setting("identity", {**made, "weights": "0123456789abcdef"})
    with reopened(path) as lab:
        lab.add_prompts(TRAIN)
        assert lab.generate(k=2, prompts=1).new == 2
        assert lab.store.get_setting("identity")["weights"] == lab.model.base.weights


def test_4_bits_and_plain_weights_are_of_the_same_numbers(tmp_path: Path, folder: Path):
    found = []
    for quantize in ("nf4", "none"):
        with open_lab(tmp_path / quantize, folder, quantize=quantize) as lab:
            assert lab.model
            found.append(lab.store.get_setting("identity")["weights"])
    assert found[0] == found[1]
