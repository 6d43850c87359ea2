"""The still picture of a monitor."""

import re
from html.parser import HTMLParser

import pytest

from rlhf_lab.types import Alarm
from rlhf_lab.widgets.monitor_figure import (
    duration,
    figure_html,
    figure_text,
    sparkline,
    thinned,
    written,
)
from rlhf_lab.widgets.monitor_state import MonitorState
from tests.widgets.test_monitor_state import Watched, sample


@pytest.fixture
def state() -> MonitorState:
    watched = Watched()
    state = watched.state
    state.started(done=0, total=4)
    for n, (score, kl) in enumerate([(0.0, 1.0), (0.5, 2.0), (0.25, 9.0)], start=1):
        watched.clock.pass_to(100.0 + 60 * n)
        state.add(n, {"score": score, "kl": kl}, done=n)
    state.alarm(3, Alarm("length drift", "<90 tokens> & more"))
    state.show([sample("<img src=x onerror=alert(1)>")])
    state.ended("stopped", "Kept as policy@1.")
    return state


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.4237, "signed", "+0.424"),
        (-1.5, "signed", "\N{MINUS SIGN}1.50"),
        (0.0312, "percent", "3.12%"),
        (0.2, "percent", "20.0%"),
        (12.34, "seconds", "12.3 s"),
        (123.4, "number", "123"),
        (12345.6, "number", "12,346"),
        (0.00004, "number", "4.0e-05"),
        (0.0, "number", "0.000"),
        (48.4, "count", "48"),
        (-0.25, "number", "\N{MINUS SIGN}0.250"),
        (-0.00004, "number", "\N{MINUS SIGN}4.0e-05"),
        (-0.0312, "percent", "\N{MINUS SIGN}3.12%"),
        (-12.34, "seconds", "\N{MINUS SIGN}12.3 s"),
        (-12345.6, "count", "\N{MINUS SIGN}12,346"),
        # Zero has no sign, whichever it came from.
        (0.0, "signed", "0.000"),
        (-0.0, "signed", "0.000"),
        (-0.4, "count", "0"),
    ],
)
def test_values_are_written_as_people_read_them(value, form, text):
    assert written(value, form) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "60 s"), (99.6, "2 min"), (3540, "59 min"), (4800, "1 h 20 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_sparkline_goes_from_the_lowest_to_the_highest_block():
    assert sparkline([0.0, None, 7.0, 3.5]) == "▁█▅"
    assert sparkline([2.0, 2.0]) == "▄▄"
    assert sparkline([]) == ""
    # Each block is the mean of two.
    assert sparkline([0.0, 0.0, 1.0, 1.0, 0.0, 2.0], width=3) == "▁██"


def test_thinning_keeps_ends_and_extremes():
    points = [(n, 0.0) for n in range(1000)]
    points[500] = (500, 9.0)
    points[700] = (700, -9.0)
    kept = thinned(points, 10)
    assert len(kept) <= 40
    assert {(0, 0.0), (500, 9.0), (700, -9.0), (999, 0.0)} <= set(kept)
    assert [s for s, _ in kept] == sorted(s for s, _ in kept)
    assert thinned(points[:40], 10) == points[:40]


def test_the_text_says_what_became_of_the_run(state):
    lines = figure_text(state).splitlines()
    assert lines[0] == "PPO: stopped early, 3 of 4 steps in 3 min. Kept as policy@1."
    assert lines[1] == "Alarm: length drift (step 3): <90 tokens> & more"
    assert lines[2].split() == ["curve", "first", "last", "lowest", "highest"]
    assert lines[3].split() == ["Reward", "score", "▁█▅", "0.000", "+0.250", "0.000", "+0.500"]
    assert lines[4].split() == [
        *("KL", "(nats,", "target", "6.00)", "▁▂█", "1.00", "9.00", "1.00", "9.00")
    ]


class Tags(HTMLParser):
    """Which elements there are, all of them closed in order."""

    VOID = ("br", "hr", "path", "circle", "polyline")

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_picture_has_its_curves_figures_and_alarms(state):
    html = figure_html(state)
    tags = Tags(html)
    pictures = [attrs for tag, attrs in tags.seen if tag == "svg"]
    assert [p["aria-label"] for p in pictures] == [
        "Reward score: score from 0.000 to +0.250",
        "KL: KL from 1.00 to 9.00",
    ]
    # y of KL over 1 to 9 with the aim at 6 in between: 86 px for 8 nats, bottom at 94.
    assert 'points="44.0,94.0 148.0,83.2 252.0,8.0"' in html
    assert '<path d="M44 40.2H252.0"' in html or '<path d="M44 40.2H252"' in html
    assert "▁█▅" in html
    assert "&lt;90 tokens&gt; &amp; more" in html
    assert "Samples of step 1" in html


def test_the_picture_runs_nothing_and_fetches_nothing(state):
    tags = Tags(figure_html(state))
    assert {tag for tag, _ in tags.seen}.isdisjoint({"script", "style", "img", "iframe", "a"})
    assert not any(name.startswith("on") for _, attrs in tags.seen for name in attrs)
    assert not re.search(r"url\(|https?:", figure_html(state))


def test_no_notebook_typesets_what_a_model_wrote(state):
    """Between two prices is no formula; MathJax 2 and 3 have a class each."""
    state.show([sample("from $5 to $6")])
    html = figure_html(state)
    assert "from $5 to $6" in html
    name, attributes = Tags(html).seen[0]
    assert name == "div"
    assert {"tex2jax_ignore", "mathjax_ignore"} <= set(dict(attributes)["class"].split())
    assert html.endswith("</div>")


def test_a_run_without_points_is_a_line():
    state = Watched().state
    assert figure_text(state) == "PPO: not started."
    assert "<svg" not in figure_html(state)


def test_long_runs_stay_small():
    state = Watched().state
    state.started(done=0, total=5000)
    for n in range(5000):
        state.add(n + 1, {"score": (n * 7919 % 1000) / 1000, "kl": n / 100}, done=n + 1)
    html = figure_html(state)
    assert len(html) < 40_000
    assert "Values at every 84th of 5000 steps" in html
    assert ">5000<" in html
