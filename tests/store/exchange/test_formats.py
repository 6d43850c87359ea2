"""What each format says, by hand; of pairs, see `test_pairs`."""

from __future__ import annotations

import csv
import json
from typing import Annotated

import pytest
from pydantic import Field

from rlhf_lab.errors import ConfigError, ImportFileError
from rlhf_lab.store.exchange import import_data
from rlhf_lab.store.exchange.fields import Strict, check
from rlhf_lab.store.exchange.formats import FORMATS, detect, named, to_write
from rlhf_lab.store.exchange.record import Candidate, Record, RowProblem
from rlhf_lab.types import Message, Prompt
from tests.store.exchange.helpers import USER, only, read, says, tiers


def test_a_number_too_large_is_named_by_its_own_field():
    class Scored(Strict):
        name: str
        score: Annotated[float, Field(ge=0)]

    for size in (400, 5000):
        with pytest.raises(
            RowProblem,
            match=rf"^field points: a number of {size:,} digits: at most 308 .*; correct it",
        ):
            check(Scored, {"name": "x", "points": 10 ** (size - 1)}, {"score": "points"})


@pytest.mark.parametrize("nothing", [float("nan"), None, ""])
def test_an_instruction_without_its_input_stands_alone(store, nothing):
    read(store, {"instruction": "Sing.", "input": nothing})
    assert [p.text for p in store.prompts()] == ["Sing."]
    with pytest.raises(ImportFileError, match="field input = 7: should be text"):
        read(store, {"instruction": "Sing.", "input": 7})


FLAT = {"prompt": "q", "response-1": "a", "response-2": "b"}
RANKED = '[["response-2", "response-1"]]'
BY_USER = """{"user_id": ["u"], "status": ["submitted"],
    "value": [{"rank": [1, 2], "value": ["response-2", "response-1"]}]}"""


