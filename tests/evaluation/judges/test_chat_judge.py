from __future__ import annotations

import pickle
import sqlite3

import pytest

from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.evaluation.judges import (
    ChatJudge,
    CostLimitReached,
    EndpointError,
    JudgeTemplate,
    rank_many,
)
from tests.evaluation.judges.endpoints import (
    Answer,
    answers,
    longer_wins,
    prompt,
    says,
    serving,
    shown,
)

PROMPT = prompt()
SHORT, LONG = answers(PROMPT, "Red.", "A long and winding answer.")
KEY = "sk-very-secret-1234"


def judge_at(chat, **changes) -> ChatJudge:
    settings = {"progress": False, "retries": 2, "sleep": lambda _: None, **changes}
    return ChatJudge(chat.url, "judge-1", **settings)


def test_both_orders_are_asked_and_the_answer_that_wins_both_is_better():
    with serving(longer_wins) as chat:
        judge = judge_at(chat)
        ranking = judge.rank(PROMPT, [SHORT, LONG])
    assert ranking.tiers == (("r1",), ("r0",))
    assert sorted(map(shown, chat.bodies)) == sorted(
        [(SHORT.text, LONG.text), (LONG.text, SHORT.text)]
    )
    assert chat.paths == ["/v1/chat/completions"] * 2
    assert {b["model"] for b in chat.bodies} == {"judge-1"}
    assert {(b["temperature"], b["max_tokens"]) for b in chat.bodies} == {(0.0, 512)}


@pytest.mark.parametrize(("always", "outcome"), [("A", "first_place"), ("B", "second_place")])
def test_a_place_that_always_wins_is_a_tie_and_reported_as_position_bias(always, outcome):
    with serving(lambda *_: says(f"Verdict: {always}")) as chat:
        judge = judge_at(chat)
        ranking = judge.rank(PROMPT, [SHORT, LONG])
    assert ranking.tiers == (("r0", "r1"),)
    report = judge.report()
    assert getattr(report, outcome) == report.ties == report.pairs == 1
    assert report.consistent.estimate == 0
    prefers = report.prefers_first if always == "A" else report.prefers_second
    # Wilson: one of one, low = 1 / (1 + z**2).
    assert prefers.estimate == 1
    assert prefers.low == pytest.approx(1 / (1 + 1.959964**2), rel=1e-6)


def test_more_candidates_are_compared_in_all_pairs_and_equal_texts_not_at_all():
    four = answers(PROMPT, "aa", "aaaa", "bb", "aa")
    with serving(longer_wins) as chat:
        judge = judge_at(chat)
        ranking = judge.rank(PROMPT, four)
    # r1 beats all; r0, r2 and r3 tie. Different texts: aa-aaaa, aa-bb, aaaa-bb, each twice.
    assert ranking.tiers == (("r1",), ("r0", "r2", "r3"))
    assert len(chat.bodies) == 6
    report = judge.report()
    assert (report.pairs, report.same_answer, report.both_tie) == (3, 2, 1)


def test_a_circle_of_preferences_is_a_tie_of_all_in_it():
    beats = {("1", "2"), ("2", "3"), ("3", "1")}
    with serving(lambda b, _: says(f"Verdict: {'A' if shown(b) in beats else 'B'}")) as chat:
        ranking = judge_at(chat).rank(PROMPT, answers(PROMPT, "1", "2", "3"))
    assert ranking.tiers == (("r0", "r1", "r2"),)


