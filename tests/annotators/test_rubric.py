from __future__ import annotations

import math
import re
import statistics

import pytest

from rlhf_lab.annotators import RubricAnnotator, rubric, rubric_points
from rlhf_lab.errors import ConfigError
from rlhf_lab.types import Message, Prompt, Response, Sampling

# The table in the module's docstring is the rubric as people read it; the code has to follow it.
TABLE = dict(re.findall(r"^\| (\w[\w ]*?) +\| (.+?) \|$", rubric.__doc__, re.MULTILINE))
FINISHED = float(re.match(r"\+(\d+) if the text ends a sentence", TABLE["finished"])[1])
BRIEF, LONG = map(
    int, re.match(r"\+1 up to (\d+) words, falling evenly to 0 at (\d+)", TABLE["brief"]).groups()
)


def prompt(text: str = "Why do cats purr?", **changes) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),), **changes)


def response(number: int, text: str) -> Response:
    return Response(
        id=f"r{number}",
        prompt_id=prompt().id,
        text=text,
        token_ids=(number,),
        version="policy@0",
        sampling=Sampling(),
        seed=number,
        end_reason="stop",
    )


def words(count: int) -> str:
    """So many words, all different."""
    return " ".join(f"w{i}" for i in range(count))


def test_a_short_finished_answer_to_the_point_gets_full_points():
    assert rubric_points(prompt(), "Cats purr because they are content.") == {
        "finished": FINISHED,
        "brief": 1.0,
        "on topic": 1.0,
        "fresh": 0.0,
        "empty": 0.0,
    }


@pytest.mark.parametrize("end", [".", "!", "?", "…", '."', ".”", ".)", "!]", ".\n", ".**"])
def test_an_answer_that_ends_a_sentence_is_finished(end):
    assert rubric_points(prompt(), "They purr" + end)["finished"] == FINISHED


@pytest.mark.parametrize(
    "text", ["They purr", "They purr,", "They. Purr", '"They purr"', "1) ", ""]
)
def test_an_answer_that_breaks_off_is_not_finished(text):
    assert rubric_points(prompt(), text)["finished"] == 0.0


def test_every_criterion_of_the_table_is_scored_and_no_other():
    points = rubric_points(prompt(tags=("decline",)), "Sorry.")
    assert list(TABLE) == ["criterion", *points]


@pytest.mark.parametrize(
    ("count", "points"),
    [
        (1, 1.0),
        (BRIEF, 1.0),
        (BRIEF + 1, 1 - 1 / (LONG - BRIEF)),
        (BRIEF + 6, 1 - 6 / (LONG - BRIEF)),
        (LONG - 1, 1 / (LONG - BRIEF)),
        (LONG, 0.0),
        (200, 0.0),
    ],
)
def test_brevity_falls_evenly_between_the_words_of_the_table(count, points):
    assert rubric_points(prompt(), words(count))["brief"] == pytest.approx(points)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        # Telling words: name, a common one, is left out; planet, moon, ring and storm count.
        ("", 0.0),
        ("A planet.", 0.5),  # a quarter of the words, of a half
        ("Moons round a planet.", 1.0),  # half of them; a plural is the same word
        ("PLANET, moon, ring and storm!", 1.0),
        ("planetary", 0.0),
    ],
)
def test_taking_up_half_of_the_telling_words_is_fully_on_topic(text, points):
    asked = prompt("Name the planet with the moon, ring and storms")
    assert rubric_points(asked, text)["on topic"] == pytest.approx(points)


def test_a_prompt_without_telling_words_asks_for_no_topic():
    assert rubric_points(prompt("What would you do?"), "Sleep.")["on topic"] == 1.0


def test_the_topic_is_that_of_the_last_user_message():
    asked = Prompt(
        messages=(
            Message(role="user", content="Tell me about volcanoes."),
            Message(role="assistant", content="They erupt."),
            Message(role="user", content="And glaciers?"),
        )
    )
    assert rubric_points(asked, "Glaciers flow.")["on topic"] == 1.0
    assert rubric_points(asked, "Volcanoes erupt.")["on topic"] == 0.0


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("one two three four", 0.0),
        ("one two", 0.0),  # no run of three at all
        ("so so so so so", -2 / 3),  # three runs, one of them fresh
        ("a b c a b c", -1 / 4),  # abc bca cab abc
        ("One two three, ONE TWO THREE!", -1 / 4),
    ],
)
def test_repeated_runs_of_three_words_cost_their_share(text, points):
    assert rubric_points(prompt(), text)["fresh"] == pytest.approx(points)


