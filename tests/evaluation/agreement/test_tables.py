from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.evaluation.agreement import tabulate
from rlhf_lab.evaluation.agreement.tables import ANSWER, WORK
from rlhf_lab.store.opinions import Opinion


def opinion(who: str, item: str, tiers: list[list[str]] | None, **changes) -> Opinion:
    ids = [i for tier in tiers or [] for i in tier]
    values = {
        "seq": 1,
        "item": item if tiers else None,
        "prompt": f"prompt of {item}",
        "annotator": who,
        "occasion": "regular",
        "shown": sorted(ids),
        "tiers": tiers,
        "seconds": 5.0,
        "at": 0.0,
    }
    return Opinion(**{**values, **changes})


def test_pairs_by_hand():
    # b above a and c, which are tied.
    table = tabulate([opinion("ann", "x", [["b"], ["a", "c"]])], {})
    pairs = table.pairs(table.rows(WORK))
    # a-b: the second above; a-c: tied; b-c: the first above.
    assert (pairs.value.tolist(), pairs.unit.tolist(), pairs.values) == ([2, 1, 0], [0, 1, 2], 3)


def test_places_of_ties_are_shared_and_items_of_any_size_have_the_same_ends():
    said = [
        opinion("ann", "x", [["b"], ["a", "c"], ["d"]]),
        opinion("ann", "y", [["f"], ["e"]]),
    ]
    table = tabulate(said, {})
    places = table.places(table.rows(WORK))
    # x: b is first, a and c share the middle, d is last. y: f is first, e is last.
    assert places.values == 3
    assert dict(zip(places.unit.tolist(), places.value.tolist(), strict=True)) == {
        0: 1, 1: 0, 2: 1, 3: 2, 4: 2, 5: 0,
    }  # fmt: skip
    assert places.cluster.tolist() == [1, 1, 0, 0, 0, 0]


orders = st.lists(st.integers(0, 3), min_size=2, max_size=5)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), orders), max_size=12))
def test_every_pair_of_every_last_ranking_is_there_once(said):
    opinions, last = [], {}
    for number, (who, item, ranks) in enumerate(said):
        name = f"{item} of {len(ranks)}"  # an item has the same candidates each time
        tiers = [
            [f"{name}-{i}" for i, rank in enumerate(ranks) if rank == level]
            for level in sorted(set(ranks))
        ]
        opinions.append(opinion(f"who {who}", name, tiers, seq=number))
        last[f"who {who}", name] = ranks
    table = tabulate(opinions, {})
    rows = table.rows(WORK)
    pairs = table.pairs(rows)
    items = [table.items[i] for i in table.item_of_pair()]
    found = {}
    for rater, unit, value in zip(pairs.rater, pairs.unit, pairs.value, strict=True):
        found.setdefault((table.names[rater], items[unit]), []).append(int(value))
    expected = {
        key: [int(np.sign(a - b)) + 1 for a, b in combinations(ranks, 2)]
        for key, ranks in last.items()
    }
    assert found == expected


def test_practice_is_left_out_and_a_skip_is_counted():
    said = [
        opinion("ann", "x", [["a"], ["b"]], occasion="calibration"),
        opinion("bob", "x", None),
        opinion("bob", "x", [["a"], ["b"]]),
    ]
    table = tabulate(said, {})
    assert (table.names, table.skips, len(table.who)) == (("bob",), {"bob": 1}, 1)


def test_known_answers_are_rows_of_nobody_and_only_of_items_that_somebody_ranked():
    said = [opinion("ann", "x", [["a"], ["b"]], occasion="gold")]
    table = tabulate(said, {"x": [["b"], ["a"]], "y": [["c"], ["d"]]})
    assert table.who.tolist() == [0, -1]
    assert table.pairs(table.rows(ANSWER)).value.tolist() == [2]
    assert table.items == ("x",)


@pytest.mark.parametrize(
    ("tiers", "lean"),
    [([["a"], ["b", "c"]], 1), ([["c"], ["a", "b"]], -1), ([["a", "c"], ["b"]], 0)],
)
def test_lean_is_of_the_first_shown_against_the_last(tiers, lean):
    assert tabulate([opinion("ann", "x", tiers)], {}).lean.tolist() == [lean]
