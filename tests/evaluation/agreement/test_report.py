from __future__ import annotations

from dataclasses import replace

import pytest

from rlhf_lab.evaluation.agreement import measure_agreement
from rlhf_lab.evaluation.agreement.report import LITERATURE_ALPHA, what_alpha_means
from rlhf_lab.types import Interval
from tests.evaluation.agreement.saying import Team
from tests.widgets.xss_corpus import HIT, NAMES, TAGS


def alpha(estimate: float, width: float = 0.2) -> Interval:
    return Interval(estimate=estimate, low=estimate - width / 2, high=estimate + width / 2, n=50)


@pytest.mark.parametrize(
    ("estimate", "told"),
    [
        (-0.1, "less than in published"),
        (0.25, "less than in published"),
        (0.4, "about as often as in published"),
        (0.6, "more often than in published"),
        (0.85, "nearly always"),
    ],
)
def test_alpha_is_told_in_plain_words(estimate, told):
    assert told in what_alpha_means(alpha(estimate))


def test_a_wide_interval_says_that_there_is_too_little_and_what_to_do():
    told = what_alpha_means(Interval(estimate=0.4, low=0.1, high=0.7, n=3))
    assert told.startswith("Too few shared prompts to tell (3)")
    assert "ranked by two people" in told


def test_nothing_to_compare_says_what_to_do():
    assert "overlap 2" in what_alpha_means(None)


def test_the_band_of_alpha_is_that_of_the_literature_without_chance():
    assert pytest.approx((0.26, 0.54)) == LITERATURE_ALPHA


def test_a_report_reads_as_four_lines_and_a_table(team: Team):
    for word in ("tea", "rain"):
        team.say("me", word, "A > B")
        team.say("ann", word, "A > B")
    report = measure_agreement(team.store)
    assert str(report).split("\n")[0] == (
        "4 rankings by 2 annotators, 2 of 2 items ranked by two or more"
    )
    html = report._repr_html_()
    assert html.count("<tr>") == 3
    assert "1.00 [0.34, 1.00] (n=2)" in html


def test_names_are_texts_in_a_notebook(team: Team):
    for number, name in enumerate([*TAGS[:5], *NAMES[:5]]):
        team.say(name, f"word {number}", "A > B")
    html = measure_agreement(team.store)._repr_html_()
    assert HIT in html
    assert "<script" not in html.lower()
    assert "<form" not in html


def test_a_report_prints_without_its_texts(team: Team):
    team.say("ann", "tea", "A > B")
    team.say("bob", "tea", "B > A")
    report = measure_agreement(team.store)
    assert report.disputed
    assert "tea" not in repr(report)
    assert repr(replace(report, disputed=())) == repr(report)


def test_a_report_says_why_there_are_several_coefficients_once_there_are_any(team: Team):
    team.say("ann", "tea", "A > B")
    assert "Gwet's AC stays" not in str(measure_agreement(team.store))
    team.say("bob", "tea", "B > A")
    report = measure_agreement(team.store)
    assert "Gwet's AC stays" in str(report)
    assert f"Gwet's AC1 {report.ac1}" in str(report)
    assert "Gwet's AC stays" in report._repr_html_().replace("&#x27;", "'")


@pytest.mark.parametrize(
    ("shown", "told"), [("AB", "lean to what is shown first (100%"), ("BA", "shown last (0%")]
)
def test_a_lean_to_one_side_is_told(team: Team, shown, told):
    for number in range(12):
        team.say("ann", f"prompt {number}", "A > B", shown=shown)
    report = measure_agreement(team.store)
    assert told in report.position_bias
    assert report.position_bias in str(report)


def test_no_lean_is_told_where_none_is_seen(team: Team):
    for number in range(12):
        team.say("ann", f"prompt {number}", "A > B", shown="AB" if number % 2 else "BA")
    assert measure_agreement(team.store).position_bias == ""