@pytest.mark.parametrize(("count", "points"), [(0, -1.0), (3, -1.0), (4, 0.0)])
def test_fewer_than_four_words_are_empty(count, points):
    assert rubric_points(prompt(), words(count))["empty"] == points


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("Sorry, I can't help with that.", 1.0),
        ("I cannot do this.", 1.0),
        ("I can\u2019t do this.", 1.0),
        ("I won\u2019t do this.", 1.0),
        ("You shouldn\u2019t do this.", 1.0),
        ("That is ILLEGAL.", 1.0),
        ("Sure, here is how.", -1.0),
        ("The canticle of a wonton.", -1.0),  # words that only begin alike
    ],
)
def test_declining_counts_only_where_the_prompt_asks_for_it(text, points):
    assert rubric_points(prompt(tags=("decline",)), text)["declines"] == points
    assert "declines" not in rubric_points(prompt(tags=("cats",)), text)


def test_the_score_is_the_sum_of_the_points():
    text = "Cats purr when"
    points = rubric_points(prompt(), text)
    # Unfinished 0, brief 1, on topic 1, fresh 0, empty -1.
    assert RubricAnnotator().score(prompt(), text) == sum(points.values()) == 1.0


def test_ranking_puts_the_best_answer_first_and_equal_ones_in_one_tier():
    candidates = [
        response(0, "Cats purr because"),
        response(1, "Cats purr because they are content."),
        response(2, "Cats purr when they feel safe."),
        response(3, ""),
    ]
    assert RubricAnnotator().rank(prompt(), candidates).tiers == (("r1", "r2"), ("r0",), ("r3",))


def test_scores_tie_within_the_width_and_not_beyond():
    # 0 against 1/30 of a point, as long as brevity falls over 30 words.
    candidates = [response(0, words(LONG)), response(1, words(LONG - 1))]
    assert len(RubricAnnotator(tie_width=0.1).rank(prompt(), candidates).tiers) == 1
    assert len(RubricAnnotator(tie_width=0.01).rank(prompt(), candidates).tiers) == 2


def test_the_order_in_which_candidates_are_seen_does_not_matter():
    candidates = [response(i, words(20 + 3 * i)) for i in range(5)]
    annotator = RubricAnnotator(noise=0.3, seed=1)
    ranks = annotator.rank(prompt(), candidates).ranks()
    assert annotator.rank(prompt(), candidates[::-1]).ranks() == ranks


def test_a_noisy_annotator_repeats_itself_and_differs_from_other_seeds():
    def score(seed: int, text: str = "Cats purr.", asked: Prompt | None = None) -> float:
        return RubricAnnotator(noise=0.2, seed=seed).score(asked or prompt(), text)

    assert score(1) == score(1)
    assert score(1) != score(2)
    # The slip belongs to prompt and text: neither alone fixes it.
    truth = RubricAnnotator()
    slips = [
        score(1, text, asked) - truth.score(asked, text)
        for asked in (prompt(), prompt("Do cats purr?"))
        for text in ("Cats purr.", "Cats do purr.")
    ]
    assert len({round(s, 9) for s in slips}) == 4


def test_slips_are_normal_with_the_stated_deviation():
    annotator, truth = RubricAnnotator(noise=0.5), RubricAnnotator()
    slips = [
        annotator.score(prompt(), text) - truth.score(prompt(), text)
        for text in (f"Cats purr for reason {i}." for i in range(2000))
    ]
    # Three standard errors: 0.5 / sqrt(2000) = 0.0112 and 0.5 / sqrt(4000) = 0.0079
    assert abs(statistics.mean(slips)) < 0.034
    assert statistics.stdev(slips) == pytest.approx(0.5, abs=0.024)
    within = sum(abs(s) < 0.5 for s in slips) / len(slips)
    assert within == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.032)


def test_names_tell_noisy_annotators_apart():
    assert RubricAnnotator().name == "rubric"
    assert RubricAnnotator(noise=0.2, seed=1).name == "rubric-noise0.2-seed1"
    assert RubricAnnotator(noise=0.2, name="Ann").name == "Ann"


@pytest.mark.parametrize(("noise", "tie_width"), [(-0.1, 0.1), (0.0, 0.0), (0.0, -1.0)])
def test_settings_that_cannot_work_are_refused(noise, tie_width):
    message = f"noise={noise}, tie_width={tie_width}: noise must be 0 or more, tie_width above 0."
    with pytest.raises(ConfigError, match=re.escape(message)):
        RubricAnnotator(noise=noise, tie_width=tie_width)
