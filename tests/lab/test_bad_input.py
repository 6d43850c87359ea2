from __future__ import annotations

from dataclasses import replace

import pytest

from rlhf_lab import Lab, PPOConfig, RubricAnnotator
from rlhf_lab.annotators import rank_all
from rlhf_lab.errors import (
    ConfigError,
    JudgmentError,
    NonFiniteError,
    NotEnoughData,
    PromptError,
)
from rlhf_lab.models import Role
from rlhf_lab.types import Judgment, Ranking, Sampling
from tests.lab.labs import PPO, REWARD, TRAIN, contents
from tests.tiny import prompt, same


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


class Undecided:
    name = "undecided"

    def rank(self, prompt, candidates):
        return Ranking(tiers=(tuple(c.id for c in candidates),))


def test_rankings_that_are_all_ties_teach_nothing(new: Lab):
    new.add_prompts(TRAIN, split="train")
    new.generate(k=2, prompts=2)
    new.annotate(Undecided())
    before = contents(new.path)
    with pytest.raises(
        NotEnoughData,
        match=r"all 2 new rankings are one single tie.*Rank some prompts whose responses differ",
    ):
        new.update_reward()
    assert contents(new.path) == before


def test_new_rankings_that_are_all_ties_leave_the_reward_as_it_was(taught: Lab):
    rank_all(taught.queue("undecided"), Undecided())
    before, reward = contents(taught.path), taught.model.state("reward")
    with pytest.raises(NotEnoughData, match="all 4 new rankings are one single tie"):
        taught.update_reward(REWARD)
    assert contents(taught.path) == before
    taught.model.load_state("reward", reward)
    # With one that is none they are learned, too.
    rank_all(taught.queue("decided"), RubricAnnotator())
    assert taught.update_reward(REWARD).rankings == 8


# Judgments


def judged(lab: Lab) -> Judgment:
    """One of a training prompt, to be altered; what is made of it gets an id of its own."""
    train = {p.id for p in lab.store.prompts(split="train")}
    said = next(j for j in lab.store.judgments() if j.prompt_id in train)
    return replace(said, id="mine", annotator="me")


def of(ids: list[str]) -> dict:
    return {"shown_order": tuple(ids), "ranking": Ranking(tiers=tuple((i,) for i in ids))}


def test_a_judgment_of_unknown_responses_is_refused(taught: Lab):
    said = judged(taught)
    foreign = next(r for r in taught.store.responses() if r.prompt_id != said.prompt_id)
    known = said.shown_order[0]
    before = contents(taught.path)
    for changes, says in (
        (of(["nobody", "knows"]), r"\['nobody', 'knows'\] are not stored responses: add them"),
        (of([known, "unknown"]), r"\['unknown'\] are not stored responses"),
        (of([known, foreign.id]), f"{foreign.id}.*do not answer.*one prompt at a time"),
        (of([known]), "1 response.* says nothing about preference: rank at least 2"),
        ({"prompt_id": "gone"}, "'gone' is not a stored prompt: add it with add_prompts"),
    ):
        with pytest.raises(JudgmentError, match=says):
            taught.store.submit(replace(said, **changes))
    assert contents(taught.path) == before
    assert taught.store.submit(said)


class Elsewhere:
    """Ranks what it was not shown."""

    name = "elsewhere"

    def rank(self, prompt, candidates):
        return Ranking(tiers=(("nobody",), ("knows",)))


def test_an_annotator_that_ranks_something_else_is_refused(taught: Lab):
    taught.generate(k=3, prompts=9, heldout=1 / 3)
    before = contents(taught.path)
    with pytest.raises(JudgmentError, match=r"ranked \['knows', 'nobody'\] but shown"):
        taught.annotate(Elsewhere())
    assert contents(taught.path) == before


def test_a_judge_that_ranks_something_else_is_refused_and_no_result_is_kept(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    taught.evaluate(prompts=2)
    before = contents(taught.path)
    with pytest.raises(
        JudgmentError, match=r"'elsewhere' ranked \['knows', 'nobody'\], but was shown .*gives each"
    ):
        taught.evaluate(prompts=2, judge=Elsewhere())
    assert contents(taught.path) == before


def test_contradicting_judgments_are_kept_and_told_not_refused(taught: Lab):
    """Of several people; one person's later ranking replaces their earlier one."""
    said = judged(taught)
    best, worst = said.shown_order[:2]
    count = taught.store.counts().rankings
    for name, annotator, order in (
        ("one", "me", [best, worst]),
        ("other", "you", [best, worst]),
        ("third", "they", [best, worst]),
        ("again", "they", [worst, best]),
    ):
        assert taught.store.submit(replace(said, id=name, annotator=annotator, **of(order)))
    assert taught.store.counts().rankings == count + 3
    report = taught.update_reward(REWARD)
    assert (report.repeated_pairs, report.contradicting_pairs) == (1, 1)
    assert "1 of 1 pairs judged more than once contradict each other" in str(report)


# Scores


NAN = float("nan")


def test_nan_is_no_place_in_an_order(taught: Lab):
    class Broken:
        name = "broken"

        def rank(self, prompt, candidates):
            return Ranking.from_scores({c.id: NAN for c in candidates[:1]} | {"x": 1.0})

    taught.generate(k=3, prompts=9, heldout=1 / 3)
    before = contents(taught.path)
    with pytest.raises(JudgmentError, match=r"have NaN for a number.*Leave them out"):
        taught.annotate(Broken())
    assert contents(taught.path) == before


@pytest.mark.parametrize("value", [NAN, float("inf")])
@pytest.mark.parametrize("use", ["ppo", "evaluate"])
def test_scores_that_are_not_finite_are_told_and_nothing_is_kept(
    taught: Lab, monkeypatch, use: str, value: float
):
    """One response of all is enough: it would spoil every advantage of its batch."""
    taught.ppo(steps=1, config=PPO).run()
    taught.evaluate(prompts=2)
    before, weights = contents(taught.path), taught.model.state("policy")
    work = {
        "ppo": lambda: taught.ppo(steps=1, config=PPO).run(),
        "evaluate": lambda: taught.evaluate(prompts=2),
    }[use]
    scores = Role.scores

    def broken(self, batch):
        found = scores(self, batch).clone()
        found[0] = value
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Role, "scores", broken)
        with pytest.raises(
            NonFiniteError,
            match=r"scores \[(nan|inf).* responses: rewards must be finite\. Check out",
        ):
            work()
    assert contents(taught.path) == before
    assert same(taught.model.state("policy"), weights)
    assert taught.ppo(steps=1, config=PPO).run().history[0].step == 2


# Sampling


@pytest.mark.parametrize("filters", [{"top_k": 5}, {"top_p": 0.9}])
def test_ppo_refuses_filters_wherever_they_are_set(taught: Lab, filters: dict):
    says = "a filtered rollout makes the sampled KL meaningless. Use top_k=0, top_p=1.0 for PPO"
    before = contents(taught.path)
    filtered = replace(taught.sampling, **filters)
    with pytest.raises(ConfigError, match=says):
        taught.ppo(config=PPOConfig(sampling=filtered))
    taught.sampling = filtered
    with pytest.raises(ConfigError, match=says):
        taught.ppo()
    assert contents(taught.path) == before
    # For ranking they may be used.
    assert taught.generate(k=2, prompts=1, heldout=0).new == 2


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


def test_a_reward_is_no_baseline_to_compare_with(taught: Lab):
    before = contents(taught.path)
    with pytest.raises(ConfigError, match=r"'reward@0' is a reward model.*choose a policy"):
        taught.evaluate(baseline="reward@0")
    assert contents(taught.path) == before
