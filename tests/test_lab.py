from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from rlhf_lab import Lab, PPOConfig, RewardConfig, RubricAnnotator
from rlhf_lab.annotators import rank_all
from rlhf_lab.errors import (
    CheckpointError,
    ConfigError,
    DiskFull,
    LabInUse,
    LabMismatch,
    ModelDownloadError,
    NotEnoughData,
    PromptError,
    StoreError,
    UnknownModel,
    UnknownVersion,
)
from rlhf_lab.models import loading, sources
from rlhf_lab.models.quiet import quiet
from rlhf_lab.training import PPOTrainer, RewardTrainer
from rlhf_lab.types import LoraSpec, Prompt, Sampling
from tests.tiny import batch, logp_of, prompt, rows, same

SAMPLING = Sampling(temperature=0.9, max_new_tokens=10)
LORA = LoraSpec(rank=4, alpha=8)
TRAIN = [
    f"Tell me about {thing}."
    for thing in ["tea", "rain", "bread", "ships", "stones", "music", "bees", "clay"]
]
HELDOUT = [f"What is {thing}?" for thing in ["snow", "milk", "rust", "wind"]]
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


@pytest.fixture(scope="module")
def taught_folder(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    path = tmp_path_factory.mktemp("taught") / "lab"
    with open_lab(path, tiny_folder) as lab:
        teach(lab)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def new(path: Path, tiny_folder: Path) -> Iterator[Lab]:
    """An empty lab."""
    with open_lab(path, tiny_folder) as lab:
        yield lab


@pytest.fixture
def taught(path: Path, taught_folder: Path) -> Iterator[Lab]:
    """A lab with prompts, responses, rankings and a reward model, opened as it was left."""
    shutil.copytree(taught_folder, path)
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        yield lab


def tell(lab: Lab) -> tuple:
    """What was said and judged, without times."""
    responses = [(r.id, r.text, r.token_ids, r.version) for r in lab.store.responses()]
    judgments = [(j.id, j.shown_order, j.ranking, j.annotator) for j in lab.store.judgments()]
    return responses, judgments


# A whole round


def test_a_whole_round(new: Lab):
    assert new.add_prompts(TRAIN, split="train") == 8
    assert new.add_prompts(HELDOUT, split="heldout") == 4
    found = new.generate(k=3, prompts=6, heldout=0.34)
    assert str(found) == "18 responses to 6 prompts by policy@0 (18 new)"
    assert new.annotate() == 6
    report = new.update_reward(REWARD)
    assert (report.version, report.rankings, report.replayed) == ("reward@0", 4, 0)
    assert report.heldout_accuracy.n <= 2
    run = new.ppo(steps=2, config=PPO).run()
    assert [s.step for s in run.history] == [1, 2]
    assert [s.optimizer_steps for s in run.history] == [PPO.epochs * 2] * 2
    assert run.version.name == new.version == "policy@1"
    assert run.version.trained_with == ("reward@0",)
    assert run.version.metrics["steps"] == 2
    result = new.evaluate(prompts=3)
    assert (result.version, result.baseline, result.win_rate.n) == ("policy@1", "policy@0", 3)
    assert [s.prompt.text for s in result.samples] == HELDOUT[:3]
    assert {s.before.version for s in result.samples} == {"policy@0"}
    assert {s.after.version for s in result.samples} == {"policy@1"}
    # A second round builds on the first.
    new.generate(k=3, prompts=6, heldout=0.34)
    new.annotate()
    second = new.update_reward(REWARD)
    assert (second.version, second.rankings, second.replayed) == ("reward@1", 4, 4)
    assert new.ppo(steps=1, config=PPO).run().history[0].step == 3
    assert [v.name for v in new.versions] == [
        "policy@0", "reward@0", "policy@1", "reward@1", "policy@2",
    ]  # fmt: skip
    assert new.store.version("policy@2").parent == "policy@1"
    kinds = {(m.kind, m.version) for m in new.store.metrics()}
    assert kinds == {
        ("reward", "reward@0"), ("ppo", "policy@1"), ("evaluation", "policy@1"),
        ("reward", "reward@1"), ("ppo", "policy@2"),
    }  # fmt: skip


def test_every_cell_may_run_twice(taught: Lab):
    assert taught.add_prompts(TRAIN, split="train") == 0
    before = tell(taught)
    assert taught.generate(k=3, prompts=6, heldout=0.34).new == 0
    assert taught.annotate() == 0
    stored = [v.name for v in taught.versions]
    report = taught.update_reward(REWARD)
    assert taught.update_reward(REWARD) == report
    assert [v.name for v in taught.versions] == stored
    assert tell(taught) == before
    run = taught.ppo(steps=1, config=PPO)
    assert run.run().version == run.run().version
    assert len(run.history) == 1
    first, second = (taught.evaluate(prompts=2) for _ in range(2))
    assert first == second


def test_larger_numbers_add_what_is_missing(taught: Lab):
    assert taught.generate(k=4, prompts=6, heldout=0.34).new == 6
    more = taught.generate(k=4, prompts=9, heldout=1 / 3)
    assert (more.new, len(more.prompts), len(more.responses)) == (12, 9, 36)
    assert sum(p.split == "heldout" for p in more.prompts) == 3


def test_responses_remember_how_they_came_about(taught: Lab):
    for response in taught.store.responses():
        assert response.version == "policy@0"
        assert response.sampling == SAMPLING
        assert response.purpose == "candidate"
        assert 0 < len(response.token_ids) <= 10
        assert response.text == taught.model.chat.decode(response.token_ids)
        ended = response.token_ids[-1] in taught.model.chat.stop_ids
        assert response.end_reason == ("stop" if ended else "length")


def test_generation_keeps_every_finished_batch_when_stopped(new: Lab, monkeypatch):
    from rlhf_lab.models import collection

    new.add_prompts(TRAIN, split="train")
    generate, calls = collection.generate, []

    def stopping(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return generate(*args)

    monkeypatch.setattr(collection, "BATCH_SIZE", 5)
    monkeypatch.setattr(collection, "generate", stopping)
    with pytest.raises(KeyboardInterrupt):
        new.generate(k=2, prompts=8)
    assert new.store.counts().responses == 5
    assert new.generate(k=2, prompts=8).new == 11


# Reopening


def test_a_reopened_lab_goes_on_where_it_was(path: Path, taught: Lab):
    report = taught.update_reward(REWARD)
    taught.ppo(steps=1, config=PPO).run()
    policy = taught.model.state("policy")
    said = tell(taught)
    taught.close()
    with Lab(path, sampling=SAMPLING, progress=False) as again:
        assert again.version == "policy@1"
        assert same(again.model.state("policy"), policy)
        assert tell(again) == said
        assert again.update_reward(REWARD) == report
        assert again.annotate() == 0
        assert again.ppo(steps=1, config=PPO).run().history[0].step == 2


def test_a_run_in_two_sittings_is_the_same_run(path: Path, taught: Lab, tmp_path: Path):
    other_path = shutil.copytree(path, tmp_path / "other")
    taught.ppo(steps=3, config=PPO).run()
    straight = taught.model.state("policy")
    with Lab(other_path, sampling=SAMPLING, progress=False) as first:
        first.ppo(steps=1, config=PPO).run()
    with Lab(other_path, sampling=SAMPLING, progress=False) as second:
        second.ppo(steps=2, config=PPO).run()
        assert same(second.model.state("policy"), straight)


def test_two_labs_with_one_seed_say_and_judge_the_same(tmp_path: Path, tiny_folder: Path):
    def go(name: str, seed: int) -> tuple:
        with open_lab(tmp_path / name, tiny_folder, seed=seed) as lab:
            teach(lab).ppo(steps=1, config=PPO).run()
            report = lab.evaluate(prompts=2)
            return tell(lab), report.win_rate, [s.after.text for s in report.samples]

    first = go("first", 0)
    assert go("second", 0) == first
    assert go("third", 1) != first


# Ending a PPO run


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
    assert same(taught._tree.load(run.version).tensors["policy"], states[-1])


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
        assert same(lab._tree.load(version).tensors["policy"], state)
        following = lab.ppo(steps=1, config=PPO).run().history[0].step
        assert following == version.metrics["steps"] + 1


def test_what_a_killed_run_left_does_not_overrule_a_checkout(path: Path, killed: int):
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        assert lab.checkout("policy@0").name == "policy@0"
        start = lab._tree.load(lab.store.version("policy@0")).tensors["policy"]
        assert same(lab.model.state("policy"), start)
        assert lab.version == "policy@0"
        assert [v.name for v in lab.versions if v.role == "policy"] == ["policy@0", "policy@1"]


def test_an_evaluation_after_a_kill_names_the_right_version(path: Path, killed: int):
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        report = lab.evaluate(prompts=2)
        assert (report.version, report.baseline) == ("policy@1", "policy@0")
        assert lab.model.state("policy").keys()
        start = lab._tree.load(lab.store.version("policy@0")).tensors["policy"]
        assert not same(lab.model.state("policy"), start)


# Held-out prompts


def test_held_out_prompts_never_train_anything(taught: Lab, monkeypatch):
    heldout = {tuple(taught.model.chat.encode(prompt(t))) for t in HELDOUT}
    learned: set[tuple[int, ...]] = set()
    fit, step = RewardTrainer.fit, PPOTrainer.step

    def watched_fit(self, new, old=(), **options):
        learned.update(tuple(e.prompt) for e in [*new, *old])
        return fit(self, new, old, **options)

    def watched_step(self, prompts):
        learned.update(tuple(p.token_ids) for p in prompts)
        return step(self, prompts)

    monkeypatch.setattr(RewardTrainer, "fit", watched_fit)
    monkeypatch.setattr(PPOTrainer, "step", watched_step)
    taught.generate(k=3, prompts=12, heldout=1 / 3)
    rank_all(taught.queue("other"), RubricAnnotator())
    report = taught.update_reward(REWARD)
    assert (report.rankings, report.replayed) == (8, 4)
    taught.ppo(steps=5, config=PPO).run()
    assert len(learned) == 8
    assert not learned & heldout


def test_rankings_of_held_out_prompts_alone_teach_nothing(new: Lab):
    new.add_prompts(HELDOUT, split="heldout")
    new.generate(k=2, prompts=4, heldout=0.99)
    new.annotate()
    with pytest.raises(NotEnoughData, match=r"0 judgments on training prompts \(4 on held-out"):
        new.update_reward()
    assert new.store.counts().versions == 1


def test_an_interrupted_reward_update_is_repeated_as_if_it_had_not_been(
    taught: Lab, path: Path, tiny_folder: Path, tmp_path: Path, monkeypatch
):
    def without_reward(name: str) -> Lab:
        lab = open_lab(tmp_path / name, tiny_folder)
        lab.add_prompts(TRAIN, split="train")
        lab.generate(k=3, prompts=4)
        lab.annotate()
        return lab

    with without_reward("straight") as lab:
        lab.update_reward(REWARD)
        expected = lab.model.state("reward")
    with without_reward("stopped") as lab:
        with monkeypatch.context() as patch:
            patch.setattr(
                RewardTrainer, "normalise_on", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
            )
            with pytest.raises(KeyboardInterrupt):
                lab.update_reward(REWARD)
        assert lab.store.counts().versions == 1
        lab.update_reward(REWARD)
        assert same(lab.model.state("reward"), expected)


def test_the_scale_of_the_first_responses_stays_the_scale(taught: Lab):
    """Rewards are normalised on the start's responses, also after later rounds."""
    head = taught.model.head("reward")
    first = taught._tree.load(taught.store.version("reward@0")).tensors["reward"]
    assert first["head.scale"].item() > 0
    taught.ppo(steps=2, config=PPO).run()
    taught.generate(k=3, prompts=6, heldout=0.34)
    taught.annotate()
    trained: list = []
    normalise = RewardTrainer.normalise_on
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            RewardTrainer, "normalise_on", lambda self, s: trained.extend(s) or normalise(self, s)
        )
        taught.update_reward(REWARD)
    assert len(trained) == 6  # the six rankings of policy@0, none of policy@1
    scores = head.normalised(torch.cat(trained))
    assert scores.mean().item() == pytest.approx(0, abs=1e-4)
    assert scores.std().item() == pytest.approx(1, abs=1e-4)


# Versions


def test_checkout_brings_weights_and_reward_back(taught: Lab):
    start = taught.model.state("policy")
    taught.ppo(steps=1, config=PPO).run()
    first = taught.model.state("policy")
    taught.generate(k=3, prompts=6, heldout=0.34)
    taught.annotate()
    taught.update_reward(REWARD)
    taught.ppo(steps=1, config=PPO).run()
    assert (taught.version, taught._tree.head("reward").name) == ("policy@2", "reward@1")
    assert taught.checkout("policy@1").name == "policy@1"
    assert taught._tree.head("reward").name == "reward@0"
    assert same(taught.model.state("policy"), first)
    assert taught.undo().name == "policy@0"
    assert same(taught.model.state("policy"), start)
    # The next run makes a branch; nothing is lost.
    taught.ppo(steps=1, config=PPO).run()
    assert taught.store.version("policy@3").parent == "policy@0"
    assert same(taught.model.state("policy"), first)
    shown = repr(taught.versions).splitlines()
    assert [line[:12].rstrip() for line in shown if "policy" in line] == [
        "  policy@0", "    policy@1", "      policy", "*   policy@3",
    ]  # fmt: skip
    assert "with reward@0" in shown[1]
    assert taught.versions._repr_html_().startswith("<pre>  policy@0")


def test_undo_at_the_start_is_said(taught: Lab):
    with pytest.raises(NotEnoughData, match="policy@0 is the start: there is nothing to undo"):
        taught.undo()


def test_an_unknown_version_is_said_and_nothing_changes(taught: Lab):
    for use in (taught.checkout, taught.evaluate):
        with pytest.raises(UnknownVersion, match="'policy@9' is not a version"):
            use("policy@9")
    assert taught.version == "policy@0"


def test_an_evaluation_leaves_the_policy_as_it_is(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    before = taught.model.state("policy")
    taught.evaluate(prompts=2)
    assert same(taught.model.state("policy"), before)

    class Failing:
        name = "failing"

        def rank(self, prompt, candidates):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taught.evaluate(prompts=3, judge=Failing())
    assert same(taught.model.state("policy"), before)
    with pytest.raises(ZeroDivisionError), taught._policy_of("policy@0"):
        _ = 1 / 0
    assert same(taught.model.state("policy"), before)


def test_a_version_is_not_evaluated_against_itself(taught: Lab):
    """It would be a tie with an interval of width 0, which looks like a result."""
    before = taught.store.counts()
    with pytest.raises(
        ConfigError, match=r"'policy@0' is the present policy.*take PPO steps first \(lab\.ppo\)"
    ):
        taught.evaluate()
    assert taught.store.counts() == before


def test_evaluation_responses_are_never_ranked(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    total = taught.queue("someone").progress().total
    taught.evaluate(prompts=4)
    assert taught.queue("someone").progress().total == total


def test_an_export_is_what_peft_loads(taught: Lab, tiny_folder: Path, tmp_path: Path):
    taught.ppo(steps=2, config=PPO).run()
    folder = taught.export(tmp_path / "deep" / "adapter")
    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".md") == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    taught.close()
    with quiet():
        plain = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
        loaded = PeftModel.from_pretrained(plain, folder)
    with Lab(taught.path, progress=False) as lab:
        model = lab.model
        pairs = rows(model)
        ours = logp_of(model, batch(model, pairs[:1]))[0]
    question, answer = pairs[0]
    with torch.no_grad():
        logits = loaded(torch.tensor([question + answer])).logits[0, len(question) - 1 : -1]
        bare = loaded.get_base_model()
        with loaded.disable_adapter():
            start = bare(torch.tensor([question + answer])).logits[0, len(question) - 1 : -1]
    theirs, before = (
        x.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0] for x in (logits, start)
    )
    # The lab may compute in bf16 here.
    assert (ours - theirs).abs().max() < 0.1
    weights = {k.replace(".default.", "."): v for k, v in loaded.named_parameters() if "lora" in k}
    assert same(weights, {k: v for k, v in model.state("policy").items()})
    assert (theirs - before).abs().max() > 1e-4


def test_an_export_names_its_base_as_the_hub_does(
    path: Path, tiny_folder: Path, tmp_path: Path, monkeypatch
):
    """Not by the folder where this machine keeps it: an adapter is loaded elsewhere, too."""
    monkeypatch.setattr(loading, "resolve_model", lambda _: tiny_folder)
    with open_lab(path, "some/model") as lab:
        folder = lab.export(tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "some/model"


def test_an_export_never_overwrites(taught: Lab, tmp_path: Path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "full", tmp_path / "file"):
        with pytest.raises(ConfigError, match="choose a new folder"):
            taught.export(target)
    (tmp_path / "empty").mkdir()
    assert (taught.export(tmp_path / "empty") / "adapter_config.json").is_file()


# Bad input


def test_no_prompts_yet(new: Lab):
    with pytest.raises(NotEnoughData, match=r"the lab has no prompts: add some, `lab\.add_prompts"):
        new.generate()
    with pytest.raises(NotEnoughData, match="no held-out prompts: add some"):
        new.evaluate()


def test_no_rankings_and_no_reward_yet(new: Lab):
    new.add_prompts(TRAIN, split="train")
    with pytest.raises(NotEnoughData, match="0 judgments on training prompts"):
        new.update_reward()
    with pytest.raises(NotEnoughData, match=r"no reward model yet: rank with lab\.rank\(\)"):
        new.ppo()


def test_rankings_that_are_all_ties_teach_nothing(new: Lab):
    from rlhf_lab.types import Ranking

    class Undecided:
        name = "undecided"

        def rank(self, prompt, candidates):
            return Ranking(tiers=(tuple(c.id for c in candidates),))

    new.add_prompts(TRAIN, split="train")
    new.generate(k=2, prompts=2)
    new.annotate(Undecided())
    with pytest.raises(NotEnoughData, match="all 2 new rankings are one single tie"):
        new.update_reward()


def test_ppo_without_training_prompts(taught: Lab, monkeypatch):
    monkeypatch.setattr(taught.store, "prompts", lambda split=None: [])
    with pytest.raises(NotEnoughData, match="no training prompts: add some"):
        taught.ppo()


@pytest.mark.parametrize("steps", [0, -3])
def test_ppo_needs_a_step(taught: Lab, steps: int):
    with pytest.raises(ConfigError, match=f"steps={steps}: at least 1"):
        taught.ppo(steps=steps)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ([""], "visible character"),
        (["fine", "  \n"], r"prompts\[1\].*visible character"),
        (["fine", 7], r"prompts\[1\].*7 \(int\) is not a prompt"),
        ([None], "is not a prompt"),
        ([b"bytes"], "is not a prompt"),
        ("one string", "is one string: pass a list of prompts"),
        (7, r"7 \(int\) is not a list of prompts"),
        ([[{"role": "assistant", "content": "Hi"}]], "must come from the user"),
    ],
)
def test_prompts_without_text_are_refused_and_none_is_added(new: Lab, source, says: str):
    with pytest.raises(PromptError, match=says):
        new.add_prompts(source)
    assert new.store.counts().prompts == 0


