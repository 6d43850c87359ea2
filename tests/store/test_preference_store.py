from __future__ import annotations

import itertools
import math
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from rlhf_lab.errors import PromptError, StoreError, UnknownVersion
from rlhf_lab.store import Counts, MetricsRow, PreferenceStore
from rlhf_lab.types import Message, Prompt, Version, utc_now
from tests.store.helpers import NOON, fill, prompt, ranking, response, skip


def test_prompts_come_back_equal_and_in_the_order_they_were_added(store):
    chat = Prompt(
        messages=(
            Message(role="system", content="Sei freundlich. 🌍"),
            Message(role="user", content="日本語?\n\tnul:\0 end"),
        ),
        split="heldout",
        source="file.jsonl",
        tags=("a", "ß"),
    )
    given_order = [prompt("z"), chat, prompt("a")]
    assert store.add_prompts(given_order) == 3
    assert store.prompts() == given_order
    assert store.prompts("heldout") == [chat]
    assert store.prompt(chat.id) == chat


def test_adding_prompts_again_adds_only_the_new_ones_and_changes_nothing(store):
    store.add_prompts([prompt("one"), prompt("two")])
    again = [prompt("two", split="heldout"), prompt("three"), prompt("three")]
    assert store.add_prompts(again) == 1
    assert store.prompts() == [prompt("one"), prompt("two"), prompt("three")]


def test_a_lone_surrogate_is_refused_and_nothing_of_the_call_is_stored(store):
    with pytest.raises(PromptError, match=r"'bad \\ud800' holds half a character.*Read the text"):
        store.add_prompts([prompt("good"), prompt("bad \ud800")])
    assert store.prompts() == []


def test_more_prompts_than_one_statement_takes_parameters_for(store):
    many = [prompt(f"number {n}") for n in range(2_000)]
    assert store.add_prompts(many) == 2_000
    assert store.add_prompts(many) == 0
    assert store.prompts() == many


def test_responses_come_back_equal_with_their_time_zone_in_utc(store):
    one, two = prompt("one"), prompt("two")
    store.add_prompts([one, two])
    berlin = timezone(timedelta(hours=1))
    first = response(
        one, 0, text="nul \0, half \ud800, \\json:", created_at=NOON.astimezone(berlin)
    )
    second = response(two, 0, version="policy@1", end_reason="length", token_ids=())
    assert store.add_responses([first, second]) == 2
    assert store.responses() == [first, second]
    assert store.response(first.id).created_at.utcoffset() == timedelta(0)
    assert store.responses(prompt_id=two.id) == [second]
    assert store.responses(version="policy@0") == [first]


def test_adding_a_response_again_is_safe_and_another_under_its_id_is_refused(store):
    [one] = fill(store, "one")
    assert store.add_responses([response(one, 0, created_at=utc_now()), response(one, 2)]) == 1
    with pytest.raises(StoreError, match="'one-0' already holds another response"):
        store.add_responses([response(one, 5), response(one, 0, text="other")])
    with pytest.raises(StoreError, match="'new' already holds another response"):
        store.add_responses([response(one, 6, id="new"), response(one, 7, id="new")])
    assert len(store.responses()) == 3


def test_responses_to_unknown_prompts_are_refused(store):
    with pytest.raises(StoreError, match="are not stored prompts: call add_prompts"):
        store.add_responses([response(prompt("nowhere"), 0)])


@pytest.mark.parametrize("what", ["prompt", "response"])
def test_an_unknown_id_says_where_to_look(store, what):
    with pytest.raises(StoreError, match=rf"{what} 'nope' is not in this lab: {what}s\(\) lists"):
        getattr(store, what)("nope")


def test_a_time_without_zone_is_refused(store):
    [one] = fill(store, "one")
    with pytest.raises(StoreError, match=r"one-9 has created_at=2025-.* without a time zone"):
        store.add_responses([response(one, 9, created_at=datetime(2025, 1, 1))])


def test_a_time_that_utc_cannot_tell_is_refused(store):
    [one] = fill(store, "one")
    when = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    with pytest.raises(StoreError, match=r"one-9 has created_at=0001-.* before the year 1 or"):
        store.add_responses([response(one, 9, created_at=when)])


def test_everything_is_there_after_reopening(database: Path | str):
    with PreferenceStore(database) as store:
        [one] = fill(store, "one")
        submitted = ranking("r1", one, comment="better\0\ud800", supersedes=None)
        store.submit(submitted)
        before = store.prompts(), store.responses(), store.judgments(), store.counts()
    url = str(database) if "://" in str(database) else f"sqlite:///{database}"
    with PreferenceStore(url) as store:
        assert (store.prompts(), store.responses(), store.judgments(), store.counts()) == before
        assert store.judgments() == [submitted]


def test_counts_only_what_is_active(store):
    one, two = fill(store, "one", "two")
    store.add_prompts([prompt("three", split="heldout")])
    store.submit(ranking("r1", one))
    store.submit(ranking("r2", one, best=1, supersedes="r1"))
    store.submit(skip("s1", two, annotator="bob"))
    store.add_version(Version(name="policy@0", parent=None, path="v/0"))
    assert store.counts() == Counts(
        prompts=3, heldout_prompts=1, responses=4, rankings=1, skips=1, annotators=2, versions=1
    )


