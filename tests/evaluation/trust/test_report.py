from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from rlhf_lab.evaluation.trust import LengthPicker, TrustReport, measure_trust
from rlhf_lab.evaluation.trust.plot import dots_and_intervals
from rlhf_lab.types import Interval
from tests.evaluation.trust.saying import Says, item
from tests.widgets.xss_corpus import HIT, NAMES, TAGS


@pytest.fixture
def report() -> TrustReport:
    long = {"A": "much longer than the other one", "B": "short"}
    items = [item("A > B", to=f"{n}", by=who, texts=long) for n in range(30) for who in ("x", "y")]
    pickers = [
        Says("good", A=2, B=1),
        Says("bad", A=1, B=2),
        Says("flat", A=1, B=1),
        Says("none"),
        LengthPicker(),
    ]
    return measure_trust(items, pickers, notes=["2 judgments tie all candidates."])


def test_a_report_is_a_table_and_what_it_means(report: TrustReport):
    lines = str(report).split("\n")
    assert lines[0] == (
        "How often each picks what people picked: 60 judgments of 30 prompts by 2 annotators, 95% "
        "intervals over prompts; best first by chance 0.50"
    )
    assert lines[2].split("  ")[0] == "picked by"
    table = [re.split(r"  +", line) for line in lines[3:8]]
    assert [row[0] for row in table] == ["good", "length", "flat", "bad", "none"]
    assert table[0] == [
        "good",
        "1.00 [0.89, 1.00]",
        "1.00 [0.89, 1.00]",
        "1.00 [0.89, 1.00]",
        "60",
        "better than a coin",
    ]
    assert table[1][-1] == "baseline"
    assert table[4] == ["none", "–", "–", "–", "0 of 60", "not measured"]
    assert lines[9:] == report.meaning.split("\n")


def test_the_meaning_says_what_to_trust_and_what_to_do(report: TrustReport):
    told = report.meaning.split("\n")
    assert told[:3] == [
        "Better than a coin: good.",
        "Not told from a coin: flat.",
        "Worse than a coin: bad.",
    ]
    assert told[3].startswith("Not measured: none. A reference metric needs")
    assert told[4].startswith("Not shown to beat length alone: good.")
    assert told[5].startswith("Two people put a pair in the same order 1.00 [0.89, 1.00] (n=30)")
    assert told[6] == "2 judgments tie all candidates."


def test_where_longer_is_no_better_nothing_is_said_of_length():
    same = {"A": "as long", "B": "as long"}
    items = [item("A > B", to=f"{n}", texts=same) for n in range(30)]
    told = measure_trust(items, [Says("good", A=2, B=1), LengthPicker()]).meaning
    assert told == "Better than a coin: good."


def test_rows_of_the_same_judgments_need_no_remark():
    items = [item("A > B", to=f"{n}") for n in range(30)]
    told = measure_trust(items, [Says("good", A=2, B=1), Says("none")]).meaning
    assert "Rows rest on different judgments" not in told


def test_what_beats_length_is_not_said_to_measure_it():
    sides = [{"A": "much longer than the other", "B": "short"}, {"A": "short", "B": "not so short"}]
    items = [item("A > B", to=f"{n}", texts=sides[n % 4 == 0]) for n in range(60)]
    told = measure_trust(items, [Says("good", A=2, B=1), LengthPicker()]).meaning
    assert told == "Better than a coin: good."


def test_rows_of_different_judgments_are_told():
    items = [item("A > B", to="tea"), item("C > D", to="rain")]
    told = measure_trust(items, [Says("half", A=2, B=1), LengthPicker()]).meaning
    assert "compare two of them with report.difference(one, other)" in told


def test_a_notebook_shows_a_table_and_a_plot(report: TrustReport):
    html = report._repr_html_()
    assert html.count("<tr>") == 6
    assert html.count("<circle") == 4  # what was not measured has no dot
    assert "Better than a coin: good." in html
    assert "1.00 [0.89, 1.00]" in html
    # Nothing has a colour of its own that a dark page would swallow.
    assert set(re.findall(r"(?:fill|stroke)='([^']+)'", html)) == {
        "currentColor",
        "none",
        "#2563eb",
    }


def test_names_are_texts_in_a_notebook():
    names = [*TAGS[:5], *NAMES[:5]]
    pickers = [Says(name, A=2, B=1) for name in names]
    html = measure_trust([item("A > B")], pickers, notes=TAGS[:2])._repr_html_()
    assert HIT in html
    assert "<script" not in html.lower()
    assert "<form" not in html
    assert "<img" not in html.lower()


def share(estimate: float, width: float = 0.1) -> Interval:
    return Interval(estimate=estimate, low=estimate - width / 2, high=estimate + width / 2, n=9)


def test_dots_stand_where_their_shares_are():
    svg = dots_and_intervals(
        [("one", share(0.6), False), ("length", share(0.5), True)], people=share(0.65)
    )
    root = ElementTree.fromstring(svg)
    found = [float(dot.get("cx")) for dot in root.iter("circle")]
    assert [dot.get("fill") for dot in root.iter("circle")] == ["#2563eb", "none"]
    (half,) = [
        float(re.match(r"M([\d.]+)", line.get("d"))[1])
        for line in root.iter("path")
        if line.get("stroke-dasharray")
    ]
    assert found[1] == half
    ticks = {mark.text: float(mark.get("x")) for mark in root.iter("text")}
    assert found[0] == ticks["60%"]
    assert ticks["40%"] < half < ticks["70%"]
    band = next(root.iter("rect"))
    assert float(band.get("x")) == found[0]
    assert float(band.get("x")) + float(band.get("width")) == pytest.approx(ticks["70%"], abs=0.1)
    assert root.get("aria-label") == "pairs in the order of people: one 60%, length 50%"


def test_a_plot_has_room_for_the_worst_and_the_best():
    svg = dots_and_intervals([("bad", share(0.12), False), ("good", share(0.97, 0.06), False)])
    assert re.findall(r">(\d+)%<", svg) == [f"{n}" for n in range(0, 101, 10)]


def test_without_rows_there_is_no_plot(report: TrustReport):
    assert dots_and_intervals([]) == ""
    assert "<svg" not in replace(report, rows=report.rows[-1:])._repr_html_()
