"""`lab.tokens`: the present versions read stored responses and texts."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError, NotEnoughData, StoreError
from tests.algorithms.batches import close
from tests.lab.labs import PPO, TRAIN


def test_before_any_reward_model_what_needs_one_is_left_out(new: Lab):
    new.add_prompts(TRAIN, split="train")
    new.generate(k=2, prompts=1, heldout=0.0)
    (first, _) = new.store.responses()
    (report,) = new.tokens(first.id).reports
    assert tuple(p.id for p in report.pieces) == first.token_ids
    assert (report.policy, report.reward, report.written_by) == ("policy@0", None, "policy@0")
    assert set(report.left_out) == {"values", "rewards", "advantages", "returns"}
    close(report.log_ratio, [0.0] * len(report.pieces), atol=1e-5)  # the start is the reference


def test_with_a_reward_model_there_are_rewards_and_after_ppo_advantages(taught: Lab):
    response = taught.store.responses()[0]
    (before,) = taught.tokens(response).reports
    assert (before.reward, before.values) == ("reward@0", None)
    assert before.score == pytest.approx(
        sum(before.rewards) + before.kl_coef * sum(before.log_ratio), abs=1e-5
    )
    assert "policy@0 keeps no value role" in before.left_out["values"]

    taught.ppo(steps=2, config=PPO).run()
    (after,) = taught.tokens(response, config=PPO).reports
    assert (after.policy, after.left_out) == ("policy@1", {})
    close(after.returns, [a + v for a, v in zip(after.advantages, after.values, strict=True)])
    assert after.kl_coef != PPO.kl_coef  # the adaptive price where the last step left it
    assert max(map(abs, after.log_ratio)) > 1e-4


def test_it_reads_with_the_versions_that_are_checked_out(taught: Lab):
    response = taught.store.responses()[0]
    first = taught.tokens(response).reports[0]
    taught.ppo(steps=1, config=PPO).run()
    moved = taught.tokens(response).reports[0]
    taught.checkout("policy@0")
    again = taught.tokens(response).reports[0]
    close(again.logp, first.logp)
    assert moved.logp != first.logp


def test_several_responses_and_all_candidates_of_a_prompt(taught: Lab):
    first, second = taught.store.responses()[:2]
    names = [r.response_id for r in taught.tokens(second.id, first).reports]
    assert names == [second.id, first.id]
    every = taught.store.responses(prompt_id=first.prompt_id)
    for prompt in (first.prompt_id, taught.store.prompt(first.prompt_id)):
        names = [r.response_id for r in taught.tokens(prompt=prompt).reports]
        assert names == [r.id for r in every]


def test_texts_of_ones_own_are_read_beside_a_prompt(taught: Lab):
    known = taught.store.prompts()[0]
    one, other = taught.tokens("Yes.", "No.", prompt=known.text).reports
    assert one.prompt.id == known.id
    assert "".join(p.text for p in other.pieces) == "No.<|im_end|>"
    assert taught.tokens("Yes.", prompt="Never asked?").reports[0].prompt.text == "Never asked?"
    assert len(taught.store.prompts()) == 12  # nothing was stored


def test_filters_of_the_labs_sampling_are_no_hindrance(taught: Lab):
    from dataclasses import replace

    taught.sampling = replace(taught.sampling, top_k=5, top_p=0.9)
    (report,) = taught.tokens(taught.store.responses()[0]).reports
    assert report.temperature == taught.sampling.temperature


def test_what_cannot_be_looked_at_says_why(taught: Lab):
    with pytest.raises(NotEnoughData, match="no responses to look at"):
        taught.tokens()
    with pytest.raises(NotEnoughData, match="no responses to 'Never asked"):
        taught.tokens(prompt="Never asked?")
    with pytest.raises(StoreError, match="'nothing'"):
        taught.tokens("nothing")
    with pytest.raises(ConfigError, match="42 is no response"):
        taught.tokens(42)
