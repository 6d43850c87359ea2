from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.trust import stored_items
from rlhf_lab.lab.measuring import LabMeasures
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Demonstration
from tests.evaluation.agreement.saying import NOON, Team, prompt
from tests.evaluation.trust.saying import Ranks, Says, item


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with PreferenceStore(tmp_path / "lab.db") as store:
        yield Team(store)


def write(team: Team, word: str, text: str, edited_from: str | None = None) -> None:
    number = len(team.store.demonstrations())
    team.store.add_demonstration(
        Demonstration(
            id=f"d{number}",
            prompt_id=prompt(word).id,
            text=text,
            annotator="me",
            edited_from=edited_from,
            created_at=NOON,
        )
    )


class Lab(LabMeasures):
    seed = 0
    progress = False

    def __init__(self, store: PreferenceStore) -> None:
        self.store = store


def test_the_best_becomes_the_reference_and_the_rest_is_to_be_ordered():
    found = item("B > A = C > D").without_best()
    assert found.references == ("B to tea",)
    assert found.ranking.tiers == (("tea-A", "tea-C"), ("tea-D",))
    assert [one.id for one in found.candidates] == ["tea-A", "tea-C", "tea-D"]


def test_of_tied_best_ones_the_first_is_the_reference():
    found = item("C = B > A").without_best()
    assert found.references == ("B to tea",)
    assert found.ranking.tiers == (("tea-C",), ("tea-A",))


@pytest.mark.parametrize("order", ["A > B", "A > B = C", "A = B"])
def test_without_two_to_order_nothing_is_left(order: str):
    assert item(order).without_best() is None


def test_every_judgment_that_counts_with_the_newest_demonstration(team: Team):
    team.say("ann", "tea", "A > B > C", shown="CAB")
    team.say("bob", "tea", "B > A = C")
    team.say("ann", "rain", "A > B")
    write(team, "tea", "older")
    write(team, "tea", "newer")
    found = stored_items(team.store)
    assert [(one.annotator, one.prompt.text, one.references) for one in found.items] == [
        ("ann", "tea", ("newer",)),
        ("bob", "tea", ("newer",)),
        ("ann", "rain", ()),
    ]
    assert [one.id for one in found.items[0].candidates] == ["tea-C", "tea-A", "tea-B"]
    assert found.notes == ()


def test_a_second_look_replaces_the_first_and_practice_does_not_count(team: Team):
    team.say("ann", "tea", "A > B")
    team.say("ann", "tea", "B > A", occasion="repeat")
    team.say("bob", "tea", "A > B", occasion="calibration")
    (found,) = stored_items(team.store).items
    assert found.ranking.tiers == (("tea-B",), ("tea-A",))


def test_ties_of_all_are_left_out_and_told(team: Team):
    team.say("ann", "tea", "A = B")
    with pytest.raises(NotEnoughData, match="nothing to measure by: 1 judgment ties all cand"):
        stored_items(team.store)
    team.say("ann", "rain", "A > B")
    assert stored_items(team.store).notes == ("1 judgment ties all candidates.",)


def test_an_edit_of_a_candidate_is_no_reference_to_it(team: Team):
    team.say("ann", "tea", "A > B")
    team.say("ann", "rain", "A > B")
    write(team, "tea", "older, by hand")
    write(team, "tea", "A made better", edited_from="tea-A")
    write(team, "rain", "A made better", edited_from="rain-A")
    found = stored_items(team.store)
    assert [one.references for one in found.items] == [("older, by hand",), ()]
    assert found.notes == ("1 judgment has no reference but an edit of one of its own candidates.",)


def test_the_best_answers_as_references_say_what_they_leave_out(team: Team):
    team.say("ann", "tea", "A > B > C")
    team.say("ann", "rain", "A > B")
    team.say("ann", "milk", "A > B")
    found = stored_items(team.store, references="best")
    assert [one.references for one in found.items] == [("A to tea",)]
    assert found.notes == ("2 judgments leave nothing to order behind their best answer.",)


def test_references_by_prompt_are_found_by_id_or_text(team: Team):
    for word in ("tea", "rain", "milk"):
        team.say("ann", word, "A > B")
    found = stored_items(
        team.store, references={prompt("tea").id: "one", "rain": ["two", "three"], "snow": "x"}
    )
    assert [one.references for one in found.items] == [("one",), ("two", "three"), ()]
    with pytest.raises(ConfigError, match="references for 1 prompts, and none for one that was"):
        stored_items(team.store, references={"snow": "x"})
    with pytest.raises(ConfigError, match="references='worst': 'demonstrations', 'best'"):
        stored_items(team.store, references="worst")


def test_only_some_people_and_prompts(team: Team):
    team.say("ann", "tea", "A > B")
    team.say("bob", "tea", "A > B")
    found = stored_items(team.store, annotators=["bob"], split="train")
    assert [one.annotator for one in found.items] == ["bob"]
    with pytest.raises(NotEnoughData, match="0 rankings that count: rank some items"):
        stored_items(team.store, split="heldout")


def test_a_lab_measures_metrics_judges_and_baselines(team: Team):
    for word in ("tea", "rain"):
        team.say("ann", word, "A > B > C")
    judge, scores = Ranks("A > B > C"), Says("scores", A=1, B=2, C=3)
    report = Lab(team.store).trust(
        metrics=["rouge1", "bleu"], judges=[judge, scores], references="best"
    )
    assert {row.name: row.judgments for row in report.rows} == dict.fromkeys(
        ["rouge1", "bleu", "judge", "scores", "length", "coin"], 2
    )
    assert report.row("judge").pairs.estimate == 1
    assert report.row("scores").pairs.estimate == 0
    again = Lab(team.store).trust(
        metrics=["rouge1", "bleu"], judges=[judge, scores], references="best"
    )
    assert str(again) == str(report)


def test_without_references_a_lab_says_what_to_do_and_loads_no_model(team: Team):
    team.say("ann", "tea", "A > B")
    report = Lab(team.store).trust(embedding="/no/such/folder")
    assert report.row("bert_score").verdict == "not measured"
    assert 'pass references="best"' in report.meaning
    assert report.row("length").judgments == 1


@pytest.mark.model
def test_all_metrics_at_once(team: Team):
    team.say("ann", "tea", "A > B")
    write(team, "tea", "A to tea")
    report = Lab(team.store).trust()
    for name in ("rouge1", "bleu", "bert_score", "mover_score"):
        assert report.row(name).pairs.estimate == 1