def test_bulk_reads_are_one_query_each(store):
    fill(store, *(f"p{n}" for n in range(20)))
    statements: list[str] = []
    event.listen(
        store.database.engine,
        "before_cursor_execute",
        lambda c, cur, sql, *rest: statements.append(sql),
    )
    for read in (store.prompts, store.responses, store.judgments, store.versions, store.metrics):
        statements.clear()
        read()
        assert len([s for s in statements if s.startswith("SELECT")]) == 1


# -- versions, metrics, settings


def test_versions_form_a_tree_in_order(store):
    root = Version(name="policy@0", parent=None, path="versions/policy@0", created_at=NOON)
    judge = Version(name="reward@1", parent=None, path="r", metrics={"accuracy": math.inf})
    child = Version(
        name="policy@10", parent="policy@0", path="p", trained_with=("reward@1",), metrics={"kl": 1}
    )
    for version in (root, judge, child):
        store.add_version(version)
    head = store.chain_head()
    root, judge, child = (replace(version, judged=head) for version in (root, judge, child))
    assert store.versions() == [root, judge, child]
    assert store.version("policy@10") == child


def test_a_version_never_changes(store):
    store.add_version(Version(name="policy@0", parent=None, path="a"))
    with pytest.raises(StoreError, match="policy@0 exists, and versions never change: use the ne"):
        store.add_version(Version(name="policy@0", parent=None, path="b"))
    assert store.version("policy@0").path == "a"


def test_version_errors_name_the_rule_and_near_names(store):
    with pytest.raises(UnknownVersion, match="no versions yet"):
        store.version("policy@3")
    store.add_version(Version(name="policy@0", parent=None, path="a"))
    with pytest.raises(UnknownVersion, match=r"'polcy@0' is not .* did you mean \['policy@0'\]"):
        store.version("polcy@0")
    with pytest.raises(UnknownVersion, match="reward@9"):
        store.add_version(
            Version(name="policy@1", parent="policy@0", path="b", trained_with=("reward@9",))
        )
    with pytest.raises(StoreError, match="'best' is not a version name: use policy@NUMBER"):
        store.add_version(Version(name="best", parent=None, path="b"))


def test_metrics_keep_order_and_numbers_that_are_not_finite(database):
    with PreferenceStore(database, clock=lambda: NOON) as store:
        store.log_metrics("ppo", "policy@1", 0, {"kl": 0.1, "loss": math.inf})
        store.log_metrics("ppo", "policy@1", 1, {"loss": math.nan})
        store.log_metrics("reward", "reward@1", 0, {"accuracy": 1})
        assert store.metrics("ppo")[0] == MetricsRow(
            kind="ppo", version="policy@1", step=0, values={"kl": 0.1, "loss": math.inf},
            created_at=NOON,
        )  # fmt: skip
        assert math.isnan(store.metrics()[1].values["loss"])
        assert [m.kind for m in store.metrics(version="reward@1")] == ["reward"]


def test_settings_round_trip_and_are_replaced(store):
    assert store.get_setting("model") is None
    assert store.get_setting("model", default="tiny") == "tiny"
    for value in ({"name": "x", "ranks": [1, 2.5]}, None, "ünï \ud800", False):
        store.set_setting("model", value)
        assert store.get_setting("model", default="other") == value


@pytest.mark.parametrize(
    "value", [{1: "a"}, (1, 2), math.nan, object()], ids=lambda v: type(v).__name__
)
def test_settings_that_json_would_change_are_refused(store, value):
    with pytest.raises(StoreError, match=r"setting 'key': .* does not come back equal from JSON"):
        store.set_setting("key", value)


def test_any_text_survives_as_a_response(store):
    [one] = fill(store, "one", responses=0)
    numbers = itertools.count()

    @given(st.text(st.characters(exclude_categories=[])))
    @settings(max_examples=60, deadline=None)
    def survives(text):
        number = next(numbers)
        store.add_responses([response(one, number, text=text)])
        assert store.response(f"one-{number}").text == text

    survives()


# -- opening and closing


def test_durable_settings_are_in_force(sqlite_store):
    with sqlite_store.database.read() as session:
        pragmas = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000
    }  # fmt: skip


def test_a_write_takes_the_lock_before_it_reads(sqlite_store, sqlite_file):
    with sqlite_store.database.write() as session:
        session.connection()
        other = sqlite3.connect(sqlite_file, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_a_closed_store_says_so_and_closes_twice(database):
    store = PreferenceStore(database)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed: open a new one"):
        store.prompts()


def test_places_that_cannot_hold_a_lab(tmp_path):
    (tmp_path / "file").write_text("not a database, but long enough to look at" * 10)
    for place, message in [
        (tmp_path, "is a folder: pass the database file"),
        (tmp_path / "file" / "lab.db", "cannot be made"),
        (tmp_path / "file", "not a database.*restore a backup or choose another path"),
        (":memory:", "must survive the process"),
        ("sqlite://", "must survive the process"),
        ("mysql://host/lab", "mysql: a lab is kept in SQLite or PostgreSQL"),
        ("://", "not a database URL"),
    ]:
        with pytest.raises(StoreError, match=message):
            PreferenceStore(place)


def test_a_password_is_not_shown():
    with pytest.raises(StoreError) as caught:
        PreferenceStore("postgresql://me:secret@127.0.0.1:1/lab")
    assert "secret" not in str(caught.value)
