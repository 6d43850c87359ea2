from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.errors import ConfigError, ImportFileError, PromptError
from rlhf_lab.store import read_prompts
from rlhf_lab.types import Message, Prompt
from tests.store.helpers import prompt

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
CHAT_PROMPT = Prompt(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Hi"))
)


class Table:
    """Looks like a `datasets.Dataset`."""

    def __init__(self, *rows: dict) -> None:
        self.rows = rows
        self.column_names = list(rows[0])

    def __iter__(self):
        return iter(self.rows)


def texts(prompts: list[Prompt]) -> list[str]:
    return [p.text for p in prompts]


def test_ready_prompts_keep_their_split_unless_told_otherwise():
    ready = prompt("Why?", split="heldout")
    assert read_prompts(ready) == [ready]
    assert read_prompts([ready, "How?"])[0] == ready
    assert [p.split for p in read_prompts([ready, "How?"], split="train")] == ["train", "train"]


def test_strings_chats_and_dicts_may_be_mixed():
    source = [
        "plain",
        CHAT,
        list(CHAT_PROMPT.messages),
        {"prompt": "in a dict", "tags": ["a"], "source": "mine", "extra": object()},
        {"messages": CHAT},
        {"prompt": CHAT, "split": None},
    ]
    read = read_prompts(source, split="train")
    assert read == [
        prompt("plain"), CHAT_PROMPT, CHAT_PROMPT,
        prompt("in a dict", tags=("a",), source="mine"), CHAT_PROMPT, CHAT_PROMPT,
    ]  # fmt: skip


@pytest.mark.parametrize("column", ["prompt", "question", "instruction", "text"])
def test_dataset_columns(column):
    read = read_prompts(Table({column: "one", "label": 1}, {column: "two", "label": 2}))
    assert texts(read) == ["one", "two"]
    assert {p.source for p in read} == {"dataset"}


def test_a_real_dataset(tmp_path):
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"messages": [CHAT, CHAT[1:]], "tags": [["a"], None]})
    first, second = read_prompts(table, split="heldout")
    assert first.messages == CHAT_PROMPT.messages
    assert (first.tags, second.tags, second.text) == (("a",), (), "Hi")


def test_an_instruction_keeps_its_input():
    rows = [{"instruction": "Translate.", "input": "Hallo"}, {"instruction": "Sing.", "input": ""}]
    assert texts(read_prompts(rows)) == ["Translate.\n\nHallo", "Sing."]
    rows = [{"instruction": "Sing.", "input": float("nan")}]  # as data frames have it
    assert texts(read_prompts(rows)) == ["Sing."]
    with pytest.raises(PromptError, match=r"prompts\[0\]: field input = 7: should be text"):
        read_prompts([{"instruction": "Sing.", "input": 7}])


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("as_type", [str, Path])
def test_json_lines_with_bom_crlf_and_blank_lines(tmp_path, suffix, as_type):
    path = tmp_path / f"prompts{suffix}"
    lines = [{"prompt": "erste ß"}, "zweite", CHAT]
    content = "\ufeff" + "\r\n\r\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    data = content.encode()
    path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    read = read_prompts(as_type(path))
    assert texts(read) == ["erste ß", "zweite", "Hi"]
    assert {p.source for p in read} == {path.name}


def test_a_path_is_expanded_and_one_that_no_file_can_have_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "prompts.jsonl").write_text('"one"')
    assert texts(read_prompts("~/prompts.jsonl")) == ["one"]
    for place in ("~nobody-of-this-name/f.jsonl", "a\0b.jsonl", "x" * 300 + ".jsonl"):
        with pytest.raises(ConfigError):
            read_prompts(place)


BROKEN = {
    "truncated": (b'{"prompt": "x"', "not JSON .*repair or remove it"),
    "not utf-8": (b'{"prompt": "\xff"}', r"not UTF-8 .* at byte 12\)\. Save the file as UTF-8"),
    "a number": (b"7", r"7 \(int\) is not a prompt"),
    "null": (b'{"prompt": null}', r"fields \['prompt'\]: none of .* is there with a value"),
    "wrong type": (b'{"prompt": 7}', r"field prompt = 7: .*A prompt is text, or a list"),
    "empty": (b'{"prompt": "  "}', "has no text"),
    "wrong role": (
        b'{"messages": [{"role": "human", "content": "x"}]}',
        r"field prompt\.0\.role = 'human'",
    ),
    "assistant last": (
        b'{"messages": [{"role": "assistant", "content": "x"}]}',
        "the last message must come from the user",
    ),
    "wrong split": (b'{"prompt": "x", "split": "test"}', "field split = 'test'"),
    "wrong tags": (b'{"prompt": "x", "tags": "a"}', "field tags = 'a'"),
    "surrogate": (b'{"prompt": "\\ud800"}', "holds half a character"),
    "huge number": (b'{"prompt": ' + b"9" * 5000 + b"}", "not JSON"),
    "deep": (b"[" * 200_000, "not JSON"),
}


