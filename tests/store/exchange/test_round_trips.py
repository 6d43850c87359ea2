"""Whatever was said comes back from every format in every kind of file."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.exchange import export_data, import_data, sources, to_dataset, writers
from rlhf_lab.store.exchange.cells import from_cell, from_table, to_cell, to_table
from rlhf_lab.store.exchange.formats import named
from rlhf_lab.store.exchange.importing import _Progress, _records
from rlhf_lab.store.exchange.record import Candidate, Record
from rlhf_lab.types import Demonstration, Judgment, Message, Occasion, Prompt, Ranking, Response
from tests.store.exchange.helpers import content, empty

FORMATS = ("trl", "trl-implicit", "trl-text", "hh", "trl-text-implicit", "kwise", "argilla")
FILES = (".jsonl", ".jsonl.gz", ".json", ".csv", ".csv.gz", ".parquet", "")

AWKWARD = st.sampled_from([
    "", " ", "\n\nHuman: ", "\n\nAssistant: ", "=1+1", "'=x", "''-", "@a", "[", "[]", '[{"role"',
    "{", "\t", "\r", "\r\n", "\0", '"', ",", "\\json:", '\\json:"x"', "\ufeff", "null", "1", "true",
    "\u2028", "\x1a", "ß€😀",
])  # fmt: skip
texts = st.one_of(
    st.lists(AWKWARD | st.text(max_size=4), max_size=4).map("".join),
    st.text(st.characters(), max_size=5),  # half characters too
)
whole = texts.filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t))
visible = whole.filter(str.strip)
names = texts.filter(str.strip)
roles = st.sampled_from(["system", "user", "assistant"])


@st.composite
def prompts(draw) -> Prompt:
    before = draw(st.lists(st.tuples(roles, whole), max_size=2))
    messages = [*before, ("user", draw(visible))]
    return Prompt(
        messages=tuple(Message(role=r, content=c) for r, c in messages),
        split=draw(st.sampled_from(["train", "heldout"])),
        source=draw(names),
        tags=tuple(draw(st.lists(texts, max_size=2))),
    )


@st.composite
def judged(draw) -> tuple[Prompt, list[tuple[str, str]], dict]:
    """A prompt, answers (text, source), and what was said of them."""
    answers = draw(st.lists(st.tuples(texts, texts), min_size=2, max_size=4))
    ranks = draw(st.lists(st.integers(1, 3), min_size=len(answers), max_size=len(answers)))
    said = {
        "ranks": ranks,
        "order": draw(st.permutations(range(len(answers)))),
        "annotator": draw(names),
        "comment": draw(texts),
        "flags": tuple(draw(st.lists(texts, max_size=2))),
        "seconds": draw(st.floats(0, 1e6)),
        "created_at": draw(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))),
        "occasion": draw(st.sampled_from(get_args(Occasion))),
        "strength": draw(st.sampled_from([None, "negligibly", "much"]))
        if len(set(ranks)) > 1
        else None,
        "ratings": draw(
            st.dictionaries(st.integers(0, len(answers) - 1),
                            st.dictionaries(whole, st.integers(1, 5), min_size=1, max_size=2))
        ),
    }  # fmt: skip
    return draw(prompts()), answers, said


def fill(store: PreferenceStore, cases: list) -> None:
    for n, (prompt, answers, said) in enumerate(cases):
        store.add_prompts([prompt])
        ids = [f"r{n}-{m}" for m in range(len(answers))]
        store.add_responses(
            Response(id=i, prompt_id=prompt.id, text=text, version=source)
            for i, (text, source) in zip(ids, answers, strict=True)
        )
        store.submit(
            Judgment(
                id=f"j{n}",
                prompt_id=prompt.id,
                shown_order=tuple(ids[m] for m in said["order"]),
                ranking=Ranking.from_ranks(dict(zip(ids, said["ranks"], strict=True))),
                criteria={ids[m]: r for m, r in said["ratings"].items()},
                **{f: said[f] for f in ("annotator", "comment", "flags", "seconds", "created_at",
                                        "occasion", "strength")},
            )
        )  # fmt: skip


@st.composite
def records(draw, number: int) -> Record:
    """The same as a record, without a store."""
    prompt, answers, said = draw(judged())
    kept = {f: said[f] for f in ("annotator", "comment", "flags", "seconds", "created_at")}
    order = said["order"]
    shown = [Candidate(*answers[m], f"r{m}", said["ratings"].get(m)) for m in order]
    ranks = [said["ranks"][m] for m in order]
    return Record(
        kind="ranking",
        prompt=replace(prompt, split="train"),
        split=prompt.split,
        candidates=tuple(shown),
        tiers=tuple(
            tuple(n for n, r in enumerate(ranks) if r == level) for level in sorted(set(ranks))
        ),
        id=f"j{number}",
        strength=said["strength"],
        occasion=said["occasion"],
        **kept,
    )


def there_and_back(form: str, kind: str, made: list[Record], folder: Path) -> list[Record]:
    path = folder / f"out{kind}"
    written = named(form)
    with writers.writer(path, path.name, written.columns) as write:
        for record in made:
            prompt = replace(record.prompt, split=record.split)
            for row in written.write(replace(record, prompt=prompt)):
                write(row)
    (part,) = sources.parts(path, {})
    problems = _Progress(lambda n: None)
    found = [record for _, record in _records(part, None, {}, problems)]
    assert problems.rejected == []
    # Text that holds its prompt looks like a transcript or not, whichever it was written as.
    whole = {"hh", "trl-text-implicit"}
    assert set(problems.formats) <= (whole if form in whole else {form})
    return found


@pytest.mark.parametrize("kind", [".jsonl", ".json", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(made=st.tuples(records(0), records(1)))
def test_any_ranking_comes_back_from_any_file(form, kind, made):
    with tempfile.TemporaryDirectory() as folder:
        assert there_and_back(form, kind, list(made), Path(folder)) == list(made)


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(cases=st.lists(judged(), min_size=3, max_size=6), data=st.data())
def test_rankings_come_back_exactly(form, cases, data):
    kind = data.draw(st.sampled_from(FILES))
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        with empty(here / "from.sqlite") as store:
            fill(store, cases)
            before = content(store)
            export_data(store, here / f"out{kind}", format=form)
            with empty(here / "to.sqlite") as other:
                import_data(other, here / f"out{kind}", progress=False)
                assert content(other) == before, kind
            # Back where it came from, it is all known.
            again = import_data(store, here / f"out{kind}", progress=False)
            assert not any(again.new.values())
            assert content(store) == before


@given(text=texts, kind=st.sampled_from(["text", "json"]))
@settings(max_examples=150)
def test_any_text_comes_back_from_a_cell(text, kind):
    """Alone, and as something a message says."""
    for column in ("comment", "chosen", "prompt"):
        cell = to_cell("text", text)
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert from_cell(column, cell) == (text or ("" if column != "comment" else None))
        cell.encode("utf-8")
    chat = [{"role": "user", "content": text}]
    assert from_cell("prompt", to_cell("messages", chat)) == chat
    assert from_table("comment", to_table("text", text)) == text
    assert from_table("prompt", to_table("messages", chat)) == chat


@pytest.mark.parametrize("form", ["trl", "trl-text", "trl-sft-messages"])
@pytest.mark.parametrize("kind", [".jsonl", ".csv", ".parquet"])
@settings(max_examples=1, suppress_health_check=list(HealthCheck))
@given(prompt=prompts(), text=names, comment=texts, who=names)
def test_demonstrations_come_back_exactly(form, kind, prompt, text, comment, who):
    made = Demonstration(
        id="d", prompt_id=prompt.id, text=text, annotator=who, comment=comment, seconds=1.5
    )
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        with empty(here / "from.sqlite") as store:
            store.add_prompts([prompt])
            store.add_demonstration(made)
            export_data(store, here / f"out{kind}", what="demonstrations", format=form)
        with empty(here / "to.sqlite") as other:
            import_data(other, here / f"out{kind}", progress=False)
            assert other.demonstrations() == [made]
            assert other.prompts() == [prompt]


@pytest.mark.parametrize("form", ["trl", "trl-text"])
@settings(max_examples=1, suppress_health_check=list(HealthCheck))
@given(some=st.lists(prompts(), min_size=1, max_size=4, unique_by=lambda p: p.id))
def test_prompts_come_back_exactly(form, some):
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        with empty(here / "from.sqlite") as store:
            store.add_prompts(some)
            for kind in (".jsonl", ".csv", ".parquet"):
                export_data(store, here / f"out{kind}", what="prompts", format=form)
                with empty(here / f"to{kind}.sqlite") as other:
                    import_data(other, here / f"out{kind}", progress=False)
                    assert other.prompts() == some


def test_a_dataset_dict_goes_out_and_comes_back(store, tmp_path):
    rows = [
        {
            "prompt": f"q{n}",
            "chosen": f"a{n}",
            "rejected": "b",
            "split": split,
            "judgment_id": f"{n}",
        }
        for n, split in enumerate(["train", "heldout", "train"])
    ]
    import_data(store, rows, progress=False)
    for form in ("trl", "kwise"):
        made = to_dataset(store, "judgments", form)
        assert list(made) == ["train", "test"]
        assert (len(made["train"]), len(made["test"])) == (2, 1)
        with empty(tmp_path / f"{form}.sqlite") as other:
            import_data(other, made, progress=False)
            assert content(other) == content(store)


def test_skips_are_kept_where_there_is_a_place_and_counted_elsewhere(store, tmp_path):
    import_data(store, [
        {"prompt": "q", "responses": ["a", "b"], "ranking": [[0], [1]]},
        {"prompt": "q", "responses": ["a", "b"], "kind": "skip", "comment": "no idea"},
    ], progress=False)  # fmt: skip
    for form in ("kwise", "argilla"):
        report = export_data(store, tmp_path / f"{form}.jsonl", format=form)
        assert (report.records, report.left_out) == (2, {})
        with empty(tmp_path / f"{form}.sqlite") as other:
            import_data(other, tmp_path / f"{form}.jsonl", progress=False)
            assert content(other) == content(store)
    report = export_data(store, tmp_path / "pairs.jsonl")
    assert (report.records, report.left_out) == (1, {"skips": 1})
