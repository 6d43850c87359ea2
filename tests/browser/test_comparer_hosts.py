"""The comparing widget in both hosts: a person compares, takes back, and sees the end."""

import pytest
from playwright.sync_api import expect

from rlhf_lab.types import Judgment
from tests.browser import compare_source
from tests.browser.cases import case_of
from tests.browser.compare_source import NEW, OLD, winner
from tests.browser.hosts import Host

pytestmark = pytest.mark.browser


def test_a_person_compares_undoes_and_sees_the_end_and_a_reload_resumes(host: Host, tmp_path):
    widget = host.show(case_of("comparer"), tmp_path)
    position = widget.locator(".rc-position")
    expect(position).to_have_text("1 of 4")
    widget.locator(".rc-bar").focus()
    press = host.page.keyboard.press

    def prefer(version: str) -> None:
        left = widget.locator("[data-letter=A] .rc-body").inner_text()
        on_the_left = NEW if "short answer" in left else OLD
        press("1" if on_the_left == version else "2")
        press("Enter")

    prefer(NEW)
    expect(position).to_have_text("2 of 4")
    expect(widget.locator(".rc-bar")).to_be_focused()
    prefer(OLD)
    expect(position).to_have_text("3 of 4")
    press("u")
    expect(position).to_have_text("2 of 4")
    expect(widget.locator(".rc-answer[aria-pressed=true]")).to_have_count(1)
    prefer(NEW)
    expect(widget).to_have_attribute("aria-busy", "false")
    events = compare_source.stored(tmp_path / "compared.db")
    assert [e.kind for e in events] == ["ranking", "ranking", "undo", "ranking"]
    assert [winner(e) for e in events if e.ranking] == [NEW, OLD, NEW]
    expect(widget).not_to_contain_text("policy@")

    host.reload()
    widget = host.wait_for(case_of("comparer"))
    expect(position).to_have_text("3 of 4")
    widget.locator(".rc-bar").focus()
    prefer(NEW)
    expect(position).to_have_text("4 of 4")
    prefer(NEW)
    expect(widget.locator("h2")).to_have_text("policy@1 is preferred")
    expect(widget.locator(".rc-scale")).to_have_attribute(
        "aria-label", "Win rate of policy@1: 100%, 95% interval 51% to 100%"
    )


def test_python_that_dies_while_busy_gets_what_was_answered_meanwhile(host: Host, tmp_path):
    widget = host.show(case_of("comparer"), tmp_path)
    position, press = widget.locator(".rc-position"), host.page.keyboard.press
    expect(position).to_have_text("1 of 4")
    widget.locator(".rc-bar").focus()
    with host.blocked():
        for key in ("1", "Enter", "2", "Enter", "u", "3", "Enter"):
            press(key)
        expect(position).to_have_text("3 of 4")
        assert compare_source.stored(tmp_path / "compared.db") == []
        host.restart()
    widget = host.wait_for(case_of("comparer"))
    expect(widget).to_contain_text("3 answers from before the restart are sent again.")
    expect(position).to_have_text("3 of 4")
    expect(widget).to_have_attribute("aria-busy", "false")
    events = compare_source.stored(tmp_path / "compared.db")
    assert [event.kind for event in events] == ["ranking", "ranking", "undo", "ranking"]
    first, second, _, again = [side(event) for event in events]
    assert (first, second, again) == ("A", "B", "tie")


def side(event: Judgment) -> str:
    """The side that was chosen; empty for an undo."""
    if event.ranking is None:
        return ""
    ranks = event.ranking.ranks()
    left, right = (ranks[response] for response in event.shown_order)
    return "tie" if left == right else "A" if left < right else "B"