@pytest.mark.parametrize("question", ["ranking", "order"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_flat_record_of_argilla_comes_from_a_table_of_text(store, tmp_path, question, version):
    said = {
        1: {question: BY_USER, f"{question}-suggestion": "", "metadata": "{}"},
        2: {
            f"{question}.responses": RANKED,
            f"{question}.responses.users": '["u"]',
            f"{question}.responses.status": '["submitted"]',
        },
    }
    row = {**FLAT, **said[version]}
    with (tmp_path / "f.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([row.keys(), row.values()])
    import_data(store, tmp_path / "f.csv", progress=False)
    assert (tiers(store), only(store).annotator) == ([["b"], ["a"]], "u")


@pytest.mark.parametrize("wrong", [7, {"a": 1}, True, '"text"', "['u1' 'u2']"])
@pytest.mark.parametrize("column", ["rank.responses", "rank.responses.users"])
def test_flat_replies_are_lists(store, column, wrong):
    row = {**FLAT, "rank.responses": RANKED, "rank.responses.users": ["u"], column: wrong}
    with pytest.raises(ImportFileError, match=f"field {column} = .*should be"):
        read(store, row)


SINGLE = {
    "prompt": ("trl-prompt-text", {"prompt": "Sky?"}, "prompt", ""),
    "question": ("trl-prompt-text", {"question": "Sky?", "answer": "x"}, "prompt", ""),
    "chat": ("trl-prompt", {"prompt": [USER]}, "prompt", ""),
    "messages": ("trl-prompt", {"messages": [USER]}, "prompt", ""),
    "completion": ("trl-sft-text", {"prompt": "Sky?", "completion": "Blue."}, "demonstration",
                   "Blue."),
    "chats": ("trl-sft", {"prompt": [USER], "completion": [says("Blue.")]}, "demonstration",
              "Blue."),
    "whole chat": ("trl-sft-messages", {"messages": [USER, says("Blue.")]}, "demonstration",
                   "Blue."),
}  # fmt: skip


@pytest.mark.parametrize(("form", "row", "kind", "text"), SINGLE.values(), ids=SINGLE)
def test_a_single_text_is_read_as_it_is_meant(form, row, kind, text):
    found = detect(row)
    assert found.name == form
    (record,) = found.read([row])
    assert (record.kind, record.prompt.text, record.text) == (kind, "Sky?", text)


def test_a_ranking_is_written_as_every_pair_and_a_tie_each_way():
    prompt = Prompt(messages=(Message(role="user", content="q"),))
    record = Record(
        kind="ranking",
        prompt=prompt,
        candidates=(Candidate("a"), Candidate("b"), Candidate("c")),
        tiers=((1,), (0, 2)),
        id="j",
        annotator="ann",
        strength="much",
    )
    rows = to_write("judgments", "trl-text").write(record)
    pairs = [(r["chosen"], r["rejected"], r["tie"]) for r in rows]
    assert pairs == [("b", "a", False), ("b", "c", False), ("a", "c", True), ("c", "a", True)]
    assert [(r["chosen_rank"], r["rejected_rank"]) for r in rows] == [
        (1, 2),
        (1, 2),
        (2, 2),
        (2, 2),
    ]
    assert {(r["judgment_id"], r["annotator"], r["strength"]) for r in rows} == {
        ("j", "ann", "much")
    }


def test_two_annotators_of_one_argilla_record_are_two_judgments(store):
    row = {
        "fields": {"prompt": "q", "response-1": "a", "response-2": "b"},
        "responses": {
            "ranking": [
                {"value": ["response-1", "response-2"], "user_id": "u1"},
                {"value": [{"value": "response-1", "rank": 1}, {"value": "response-2", "rank": 1}],
                 "user_id": "u2"},
                {"value": ["response-2", "response-1"], "user_id": "u3", "status": "draft"},
                {"value": None, "user_id": "u4", "status": "discarded"},
            ],
            "comment": [{"value": "equal", "user_id": "u2"}],
        },
    }  # fmt: skip
    report = read(store, row)
    assert (report.new["judgments"], report.new["responses"]) == (3, 2)
    first, second = store.judgments()
    assert (first.annotator, tiers(store, first)) == ("u1", [["a"], ["b"]])
    assert (second.annotator, tiers(store, second), second.comment) == ("u2", [["a", "b"]], "equal")
    (skip,) = store.judgments(kinds=("skip",))
    assert skip.annotator == "u4"


def test_suggestions_of_models_are_no_judgments(store):
    read(store, {
        "fields": {"prompt": "q", "response-1": "a", "response-2": "b"},
        "suggestions": {"ranking": {"value": ["response-1", "response-2"]}}, "responses": {},
    })  # fmt: skip
    assert store.judgments() == []
    assert [r.text for r in store.responses()] == ["a", "b"]


def test_answers_without_a_ranking_are_stored_unjudged(store):
    report = read(store, {"prompt": "q", "responses": ["a", {"text": "b", "source": "gpt"}]})
    assert (report.new["responses"], report.new["judgments"]) == (2, 0)
    assert [(r.text, r.version) for r in store.responses()] == [
        ("a", "import:"), ("b", "import:gpt"),
    ]  # fmt: skip


def test_unknown_fields_name_the_nearest_format_and_what_it_lacks(store):
    with pytest.raises(ImportFileError, match=r"\['chosen', 'question2'\] fit no format.*"
                       r"nearest is trl-implicit, which lacks 'rejected'.*columns="):  # fmt: skip
        read(store, {"chosen": "a", "question2": "b"})
    with pytest.raises(ImportFileError, match="but its fields have other types here"):
        read(store, {"prompt": 1, "chosen": 2, "rejected": 3})


def test_names_of_formats():
    assert len({f.name for f in FORMATS}) == len(FORMATS)
    assert to_write("prompts", "trl").name == "trl-prompt"
    assert to_write("demonstrations", "trl-text").name == "trl-sft-text"
    with pytest.raises(ConfigError, match="format='dpo': use one of argilla, kwise, trl"):
        named("dpo")
    with pytest.raises(ConfigError, match="prompts are written as trl-prompt, trl-prompt-text"):
        to_write("prompts", "kwise")


def test_every_format_writes_exactly_its_columns():
    prompt = Prompt(messages=(Message(role="user", content="q"),))
    said = {"prompt": prompt, "id": "x", "annotator": "ann"}
    two = (Candidate("a"), Candidate("b"))
    of = {
        "judgments": Record(kind="ranking", candidates=two, tiers=((0,), (1,)), **said),
        "demonstrations": Record(kind="demonstration", text="a", **said),
        "prompts": Record(kind="prompt", **said),
    }
    for form in FORMATS:
        (row,) = form.write(of[form.what])
        assert set(row) == set(form.columns), form.name
        assert detect(json.loads(json.dumps(row))).name == form.name
        assert all(form.write(r) == [] for w, r in of.items() if form.what not in (w, "prompts"))
