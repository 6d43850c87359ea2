"""The ranking widget of a lab: its options, and what the reward model says after a vote."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.reward_gain import _scores
from rlhf_lab.lab.revealing import item_scores, reward_scorer
from rlhf_lab.types import RankingItem
from tests.lab.labs import HELDOUT, REWARD, TRAIN


def vote(lab: Lab, seq: int = 1, **options):
    widget = lab.rank("somebody", ahead=2, **options)
    ranks = list(range(1, len(widget.content["items"][0]["cards"]) + 1))
    sent = {"seq": seq, "id": f"vote-number-{seq}", "type": "submit", "ranks": ranks}
    widget.events = [{**sent, "item": widget.view["current"], "seconds": 1}]
    widget.close()
    return widget


def test_options_reach_the_widget(taught: Lab):
    widget = taught.rank("me", criteria=["honest"], flags=[], editing=False, ahead=3)
    assert len(widget.content["items"]) == 3
    assert widget.content["criteria"] == ["honest"]
    assert widget.content["flags"] == []
    assert widget.content["editing"] is False
    widget.close()


def test_nothing_is_revealed_unless_it_was_asked_for(taught: Lab):
    widget = vote(taught)
    assert widget.progress.done == 1
    assert widget.view["reveal"] is None
    assert "model" not in taught._bench.__dict__  # nor loaded


def test_the_present_reward_model_says_what_it_thinks_after_the_vote(taught: Lab):
    queue = taught.queue("somebody")
    [item] = queue.upcoming(1)
    widget = vote(taught, reveal=True)
    expected = reward_scorer(taught._bench)(item)
    letters = dict(zip(expected, "ABC", strict=True))
    order = sorted(expected, key=expected.__getitem__, reverse=True)
    assert widget.view["reveal"]["order"] == " > ".join(letters[i] for i in order)
    assert 0 <= widget.view["reveal"]["agrees"] <= 1


def test_scores_are_those_of_the_reward_role_and_leave_it_as_it_was(taught: Lab):
    [item] = taught.queue("somebody").upcoming(1)
    head = taught._bench.tree.head("reward")
    stored = taught._bench.tree.load(head).tensors["reward"]
    fresh = taught.model.state("reward")
    scored = reward_scorer(taught._bench)(item)
    after = taught.model.state("reward")
    assert all((fresh[name] == after[name]).all() for name in fresh)
    taught.model.load_state("reward", stored)
    prompts = [item.prompt] * len(item.candidates)
    expected = _scores(taught.model, prompts, item.candidates, progress=False).tolist()
    assert list(scored.values()) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert item_scores(taught.model, item) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_later_reward_model_is_asked_as_soon_as_it_is_there(taught: Lab):
    [item] = taught.queue("somebody").upcoming(1)
    score = reward_scorer(taught._bench)
    before = score(item)
    for number in range(2):
        vote(taught, number + 1)
    taught.update_reward(REWARD)
    assert score(item) != before
    taught.checkout("reward@0")
    assert score(item) == before


def test_an_imported_answer_is_scored_as_its_text(taught: Lab):
    [item] = taught.queue("somebody").upcoming(1)
    plain = [vars(r) | {"token_ids": ()} for r in item.candidates]
    texts = tuple(type(item.candidates[0])(**values) for values in plain)
    found = reward_scorer(taught._bench)(RankingItem(prompt=item.prompt, candidates=texts))
    assert len(found) == len(texts)


def test_reveal_without_a_reward_model_is_refused(new: Lab):
    new.add_prompts(TRAIN, split="train")
    new.add_prompts(HELDOUT, split="heldout")
    with pytest.raises(NotEnoughData, match=r"reveal=True without a reward model.*update_reward"):
        new.rank(reveal=True)


def test_a_loop_under_way_costs_the_reveal_and_not_the_judgment(taught: Lab):
    widget = taught.rank("somebody", reveal=True)
    taught._bench.tree.ppo_is_running = True
    sent = {"seq": 1, "id": "vote-number-1", "type": "submit", "ranks": [1, 2, 3]}
    widget.events = [{**sent, "item": widget.view["current"]}]
    assert widget.progress.done == 1
    assert widget.view["reveal"] is None
    assert "a PPO loop is under way" in widget.notice["text"]
    widget.close()


def test_options_that_make_no_sense_are_refused(taught: Lab):
    with pytest.raises(ConfigError, match="ahead=0"):
        taught.rank(ahead=0)
