"""Importing: what is stored, how often, and what is left when it goes wrong."""

from __future__ import annotations

import json

import pytest

from rlhf_lab.errors import ConfigError, ImportFileError
from rlhf_lab.store.exchange import export_data, import_data, sources
from rlhf_lab.types import Demonstration, Judgment, Prompt
from tests.store.exchange.helpers import SHARED, content, only, read, state, tiers

PAIR = {"prompt": "q", "chosen": "a", "rejected": "b"}
here = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside this checkout")


@here
@pytest.mark.parametrize(
    ("name", "form", "counts"),
    [
        ("hh_harmless_pairs", "hh", {"prompts": 1199, "responses": 2400, "judgments": 1200}),
        ("rankings_k4", "kwise", {"prompts": 360, "responses": 1440, "judgments": 360}),
    ],
)
def test_a_whole_file_by_one_call_and_nothing_by_the_second(store, name, form, counts):
    path = SHARED / f"{name}.jsonl.gz"
    report = import_data(store, path, progress=False)
    assert report.formats == (form,)
    assert report.new == {**counts, "demonstrations": 0}
    assert report.rows == counts["judgments"] == store.counts().rankings
    before = state(store)
    again = import_data(store, path, progress=False)
    assert not any(again.new.values())
    assert again.known["judgments"] == counts["judgments"]
    assert state(store) == before


def test_imported_answers_say_so_and_rows_without_a_name_are_by_imported(store):
    read(store, {**PAIR, "chosen_source": "gpt"})
    better, worse = store.responses()
    assert (better.version, worse.version) == ("import:gpt", "import:")
    assert (better.token_ids, better.sampling, better.seed) == ((), None, None)
    assert only(store).annotator == "imported"
    read(store, {**PAIR, "prompt": "q2"}, annotator="me")
    assert store.judgments()[-1].annotator == "me"


def test_the_split_comes_from_the_call_the_row_the_part_and_the_hash(store):
    class Table(list):
        column_names = ("prompt", "split")

    class Parts(dict):
        @property
        def column_names(self):
            return dict.fromkeys(self, ("prompt",))

    parts = Parts(
        train=Table([{"prompt": "a"}]),
        validation=Table([{"prompt": "b"}, {"prompt": "c", "split": "train"}]),
    )
    import_data(store, parts, progress=False)
    assert {p.text: p.split for p in store.prompts()} == {
        "a": "train",
        "b": "heldout",
        "c": "train",
    }
    read(store, {"prompt": "d", "split": "train"}, split="heldout")
    read(store, "e", heldout_fraction=1.0)
    assert [p.split for p in store.prompts()[-2:]] == ["heldout", "heldout"]


def test_columns_are_renamed_before_formats_are_tried(store, tmp_path):
    (tmp_path / "f.csv").write_text("id,question,better,worse\n1,q,a,b\n")
    columns = {"prompt": "question", "chosen": "better", "rejected": "worse"}
    report = import_data(store, tmp_path / "f.csv", columns=columns, progress=False)
    assert report.formats == ("trl-text",)
    assert tiers(store) == [["a"], ["b"]]
    with pytest.raises(ImportFileError, match=r"field worst = is missing: columns=.*'worse'"):
        import_data(store, tmp_path / "f.csv", columns={"rejected": "worst"}, progress=False)


def test_every_bad_row_is_reported_and_skipped_only_when_asked(store, tmp_path):
    path = tmp_path / "f.jsonl"
    rows = [PAIR, {**PAIR, "chosen": 7}, {**PAIR, "prompt": "q2"}, {**PAIR, "seconds": -1}]
    path.write_text("\n".join(map(json.dumps, rows)))
    before = state(store)
    with pytest.raises(ImportFileError, match="2 of 4 rows rejected") as caught:
        import_data(store, path, progress=False)
    assert state(store) == before
    report = caught.value.report
    assert [(r.line, r.field) for r in report.rejected] == [(2, "chosen"), (4, "seconds")]
    done = import_data(store, path, progress=False, skip_bad=True)
    assert (done.new["judgments"], done.rejections, done.rejected) == (2, 2, report.rejected)
    assert "line 4: field seconds = -1" in str(done)
    assert ">judgments</th><td>2</td>" in done._repr_html_()