def test_asked_again_it_sends_nothing_even_in_another_process(tmp_path):
    cache = tmp_path / "kept" / "replies.sqlite"
    items = [(PROMPT, [SHORT, LONG]), (prompt("Other?"), answers(prompt("Other?"), "x", "yyy"))]
    with serving(longer_wins) as chat:
        first = judge_at(chat, cache=cache)
        said = rank_many(first, items)
        again = judge_at(chat, cache=cache)
        assert rank_many(again, items) == said
        assert len(chat.bodies) == 4
    report = again.report()
    assert (report.requests, report.cached, report.pairs, report.input_tokens) == (0, 4, 2, 0)
    assert first.report().input_tokens == 400


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.7},
        {"max_tokens": 99},
        {"extra": {"top_p": 0.5}},
        {"seed": 3},
        {"template": JudgeTemplate(system="Be strict.")},
    ],
)
def test_whatever_a_reply_depends_on_has_it_asked_anew(tmp_path, change):
    cache = tmp_path / "replies.sqlite"
    with serving(longer_wins) as chat:
        judge_at(chat, cache=cache).rank(PROMPT, [SHORT, LONG])
        judge_at(chat, cache=cache, **change).rank(PROMPT, [SHORT, LONG])
    assert len(chat.bodies) == 4


def test_a_reply_without_a_verdict_is_asked_for_again_with_what_was_said():
    def mumbles_once(body, _):
        if len(body["messages"]) == 2:
            return says("Hm, hard to say.")
        assert body["messages"][2] == {"role": "assistant", "content": "Hm, hard to say."}
        return longer_wins(body, 0)

    with serving(mumbles_once) as chat:
        judge = judge_at(chat)
        assert judge.rank(PROMPT, [SHORT, LONG]).tiers == (("r1",), ("r0",))
    assert judge.report().unreadable == 2
    assert judge.report().unread == 0


def test_what_never_has_a_verdict_is_a_tie_and_reported():
    with serving(lambda *_: says("I like both!", finish="length")) as chat:
        judge = judge_at(chat, attempts=3)
        assert judge.rank(PROMPT, [SHORT, LONG]).tiers == (("r0", "r1"),)
    report = judge.report()
    assert (report.requests, report.unreadable, report.cut) == (6, 6, 6)
    assert (report.unread, report.ties, report.consistent) == (1, 1, None)
    assert "1 unreadable" in str(report)


def test_a_busy_endpoint_is_given_the_time_it_asks_for():
    def busy(body, number):
        if number == 0:
            return Answer(status=429, headers=(("Retry-After", "7"),))
        return longer_wins(body, number)

    slept, now = [], [0.0]

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    with serving(busy) as chat:
        judge = judge_at(chat, concurrency=1, sleep=sleep, clock=lambda: now[0])
        assert judge.rank(PROMPT, [SHORT, LONG]).tiers == (("r1",), ("r0",))
    assert slept == [7.0]
    assert (judge.report().requests, judge.report().retries) == (3, 1)


@pytest.mark.parametrize(
    "bad",
    [
        Answer(status=500, body=b"<html>oops</html>"),
        Answer(status=503),
        Answer(body=b"<html>login</html>"),
        Answer(body=b'{"choices": []}'),
        Answer(body=b'{"choices": [{"message": "?"}]}'),
        Answer(body=b"[1, 2]"),
        Answer(body=b'{"choices": [{"message": {"content": [1]}}]}'),
    ],
)
def test_failures_that_may_pass_are_repeated_after_longer_and_longer_pauses(bad):
    slept = []
    with serving(lambda b, n: bad if n < 2 else longer_wins(b, n)) as chat:
        judge = judge_at(chat, concurrency=1, sleep=slept.append)
        assert judge.rank(PROMPT, [SHORT, LONG]).tiers == (("r1",), ("r0",))
    assert len(slept) == judge.report().retries == 2
    assert 0.5 <= slept[0] <= 1 <= slept[1] <= 2


def test_an_endpoint_that_stays_broken_is_given_up_and_what_it_said_before_is_kept(tmp_path):
    cache = tmp_path / "replies.sqlite"
    with serving(lambda b, n: longer_wins(b, n) if n == 0 else Answer(status=500)) as chat:
        judge = judge_at(chat, cache=cache, concurrency=1)
        with pytest.raises(EndpointError, match=r"failed 3 times, last: status 500"):
            judge.rank(PROMPT, [SHORT, LONG])
        chat.reply = longer_wins
        judge.rank(PROMPT, [SHORT, LONG])
    assert len(chat.bodies) == 1 + 3 + 1
    assert judge.report().cached == 1


