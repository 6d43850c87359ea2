"""Where a round stands: what is counted, and when it is counted again."""

import json

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.standing import Standing, StandingReader, tree_mark
from rlhf_lab.types import Version
from tests.store.helpers import fill, prompt, ranking, response, skip, undo


@pytest.fixture
def store(database):
    with PreferenceStore(database) as opened:
        yield opened


@pytest.fixture
def reader(store, tmp_path):
    return StandingReader(store, tmp_path)


def add(store, tmp_path, name: str, learned=None, **changes) -> None:
    """A version, with the state that its checkpoint keeps of what it has learned from."""
    folder = tmp_path / name
    folder.mkdir()
    if learned is not None:
        (folder / "state.json").write_text(json.dumps({"learned": learned}))
    store.add_version(Version(**{"name": name, "path": name, "parent": None, **changes}))
    store.set_setting(f"head.{name.partition('@')[0]}", name)


def test_an_empty_lab_stands_at_the_start(reader):
    assert reader.read() == Standing(
        policy="policy@0",
        reward=None,
        prompts=0,
        responses=0,
        items=0,
        ranked=0,
        rankings=0,
        trained_with=(),
        is_evaluated=False,
    )


def test_candidates_and_rankings_of_the_present_policy_count(store, reader, tmp_path):
    one, two, three = fill(store, "one", "two", "three")
    store.add_responses([response(one, 5, purpose="evaluation")])
    store.assignments.offer("policy@0")
    store.submit(ranking("a", one))
    store.submit(ranking("b", one, annotator="bob"))
    store.submit(skip("c", two))
    found = reader.read()
    assert (found.prompts, found.responses, found.items, found.ranked) == (3, 6, 3, 1)
    assert found.rankings == 2
    add(store, tmp_path, "policy@0")
    add(store, tmp_path, "policy@1", parent="policy@0")
    found = reader.read()
    assert (found.policy, found.responses, found.items, found.ranked) == ("policy@1", 0, 0, 0)
    assert found.rankings == 2  # whoever wrote it, the reward model has not learned from it
    assert three is not None


def test_what_the_reward_model_has_learned_from_is_no_longer_new(store, reader, tmp_path):
    one, two = fill(store, "one", "two")
    store.submit(ranking("a", one))
    store.submit(ranking("b", two))
    add(store, tmp_path, "reward@0", learned=["a"])  # "b" came in while it learned
    assert reader.read().rankings == 1
    store.submit(ranking("c", one, annotator="bob"))
    assert reader.read().rankings == 2
    add(store, tmp_path, "reward@1", learned=["a", "b", "c"], parent="reward@0")
    assert (reader.read().reward, reader.read().rankings) == ("reward@1", 0)


def test_a_version_without_its_checkpoint_counts_from_when_it_was_made(store, reader, tmp_path):
    one, two = fill(store, "one", "two")
    store.submit(ranking("a", one))
    add(store, tmp_path, "reward@0")
    store.submit(ranking("b", two))
    assert reader.read().rankings == 1


def test_rankings_of_held_out_prompts_and_those_taken_back_are_not_counted(store, reader):
    [one] = fill(store, "one")
    held = prompt("held", split="heldout")
    store.add_prompts([held])
    store.add_responses(response(held, n) for n in range(2))
    first = ranking("a", one)
    store.submit(first)
    store.submit(ranking("b", held))
    assert reader.read().rankings == 1
    store.submit(undo("u", first))
    assert reader.read().rankings == 0


def test_a_policy_knows_what_it_was_trained_with_and_whether_it_was_compared(
    store, reader, tmp_path
):
    add(store, tmp_path, "policy@0")
    add(store, tmp_path, "reward@0", learned=[])
    add(store, tmp_path, "policy@1", parent="policy@0", trained_with=("reward@0",))
    assert reader.read().trained_with == ("reward@0",)
    assert not reader.read().is_evaluated
    store.log_metrics("evaluation", "policy@1", 0, {"win_rate": 0.5})
    assert reader.read().is_evaluated


def test_it_is_counted_again_only_when_something_has_changed(store, reader):
    [one] = fill(store, "one")
    first = reader.read()
    assert reader.read() is first
    store.submit(ranking("a", one))
    second = reader.read()
    assert second.rankings == first.rankings + 1
    store.set_setting("instructions", "Rank.")
    assert reader.read() is second


def test_the_tree_is_another_when_versions_evaluations_or_heads_are(store, tmp_path):
    [one] = fill(store, "one")
    marks = [tree_mark(store)]
    store.submit(ranking("a", one))
    store.log_metrics("ppo", "policy@1", 1, {"score": 0.1})
    assert tree_mark(store) == marks[0]
    add(store, tmp_path, "policy@0")
    marks.append(tree_mark(store))
    store.log_metrics("evaluation", "policy@0", 0, {"win_rate": 0.5})
    marks.append(tree_mark(store))
    store.set_setting("head.reward", "reward@0")
    marks.append(tree_mark(store))
    assert len(set(marks)) == 4
