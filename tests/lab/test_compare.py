"""Comparing versions in a lab: what it takes, and what becomes of the judgments."""

from __future__ import annotations

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import NotEnoughData, UnknownVersion
from rlhf_lab.types import Judgment, Ranking
from tests.lab.labs import PPO, REWARD
from tests.store.helpers import fill, prompt, response


@pytest.fixture
def lab(tmp_path):
    """Two prompts, both of the training split, that two versions answered."""
    with Lab(tmp_path / "lab", progress=False) as lab:
        fill(lab.store, "one", "two")
        lab.store.add_responses(
            response(prompt(t), n, version="policy@1") for t in ("one", "two") for n in (7, 8)
        )
        yield lab


def test_a_lab_compares_two_versions_and_goes_on_when_it_is_opened_again(lab):
    widget = lab.compare("policy@1", split="train")
    key = widget.content["items"][0]["key"]
    sent = {"seq": 1, "id": "compared-1", "type": "submit", "item": key, "choice": "A"}
    widget.events = [{**sent, "strength": None, "seconds": 3}]
    widget.close()
    with Lab(lab.path, progress=False) as again:
        assert again.compare("policy@1", "policy@0", split="train").progress.done == 1
        assert again.comparison("policy@0", "policy@1", split=None).report().compared == 1
        assert again.compare("policy@1", annotator="bob", split="train").progress.done == 0
        (judgment,) = again.judgments.where(annotator="me")
        assert judgment.id == "compared-1"
        assert len(judgment.shown_order) == 2
        assert again.audit().ok


def test_what_is_missing_is_said_with_the_next_step(lab):
    with pytest.raises(NotEnoughData, match=r"2 of them both, but no heldout prompt.*'train'"):
        lab.compare("policy@1")
    with pytest.raises(UnknownVersion, match=r"'policy@9'"):
        lab.compare("policy@9", split=None)


def test_comparing_does_not_disturb_ranking(lab):
    queue = lab.queue()
    ranked = queue.next_item()
    ids = tuple(c.id for c in ranked.candidates)
    about = {"prompt_id": ranked.prompt.id, "shown_order": ids, "annotator": "me"}
    queue.submit(Judgment(id="ranked-1", ranking=Ranking(tiers=(ids,)), **about))
    pairs = lab.comparison("policy@1", split="train")
    assert pairs.report().done == 0
    assert pairs.undo() is None
    (pair,) = pairs.waiting(1)
    both = tuple(c.id for c in pair.candidates)
    about = {"prompt_id": pair.prompt.id, "shown_order": both, "annotator": "me"}
    pairs.submit(Judgment(id="compared", ranking=Ranking(tiers=(both,)), **about))
    assert queue.progress().done == 1
    assert queue.undo() == ranked
    assert pairs.report().ties == 1


def test_what_evaluate_stored_is_compared_and_measures_the_reward_model(taught: Lab):
    taught.ppo(steps=1, config=PPO).run()
    with pytest.raises(NotEnoughData, match=r"lab\.evaluate\(baseline='policy@0'\)"):
        taught.compare("policy@1")
    taught.evaluate(baseline="policy@0")
    pairs = taught.comparison("policy@1")
    assert pairs.report().total == 4
    for number, pair in enumerate(pairs.waiting(9)):
        assert {c.purpose for c in pair.candidates} == {"evaluation"}
        assert pair.prompt.split == "heldout"
        better, worse = sorted(pair.candidates, key=lambda c: c.version, reverse=True)
        ids = tuple(c.id for c in pair.candidates)
        tiers = ((better.id,), (worse.id,))
        about = {"prompt_id": pair.prompt.id, "shown_order": ids, "annotator": "me"}
        pairs.submit(Judgment(id=f"pair-{number}", ranking=Ranking(tiers=tiers), **about))
    assert str(pairs.report()).startswith("policy@1 against policy@0: win rate 1.00 [0.51, 1.00")
    before = taught.store.get_setting("head.reward")
    taught.update_reward(REWARD)  # nothing new to learn from: these never train
    assert taught.store.get_setting("head.reward") == before
