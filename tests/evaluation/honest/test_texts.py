from __future__ import annotations

import pytest

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.honest import describe_texts, distinct_n, words
from tests.evaluation.honest.made import answer, prompt


def test_distinct_n_by_hand():
    texts = [["a", "b", "a", "b"], ["a", "c"]]
    assert distinct_n(texts, 1) == pytest.approx(3 / 6)
    # ab, ba, ab; ac: three different ones of four. No run crosses from one text to the next.
    assert distinct_n(texts, 2) == pytest.approx(3 / 4)
    assert distinct_n(texts, 3) == 1
    assert distinct_n(texts, 5) is None
    assert distinct_n([], 1) is None


def test_distinct_n_takes_tokens_as_well():
    assert distinct_n([(1, 2, 1), (2, 1)], 2) == pytest.approx(2 / 3)


def test_runs_of_no_words_are_refused():
    with pytest.raises(ConfigError, match="n=0"):
        distinct_n([["a"]], 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It's late, IT\u2019S 7 pm.", ["it's", "late", "it\u2019s", "7", "pm"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("我喜欢 tea", ["我", "喜", "欢", "tea"]),
        ("?! …", []),
        ("rock 'n' roll", ["rock", "n", "roll"]),
    ],
)
def test_words_are_those_that_a_reader_would_count(text, found):
    assert words(text) == found


def test_figures_by_hand():
    tea, rain = prompt("tea"), prompt("rain")
    found = describe_texts(
        [
            answer(tea, "one two three"),
            answer(tea, "one two", number=1, end_reason="length"),
            answer(rain, ""),
            answer(rain, " \n", number=1),
        ]
    )
    assert (found.responses, found.prompts) == (4, 2)
    assert found.words.estimate == pytest.approx(5 / 4)
    assert found.tokens.estimate == pytest.approx((4 + 3 + 1 + 1) / 4)
    assert found.truncated.estimate == pytest.approx(1 / 4)
    assert found.empty.estimate == pytest.approx(1 / 2)
    assert found.words.n == found.empty.n == 2
    assert found.distinct == pytest.approx((3 / 5, 2 / 3, 1))


def test_imported_texts_have_words_but_no_tokens():
    tea = prompt("tea")
    found = describe_texts([answer(tea, "one two"), answer(tea, "one", number=1, token_ids=())])
    assert found.tokens is None
    assert found.words.estimate == 1.5


def test_no_answer_cut_off_among_ten_is_no_certainty():
    found = describe_texts([answer(prompt(f"question {n}"), "well") for n in range(10)])
    assert found.truncated.estimate == 0
    assert 0.2 < found.truncated.high < 0.4


def test_no_responses_are_refused():
    with pytest.raises(NotEnoughData, match="0 responses"):
        describe_texts([])
