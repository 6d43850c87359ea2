from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.training.batching import micro_batches, shared_rows, spread


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
