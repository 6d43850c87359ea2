from __future__ import annotations

import pytest

from rlhf_lab.evaluation.honest import criteria_ratings
from rlhf_lab.types import Judgment, Ranking
from tests.evaluation.honest.made import NOON

VERSIONS = {"a": "policy@10", "b": "policy@2", "c": "policy@10", "d": "policy@2"}


def judgment(who: str, word: str, ratings: dict[str, dict[str, int]], **changes) -> Judgment:
    ids = tuple(ratings)
    values = {
        "id": f"{who}-{word}-{changes}",
        "prompt_id": word,
        "annotator": who,
        "shown_order": ids,
        "ranking": Ranking(tiers=(ids,)),
        "criteria": ratings,
        "created_at": NOON,
        **changes,
    }
    return Judgment(**values)


def test_means_by_hand_a_response_counting_once():
    found = criteria_ratings(
        [
            judgment("ann", "tea", {"a": {"honest": 5, "helpful": 1}, "b": {"helpful": 4}}),
            judgment("bob", "tea", {"a": {"helpful": 2}, "b": {"style": 3}}),
            judgment("ann", "rain", {"c": {"helpful": 5}, "d": {"helpful": 2}}),
        ],
        VERSIONS,
    )
    cells = {(one.version, one.criterion): one for one in found}
    assert list(cells) == [
        ("policy@2", "helpful"),
        ("policy@2", "style"),
        ("policy@10", "helpful"),
        ("policy@10", "honest"),
    ]
    helpful = cells["policy@10", "helpful"]
    # Of a 1 and 2, of c 5.
    assert helpful.rating.estimate == pytest.approx((1.5 + 5) / 2)
    assert (helpful.ratings, helpful.responses, helpful.rating.n) == (3, 2, 2)
    assert 1 <= helpful.rating.low <= helpful.rating.high <= 5


def test_the_last_rating_of_a_person_counts_and_practice_does_not():
    found = criteria_ratings(
        [
            judgment("ann", "tea", {"a": {"helpful": 1}, "b": {}}),
            judgment("ann", "tea", {"a": {"helpful": 4}, "b": {}}, occasion="repeat"),
            judgment("ann", "rain", {"c": {"helpful": 1}, "d": {}}, occasion="calibration"),
        ],
        VERSIONS,
    )
    (helpful,) = found
    assert (helpful.rating.estimate, helpful.ratings) == (4, 1)


def test_the_best_of_all_ratings_on_few_prompts_is_no_certainty():
    said = [judgment("ann", f"p{n}", {"a": {"helpful": 5}, "b": {}}) for n in range(3)]
    found = criteria_ratings(said, VERSIONS)
    assert found[0].rating.high == 5
    assert found[0].rating.low < 4.5


def test_responses_of_nobody_asked_for_are_left_out():
    said = judgment("ann", "tea", {"x": {"helpful": 5}, "y": {}})
    assert criteria_ratings([said], VERSIONS) == ()
