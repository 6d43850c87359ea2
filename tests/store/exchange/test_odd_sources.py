"""Sources that are none, or hold what Python has no form for: errors of ours, nothing stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from rlhf_lab.errors import ConfigError, ImportFileError, LabError
from rlhf_lab.store.exchange import export_data, import_data, importing, push_to_hub
from rlhf_lab.store.exchange.formats.kwise import MOST_CANDIDATES
from tests.store.exchange.helpers import read, state, tiers
from tests.store.exchange.test_malformed import GOOD, refused

PAIR = GOOD["trl-text"]


def one(value: object) -> dict[str, list]:
    return {**{k: [v] for k, v in PAIR.items()}, "seconds": [1.0], "extra": value}


def test_a_parquet_file_of_another_shape(store, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    late = pa.array([2**53], pa.timestamp("s"))
    for name, columns, message in [
        ("other", {"x": [1]}, r"fields \['x'\] fit no format"),
        ("types", {"prompt": [1], "chosen": ["a"], "rejected": ["b"]}, "field prompt"),
        ("bytes", {"prompt": [b"q"], "chosen": ["a"], "rejected": ["b"]}, "field prompt"),
        ("nulls", {"prompt": ["q"], "chosen": ["a"], "rejected": [None]}, "fit no format|rejected"),
        ("nan", {**one(["x"]), "seconds": [float("nan")]}, "field seconds"),
        ("none", {"prompt": pa.array([], pa.string())}, "holds no rows"),
        ("time", one(late), "line 1: field extra = cannot be read .*leave the column out"),
        ("date", one(pa.array([2**30], pa.date32())), "line 1: field extra = cannot be read"),
        ("duration", one(pa.array([2**62], pa.duration("s"))), "line 1: field extra = cannot be"),
        ("inside", one(pa.array([[{"x": 2**53}]], pa.list_(pa.struct([("x", late.type)])))),
         "line 1: field extra = cannot be read"),
    ]:  # fmt: skip
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        refused(store, tmp_path / f"{name}.parquet", message)


def test_rows_around_one_that_cannot_be_read_are_imported_when_asked(store, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    made = pa.table(
        {
            "prompt": ["p", "q", "r"],
            "when": pa.array([0, 2**53, None], pa.timestamp("s")),
        }
    )
    pq.write_table(made, tmp_path / "f.parquet")
    report = import_data(store, tmp_path / "f.parquet", skip_bad=True, progress=False)
    assert [(r.line, r.field) for r in report.rejected] == [(2, "when")]
    assert [p.text for p in store.prompts()] == ["p", "r"]


def test_a_dataset_with_times_beyond_python(store):
    datasets = pytest.importorskip("datasets")
    import pyarrow as pa

    made = datasets.Dataset(pa.table(one(pa.array([2**53], pa.timestamp("s")))))
    before = state(store)
    with pytest.raises(ImportFileError, match=r"cannot be read after row 0 .*remove_columns"):
        import_data(store, made, progress=False)
    assert state(store) == before


def test_a_parquet_file_with_a_column_twice(store, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table([["q"], ["a"], ["b"], ["c"]], names=["prompt", "chosen", "rejected", "chosen"])
    pq.write_table(table, tmp_path / "f.parquet")
    refused(store, tmp_path / "f.parquet", r"names \['chosen'\] twice")


def test_columns_without_a_name_are_left_aside(store, tmp_path):
    """A data frame's index, and what a spreadsheet leaves at the right edge."""
    (tmp_path / "f.csv").write_text(",prompt,chosen,rejected,,\n0,q,a,b,,x\n")
    import_data(store, tmp_path / "f.csv", progress=False)
    assert tiers(store) == [["a"], ["b"]]


def test_what_follows_an_open_quote_is_never_left_out_in_silence(store, tmp_path):
    (tmp_path / "f.csv").write_text('prompt,chosen,rejected\nq,a,b\nr,a,"b\ns,a,b\n')
    with pytest.raises(ImportFileError, match=r"line 3: not CSV .*read up to line 4"):
        import_data(store, tmp_path / "f.csv", skip_bad=True, progress=False)
    assert store.counts().prompts == 0


@pytest.mark.parametrize("indent", [None, 2])
def test_one_object_in_a_json_file_is_a_row(store, tmp_path, indent):
    (tmp_path / "f.json").write_text(json.dumps(PAIR, indent=indent))
    assert import_data(store, tmp_path / "f.json", progress=False).rows == 1


