from __future__ import annotations

import pytest

from rlhf_lab import Lab, PPOConfig
from rlhf_lab.errors import ConfigError, NotEnoughData, PromptError
from rlhf_lab.types import Sampling
from tests.lab.labs import TRAIN
from tests.tiny import prompt


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
