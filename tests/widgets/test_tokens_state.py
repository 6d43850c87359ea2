"""The token view's state: what a page is sent, and the choices it tells of."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rlhf_lab.errors import ConfigError
from rlhf_lab.types import Message, Prompt, TokenPiece, TokenReport
from rlhf_lab.widgets import TokenWidget
from rlhf_lab.widgets.tokens_state import TokenState

HOSTILE = "<img src=x onerror=alert(1)>"


def report(**changes) -> TokenReport:
    fields = {
        "prompt": Prompt(messages=(Message(role="user", content=f"Tea? {HOSTILE}"),)),
        "response_id": "r1",
        "written_by": "policy@0",
        "pieces": (
            TokenPiece(id=65, kind="text", text=HOSTILE),
            TokenPiece(id=240, kind="bytes", text="F0", whole="🙂"),
            TokenPiece(id=2, kind="special", text="<|im_end|>"),
        ),
        "ended": True,
        "logp": (-1.0, -2.0, -0.5),
        "ref_logp": (-1.5, -1.0, -0.5),
        "log_ratio": (0.5, -1.0, 0.0),
        "kl_k3": (0.1065307, 0.7182818, 0.0),
        "values": (0.5, 0.25, 1.0),
        "rewards": (-0.15, 0.3, 2.0),
        "advantages": (0.7774, 1.67, 1.0),
        "returns": (1.2774, 1.92, 2.0),
        "score": 2.0,
        "kl_coef": 0.3,
        "temperature": 0.8,
        "gamma": 0.9,
        "lam": 0.8,
        "policy": "policy@1",
        "reward": "reward@2",
        **changes,
    }
    return TokenReport(**fields)


NO_VALUE = report(
    values=None,
    advantages=None,
    returns=None,
    left_out={"values": "no value role", "advantages": "no value role", "returns": "no value role"},
)


def shown(state: TokenState, **changes) -> dict:
    return {"seq": state.acked_seq + 1, "id": f"event-{state.acked_seq + 1:04}", "type": "show"} | {
        "shown": 0,
        "figure": "log_ratio",
        **changes,
    }


def test_every_figure_reaches_the_page_under_its_name():
    (sent,) = TokenState([report()]).content["responses"]
    assert sent["figures"] == {
        "logp": [-1.0, -2.0, -0.5],
        "ref_logp": [-1.5, -1.0, -0.5],
        "log_ratio": [0.5, -1.0, 0.0],
        "kl": [0.1065307, 0.7182818, 0.0],
        "value": [0.5, 0.25, 1.0],
        "reward": [-0.15, 0.3, 2.0],
        "advantage": [0.7774, 1.67, 1.0],
        "return": [1.2774, 1.92, 2.0],
    }
    assert sent["ids"] == [65, 240, 2]
    assert sent["kinds"] == ["text", "bytes", "special"]
    assert sent["wholes"] == ["", "🙂", ""]
    assert sent["settings"] == {"kl_coef": 0.3, "temperature": 0.8, "gamma": 0.9, "lam": 0.8}
    assert (sent["policy"], sent["reward"], sent["score"]) == ("policy@1", "reward@2", 2.0)


def test_prompts_are_sanitised_and_tokens_stay_plain_text():
    (sent,) = TokenState([report()]).content["responses"]
    assert "<img" not in sent["turns"][0]["html"]
    assert sent["texts"][0] == HOSTILE  # the page puts it in as text alone


def test_a_figure_that_is_left_out_comes_with_its_reason_once():
    (sent,) = TokenState([NO_VALUE]).content["responses"]
    assert sent["figures"]["value"] is None
    assert sent["left_out"] == [
        {"figures": ["value", "advantage", "return"], "reason": "no value role"}
    ]


def test_numbers_keep_what_a_float32_holds_and_json_can_say():
    odd = report(logp=(-0.12345678, float("nan"), float("-inf")))
    (sent,) = TokenState([odd]).content["responses"]
    assert sent["figures"]["logp"] == [-0.1234568, None, None]
    json.dumps(sent, allow_nan=False)


def test_lone_surrogates_can_be_sent():
    odd = replace(report(), pieces=(TokenPiece(id=1, kind="text", text="a\ud800"),))
    json.dumps(TokenState([odd]).content).encode("utf-8")
    assert TokenState([odd]).content["responses"][0]["texts"] == ["a?"]


@pytest.mark.parametrize(
    ("reports", "figure", "expected"),
    [
        ([report()], None, "advantage"),
        ([NO_VALUE], None, "log_ratio"),
        ([report()], "kl", "kl"),
        ([], None, "log_ratio"),
    ],
)
def test_it_starts_with_the_advantage_where_there_is_one(reports, figure, expected):
    assert TokenState(reports, figure=figure).figure == expected


def test_an_unknown_figure_fails_in_its_own_cell():
    with pytest.raises(ConfigError, match="figure='credit': use one of 'log_ratio', 'kl'"):
        TokenState([report()], figure="credit")


def test_a_choice_is_kept_for_a_page_that_is_loaded_again():
    state = TokenState([report(), report(response_id="r2")])
    state.apply([shown(state, shown=1, figure="reward")])
    assert (state.shown, state.figure, state.acked_seq) == (1, "reward", 1)
    assert state.view == {"phase": "ready", "shown": 1, "figure": "reward"}
    assert state.notice is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"shown": 1},
        {"shown": -1},
        {"shown": True},
        {"shown": "0"},
        {"shown": None},
        {"figure": "credit"},
        {"figure": None},
        {"type": "delete"},
    ],
    ids=str,
)
def test_a_choice_that_does_not_exist_is_refused(wrong):
    state = TokenState([report()])
    before = dict(state.view)
    state.apply([shown(state, **wrong)])
    assert state.view == before
    assert state.acked_seq == 1
    assert state.notice
    assert state.notice["tone"] == "error"


def test_empty_loading_and_failed_are_told_apart():
    assert TokenState([]).view["phase"] == "empty"
    state = TokenState(None)
    told = []
    state.on_change(lambda: told.append(state.view["phase"]))
    assert state.view["phase"] == "loading"
    state.show_reports([report()])
    state.show_error("no memory: 2 GB.")
    assert told == ["ready", "error"]
    assert state.content == {"responses": []}
    assert state.notice
    assert state.notice["text"] == "no memory: 2 GB."


def test_the_widget_has_the_reports_and_syncs_their_figures():
    widget = TokenWidget([report()])
    try:
        assert widget.reports[0].advantages == (0.7774, 1.67, 1.0)
        assert widget.content["responses"][0]["figures"]["advantage"] == [0.7774, 1.67, 1.0]
    finally:
        widget.close()