@pytest.mark.parametrize("use", ["generate", "ppo"])
def test_a_prompt_beyond_the_context_is_refused_before_anything_is_sampled(taught: Lab, use: str):
    before = taught.store.counts()
    if use == "generate":
        taught.add_prompts([prompt("long " * 120, split="train")])
        with pytest.raises(PromptError, match=r"is \d+ tokens; with 10 for the answer"):
            taught.generate(k=2, prompts=100)
    else:
        long = PPOConfig(prompts_per_step=2, sampling=Sampling(max_new_tokens=500))
        with pytest.raises(PromptError, match=r"with 500 for the answer.*context of 512"):
            taught.ppo(steps=1, config=long).run()
    assert taught.store.counts().responses == before.responses
    assert taught.version == "policy@0"


@pytest.mark.parametrize("k", [1, 0, -1])
def test_ranking_needs_two_responses(taught: Lab, k: int):
    with pytest.raises(NotEnoughData, match=f"k={k}: ranking compares responses.*at least 2"):
        taught.generate(k=k)


@pytest.mark.parametrize("count", [0, -1])
def test_a_call_needs_a_prompt(taught: Lab, count: int):
    for use in (taught.generate, taught.evaluate):
        with pytest.raises(ConfigError, match=f"prompts={count}: at least 1, better 32"):
            use(prompts=count)


