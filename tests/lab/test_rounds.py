from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rlhf_lab import Lab, RubricAnnotator
from rlhf_lab.annotators import rank_all
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.training import PPOTrainer, RewardTrainer
from rlhf_lab.types import Prompt
from tests.lab.labs import HELDOUT, PPO, REWARD, SAMPLING, TRAIN, open_lab, teach, tell
from tests.tiny import prompt, same

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
        ("scores", "reward@0"), ("reward", "reward@1"), ("ppo", "policy@2"),
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
    generate, calls = collection.generate_in_parts, []

    def stopping(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return generate(*args)

    monkeypatch.setattr(collection, "BATCH_SIZE", 5)
    monkeypatch.setattr(collection, "generate_in_parts", stopping)
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
    first = taught._bench.tree.load(taught.store.version("reward@0")).tensors["reward"]
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
