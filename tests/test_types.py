"""A refusal is checked for its three parts: the value, the rule and the next step."""

from __future__ import annotations

import dataclasses
import math
import re
from datetime import UTC
from pathlib import Path

import pytest

from rlhf_lab.errors import ConfigError, JudgmentError, PromptError
from rlhf_lab.types import (
    Interval,
    Judgment,
    LoraSpec,
    Message,
    Prompt,
    Ranking,
    Response,
    Sampling,
    Version,
    as_path,
    utc_now,
)


def message(content: str, role: str = "user") -> Message:
    return Message(role=role, content=content)


def refuses(error: type[Exception], value: str, rule: str, next_step: str):
    """The message has the three parts, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, (value, rule, next_step))))


# Prompt


def test_a_prompts_id_depends_on_its_messages_alone():
    plain = Prompt(messages=(message("Why?"),))
    assert plain.id == Prompt(messages=(message("Why?"),), split="heldout", tags=("a",)).id
    assert re.fullmatch(r"[0-9a-f]{16}", plain.id)
    others = [
        (message("Why? "),),
        (message("Be brief.", "system"), message("Why?")),
        (message("Be brief.", "assistant"), message("Why?")),
    ]
    assert len({plain.id, *(Prompt(messages=m).id for m in others)}) == 4


def test_a_prompts_id_never_changes_between_releases():
    # First 16 hex digits of sha256('[["user", "Why?"]]'): stores out there hold such ids.
    assert Prompt(messages=(message("Why?"),)).id == "d60ffbcae18616ca"


def test_a_lone_surrogate_has_an_id_as_well():
    assert len(Prompt(messages=(message("broken \ud83d emoji"),)).id) == 16


def test_a_prompts_text_is_its_last_user_message():
    turns = (message("Hi"), message("Hello.", "assistant"), message("Why?"))
    assert Prompt(messages=turns).text == "Why?"


@pytest.mark.parametrize("roles", [[], ["assistant"], ["user", "assistant"], ["system"]])
def test_a_prompt_that_does_not_end_with_the_user_is_refused(roles):
    with refuses(PromptError, str(roles), "must come from the user", "Pass a string, or a list"):
        Prompt(messages=tuple(message("x", role) for role in roles))


@pytest.mark.parametrize("content", ["", "   ", "\n\t"])
def test_a_prompt_without_text_is_refused(content):
    with refuses(PromptError, repr(content), "at least one visible character", "Remove it"):
        Prompt(messages=(message(content),))


@pytest.mark.parametrize(("content", "kind"), [(7, "int"), (None, "NoneType"), (b"x", "bytes")])
def test_a_prompt_that_is_not_text_is_refused(content, kind):
    with refuses(PromptError, f"{content!r} is a {kind}", "prompts are text", "Convert it"):
        Prompt(messages=(message(content),))


def test_a_refusal_quotes_only_the_start_of_a_long_prompt():
    with pytest.raises(PromptError) as caught:
        Prompt(messages=(message(b"x" * 10_000),))
    assert len(str(caught.value)) < 250


# Sampling


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_cannot_divide_is_refused(temperature):
    with refuses(ConfigError, f"temperature={temperature}", "must be above 0", "Use 0.7 to 1.0"):
        Sampling(temperature=temperature)


@pytest.mark.parametrize(
    ("name", "value", "rule", "next_step"),
    [
        ("max_new_tokens", 0, "at least 1 token", "Use 32 to 256"),
        ("top_k", -1, "cannot be negative", "Use 0 to keep all tokens"),
        ("top_p", 0.0, "above 0 and at most 1", "Use 1.0 to keep all tokens"),
        ("top_p", 1.1, "above 0 and at most 1", "Use 1.0 to keep all tokens"),
        ("top_p", math.nan, "above 0 and at most 1", "Use 1.0 to keep all tokens"),
    ],
)
def test_sampling_outside_its_ranges_is_refused(name, value, rule, next_step):
    with refuses(ConfigError, f"{name}={value}", rule, next_step):
        Sampling(**{name: value})


def test_the_bounds_of_sampling_themselves_are_fine():
    bounds = Sampling(temperature=1e-3, max_new_tokens=1, top_k=0, top_p=1.0)
    assert dataclasses.replace(bounds, top_k=1, top_p=1e-3).top_k == 1


# Ranking


def test_ranks_and_tiers_are_two_views_of_one_ranking():
    ranking = Ranking(tiers=(("b",), ("a", "c")))
    assert ranking.ranks() == {"b": 1, "a": 2, "c": 2}
    assert ranking.response_ids == ("b", "a", "c")
    assert Ranking.from_ranks(ranking.ranks()) == ranking


def test_lower_ranks_and_higher_scores_are_better_and_equal_ones_tied():
    numbers = {"a": 2.5, "b": -1.0, "c": 2.5}
    assert Ranking.from_ranks(numbers).tiers == (("b",), ("a", "c"))
    assert Ranking.from_scores(numbers).tiers == (("a", "c"), ("b",))


def test_tiers_close_up_whatever_the_gaps_between_ranks():
    assert Ranking.from_ranks({"a": 10, "b": 2, "c": 7}).ranks() == {"b": 1, "c": 2, "a": 3}


def test_an_empty_tier_is_refused():
    with refuses(JudgmentError, "(('a',), ())", "empty tier", "Leave out tiers"):
        Ranking(tiers=(("a",), ()))


@pytest.mark.parametrize("tiers", [(("a",), ("a", "b")), (("a", "a", "b"),)])
def test_a_response_ranked_twice_is_refused(tiers):
    with refuses(JudgmentError, "['a'] ranked more than once", "has one tier", "Keep one place"):
        Ranking(tiers=tiers)


def test_a_rank_that_is_not_a_number_does_not_drop_its_response_in_silence():
    with pytest.raises(JudgmentError):
        Ranking.from_ranks({"a": math.nan, "b": 1.0})


# Judgment

ONE = Ranking(tiers=(("a",), ("b",)))


def judge(**changes) -> Judgment:
    values = {
        "id": "j1",
        "prompt_id": "p",
        "annotator": "ann",
        "shown_order": ("b", "a"),
        "ranking": ONE,
    }
    return Judgment(**{**values, **changes})


def test_every_kind_of_judgment_can_be_made():
    assert judge().ranking == ONE
    assert judge(kind="skip", ranking=None).ranking is None
    assert judge(kind="undo", ranking=None, shown_order=(), supersedes="j0").supersedes == "j0"


@pytest.mark.parametrize("kind", ["skip", "undo"])
def test_a_skip_or_undo_with_a_ranking_is_refused(kind):
    with refuses(JudgmentError, f"kind={kind!r}", "the others none", "Change the kind"):
        judge(kind=kind, supersedes="j0")


def test_a_ranking_without_ranks_is_refused():
    with refuses(JudgmentError, "kind='ranking' with ranking=None", "has one", "add"):
        judge(ranking=None)


@pytest.mark.parametrize("shown", [("a",), ("a", "b", "c"), ("a", "c"), ()])
def test_a_ranking_of_other_responses_than_were_shown_is_refused(shown):
    value = f"ranked ['a', 'b'] but shown {sorted(shown)}"
    with refuses(JudgmentError, value, "every shown response exactly once", "Rank the missing"):
        judge(shown_order=shown)


@pytest.mark.parametrize("supersedes", [None, ""])
def test_an_undo_of_nothing_is_refused(supersedes):
    value = f"supersedes={supersedes!r}"
    with refuses(JudgmentError, value, "takes back one judgment", "Pass that judgment's id"):
        judge(kind="undo", ranking=None, supersedes=supersedes)


@pytest.mark.parametrize("strength", ["very", "", "Much", 2])
def test_a_strength_of_another_name_is_refused(strength):
    value = f"judgment 'j1' has strength={strength!r}"
    with refuses(JudgmentError, value, "'negligibly', 'slightly', 'clearly', 'much'", "or None"):
        judge(strength=strength)


def test_a_strength_without_a_better_response_is_refused():
    value = "judgment 'j1' has strength='much' but puts no response above another"
    tied = Ranking(tiers=(("a", "b"),))
    for changes in ({"ranking": tied}, {"ranking": None, "kind": "skip"}):
        with refuses(JudgmentError, value, "how much better", "Leave it out"):
            judge(strength="much", **changes)


# The rest


@pytest.mark.parametrize(("rank", "alpha"), [(0, 32), (-1, 32), (16, 0), (16, -2)])
def test_adapters_without_room_are_refused(rank, alpha):
    value = f"rank={rank}, alpha={alpha}"
    with refuses(ConfigError, value, "both must be positive", "Use 16 and 32"):
        LoraSpec(rank=rank, alpha=alpha)


def test_the_smallest_adapter_is_fine():
    assert LoraSpec(rank=1, alpha=1).target_modules == "all-linear"


def test_an_interval_reads_as_estimate_bounds_and_size():
    assert str(Interval(estimate=0.714, low=0.62, high=0.8, n=64)) == "0.71 [0.62, 0.80] (n=64)"
    assert str(Interval(estimate=-0.5, low=-1, high=0, n=1)) == "-0.50 [-1.00, 0.00] (n=1)"


def test_a_version_knows_its_role_and_number():
    version = Version(name="policy@12", parent="policy@11", path="versions/policy-12")
    assert (version.role, version.number) == ("policy", 12)


@pytest.mark.parametrize(
    "kind", [Interval, Judgment, LoraSpec, Message, Prompt, Ranking, Response, Sampling, Version]
)
def test_values_are_frozen_and_take_names_only(kind):
    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(kind))


def test_the_default_clock_is_in_utc():
    assert utc_now().tzinfo is UTC
    assert judge().created_at.tzinfo is UTC


def test_a_path_is_expanded_and_what_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert as_path("~/x") == as_path(Path("~/x")) == Path("/home/me/x")
    assert as_path("a/../b") == Path("a/../b")
    for place, message in [
        ("~nobody-of-this-name/x", "no home folder here"),
        ("a\0b", "NUL"),
        ("\ud800", "half a character"),
        ("ä" * 128, "a name of 256 bytes"),
        (" ", "is no path"),
        (7, r"7 .int. is no path"),
        (b"x", "is no path"),
    ]:
        with pytest.raises(ConfigError, match=message):
            as_path(place)
    assert as_path("x" * 255).name == "x" * 255


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed", "compared"),
    [
        ("a>b>c", "a>b>c", 3, 3),
        ("a>b>c", "c>b>a", 0, 3),
        ("a>b>c", "a>c>b", 2, 3),
        ("a=b>c", "a>b>c", 2, 2),  # what one side ties counts for neither
        ("a>b>c", "a=b=c", 0, 0),
        ("a>b", "b>d>a", 0, 1),  # what one side did not rank neither
    ],
)
def test_rankings_agree_on_pairs_that_both_put_in_an_order(ours, theirs, agreed, compared):
    one, other = (
        Ranking(tiers=tuple(tuple(tier.split("=")) for tier in text.split(">")))
        for text in (ours, theirs)
    )
    assert one.agreement(other) == (agreed, compared)
    assert other.agreement(one) == (agreed, compared)