NAMES = [
    {1: "x", **PAIR},
    {None: 1},
    {"fields": {1: "q", "response-1": "a"}, "responses": {}},
    {**GOOD["argilla"], "responses": {1: []}},
    {**GOOD["argilla"], "responses": [{"values": {2: ["response-1"]}}]},
    {**GOOD["argilla"], "metadata": {("a", "b"): 1}},
]


@pytest.mark.parametrize("row", NAMES, ids=str)
def test_names_of_fields_are_text(store, row):
    with pytest.raises(ImportFileError, match="1 of 1 row rejected:\n  line 1: "):
        read(store, row)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"annotator": 5}, "annotator=5: a name"),
        ({"columns": ["prompt"]}, r"columns=\['prompt'\]: the source's names by the format's"),
        ({"columns": "prompt"}, "columns='prompt'"),
        ({"columns": {"prompt": 7}}, "columns={'prompt': 7}"),
        ({"format": ["trl"]}, r"format=\['trl'\]: use one of"),
        ({"format": {}}, "format={}: use one of"),
        ({"heldout_fraction": "half"}, "heldout_fraction='half': a share"),
        ({"split": []}, r"split=\[\]: use 'train'"),
    ],
)
def test_arguments_of_other_types(store, options, message):
    with pytest.raises(ConfigError, match=message):
        import_data(store, [PAIR], progress=False, **options)


def test_arguments_of_other_types_when_exporting(store, tmp_path):
    for options in ({"format": ["trl"]}, {"what": ["judgments"]}, {"ties": {}}, {"split": []}):
        with pytest.raises(ConfigError):
            export_data(store, tmp_path / "out.jsonl", **options)
    for name in (5, "a b", "x/../y", "me/\0"):
        with pytest.raises(ConfigError, match="push_to_hub="):
            push_to_hub(store, name)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_arrays_are_no_rows(store, shape):
    np = pytest.importorskip("numpy")
    with pytest.raises(ConfigError, match=r"a ndarray: pass its rows as a list"):
        import_data(store, np.zeros(shape), progress=False)


@pytest.mark.parametrize("form", ["trl", "kwise", "trl-text", "argilla"])
def test_rows_of_a_data_frame_may_hold_arrays(store, tmp_path, form):
    pd = pytest.importorskip("pandas")
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    row = {**GOOD[form], "seconds": 2}
    if form == "argilla":
        row = {"prompt": "q", "response-1": "b", "response-2": "a",
               "rank.responses": [["response-2", "response-1"]], "rank.responses.users": ["u"],
               "rank.responses.status": ["submitted"]}  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "f.parquet")
    frame = pd.read_parquet(tmp_path / "f.parquet")
    import_data(store, frame.to_dict("records"), progress=False)
    assert tiers(store) == [["a"], ["b"]]


def test_an_empty_dataset_of_parts(store):
    datasets = pytest.importorskip("datasets")
    with pytest.raises(ImportFileError, match="has no parts"):
        import_data(store, datasets.DatasetDict(), progress=False)


PATHS = ["~nobody-of-this-name/f.jsonl", "a\0b.jsonl", "x" * 300 + ".jsonl", "\ud800.jsonl", ""]
PATHS += ["/".join(["x" * 200] * 30) + ".jsonl", "ä" * 130 + ".jsonl"]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: repr(p)[:20])
def test_paths_that_no_file_can_have(store, tmp_path, monkeypatch, path):
    read(store, PAIR)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for act in (lambda: import_data(store, path, progress=False), lambda: export_data(store, path)):
        with pytest.raises(LabError):
            act()


def test_the_longest_name_that_a_file_can_have(store, tmp_path):
    read(store, PAIR)
    path = tmp_path / ("ä" * 124 + ".jsonl")
    assert export_data(store, path).rows == import_data(store, path, progress=False).rows == 1


def test_as_many_pairs_come_back_as_a_ranking_has():
    most = MOST_CANDIDATES * (MOST_CANDIDATES - 1)  # all of them tied: two rows each
    assert most <= importing._MOST_ROWS


def test_the_time_of_a_data_frame_that_is_none(store):
    pd = pytest.importorskip("pandas")
    with pytest.raises(ImportFileError, match="field created_at = NaT"):
        read(store, {**PAIR, "created_at": pd.NaT})


def test_times_at_the_edge_that_fit_are_kept(store):
    read(store, {**PAIR, "created_at": "0001-01-01T00:00:00-10:00"})
    assert store.judgments()[0].created_at == datetime(1, 1, 1, 10, tzinfo=UTC)
