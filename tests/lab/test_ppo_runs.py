"""Ending a PPO run, in every way there is."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import DiskFull, TrainingError
from rlhf_lab.training import PPOTrainer
from rlhf_lab.training.ppo_run import PPORun
from tests.lab.labs import PPO, REWARD, SAMPLING
from tests.tiny import same


def test_breaking_out_of_the_loop_makes_a_version(taught: Lab):
    run = taught.ppo(steps=5, config=PPO)
    for stats in run:
        if stats.step == 2:
            break
    assert run.version.name == taught.version == "policy@1"
    assert run.version.metrics["steps"] == 2
    assert repr(run) == "PPORun(2 of 5 steps, policy@1)"
    assert "<caption>policy@1</caption>" in run._repr_html_()


def test_a_loop_taken_up_again_makes_a_child(taught: Lab):
    run = taught.ppo(steps=3, config=PPO)
    for _ in run:
        break
    run.run()
    assert [s.step for s in run.history] == [1, 2, 3]
    assert taught.version == "policy@2"
    assert taught.store.version("policy@2").parent == "policy@1"
    stored = json.loads((taught.path / run.version.path / "state.json").read_text())
    assert stored["steps_done"] == 3


def _one_step(lab: Lab, steps: int = 2) -> PPORun:
    run = lab.ppo(steps=steps, config=PPO)
    for _ in run:
        break
    return run


def test_a_loop_taken_up_again_takes_its_own_weights_up_again(taught_folder: Path, tmp_path: Path):
    """Whatever other cells left in the roles, the second step is that of a run without a break."""
    states = []
    for disturbed in (False, True):
        folder = tmp_path / f"disturbed-{disturbed}"
        shutil.copytree(taught_folder, folder)
        with Lab(folder, sampling=SAMPLING, progress=False) as lab:
            run = _one_step(lab)
            if disturbed:
                tree, model = lab._bench.tree, lab.model
                model.load_state("policy", tree.load(tree.get("policy@0")).tensors["policy"])
                zeros = {name: 0 * t for name, t in model.state("reward").items()}
                model.load_state("reward", zeros)
            run.run()
            assert [s.step for s in run.history] == [1, 2]
            states.append(lab.model.state("policy"))
    assert same(*states)


def test_a_loop_is_not_taken_up_from_another_policy(taught: Lab):
    run = _one_step(taught)
    taught.checkout("policy@0")
    with pytest.raises(TrainingError, match=r"stopped at policy@1 and reward@0, and now policy@0"):
        run.run()
    assert len(run.history) == 1
    assert taught.version == "policy@0"
    taught.checkout("policy@1")
    run.run()
    assert [s.step for s in run.history] == [1, 2]
    assert taught.store.version("policy@2").parent == "policy@1"


def test_a_loop_is_not_taken_up_against_another_reward_model(taught: Lab):
    run = _one_step(taught)
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    taught.annotate()
    assert taught.update_reward(REWARD).version == "reward@1"
    with pytest.raises(TrainingError, match=r"policy@1 and reward@1 are present"):
        run.run()
    assert len(run.history) == 1


def test_stop_ends_after_the_present_step(taught: Lab):
    run = taught.ppo(steps=5, config=PPO)
    for _ in run:
        run.stop()
    assert len(run.history) == 1
    assert taught.version == "policy@1"


def test_ctrl_c_in_a_run_keeps_the_whole_steps(taught: Lab, monkeypatch, capsys):
    step, states = PPOTrainer.step, []

    def stopping(self, prompts):
        if self.steps_done == 2:
            raise KeyboardInterrupt
        stats = step(self, prompts)
        states.append(self.model.state("policy"))
        return stats

    monkeypatch.setattr(PPOTrainer, "step", stopping)
    run = taught.ppo(steps=5, config=PPO).run()
    assert capsys.readouterr().out == "Stopped: 2 of 5 steps kept as policy@1.\n"
    assert len(run.history) == 2
    assert same(taught.model.state("policy"), states[-1])
    assert same(taught._bench.tree.load(run.version).tensors["policy"], states[-1])


@pytest.mark.parametrize("steps", [0, 1])
def test_a_step_that_cannot_be_stored_did_not_happen(taught: Lab, monkeypatch, steps: int):
    """Else the model would write under the name of a version that it is not."""
    start = taught.model.state("policy")
    run = taught.ppo(steps=3, config=PPO)
    going = iter(run)
    for _ in range(steps):
        next(going)
    whole = taught.model.state("policy")
    write = Path.write_bytes

    def full(self, data):
        if "policy@" in str(self):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull, match="free some space and run the step again"):
        next(going)
    monkeypatch.undo()
    assert same(taught.model.state("policy"), whole)
    assert same(whole, start) == (steps == 0)
    assert taught.version == f"policy@{steps}"
    assert len(run.history) == steps
    # With room again the same steps are made.
    run.run()
    assert [s.step for s in run.history] == [1, 2, 3]
    assert taught.version == f"policy@{steps + 1}"


KILLED = """
import sys
from rlhf_lab import Lab, PPOConfig, Sampling
sampling = Sampling(temperature=0.9, max_new_tokens=10)
config = PPOConfig(prompts_per_step=2, responses_per_prompt=2, sampling=sampling, minibatches=2)
with Lab(sys.argv[1], sampling=sampling, progress=False) as lab:
    for stats in lab.ppo(steps=500, config=config):
        print(stats.step, flush=True)
"""


@pytest.fixture(scope="module")
def killed_folder(
    tmp_path_factory: pytest.TempPathFactory, taught_folder: Path
) -> tuple[Path, int]:
    """A lab whose process was killed in a PPO run, and the last step that it reported."""
    path = tmp_path_factory.mktemp("killed") / "lab"
    shutil.copytree(taught_folder, path)
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    with child:
        for line in child.stdout:
            if int(line) == 2:
                child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    return path, int(line)


@pytest.fixture
def killed(path: Path, killed_folder: tuple[Path, int]) -> int:
    shutil.copytree(killed_folder[0], path)
    return killed_folder[1]


def test_a_killed_run_leaves_its_last_whole_step(path: Path, killed: int):
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        assert lab.version == "policy@0"
        state = lab.model.state("policy")
        assert lab.version == "policy@1"
        version = lab.store.version("policy@1")
        assert version.metrics["steps"] >= killed >= 2
        assert (version.parent, version.trained_with) == ("policy@0", ("reward@0",))
        assert same(lab._bench.tree.load(version).tensors["policy"], state)
        following = lab.ppo(steps=1, config=PPO).run().history[0].step
        assert following == version.metrics["steps"] + 1


def test_what_a_killed_run_left_does_not_overrule_a_checkout(path: Path, killed: int):
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        assert lab.checkout("policy@0").name == "policy@0"
        start = lab._bench.tree.load(lab.store.version("policy@0")).tensors["policy"]
        assert same(lab.model.state("policy"), start)
        assert lab.version == "policy@0"
        assert [v.name for v in lab.versions if v.role == "policy"] == ["policy@0", "policy@1"]


def test_an_evaluation_after_a_kill_names_the_right_version(path: Path, killed: int):
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        report = lab.evaluate(prompts=2)
        assert (report.version, report.baseline) == ("policy@1", "policy@0")
        assert lab.model.state("policy").keys()
        start = lab._bench.tree.load(lab.store.version("policy@0")).tensors["policy"]
        assert not same(lab.model.state("policy"), start)