@pytest.mark.parametrize(("line", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named_and_nothing_is_read(tmp_path, line, message):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b'{"prompt": "fine"}\n\n' + line + b'\n{"prompt": "fine too"}\n')
    with pytest.raises(ImportFileError, match=rf"prompts\.jsonl:3: .*{message}"):
        read_prompts(path)


def test_files_that_cannot_be_read(tmp_path):
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b'{"prompt": "x"}\n' * 1000)[:-10])
    (tmp_path / "plain.jsonl.gz").write_text('{"prompt": "x"}')
    (tmp_path / "empty.jsonl").write_text("\n\n")
    for name, message in [
        ("cut.jsonl.gz", r"cut\.jsonl\.gz:\d+: cannot be read .* complete"),
        ("plain.jsonl.gz", "cannot be read .*gzipped"),
        ("absent.jsonl", "cannot be read .*No such file"),
        ("empty.jsonl", "holds no prompts"),
        ("table.csv", r"only \.jsonl and \.jsonl\.gz files can be read"),
    ]:
        with pytest.raises(ImportFileError, match=message):
            read_prompts(tmp_path / name)


def test_sources_that_are_not_lists_of_prompts():
    for source, message in [
        ("Why is the sky blue?", r"is one string: pass a list of prompts, \['Why is the sky"),
        (7, r"7 \(int\) is not a list of prompts"),
        (b"bytes", r"b'bytes' \(bytes\) is not a list"),
        ({"prompt": "x"}, r"\(dict\) is not a list of prompts"),
        (Table({"label": 1}), r"columns \['label'\]: none of .*rename_column"),
        (["fine", None], r"prompts\[1\]: None \(NoneType\) is not a prompt"),
        (["fine", "\n"], r"prompts\[1\]: .* has no text"),
        ([[{"role": "user"}]], r"prompts\[0\]: field prompt\.0\.content = "),
    ]:
        with pytest.raises(PromptError, match=message):
            read_prompts(source)


def test_a_data_frame_is_not_read_as_its_column_names():
    frame = type("DataFrame", (list,), {"iterrows": None})(["prompt", "label"])
    with pytest.raises(PromptError, match=r"DataFrame with columns .*to_dict\('records'\)"):
        read_prompts(frame)


def test_a_dataset_dict_asks_for_one_of_its_parts():
    parts = {"train": Table({"prompt": "x"}), "test": Table({"prompt": "y"})}
    dictionary = type("DatasetDict", (dict,), {"column_names": {"train": [], "test": []}})(parts)
    with pytest.raises(PromptError, match=r"DatasetDict with \['test', 'train'\]: choose one"):
        read_prompts(dictionary)


def test_the_split_comes_from_the_call_then_the_row_then_the_hash():
    rows = [{"prompt": "a", "split": "heldout"}, {"prompt": "b"}]
    assert [p.split for p in read_prompts(rows, split="train")] == ["train", "train"]
    assert [p.split for p in read_prompts(rows, heldout_fraction=0)] == ["heldout", "train"]
    assert [p.split for p in read_prompts(rows, heldout_fraction=1)] == ["heldout", "heldout"]


def test_the_hash_split_is_stable_and_near_its_share():
    many = [f"prompt {n}" for n in range(1000)]
    first = read_prompts(many, heldout_fraction=0.2)
    assert first == read_prompts(many, heldout_fraction=0.2)
    assert 150 <= sum(p.split == "heldout" for p in first) <= 250
    by_text = {p.text: p.split for p in read_prompts(reversed(many), heldout_fraction=0.2)}
    assert [by_text[p.text] for p in first] == [p.split for p in first]


def test_settings_out_of_range():
    with pytest.raises(ConfigError, match=r"heldout_fraction=1\.5: a share from 0 to 1"):
        read_prompts(["x"], heldout_fraction=1.5)
    with pytest.raises(ConfigError, match="split='test': use 'train', 'heldout'"):
        read_prompts(["x"], split="test")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["prompt", "messages", "role", "content", "split", "tags", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=3))
def test_any_rows_are_prompts_or_a_prompt_error(rows):
    try:
        read = read_prompts(rows)
    except PromptError as error:
        assert "prompts[" in str(error)  # noqa: PT017  (either outcome is fine)
    else:
        assert len(read) == len(rows)
