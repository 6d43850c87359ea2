"""Fine-tuning a lab on demonstrations, and the line of versions that grows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rlhf_lab import Lab
from rlhf_lab.errors import JudgmentError, NotEnoughData
from rlhf_lab.models.roles import RoleName
from rlhf_lab.training import RewardTrainer, SFTConfig, SFTTrainer
from rlhf_lab.types import Demonstration
from tests.lab.labs import PPO, REWARD, SAMPLING, TRAIN, Notes, open_lab, teach
from tests.tiny import batch, logp_of, same

SFT = SFTConfig(epochs=6, learning_rate=1e-2, demonstrations_per_step=4, keep_every=2)


def demonstrate(lab: Lab) -> None:
    lab.add_prompts(TRAIN, split="train")
    for prompt in lab.store.prompts("train"):
        lab.demonstrate(prompt, f"Yes: {prompt.text[-6:-1]}!")


@pytest.fixture
def demonstrated(new: Lab) -> Lab:
    demonstrate(new)
    return new


def test_a_fine_tuned_policy_is_a_start(demonstrated: Lab):
    lab = demonstrated
    assert lab.start == "policy@0"
    report = lab.sft(SFT)
    assert (report.version, report.demonstrations, report.steps) == ("policy@1", 8, 12)
    assert report.loss_last < 0.7 * report.loss_first
    assert lab.version == lab.start == "policy@1"
    version = lab.store.version("policy@1")
    assert (version.parent, version.is_start) == ("policy@0", True)
    assert version.metrics["demonstrations"] == 8


def test_run_twice_it_changes_nothing(demonstrated: Lab):
    report = demonstrated.sft(SFT)
    policy = demonstrated.model.state("policy")
    assert demonstrated.sft(SFT) == report
    assert same(demonstrated.model.state("policy"), policy)
    assert len(demonstrated.versions) == 2


def test_new_demonstrations_make_a_further_start(demonstrated: Lab):
    demonstrated.sft(SFT)
    demonstrated.add_prompts(["Tell me about wool."], split="train")
    demonstrated.demonstrate("Tell me about wool.", "It is warm.")
    found = demonstrated.sft(SFT)
    assert (found.version, found.demonstrations) == ("policy@2", 9)
    assert demonstrated.start == "policy@2"
    assert demonstrated.store.version("policy@2").parent == "policy@1"


def test_what_it_becomes_is_the_reference(demonstrated: Lab):
    lab = demonstrated
    lab.sft(SFT)
    assert same(lab.model.state("reference"), lab.model.state("policy"))


def test_a_reopened_lab_has_the_same_reference(demonstrated: Lab, path: Path):
    demonstrated.sft(SFT)
    reference = demonstrated.model.state("reference")
    demonstrated.close()
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        assert lab.start == "policy@1"
        assert same(lab.model.state("reference"), reference)


def test_a_checkout_brings_the_reference_along(demonstrated: Lab):
    lab = demonstrated
    bare = logps(lab, "reference")
    lab.sft(SFT)
    tuned = logps(lab, "policy")
    assert logps(lab, "reference") == tuned != bare
    lab.checkout("policy@0")
    assert lab.start == "policy@0"
    assert logps(lab, "reference") == bare
    lab.checkout("policy@1")
    assert lab.start == "policy@1"
    assert logps(lab, "reference") == tuned


def logps(lab: Lab, role: RoleName) -> list[float]:
    prompt = lab.model.chat.encode(lab.store.prompts("train")[0])
    return logp_of(lab.model, batch(lab.model, [(prompt, [70, 71, 72])]), role)[0].tolist()


def test_the_method_in_its_order(path: Path, tiny_folder: Path):
    """SFT, comparisons, reward model, PPO: each starts from the one before."""
    with open_lab(path, tiny_folder) as lab:
        demonstrate(lab)
        lab.sft(SFT)
        teach(lab)
        report = lab.store.version("reward@0")
        assert report.parent is None
        assert lab._bench.tree.state_of(report)["start"] == "policy@1"
        lab.ppo(steps=1, config=PPO).run(monitor=False)
        assert lab.version == "policy@2"
        assert lab.start == "policy@1"
        (stats,) = lab.store.metrics("ppo")
        assert stats.values["kl"] == pytest.approx(0, abs=1e-4)  # before its first update
        assert lab.evaluate(prompts=2).baseline == "policy@1"


def test_the_reward_starts_from_the_fine_tuned_weights(demonstrated: Lab, monkeypatch):
    lab = demonstrated
    lab.sft(SFT)
    policy = lab.model.state("policy")
    seen = []
    scores = RewardTrainer.scores

    def looked_at(self, examples, **changes):
        seen.append(self.model.state("reward"))
        return scores(self, examples, **changes)

    monkeypatch.setattr(RewardTrainer, "scores", looked_at)
    teach(lab)
    first = {k: v for k, v in seen[0].items() if not k.startswith("head.")}
    assert first.keys() == policy.keys()
    assert same(first, policy)


def test_a_reward_model_from_before_is_learned_anew(taught: Lab):
    before = taught.store.version("reward@0")
    for prompt in taught.store.prompts("train"):
        taught.demonstrate(prompt, "Yes.")
    taught.sft(SFT)
    report = taught.update_reward(REWARD)
    assert report.version == "reward@1"
    version = taught.store.version("reward@1")
    assert version.parent is None
    assert version.metrics["rankings"] == before.metrics["rankings"]
    assert taught.update_reward(REWARD) == report


def test_after_going_back_the_reward_of_that_line_goes_on(taught: Lab):
    for prompt in taught.store.prompts("train"):
        taught.demonstrate(prompt, "Yes.")
    taught.sft(SFT)
    taught.update_reward(REWARD)
    taught.checkout("policy@0")
    taught.checkout("reward@0")
    assert taught.update_reward(REWARD).version == "reward@0"


def test_an_interrupted_fine_tuning_goes_on(path: Path, tiny_folder: Path, monkeypatch):
    with open_lab(path.with_name("whole"), tiny_folder) as lab:
        demonstrate(lab)
        expected = lab.sft(SFT)
        policy = lab.model.state("policy")
    step, calls = SFTTrainer.step, []

    def dying(self, examples):
        calls.append(len(examples))
        if len(calls) == 6:
            raise KeyboardInterrupt
        return step(self, examples)

    with open_lab(path, tiny_folder) as lab:
        demonstrate(lab)
        start = lab.model.state("policy")
        monkeypatch.setattr(SFTTrainer, "step", dying)
        notes = Notes()
        with pytest.raises(KeyboardInterrupt):
            lab.sft(SFT, listener=notes)
        assert notes.told[-1][1] == "stopped"
        assert "goes on from what is kept" in notes.told[-1][2]
        assert same(lab.model.state("policy"), start)
        assert lab.version == "policy@0"
    with open_lab(path, tiny_folder) as lab:  # another process, with four of five steps kept
        found = lab.sft(SFT)
        assert len(calls) == 6 + 12 - 4
        assert (found.loss_first, found.loss_last) == (expected.loss_first, expected.loss_last)
        assert same(lab.model.state("policy"), policy)
        assert not list((path / "checkpoints").glob("sft.*"))


def test_it_can_be_stopped_and_keeps_what_is_learned(demonstrated: Lab):
    asked = []
    report = demonstrated.sft(SFT, stopped=lambda: len(asked) == 3 or bool(asked.append(1)))
    assert (report.steps, report.stopped) == (4, True)
    assert demonstrated.version == "policy@1"


def test_held_out_demonstrations_measure_it(demonstrated: Lab):
    demonstrated.add_prompts(["Tell me about wool."], split="heldout")
    (prompt,) = demonstrated.store.prompts("heldout")
    demonstrated.demonstrate(prompt, "Yes: wool!")
    report = demonstrated.sft(SFT)
    assert report.heldout == 1
    assert report.heldout_loss < report.heldout_loss_before
    assert report.demonstrations == 8


def test_without_demonstrations_it_says_how_to_get_some(new: Lab):
    new.add_prompts(TRAIN, split="train")
    with pytest.raises(NotEnoughData, match="0 demonstrations for training prompts"):
        new.sft()
    assert new.version == "policy@0"


def test_an_empty_demonstration_is_refused(new: Lab):
    with pytest.raises(JudgmentError, match="no text"):
        new.demonstrate("Tell me about tea.", "  ")


def test_the_same_demonstration_twice_is_one(new: Lab):
    assert new.demonstrate("Tell me about tea.", "It is warm.")
    assert not new.demonstrate("Tell me about tea.", "It is warm.")
    assert new.demonstrate("Tell me about tea.", "It is warm.", annotator="ada")
    assert len(new.store.demonstrations()) == 2


def test_an_edited_response_is_learned_in_its_last_form(taught: Lab):
    queue = taught.queue()
    response = next(
        r for r in taught.store.responses() if taught.store.prompt(r.prompt_id).split == "train"
    )
    for number, text in enumerate(["First.", "Second, and better."]):
        queue.demonstrate(
            Demonstration(
                id=f"d{number}",
                prompt_id=response.prompt_id,
                text=text,
                annotator="me",
                edited_from=response.id,
            )
        )
    report = taught.sft(SFT)
    end = 1
    assert report.demonstrations == 1
    encoded = taught.model.base.tokenizer.encode("Second, and better.", add_special_tokens=False)
    assert report.tokens == len(encoded) + end
    assert torch.isfinite(torch.tensor(report.loss_last))
