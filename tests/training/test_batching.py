from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.training.batching import divided, micro_batches, most_parts, shared_rows, spread


def test_rows_of_like_length_share_a_batch_within_the_budget():
    assert micro_batches([5, 1, 4, 2, 9], tokens=8) == [[1, 3], [2], [0], [4]]


def test_a_row_beyond_the_budget_stands_alone():
    assert micro_batches([3, 100, 3], tokens=6) == [[0, 2], [1]]


def test_neighbours_of_one_prompt_share_a_row_within_the_budget():
    prompts = [[1, 1], [1, 1], [1, 1], [2], [1, 1]]
    responses = [[5], [6, 6], [7], [8], [9]]
    # 2 + 1 + 2 tokens fill the first row; the last one has another neighbour.
    assert shared_rows(prompts, responses, 5, most=9) == [[0, 1], [2], [3], [4]]
    assert shared_rows(prompts, responses, 100, most=9) == [[0, 1, 2], [3], [4]]
    assert shared_rows(prompts, responses, 100, most=2) == [[0, 1], [2], [3], [4]]
    assert shared_rows(prompts, responses, 100, most=1) == [[0], [1], [2], [3], [4]]
    assert shared_rows(prompts, responses, 1, most=9) == [[0], [1], [2], [3], [4]]


def test_no_rows_make_no_batches():
    assert micro_batches([], tokens=8) == []


def test_short_rows_still_make_as_many_batches_as_minibatches_need():
    assert micro_batches([1] * 5, tokens=1000, at_least=2) == [[0, 1], [2, 3], [4]]
    assert micro_batches([1, 1], tokens=1000, at_least=4) == [[0], [1]]


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    tokens=st.integers(1, 200),
    parts=st.integers(1, 8),
)
def test_every_row_is_in_one_group_and_minibatches_are_all_filled(lengths, tokens, parts):
    groups = micro_batches(lengths, tokens, at_least=parts)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= tokens
    dealt = spread(list(range(len(groups))), [len(g) for g in groups], parts)
    assert sorted(g for part in dealt for g in part) == list(range(len(groups)))
    assert len(dealt) == min(parts, len(lengths))
    assert all(dealt)


@pytest.mark.parametrize(
    ("rows", "parts", "expected"),
    [
        ([4, 1, 1, 2], 2, [[0], [1, 2, 3]]),
        ([1, 1, 1, 1], 2, [[0, 2], [1, 3]]),
        ([3], 2, [[0]]),
    ],
)
def test_groups_are_dealt_so_that_parts_have_about_equal_rows(rows, parts, expected):
    assert spread(range(len(rows)), rows, parts) == expected


def test_a_group_is_halved_by_rows_and_then_by_the_responses_of_a_row():
    group = [[0, 1], [2, 3], [4]]
    assert divided(group, 1) == [group]
    assert divided(group, 2) == [[[0, 1]], [[2, 3], [4]]]
    assert divided(group, 4) == [[[0]], [[1]], [[2, 3]], [[4]]]
    assert divided(group, 8) == [[[0]], [[1]], [[2]], [[3]], [[4]]]


def test_one_response_is_not_divided():
    assert divided([[7]], 64) == [[[7]]]


def test_the_most_parts_are_the_fewest_that_leave_single_responses():
    assert most_parts([[[0]], [[1]]]) == 1
    assert most_parts([[[0]], [[1, 2]]]) == 2
    # Halves of halves: the long row is alone from 4 parts on and needs 8 more.
    assert most_parts([[[0], [1], [2], [3, 4, 5, 6, 7]]]) == 32


@given(rows=st.lists(st.integers(1, 5), min_size=1, max_size=6), halvings=st.integers(0, 6))
def test_parts_hold_every_response_once_and_in_order(rows, halvings):
    numbers = iter(range(100))
    group = [[next(numbers) for _ in range(count)] for count in rows]
    parts = divided(group, 2**halvings)
    assert len(parts) <= 2**halvings
    assert [n for part in parts for row in part for n in row] == list(range(sum(rows)))
    assert all(len(part) == 1 or sum(map(len, part)) > 1 for part in parts)
    singles = divided(group, most_parts([group]))
    assert [[[n]] for n in range(sum(rows))] == singles
