"""Whatever a file holds: a clean import, or an error that names line and field; never half."""

from __future__ import annotations

import copy
import gzip
import json

import pytest

from rlhf_lab.errors import LabError
from rlhf_lab.store.exchange import import_data
from tests.store.exchange.helpers import empty, state

USER = {"role": "user", "content": "q"}
CHAT = [{"role": "assistant", "content": "a"}]
OTHER = [{"role": "assistant", "content": "b"}]

# A good row of each format.
GOOD = {
    "trl": {"prompt": [USER], "chosen": CHAT, "rejected": OTHER},
    "trl-implicit": {"chosen": [USER, *CHAT], "rejected": [USER, *OTHER]},
    "trl-text": {"prompt": "q", "chosen": "a", "rejected": "b"},
    "hh": {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"},
    "trl-text-implicit": {"chosen": "q a", "rejected": "q b"},
    "kwise": {"prompt": "q", "responses": [{"text": "a"}, {"text": "b"}], "ranking": [[0], [1]]},
    "argilla": {
        "fields": {"prompt": "q", "response-1": "a", "response-2": "b"},
        "responses": {"ranking": [{"value": ["response-2", "response-1"], "user_id": "u"}]},
        "metadata": {},
    },
    "trl-sft": {"prompt": [USER], "completion": CHAT},
    "trl-sft-text": {"prompt": "q", "completion": "a"},
    "trl-sft-messages": {"messages": [USER, *CHAT]},
    "trl-prompt": {"prompt": [USER]},
    "trl-prompt-text": {"prompt": "q"},
}
JUDGED = ("trl", "trl-implicit", "trl-text", "hh", "trl-text-implicit", "kwise")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with empty(tmp_path_factory.mktemp("malformed") / "lab.sqlite") as store:
        yield store


def refused(lab, path, message: str = "", **options) -> None:
    before = state(lab)
    with pytest.raises(LabError, match=message) as caught:
        import_data(lab, path, progress=False, **options)
    assert str(path.name) in str(caught.value)
    assert state(lab) == before
    assert len(str(caught.value)) < 3000


def refused_or_whole(lab, path, rows: int, **options) -> None:
    """Either is fine; an error from inside a library is not, nor is half of it."""
    before = state(lab)
    try:
        report = import_data(lab, path, progress=False, **options)
    except LabError as error:
        assert path.name in str(error)  # noqa: PT017  (either outcome is fine)
        assert state(lab) == before
    else:
        assert (report.rows, report.rejections) == (rows, 0)


def write(path, *rows: object) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.mark.parametrize("form", GOOD)
def test_the_good_rows_are_good(lab, tmp_path, form):
    write(tmp_path / "f.jsonl", GOOD[form])
    report = import_data(lab, tmp_path / "f.jsonl", progress=False)
    assert (report.formats, report.rejections) == ((form,), 0)


WRONG = {"number": 7, "text": "\0weird", "list": [[[1]]], "object": {"x": {}}}


@pytest.mark.parametrize("wrong", [*WRONG, "null", "missing"])
@pytest.mark.parametrize(("form", "field"), [(f, name) for f in GOOD for name in GOOD[f]])
def test_wrong_types_of_each_field(lab, tmp_path, form, field, wrong):
    row = copy.deepcopy(GOOD[form])
    if wrong == "missing":
        del row[field]
    else:
        row[field] = WRONG.get(wrong)
    write(tmp_path / "f.jsonl", GOOD[form], row)
    optional = (form, field) in {("kwise", "ranking"), ("argilla", "responses")}
    takes_text = wrong == "text" and (
        isinstance(GOOD[form][field], str) or field in ("prompt", "completion")
    )
    fine = optional and wrong in ("null", "missing", "object")
    if takes_text or field == "metadata" or fine:
        refused_or_whole(lab, tmp_path / "f.jsonl", 2, format=form)
    else:
        refused(lab, tmp_path / "f.jsonl", r"1 of 2 rows rejected:\n  line 2: ", format=form)


EXTRA = {
    "annotator": [7, "", "  ", []],
    "strength": ["very", 2, True],
    "comment": [3, ["x"]],
    "flags": ["x", [1], {}],
    "seconds": ["1", -1, 10**400, [1], True],
    "created_at": ["yesterday", "2025-01-01", "2025-01-01T00:00:00", 1735689600,
                   "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
    "occasion": ["often", 1],
    "split": ["test", 1],
    "source": [1, {}],
    "tags": ["x", [None]],
    "judgment_id": [7, "", []],
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in EXTRA.items() for v in vs])
def test_wrong_values_of_what_all_formats_share(lab, tmp_path, name, value):
    for form in ("trl-text", "kwise"):
        write(tmp_path / "f.jsonl", GOOD[form], {**GOOD[form], name: value})
        refused(lab, tmp_path / "f.jsonl", rf"line 2: field {name}(\.0)? = ")


@pytest.mark.parametrize("form", JUDGED)
def test_strength_without_an_order_and_ids_used_twice(lab, tmp_path, form):
    path = tmp_path / "f.jsonl"
    row = {**GOOD[form], "judgment_id": f"twice-{form}", "annotator": "x"}
    write(path, row, GOOD[form], {**row, "annotator": "y"})
    refused(lab, path, "line 3: field judgment_id = 'twice-.*another one under this id")


RANKINGS = [
    [[0], [2]], [[0], [-1]], [[0]], [[0, 0], [1]], [[0], [], [1]], [], [[0], [1], [1]], [0, 1],
    [["0"], ["1"]], [[0.0], [1.0]], [[True], [False]], [[10**30], [0]], "01", {"0": 1}, [[None]],
]  # fmt: skip


@pytest.mark.parametrize("ranking", RANKINGS, ids=str)
def test_rankings_that_are_none(lab, tmp_path, ranking):
    write(tmp_path / "f.jsonl", {**GOOD["kwise"], "ranking": ranking})
    refused(lab, tmp_path / "f.jsonl", r"line 1: field ranking")


RESPONSES = [
    [], [{}], [{"text": 7}], [{"text": "a", "source": 7}], [{"text": "a", "id": ""}], [7], ["a"],
    [{"text": "a", "id": "1"}, {"text": "b", "id": "1"}],
    [{"text": "a", "ratings": {"helpful": 6}}, {"text": "b"}],
    [{"text": "a", "ratings": {"helpful": True}}, {"text": "b"}],
]  # fmt: skip


@pytest.mark.parametrize("responses", RESPONSES, ids=str)
def test_responses_that_are_none(lab, tmp_path, responses):
    write(tmp_path / "f.jsonl", {**GOOD["kwise"], "responses": responses})
    refused(lab, tmp_path / "f.jsonl", "line 1: field")


LINES = {
    "broken UTF-8": b'{"prompt": "\xff", "chosen": "a", "rejected": "b"}',
    "cut": b'{"prompt": "q", "chosen": "a"',
    "not JSON": b"prompt: q",
    "a number": b"7",
    "null": b"null",
    "an empty list": b"[]",
    "NaN": b'{"prompt": "q", "chosen": "a", "rejected": "b", "seconds": NaN}',
    "Infinity": b'{"prompt": "q", "chosen": "a", "rejected": "b", "seconds": Infinity}',
    "overflow": b'{"prompt": "q", "chosen": "a", "rejected": "b", "seconds": 1e999}',
    "huge integer": b'{"prompt": "q", "chosen": "a", "rejected": "b", "seconds": %s}'
    % (b"9" * 5000),
    "a key twice": b'{"prompt": "q", "chosen": "a", "chosen": "c", "rejected": "b"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep inside": b'{"prompt": "q", "chosen": '
    + b"[" * 2000
    + b"]" * 2000
    + b', "rejected": "b"}',
    "half a character": b'{"prompt": "\\ud800", "chosen": "a", "rejected": "b"}',
    "another format": b'{"messages": [{"role": "user", "content": "q"}]}',
    "empty prompt": b'{"prompt": " ", "chosen": "a", "rejected": "b"}',
    "UTF-16": '{"prompt": "q", "chosen": "a", "rejected": "b"}'.encode("utf-16"),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_bad_line_is_named_and_nothing_is_stored(lab, tmp_path, line, zipped):
    path = tmp_path / ("f.jsonl.gz" if zipped else "f.jsonl")
    data = json.dumps(GOOD["trl-text"]).encode() + b"\n\n" + line + b"\n"
    path.write_bytes(gzip.compress(data) if zipped else data)
    refused(lab, path, "line 3: ")


FINE = {
    "BOM and CRLF": "\ufeff" + json.dumps(GOOD["trl-text"]) + "\r\n\r\n",
    "no end of line": json.dumps(GOOD["trl-text"]),
    "control characters": json.dumps({**GOOD["trl-text"], "chosen": "".join(map(chr, range(32)))}),
    "half a character in a name": json.dumps(
        {**GOOD["trl-text"], "annotator": "\ud800", "judgment_id": "\ud800", "chosen_id": "\ud800"}
    ),
    "half a character in an answer": json.dumps({**GOOD["trl-text"], "chosen": "\ud800"}),
    "names like paths": json.dumps(
        {**GOOD["trl-text"], "annotator": "../../etc/passwd", "source": "/etc/../x", "tags": [".."]}
    ),
    "names like SQL": json.dumps({**GOOD["trl-text"], "annotator": "'; DROP TABLE judgments; --"}),
    "10 MB": json.dumps({**GOOD["trl-text"], "chosen": "x" * 10_000_000}),
    "nulls": json.dumps({**GOOD["trl-text"], "strength": None, "flags": None, "seconds": None}),
    "unknown fields": json.dumps({**GOOD["trl-text"], "score": 1e300, "more": {"a": [None]}}),
}  # fmt: skip


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_odd_but_whole_rows_are_imported(lab, tmp_path, text):
    path = tmp_path / "f.jsonl"
    path.write_bytes(text.encode())
    assert import_data(lab, path, progress=False).rows == 1


CSV = {
    "empty": (b"", "holds no rows"),
    "only a header": (b"prompt,chosen,rejected\r\n", "holds no rows"),
    "a column missing": (b"prompt,chosen\r\nq,a\r\n", "line 2: "),
    "a column twice": (b"prompt,chosen,chosen\r\nq,a,b\r\n", "twice"),
    "names of nothing": (b",,\n1,2,3\n", "names no column"),
    "a quote in the header": (b'"prompt"x,chosen,rejected\nq,a,b\n', "line 1: not CSV"),
    "a quote that swallows": (b'prompt,chosen,rejected\nq,"a,b\nr,"c",d\n', "read up to line 3"),
    "too few cells": (b"prompt,chosen,rejected\r\nq,a\r\n", "line 2: 2 cells under 3"),
    "too many cells": (b"prompt,chosen,rejected\nq,a,b\nq,a,b,c\n", "line 3: 4 cells under 3"),
    "an open quote": (b'prompt,chosen,rejected\nq,a,"b\n', "line 2: not CSV"),
    "text after a quote": (b'prompt,chosen,rejected\nq,"a"x,b\n', "line 2: not CSV"),
    "broken UTF-8": (b"prompt,chosen,rejected\nq,a,b\nq,\xff,b\n", "line 3: field chosen = "),
    "header not UTF-8": (b"pr\xffmpt,chosen,rejected\nq,a,b\n", "header is not UTF-8"),
    "no number": (b"prompt,chosen,rejected,seconds\nq,a,b,long\n", "line 2: field seconds"),
    "NaN": (b"prompt,chosen,rejected,seconds\nq,a,b,NaN\n", "line 2: field seconds"),
    "not JSON": (b"prompt,chosen,rejected,flags\nq,a,b,unsafe\n", "line 2: field flags = 'unsafe'"),
    "bare returns": (b"prompt,chosen,rejected\rq,a,b\r", "not CSV|holds no rows"),
    "an empty prompt": (b"prompt,chosen,rejected\n,a,b\n", "line 2: field prompt"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), CSV.values(), ids=CSV)
def test_broken_tables_of_text(lab, tmp_path, data, message):
    (tmp_path / "f.csv").write_bytes(data)
    refused(lab, tmp_path / "f.csv", message)


def test_files_that_are_none(lab, tmp_path):
    line = json.dumps(GOOD["trl-text"]).encode() + b"\n"
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(line * 1000)[:-20])
    (tmp_path / "plain.jsonl.gz").write_bytes(line)
    (tmp_path / "zipped.jsonl").write_bytes(gzip.compress(line))
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "empty.json").write_bytes(b"[]")
    (tmp_path / "cut.json").write_bytes(b"[{}")
    (tmp_path / "around.json").write_text(json.dumps({"data": [GOOD["trl-text"]]}, indent=1))
    (tmp_path / "short.json").write_text(json.dumps({"version": 1, "rows": [GOOD["trl-text"]]}))
    (tmp_path / "cut-object.json").write_bytes(b'{"data":\n')
    (tmp_path / "text.parquet").write_bytes(line)
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "f.xlsx").write_bytes(line)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.jsonl").mkdir()
    for name, message in [
        ("cut.jsonl.gz", "cannot be read .*complete"),
        ("plain.jsonl.gz", "cannot be read .*[Nn]ot a gzipped"),
        ("zipped.jsonl", "line 1: not UTF-8"),
        ("empty.jsonl", "holds no rows"),
        ("empty.json", "holds no rows"),
        ("cut.json", "not JSON"),
        ("around.json", r"one object with \['data'\].*a list of rows is expected.*in 'data'"),
        ("short.json", r"one object with .*Its rows may be in 'rows'"),
        ("cut-object.json", "line 1: not JSON"),
        ("text.parquet", "cannot be read as Parquet"),
        ("empty.parquet", "cannot be read as Parquet"),
        ("f.xlsx", "only .jsonl, .*can be read"),
        ("folder", "a folder without Parquet files"),
        ("folder.jsonl", "a folder without Parquet files"),
        ("absent.csv", "is not there: check the path"),
    ]:
        refused(lab, tmp_path / name, message)
