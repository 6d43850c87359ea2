"""Checkpoints that are not what was written, and labs that other hands have changed.

Whatever is asked of such a lab, it says which file is wrong and leaves the rest as it is.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from rlhf_lab import Lab
from rlhf_lab.errors import CheckpointError, LabMismatch
from tests.lab.labs import LORA, PPO, REWARD, SAMPLING, contents
from tests.tiny import same


@pytest.fixture(scope="module")
def grown_folder(tmp_path_factory: pytest.TempPathFactory, taught_folder: Path) -> Path:
    """A lab with policy@0, reward@0 and policy@1, and rankings that no reward has seen."""
    path = tmp_path_factory.mktemp("grown") / "lab"
    shutil.copytree(taught_folder, path)
    with reopened(path) as lab:
        lab.ppo(steps=1, config=PPO).run()
        lab.generate(k=2, prompts=4, heldout=0.25)
        lab.annotate()
    return path


@pytest.fixture
def grown(path: Path, grown_folder: Path) -> Path:
    shutil.copytree(grown_folder, path)
    return path


def reopened(path: Path) -> Lab:
    return Lab(path, sampling=SAMPLING, progress=False)


def checkpoint(path: Path, version: str) -> Path:
    return next((path / "checkpoints").glob(f"{version}*"))


def remove(file: Path) -> None:
    file.unlink()


def alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def rewrite(file: Path) -> None:
    """Sound, but not what was written: as somebody does who edits it."""
    if file.suffix == ".json":
        state = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps({**state, "steps_done": 0, "learned": []}), "utf-8")
    else:
        save_file({k: 2 * v for k, v in load_file(file).items()}, file)


USES = {
    "policy@1": {
        "generate": lambda lab: lab.generate(k=4),
        "ppo": lambda lab: lab.ppo(steps=1, config=PPO).run(),
        "update_reward": lambda lab: lab.update_reward(REWARD),
        "evaluate": lambda lab: lab.evaluate(prompts=2),
        "export": lambda lab: lab.export(lab.path.parent / "out"),
        "checkout": lambda lab: lab.checkout("policy@1"),
    },
    "policy@0": {
        "evaluate": lambda lab: lab.evaluate(prompts=2),
        "undo": lambda lab: lab.undo(),
        "checkout": lambda lab: lab.checkout("policy@0"),
    },
    "reward@0": {
        "ppo": lambda lab: lab.ppo(steps=1, config=PPO).run(),
        "update_reward": lambda lab: lab.update_reward(REWARD),
        "evaluate": lambda lab: lab.evaluate(prompts=2),
        "checkout": lambda lab: lab.checkout("reward@0"),
        "checkout of a policy that was trained with it": lambda lab: lab.checkout("policy@1"),
    },
}
DAMAGE = [
    (remove, "weights", "is missing"),
    (remove, "state.json", "is missing"),
    (alter, "weights", "SHA-256 differs"),
    (alter, "state.json", "SHA-256 differs"),
    (rewrite, "weights", "SHA-256 differs"),
    (rewrite, "state.json", "SHA-256 differs"),
]


@pytest.mark.parametrize(
    ("damage", "what", "says"), DAMAGE, ids=[f"{d.__name__} {w}" for d, w, _ in DAMAGE]
)
@pytest.mark.parametrize("version", USES)
def test_a_damaged_checkpoint_is_named_whatever_is_asked_and_nothing_changes(
    grown: Path, version: str, damage, what: str, says: str
):
    role = version.partition("@")[0]
    name = f"{role}.safetensors" if what == "weights" else what
    file = checkpoint(grown, version) / name
    damage(file)
    before = contents(grown)
    with reopened(grown) as lab:
        for use in USES[version].values():
            with pytest.raises(CheckpointError) as caught:
                use(lab)
            assert str(file) in str(caught.value)
            assert says in str(caught.value)
            assert "check out another version" in str(caught.value)
    assert contents(grown) == before


def test_another_version_can_be_checked_out_instead(grown: Path):
    alter(checkpoint(grown, "policy@1") / "policy.safetensors")
    with reopened(grown) as lab:
        assert lab.checkout("policy@0").name == "policy@0"
        assert lab.ppo(steps=1, config=PPO).run().version.parent == "policy@0"


def test_adapters_of_another_shape_than_the_lab_says_are_refused(grown: Path):
    """As when somebody writes another rank into the database."""
    with reopened(grown) as lab:
        made = lab.store.get_setting("identity")
        lab.store.set_setting("identity", {**made, "lora": {**made["lora"], "rank": LORA.rank * 2}})
    before = contents(grown)
    with reopened(grown) as lab:
        for use in (lab.generate, lab.ppo, lab.update_reward, lab.evaluate):
            with pytest.raises(
                LabMismatch, match=r"weights for 'policy' do not fit.*rank 8\. Open"
            ):
                use()
    assert contents(grown) == before


def test_adapters_copied_from_another_lab_are_refused(grown: Path, tmp_path: Path):
    """A whole checkpoint, sound in itself, but of a smaller adapter."""
    other = tmp_path / "other"
    identity = {}
    with reopened(grown) as lab:
        identity = lab.store.get_setting("identity")
        present = lab.model.state("policy")
    with Lab(other, model=identity["model"], quantize="none", progress=False) as lab:
        assert lab.model  # of rank 16
    for file in (other / "checkpoints" / "policy@0").iterdir():
        shutil.copy(file, checkpoint(grown, "policy@0") / file.name)
    before = contents(grown)
    with reopened(grown) as lab:
        assert lab.model
        with pytest.raises(LabMismatch, match=r"do not fit.*rank 4\. Open the lab"):
            lab.checkout("policy@0")
        assert lab.version == "policy@1"
        assert same(lab.model.state("policy"), present)
    assert contents(grown) == before
