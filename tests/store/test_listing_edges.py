"""Values at the edge of what tables can be asked for."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from rlhf_lab.errors import ConfigError
from rlhf_lab.store import JudgmentTable, prompt_table, response_table
from tests.store.helpers import NOON, fill, prompt, ranking

EAST, WEST = (timezone(timedelta(hours=h)) for h in (14, -12))


@pytest.fixture
def tables(store):
    one, *_ = fill(store, "one", "two", "three")
    store.submit(ranking("r1", one))
    return (
        prompt_table(store.database),
        response_table(store.database),
        JudgmentTable(store.database),
    )


@pytest.mark.parametrize("n", [0, -1, True, False, 1.0, "5", None, 2**63, 2**70])
def test_what_is_no_number_of_rows_is_refused(tables, n):
    for table in tables:
        with pytest.raises(ConfigError, match=r"^newest\(.*\): (a whole number of rows, )?at "):
            table.newest(n)


def test_any_number_of_rows_that_a_database_counts_is_taken(tables):
    for n in (3, np.int64(3), 2**63 - 1):
        assert [p.text for p in tables[0].newest(n)] == ["three", "two", "one"]


@pytest.mark.parametrize("place", [True, "one", 1.0, None])
def test_what_is_no_place_of_a_row_is_refused(tables, place):
    with pytest.raises(ConfigError, match=r"rows have numbers, and pieces are cut as in \[10:20\]"):
        tables[0][place]


def test_a_place_that_no_database_counts_to_has_no_row(tables):
    assert tables[0][np.int64(-1)].text == "three"
    for place in (2**63, 2**70, -(2**63) - 1, -(2**70)):
        with pytest.raises(IndexError, match=f"row {place} of 3 prompts"):
            tables[0][place]
    assert len(tables[0][: 2**70]) == 3
    assert len(tables[0][2**70 :]) == 0


def test_only_texts_are_searched_for(tables):
    for words in (None, 5, b"one", ["one"]):
        with pytest.raises(ConfigError, match=r"words are looked for. Give a text"):
            tables[0].search(words)


@pytest.mark.parametrize("text", ["half \ud800", "\0", '", "', "[", "a\u2028", "x" * 100_000])
def test_any_text_may_be_asked_for(tables, text):
    for table in tables:
        for name in set(table._spec.filters) - set(table._spec.values) - {"since"}:
            assert len(table.where(**{name: text})) == 0
        assert len(table.search(text)) == 0


ODD_TAGS = [
    ("a", "b"),
    (", ",),
    (", ", "b"),
    ("b", ", "),
    ("c[", "]c"),
    ("schön", "half \ud800"),
    ("schön",),
    ("sch\\u00f6n", 'x"a"y'),
    ("a,b", "nul \0"),
]


def test_each_tag_is_found_as_a_whole(store):
    store.add_prompts(prompt(str(n), tags=tags) for n, tags in enumerate(ODD_TAGS))
    table = prompt_table(store.database)
    for tag in {tag for tags in ODD_TAGS for tag in tags}:
        expected = [str(n) for n, tags in enumerate(ODD_TAGS) if tag in tags]
        assert [p.text for p in table.where(tag=tag)] == expected, json.dumps(tag)
    for tag in (",", " ", "", "[", '"', "\ud800", "A"):
        assert len(table.where(tag=tag)) == 0
    assert len(table.where(tag=[", ", "schön"])) == 5


@pytest.mark.parametrize(
    "since",
    [
        datetime.min.replace(tzinfo=EAST),
        datetime.max.replace(tzinfo=WEST),
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_time_beyond_the_calendar_is_refused(tables, since):
    for table in tables[1:]:
        with pytest.raises(
            ConfigError, match="is no time in UTC: use one from 0001-01-01 to 9999-12-31"
        ):
            table.where(since=since)


def test_times_at_the_edge_of_the_calendar_are_times(tables):
    for since in ("0001-01-01", date.min, datetime.min, datetime.min.replace(tzinfo=UTC)):
        assert len(tables[2].where(since=since)) == 1
    for since in (date.max, datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59+14:00"):
        assert len(tables[2].where(since=since)) == 0
    assert len(tables[2].where(since=NOON.astimezone(EAST))) == 1