def test_a_notebook_shows_a_report_as_text(store, tmp_path):
    path = tmp_path / "<b>\u202e.jsonl"
    path.write_text(json.dumps({**PAIR, "chosen": "<i>\x1b"}) + "\n[]")
    for report in (
        import_data(store, path, progress=False, skip_bad=True),
        export_data(store, tmp_path / "<i>\u202e.jsonl"),
    ):
        html = report._repr_html_()
        assert "mathjax_ignore" in html
        assert "\\u202e.jsonl" in html
        assert not any(acts in html for acts in ("<b>", "<i>", "\u202e", "\x1b"))


def test_of_many_rejections_a_thousand_are_kept_and_all_are_counted(store):
    with pytest.raises(ImportFileError, match=r"(?s)1,500 of 1,501 rows.*and 1,495 more") as caught:
        read(store, PAIR, *[{**PAIR, "chosen": 7}] * 1500)
    assert (len(caught.value.report.rejected), caught.value.report.rejections) == (1000, 1500)


def test_bad_rows_alone_are_never_an_import(store):
    with pytest.raises(ImportFileError, match="There is nothing to import"):
        read(store, {**PAIR, "chosen": 7}, skip_bad=True)


def test_stopping_in_the_middle_leaves_nothing(store, monkeypatch):
    before = state(store)

    def rows():
        for n in range(1500):
            yield {**PAIR, "prompt": f"q{n}"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_data(store, rows(), progress=False)
    assert state(store) == before
    read(store, PAIR)  # the lock is free


def test_a_judgment_id_with_other_content_is_rejected_and_the_same_is_known(store):
    row = {**PAIR, "judgment_id": "j", "annotator": "ann", "comment": "x"}
    read(store, row)
    assert read(store, row).known["judgments"] == 1
    with pytest.raises(ImportFileError, match=r"field judgment_id = 'j'.*another one"):
        read(store, {**row, "comment": "y"})
    assert only(store).comment == "x"


def test_what_was_corrected_here_is_known_when_it_comes_back(store, tmp_path):
    """A file leaves out what a judgment replaced."""
    from rlhf_lab.store.exchange import export_data

    read(store, PAIR)
    first = only(store)
    store.submit(
        Judgment(
            id="corrected",
            prompt_id=first.prompt_id,
            annotator=first.annotator,
            shown_order=first.shown_order,
            ranking=type(first.ranking)(tiers=first.ranking.tiers[::-1]),
            supersedes=first.id,
        )
    )
    export_data(store, tmp_path / "out.jsonl")
    before = content(store)
    report = import_data(store, tmp_path / "out.jsonl", progress=False)
    assert (report.new["judgments"], report.known["judgments"]) == (0, 1)
    assert content(store) == before


def test_demonstrations_keep_what_they_edit_where_it_is_here(store):
    read(store, {**PAIR, "chosen_id": "r1", "rejected_id": "r2"})
    row = {"prompt": "q", "completion": "best", "annotator": "ann", "edited_from": "r2"}
    read(store, row, {**row, "completion": "other", "edited_from": "gone"})
    first, second = store.demonstrations()
    assert isinstance(first, Demonstration)
    assert (first.text, first.annotator, first.edited_from) == ("best", "ann", "r2")
    assert second.edited_from is None


def test_lists_may_hold_texts_chats_and_prompts(store):
    (made,) = [Prompt(messages=p.messages) for p in [_prompt("three")]]
    read(store, "one", made, split="train")
    read(store, [{"role": "user", "content": "two"}], split="train")
    assert [p.text for p in store.prompts()] == ["one", "three", "two"]


def _prompt(text: str) -> Prompt:
    from rlhf_lab.types import Message

    return Prompt(messages=(Message(role="user", content=text),))


def test_arguments_out_of_range_and_sources_that_are_none(store):
    frame = type("DataFrame", (list,), {"iterrows": None})()
    for source, options, message in [
        ([PAIR], {"split": "test"}, "split='test': use 'train'"),
        ([PAIR], {"heldout_fraction": 2}, "a share from 0 to 1"),
        ([PAIR], {"annotator": " "}, "annotator=' ': a name"),
        ([PAIR], {"format": "dpo"}, "format='dpo': use one of"),
        (7, {}, r"7 \(int\) cannot be imported"),
        (PAIR, {}, r"\(dict\) cannot be imported"),
        (frame, {}, r"DataFrame: pass datasets.Dataset.from_pandas"),
    ]:
        with pytest.raises(ConfigError, match=message):
            import_data(store, source, progress=False, **options)


def test_a_thousand_rows_are_read_at_a_time(store, monkeypatch):
    held: list[int] = []
    from rlhf_lab.store.exchange import storing

    original = storing.Keeper.store

    def spy(self, session, records, part, reject):
        held.append(len(records))
        return original(self, session, records, part, reject)

    monkeypatch.setattr(storing.Keeper, "store", spy)
    import_data(store, ({"prompt": f"q{n}"} for n in range(2300)), progress=False)
    assert held == [1000, 1000, 300]
    assert store.counts().prompts == 2300


def test_a_bar_moves_to_the_end_of_the_file(store, tmp_path):
    (tmp_path / "f.jsonl").write_text(json.dumps(PAIR) + "\n")
    (part,) = sources.parts(tmp_path / "f.jsonl", {})
    seen: list[int] = []
    list(part.rows({}, seen.append))
    assert seen[-1] == part.size == (tmp_path / "f.jsonl").stat().st_size


@pytest.mark.parametrize(
    "first", [{"prompt": "x"}, {"prompt": "x", "chosen": None, "rejected": "b"}]
)
def test_an_odd_first_row_does_not_make_prompts_of_judgments(store, first):
    with pytest.raises(ImportFileError):
        read(store, first, PAIR, {**PAIR, "prompt": "r"})
    assert store.counts().prompts == 0


def test_files_of_one_name_by_two_annotators_are_two_files(store, tmp_path):
    for who in ("alice", "bob"):
        (tmp_path / who).mkdir()
        path = tmp_path / who / "pairs.jsonl"
        path.write_text(json.dumps(PAIR))
        import_data(store, path, annotator=who, progress=False)
    assert [j.annotator for j in store.judgments()] == ["alice", "bob"]


def ranked_in_argilla(*replies: dict) -> dict:
    fields = {"prompt": "q", "response-1": "a", "response-2": "b"}
    return {"fields": fields, "responses": {"ranking": list(replies)}}


def test_replies_without_a_user_are_of_as_many_people(store):
    ab, ba = ["response-1", "response-2"], ["response-2", "response-1"]
    read(store, ranked_in_argilla({"value": ab}, {"value": ba}))
    assert store.counts().rankings == 2


def test_replies_without_a_user_may_agree_and_are_known_when_they_come_back(store):
    ab, ba = ["response-1", "response-2"], ["response-2", "response-1"]
    row = ranked_in_argilla(*({"value": value} for value in (ab, ba, ab, ab)))
    version_1 = {**row, "fields": {**row["fields"], "prompt": "p"}}
    version_1["responses"] = [
        {"values": {"ranking": {"value": [{"value": name, "rank": 1} for name in ab]}}}
    ] * 2
    known = {**ranked_in_argilla(*({"value": ab, "user_id": who} for who in "xy")), "metadata": {}}
    for new in (8, 0):
        report = read(store, row, version_1, known)
        assert (report.new["judgments"], report.known["judgments"]) == (new, 8 - new)
    assert store.counts().rankings == 8
    reordered = ranked_in_argilla(*({"value": value} for value in (ba, ab, ab, ab)))
    assert read(store, reordered).new["judgments"] == 0


def test_what_others_ranked_over_there_is_theirs(store, tmp_path):
    read(store, {**PAIR, "annotator": "ann", "comment": "clear"})
    export_data(store, tmp_path / "out.jsonl", format="argilla")
    record = json.loads((tmp_path / "out.jsonl").read_text())
    first = record["responses"]["ranking"][0]
    other = {"value": first["value"][::-1], "user_id": "someone"}
    record["responses"]["ranking"].append(other)
    read(store, record)
    found = {j.annotator: j for j in store.judgments()}
    assert set(found) == {"ann", "someone"}
    assert found["someone"].ranking.tiers == found["ann"].ranking.tiers[::-1]
    assert (found["ann"].comment, found["someone"].comment) == ("clear", "")