def test_more_responses_than_digits_are_refused(taught: Lab):
    with pytest.raises(ConfigError, match=r"k=10: at most 9 responses.*Use 4 to 9\."):
        taught.generate(k=10)


@pytest.mark.parametrize("share", [-0.1, 1.0, 2])
def test_the_held_out_share_is_a_share(taught: Lab, share: float):
    with pytest.raises(ConfigError, match=f"heldout={share}"):
        taught.generate(heldout=share)


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
        monkeypatch.setattr(sources.shutil, "disk_usage", lambda _: full)
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
    with pytest.raises(LabMismatch, match=says) as caught:
        Lab(path, **changes)
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
        assert "model" not in vars(second)


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


def test_prompts_may_be_prompts_and_get_a_system_message(new: Lab):
    assert new.add_prompts(prompt("Why?", split="heldout")) == 1
    assert new.add_prompts([prompt("How?")], split="heldout", system="Be brief.") == 1
    why, how = new.store.prompts()
    assert (why.split, how.split) == ("heldout", "heldout")
    assert isinstance(how, Prompt)
    assert [m.content for m in how.messages] == ["Be brief.", "How?"]


def test_the_widget_shows_what_the_queue_holds(taught: Lab):
    widget = taught.rank("me")
    item = taught.queue("me").next_item()
    assert taught.rank("me") is not widget
    shown = json.dumps(widget.get_state(), default=str)
    assert item.prompt.text in shown
