"""What the responses of each version are like, counted by the database."""

from __future__ import annotations

import pytest

from rlhf_lab.store.version_figures import (
    ResponseFigures,
    annotator_names,
    answering_versions,
    response_figures,
)
from tests.store.helpers import prompt, ranking, response


def test_an_empty_lab_has_no_figures(store):
    assert response_figures(store.database) == []
    assert answering_versions(store.database) == []
    assert annotator_names(store.database) == []


def test_length_endings_and_variety_of_each_version(store):
    one, two = prompt("one"), prompt("two")
    store.add_prompts([one, two])
    store.add_responses(
        [
            response(one, 0, text="abcd", version="policy@1"),
            response(one, 1, text="abcd", version="policy@1", end_reason="length"),
            response(two, 0, text="abcd", version="policy@1"),
            response(two, 1, text="ab\0é", version="policy@0", token_ids=()),
        ]
    )
    later, first = response_figures(store.database)
    assert later == ResponseFigures(
        version="policy@1",
        responses=3,
        prompts=2,
        characters=4.0,
        ended=pytest.approx(2 / 3),
        different=pytest.approx(2 / 3),  # twice the same to one prompt; to another one is no repeat
    )
    assert (first.version, first.responses, first.ended, first.different) == ("policy@0", 1, 1, 1)


def test_versions_come_by_who_wrote_last(store):
    one = prompt("one")
    store.add_prompts([one])
    for number, version in enumerate(("policy@0", "import:x", "policy@0", "policy@1")):
        store.add_responses([response(one, number, version=version)])
    assert answering_versions(store.database) == ["policy@1", "policy@0", "import:x"]


def test_everybody_who_judged_is_named_once(store):
    one = prompt("one")
    store.add_prompts([one])
    store.add_responses([response(one, number) for number in (0, 1)])
    for number, who in enumerate(("cat", "ann", "cat")):
        store.submit(ranking(f"j{number}", one, annotator=who))
    assert annotator_names(store.database) == ["ann", "cat"]