def test_a_slow_endpoint_and_an_absent_one_are_said_to_be_so():
    with serving(lambda b, n: longer_wins(b, n)._replace(seconds=0.5)) as chat:
        judge = judge_at(chat, timeout=0.1, retries=1, concurrency=1)
        with pytest.raises(EndpointError, match=r"failed 2 times, last: ReadTimeout"):
            judge.rank(PROMPT, [SHORT, LONG])
    with pytest.raises(EndpointError, match="no connection"):
        judge.rank(PROMPT, [SHORT, LONG])


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_a_refusal_is_not_repeated_and_never_shows_the_key(status):
    body = f"wrong key {KEY} \x1b[31m".encode()
    headers = (("Location", "http://127.0.0.1:9/"),)
    with serving(lambda *_: Answer(status=status, body=body, headers=headers)) as chat:
        judge = judge_at(chat, api_key=KEY, concurrency=1)
        with pytest.raises(EndpointError, match=rf"status {status}: wrong key … ") as caught:
            judge.rank(PROMPT, [SHORT, LONG])
    assert len(chat.bodies) == 1
    assert KEY not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_wish_for_a_very_long_pause_ends_the_run():
    wish = Answer(status=429, headers=(("Retry-After", "86400"),))
    with serving(lambda *_: wish) as chat, pytest.raises(EndpointError, match="86400 s"):
        judge_at(chat, concurrency=1).rank(PROMPT, [SHORT, LONG])
    assert len(chat.bodies) == 1


