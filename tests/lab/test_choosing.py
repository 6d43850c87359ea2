"""Items and candidates chosen by what they teach, in a whole lab with a tiny model."""

from __future__ import annotations

import warnings

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.choosing import LabChoices, check_sample
from rlhf_lab.models.watching import Watch
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.choosing import in_random_share
from rlhf_lab.types import LoraSpec
from tests.lab.labs import HELDOUT, SAMPLING, TRAIN

MORE = [f"Say something of {thing}." for thing in ("oak", "ash", "elm", "fir", "yew", "bay")]


class Choosing(Lab, LabChoices):
    """A lab that chooses, whether or not `Lab` itself does."""


@pytest.fixture
def lab(path, tiny_folder):
    settings = {"model": str(tiny_folder), "quantize": "none", "lora": LoraSpec(rank=4, alpha=8)}
    with Choosing(path, sampling=SAMPLING, progress=False, **settings) as lab:
        lab.add_prompts([*TRAIN, *MORE], split="train")
        lab.add_prompts(HELDOUT, split="heldout")
        yield lab


def priorities(lab: Lab) -> list[float]:
    from sqlalchemy import select

    from rlhf_lab.store.tables import ItemRow

    with lab.store.database.read() as session:
        return list(session.scalars(select(ItemRow.priority).where(ItemRow.state == "open")))


def collect(lab: Lab, k: int, sample: int | None, count: int = 18):
    prompts = lab.store.prompts()[:count]
    return lab._collect(prompts, k=k, sample=sample, sampling=SAMPLING, watch=Watch())


def candidates(lab: Lab) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for r in lab.store.responses():
        if r.purpose == "candidate":
            found.setdefault(r.prompt_id, []).append(r.id)
    return found


def test_without_rankings_items_come_at_random_and_that_is_said_once(lab):
    lab.generate(k=2, prompts=10, heldout=0)
    with pytest.warns(UserWarning, match="0 rankings on training prompts.* takes 8"):
        assert lab.annotate(items=2, strategy="informative") == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lab.annotate(items=2, strategy="informative") == 2
    assert set(priorities(lab)) == {0.0}


def test_informative_items_come_by_priority_and_the_dashboard_goes_by_the_same(lab):
    lab.generate(k=2, prompts=18, heldout=0.2)
    assert lab.annotate(items=14) == 14
    lab.annotate(items=0, strategy="informative")
    ranked = lab.prioritise()
    assert ranked > 0
    assert max(priorities(lab)) > 0
    # No model is asked here: the store hands out by what is written in it.
    items = {i.id: i for i in lab.store.assignments.open_items(lab.version)}
    chosen = lab.store.assignments.upcoming("ann", lab.version, 30, strategy="informative")
    assert len(chosen) == len(items)
    kept = [in_random_share(i.prompt.id, [c.id for c in i.candidates]) for i in chosen]
    heldout = [i.prompt.split == "heldout" for i in chosen]
    assert sum(a or b for a, b in zip(kept, heldout, strict=True)) == len(chosen) - ranked


def test_the_plan_says_how_items_are_chosen_unless_it_is_asked_for_otherwise(lab):
    lab.generate(k=2, prompts=14, heldout=0)
    lab.annotate(items=9)
    lab.plan = AssignmentPlan(strategy="informative")
    lab.queue("ann", strategy="random")
    assert set(priorities(lab)) == {0.0}
    lab.queue("ann")
    assert max(priorities(lab)) > 0


def test_features_survive_the_session(lab, path):
    lab.generate(k=2, prompts=14, heldout=0)
    lab.annotate(items=9)
    lab.prioritise()
    before = priorities(lab)
    lab.let_go()
    with Choosing(path, sampling=SAMPLING, progress=False) as other:
        other.prioritise()
        assert "model" not in other._bench.__dict__  # nothing was computed again
        assert priorities(other) == before


def test_k_of_more_samples_are_offered_and_twice_is_once(lab):
    batch = collect(lab, k=2, sample=5)
    found = candidates(lab)
    assert {len(ids) for ids in found.values()} == {2}
    assert sorted(r.id for r in batch.responses) == sorted(i for ids in found.values() for i in ids)
    assert {r.purpose for r in batch.responses} == {"candidate"}
    assert len(lab.store.responses()) == 5 * 18
    again = collect(lab, k=2, sample=5)
    assert again.new == 0
    assert candidates(lab) == found
    assert len(lab.queue("ann").upcoming(40)) == 18


def test_held_out_prompts_show_the_first_samples_whatever_they_teach(lab):
    collect(lab, k=2, sample=5)
    plain = {p.id for p in lab.store.prompts(split="heldout")}
    for prompt_id, ids in candidates(lab).items():
        if prompt_id in plain:
            assert ids == [r.id for r in lab.store.responses(prompt_id)][:2]


def test_no_text_is_shown_twice_while_there_are_others(lab):
    collect(lab, k=3, sample=6)
    for prompt_id, ids in candidates(lab).items():
        texts = {r.id: " ".join(r.text.split()) for r in lab.store.responses(prompt_id)}
        if lab.store.prompt(prompt_id).split == "train":
            shown = [texts[i] for i in ids]
            assert len(set(shown)) == min(3, len(set(texts.values())))


def test_asked_for_more_it_adds_to_what_was_chosen(lab):
    collect(lab, k=2, sample=5)
    before = candidates(lab)
    batch = collect(lab, k=4, sample=None)
    assert batch.new == 0  # the first four samples are there
    after = candidates(lab)
    assert all(len(after[i]) == 4 and set(before[i]) <= set(after[i]) for i in before)


def test_samples_that_were_stored_before_a_crash_are_chosen_from_afterwards(lab, monkeypatch):
    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(lab.store.assignments), "make_candidates", fails)
        with pytest.raises(KeyboardInterrupt):
            collect(lab, k=2, sample=4, count=3)
    assert candidates(lab) == {}
    assert collect(lab, k=2, sample=4, count=3).new == 0
    assert {len(ids) for ids in candidates(lab).values()} == {2}


def test_fewer_samples_than_candidates_are_refused():
    check_sample(4, None)
    check_sample(4, 4)
    with pytest.raises(ConfigError, match="sample=3, k=4"):
        check_sample(4, 3)
