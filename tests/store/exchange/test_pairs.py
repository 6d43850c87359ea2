"""What a pair says, in every format that has pairs: by hand."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import ImportFileError
from rlhf_lab.store.exchange.formats import detect
from rlhf_lab.store.exchange.record import RowProblem
from tests.store.exchange.helpers import USER, only, read, says, tiers

BE_BRIEF = {"role": "system", "content": "Be brief."}

HH = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Sky?\n\nAssistant: "

# Format, row, messages of the prompt, better and worse answer.
PAIRS = {
    "explicit text": (
        "trl-text",
        {"prompt": "Sky?", "chosen": "Blue.", "rejected": "Red."},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "implicit text": (
        "trl-text-implicit",
        {"chosen": "The sky is blue.", "rejected": "The sky is black."},
        [("user", "The sky is")], "blue.", "black.",
    ),
    "implicit text, one longer": (
        "trl-text-implicit",
        {"chosen": "Why? Because", "rejected": "Why? Because not"},
        [("user", "Why? Because")], "", " not",
    ),
    "explicit chat": (
        "trl",
        {"prompt": [BE_BRIEF, USER], "chosen": [says("Blue.")], "rejected": [says("Red.")]},
        [("system", "Be brief."), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "implicit chat": (
        "trl-implicit",
        {"chosen": [USER, says("Blue.")], "rejected": [USER, says("Red.")]},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats with their prompt beside them": (
        "trl",
        {"prompt": "Sky?", "chosen": [USER, says("Blue.")], "rejected": [USER, says("Red.")]},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats that go on where their prompt ends": (
        "trl",
        {"prompt": "Hi", "chosen": [says("Hello!"), USER, says("Blue.")],
         "rejected": [says("Hello!"), USER, says("Red.")]},
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats that repeat their prompt and go on": (
        "trl",
        {"prompt": [{"role": "user", "content": "Hi"}],
         "chosen": [{"role": "user", "content": "Hi "}, says("Hello!"), USER, says("Blue.")],
         "rejected": [{"role": "user", "content": "Hi "}, says("Hello!"), USER, says("Red.")]},
        [("user", "Hi "), ("assistant", "Hello!"), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats with more than their prompt": (
        "trl",
        {"prompt": "Sky?", "chosen": [BE_BRIEF, USER, says("Blue.")],
         "rejected": [BE_BRIEF, USER, says("Red.")]},
        [("system", "Be brief."), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "one answer to a prompt, the other to its repetition": (
        "trl",
        {"prompt": "Sky?", "chosen": [says("Blue.")], "rejected": [USER, says("Red.")]},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats that go on with the user's turn": (
        "trl",
        {"prompt": [{"role": "user", "content": "Hi"}, says("Hello!")],
         "chosen": [USER, says("Blue.")], "rejected": [USER, says("Red.")]},
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats that repeat the end of their prompt": (
        "trl",
        {"prompt": [BE_BRIEF, USER], "chosen": [USER, says("Blue.")],
         "rejected": [USER, says("Red.")]},
        [("system", "Be brief."), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "chats that repeat the end of their prompt and go on": (
        "trl",
        {"prompt": [BE_BRIEF, {"role": "user", "content": "Hi"}, says("Hello!")],
         "chosen": [says("Hello!"), USER, says("Blue.")],
         "rejected": [USER, says("Red.")]},
        [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Sky?")],
        "Blue.", "Red.",
    ),
    "transcripts": (
        "hh",
        {"chosen": HH + "Blue.", "rejected": HH + "Red."},
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "transcripts that part early": (
        "hh",
        {"chosen": HH + "Blue.\n\nHuman: Sure?\n\nAssistant: Yes.", "rejected": HH + "Red."},
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sky?")],
        "Blue.\n\nHuman: Sure?\n\nAssistant: Yes.", "Red.",
    ),
    "a transcript as prompt": (
        "trl-text",
        {"prompt": HH, "chosen": "Blue.", "rejected": "Red."},
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "Sky?")], "Blue.", "Red.",
    ),
    "names for columns": (
        "kwise",
        {"prompt": "Sky?", "responses": [{"text": "Red."}, {"text": "Blue."}],
         "ranking": [[1], [0]]},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "argilla 2": (
        "argilla",
        {"fields": {"prompt": "Sky?", "response-1": "Red.", "response-2": "Blue."},
         "responses": {"ranking": [{"value": ["response-2", "response-1"], "user_id": "u1"}]}},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "argilla 1": (
        "argilla",
        {"fields": {"prompt": "Sky?", "response_1": "Red.", "response_2": "Blue."},
         "responses": [{"user_id": "u1", "status": "submitted", "values": {"ranking": {"value": [
             {"rank": 2, "value": "response-1"}, {"rank": 1, "value": "response-2"}]}}}],
         "suggestions": [], "metadata": {}, "external_id": "7"},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "argilla 2, flat": (
        "argilla",
        {"id": "1", "status": "completed", "_server_id": "x", "prompt": "Sky?",
         "response-1": "Red.", "response-2": "Blue.",
         "ranking.responses": [["response-2", "response-1"]],
         "ranking.responses.users": ["u1"], "ranking.responses.status": ["submitted"]},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
    "argilla 1, flat": (
        "argilla",
        {"prompt": "Sky?", "reply_1": "Red.", "reply_2": "Blue.",
         "ranking": {"user_id": ["u1"], "status": ["submitted"],
                     "value": [{"rank": [1, 2], "value": ["reply-2", "reply-1"]}]},
         "ranking-suggestion": None, "ranking-suggestion-metadata": {"agent": None},
         "external_id": None, "metadata": "{}"},
        [("user", "Sky?")], "Blue.", "Red.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("form", "row", "messages", "best", "worst"), PAIRS.values(), ids=PAIRS)
def test_a_pair_is_read_as_it_is_meant(form, row, messages, best, worst):
    found = detect(row)
    assert found.name == form
    (record,) = found.read([row])
    assert [(m.role, m.content) for m in record.prompt.messages] == messages
    assert [[record.candidates[i].text for i in t] for t in record.tiers] == [[best], [worst]]


SEA = {"role": "user", "content": "Sea?"}


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_a_chat_that_contradicts_its_prompt_is_rejected(side):
    row = {"prompt": "Sky?", "chosen": [says("Blue.")], "rejected": [says("Red.")]}
    row[side] = [SEA, says("Green.")]
    with pytest.raises(
        RowProblem, match=r"'Sea\?': starts otherwise than `prompt` .'Sky"
    ) as caught:
        detect(row).read([row])
    assert caught.value.field == side


HI = {"role": "user", "content": "Hi"}
AMBIGUOUS = {
    "other answer before": {"prompt": [HI, says("Hello!")], "chosen": [HI, says("Hey!"), USER]},
    "other system message": {"prompt": [BE_BRIEF, USER, says("Blue.")],
                             "chosen": [{"role": "system", "content": "Sing."}, SEA]},
    "no answer before": {"prompt": [HI, says("Hello!")], "chosen": [HI]},
}  # fmt: skip


@pytest.mark.parametrize("row", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_chat_that_only_begins_as_its_prompt_is_rejected(row):
    chat = [*row["chosen"], says("Yes.")]
    row = {"prompt": row["prompt"], "chosen": chat, "rejected": chat}
    with pytest.raises(RowProblem, match=r"starts otherwise than `prompt` .*, or go on with the"):
        detect(row).read([row])


EXACT = {"prompt_messages": [BE_BRIEF, USER], "chosen": "Sky? Blue.", "rejected": "Sky? Red."}
BAD_PAIRS = {
    "no answer": (
        {"prompt": "Sky?", "chosen": [USER], "rejected": [says("Red.")]},
        "chosen", r"^field chosen: \[.*'Sky\?'.*: should end with the assistant's .*; add it, or",
    ),
    "two prompts": (
        {"chosen": [USER, says("Blue.")], "rejected": [SEA, says("Blue.")]},
        "rejected", r": user 'Sea\?': is message 1 .* `chosen` is user 'Sky\?'; give both the same",
    ),
    "one prompt longer": (
        {"chosen": [BE_BRIEF, USER, says("Blue.")], "rejected": [BE_BRIEF, says("Blue.")]},
        "rejected", r": nothing: is message 2 before its answer, and that of `chosen` is user 'Sky",
    ),
    "no prompt": (
        {"chosen": [says("Blue.")], "rejected": [says("Red.")]},
        "prompt", "is missing or empty, and `chosen` .*; put the prompt in either place",
    ),
    "nothing in common": (
        {"chosen": "Blue.", "rejected": "Red."},
        "rejected", r"'Red\.': starts otherwise than `chosen` \('Blue\.'\).*; put the prompt",
    ),
    "too long a prompt": (
        {**EXACT, "prompt_chars": 6},
        "prompt_chars", ": 6: `chosen` and `rejected` agree in no more than 5 characters; give a",
    ),
    "a prompt longer than an answer": (
        {"chosen": "Sky? Blue.", "rejected": "Sky? Blue", "prompt_chars": 10},
        "prompt_chars", ": 10: `chosen` and `rejected` agree in no more than 9 characters; give a",
    ),
    "exact messages without their length": (
        EXACT,
        "prompt_chars", "is missing, and the row has `prompt_messages`; say how many characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "field", "says"), BAD_PAIRS.values(), ids=BAD_PAIRS)
def test_what_is_wrong_with_a_pair_is_said_with_value_and_next_step(row, field, says):
    with pytest.raises(RowProblem, match=says) as caught:
        detect(row).read([row])
    assert caught.value.field == field


TIED = {"prompt": "q", "chosen": "a", "rejected": "b", "tie": True}
TURNED = {**TIED, "chosen": "b", "rejected": "a"}


@pytest.mark.parametrize(
    ("rows", "judgments"),
    [([TIED], 1), ([TIED, TURNED], 1), ([TIED, TURNED, TURNED, TIED], 2), ([TIED, TIED], 2)],
)
def test_ties_without_an_id_are_ties(store, rows, judgments):
    read(store, *rows)
    assert [tiers(store, j) for j in store.judgments()] == [[["a", "b"]]] * judgments


def test_a_tie_of_equal_answers_is_one(store):
    same = {**TIED, "rejected": "a"}
    other = {**same, "prompt": "p"}
    read(store, same, same, other, other, other, other)
    read(store, same, same)
    assert [tiers(store, j) for j in store.judgments()] == [[["a", "a"]]] * 3


def test_ties_of_different_people_are_apart(store):
    read(store, {**TIED, "annotator": "x"}, {**TURNED, "annotator": "y"})
    assert [j.annotator for j in store.judgments()] == ["x", "y"]


@pytest.mark.parametrize("more", [{"tie": "yes"}, {"chosen_rank": 1, "rejected_rank": 2}])
def test_a_tie_that_is_none_is_rejected(store, more):
    with pytest.raises(ImportFileError, match="line 1: field tie = "):
        read(store, {**TIED, **more})


def test_a_tie_keeps_its_places_when_the_ids_are_taken_out(store):
    """As our own export has it, less the columns that other tools drop."""
    said = {"chosen_place": 1, "rejected_place": 0, "chosen_rank": 1, "rejected_rank": 1}
    back = {"chosen_place": 0, "rejected_place": 1, "chosen_rank": 1, "rejected_rank": 1}
    read(store, {**TIED, **said}, {**TURNED, **back})
    text = {r.id: r.text for r in store.responses()}
    assert [text[i] for i in only(store).shown_order] == ["b", "a"]
    assert [sorted(t) for t in tiers(store)] == [["a", "b"]]


def test_equal_answers_of_one_row_are_two_responses(store):
    read(store, {"prompt": "q", "chosen": "same", "rejected": "same"})
    first, second = store.responses()
    assert first.text == second.text
    assert first.id != second.id
    assert only(store).shown_order == (first.id, second.id)


def test_a_problem_names_the_row_of_its_judgment():
    rows = [
        {"prompt": "q", "chosen": "a", "rejected": "b", "judgment_id": "j", "chosen_rank": 1,
         "rejected_rank": 2},
        {"prompt": "other", "chosen": "a", "rejected": "c", "judgment_id": "j", "chosen_rank": 1,
         "rejected_rank": 2},
    ]  # fmt: skip
    with pytest.raises(RowProblem, match="rows of one judgment say different things") as caught:
        detect(rows[0]).read(rows)
    assert caught.value.row == 1