def test_the_key_is_sent_and_shows_nowhere_else(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", KEY)
    cache = tmp_path / "replies.sqlite"
    with caplog.at_level(0), serving(longer_wins) as chat:
        judge = judge_at(chat, api_key_env="MY_KEY", cache=cache)
        judge.rank(PROMPT, [SHORT, LONG])
    assert {h["authorization"] for h in chat.headers} == {f"Bearer {KEY}"}
    assert KEY not in f"{judge!r} {judge.report()} {judge._endpoint!r} {judge._endpoint.__dict__}"
    assert KEY not in caplog.text
    assert KEY.encode() not in cache.read_bytes()
    with pytest.raises(TypeError):
        pickle.dumps(judge._endpoint._secret)


def test_the_cost_is_that_of_the_tokens_and_stops_before_the_limit():
    with serving(longer_wins) as chat:
        judge = judge_at(chat, price_in=2.0, price_out=10.0)
        judge.rank(PROMPT, [SHORT, LONG])
        assert judge.report().cost == pytest.approx(2 * (100 * 2 + 10 * 10) / 1e6)

        # A request may cost up to 512 * 10 / 1e6 = 0.00512 for its reply alone, so that within
        # 0.01 one is sent, and costs 0.0003, then another; two never fit at once.
        limited = judge_at(chat, price_in=0.0, price_out=10.0, max_cost=0.0053, concurrency=1)
        items = [(prompt(f"{n}?"), answers(prompt(f"{n}?"), "x", "yy")) for n in range(9)]
        with pytest.raises(CostLimitReached, match=r"max_cost=0\.0053"):
            limited.rank_many(items)
        # 0.0001 each: the second and third still leave 0.00512, the fourth would too little.
        assert limited.report().asked == 2
        assert limited.report().cost == pytest.approx(0.0002)


def test_a_run_that_reached_its_limit_goes_on_with_what_is_missing(tmp_path):
    cache = tmp_path / "replies.sqlite"
    prices = {"price_in": 0.0, "price_out": 10.0, "cache": cache, "concurrency": 1}
    items = [(prompt(f"{n}?"), answers(prompt(f"{n}?"), "x", "yy")) for n in range(3)]
    with serving(longer_wins) as chat:
        with pytest.raises(CostLimitReached):
            judge_at(chat, max_cost=0.0053, **prices).rank_many(items)
        judge_at(chat, max_cost=1.0, **prices).rank_many(items)
    assert len(chat.bodies) == 6


@pytest.mark.parametrize("usage", [None, "many", {"prompt_tokens": -1, "completion_tokens": True}])
def test_without_usage_tokens_count_at_the_most_they_can_be(usage):
    with serving(lambda *_: says("Verdict: A", usage=usage)) as chat:
        judge = judge_at(chat, price_in=0.0, price_out=1.0)
        judge.rank(PROMPT, [SHORT, LONG])
    report = judge.report()
    assert report.estimated == 2
    assert report.output_tokens == 2 * 512
    assert report.cost == pytest.approx(2 * 512 / 1e6)
    sent = sum(len(m["content"].encode()) for b in chat.bodies for m in b["messages"])
    assert report.input_tokens > sent


def test_requests_start_no_faster_than_the_limit():
    slept, now = [], [0.0]

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    with serving(longer_wins) as chat:
        judge = judge_at(
            chat, requests_per_minute=30, concurrency=1, sleep=sleep, clock=lambda: now[0]
        )
        judge.rank(PROMPT, answers(PROMPT, "1", "22", "333"))
    assert len(chat.bodies) == 6
    assert slept == [2.0] * 5


def test_a_few_requests_are_under_way_at_once_and_no_more():
    items = [(prompt(f"{n}?"), answers(prompt(f"{n}?"), "x", "yy")) for n in range(6)]
    with serving(lambda b, n: longer_wins(b, n)._replace(seconds=0.05)) as chat:
        judge_at(chat, concurrency=3).rank_many(items)
    assert 2 <= chat.busiest <= 3


def test_a_cache_that_is_something_else_is_refused(tmp_path):
    broken = tmp_path / "notes.txt"
    broken.write_text("not a database, and longer than its header would be" * 40)
    with serving(longer_wins) as chat, pytest.raises(StoreError, match=r"notes\.txt"):
        judge_at(chat, cache=broken)


def test_a_cache_holds_no_text_that_was_asked_about(tmp_path):
    cache = tmp_path / "replies.sqlite"
    with serving(longer_wins) as chat:
        judge_at(chat, cache=cache).rank(PROMPT, [SHORT, LONG])
    with sqlite3.connect(cache) as database:
        rows = database.execute("SELECT * FROM replies").fetchall()
    database.close()
    assert len(rows) == 2
    assert LONG.text not in str(rows)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"base_url": "localhost:8000"}, "base_url="),
        ({"base_url": "http://me:pass@host/v1"}, "api_key"),
        ({"api_key": "a", "api_key_env": "B"}, "choose one"),
        ({"api_key_env": "NO_SUCH_VARIABLE_HERE"}, "no such variable"),
        ({"max_cost": 1.0}, "both prices"),
        ({"price_in": 1.0}, "both prices"),
        ({"extra": {"stream": True}}, "stream"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"requests_per_minute": 0}, "requests_per_minute=0"),
    ],
)
def test_settings_are_refused_where_they_are_made(changes, told):
    settings = {"base_url": "http://localhost:1/v1", "model": "m", **changes}
    with pytest.raises(ConfigError, match=told) as caught:
        ChatJudge(**settings)
    assert "pass@" not in str(caught.value)


def test_models_that_take_other_names_for_settings_get_them():
    with serving(longer_wins) as chat:
        extra = {"max_completion_tokens": 900, "reasoning_effort": "low"}
        judge_at(chat, extra=extra, temperature=None).rank(PROMPT, [SHORT, LONG])
    body = chat.bodies[0]
    assert body["max_completion_tokens"] == 900
    assert body["reasoning_effort"] == "low"
    assert not {"max_tokens", "temperature", "seed"} & set(body)


def test_the_report_is_escaped():
    with serving(longer_wins) as chat:
        judge = judge_at(chat, name="<img src=x>")
        judge.rank(PROMPT, [SHORT, LONG])
    html = judge.report()._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
    assert str(judge.report()).startswith("<img src=x>: 1 pair of 1 prompt in both orders: 1 dec")
