"""The ranking widget's layout at any width: on a bare page, which is quicker than a notebook."""

import re
from collections.abc import Iterator
from functools import cache

import pytest
from playwright.sync_api import Locator, Page, expect

from rlhf_lab.widgets.ranking_state import RankingState
from tests.browser import checks
from tests.browser.bare_page import open_widget
from tests.browser.sample_items import MERGE_ANSWERS, MERGE_PROMPT, ListSource, item

pytestmark = pytest.mark.browser

HEIGHT = 1000

# A pace as slow as people are, and more answers under way than one sees at once.
_BUSY = """() => {
    const events = Array.from({length: 28}, (_, n) => (
        {seq: n + 1, id: `event-${n}`, type: "skip", item: `item-${n}`, comment: "", flags: []}
    ));
    globalThis.receive({events, view: {...globalThis.shown.view, pace: 83}});
}"""


@pytest.fixture
def page(session_browser) -> Iterator[Page]:
    page = session_browser.context.new_page()
    yield page
    page.close()


@cache  # the texts of 141 items are rendered, and no page here changes them
def state(candidates: int) -> RankingState:
    """An item of short and long answers, and enough others for the time left to be long."""
    answers = (MERGE_ANSWERS * 3)[:candidates]
    others = [item(f"Question {n}?", *answers) for n in range(140)]
    source = ListSource([item(MERGE_PROMPT, *answers), *others], done=20)
    return RankingState(source, criteria=("helpful", "honest"))


def show(page: Page, candidates: int, width: int) -> Locator:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    open_widget(page, "ranker", state(candidates))
    page.wait_for_selector(".rr-card")
    return page.locator(".rlhf-ranker")


def top_of_the_cards(root: Locator) -> float:
    box = root.locator(".rr-cards").bounding_box()
    assert box is not None
    return box["y"]


@pytest.mark.parametrize("width", [300, 360, 600, 860, 930, 1136, 1440])
@pytest.mark.parametrize("candidates", [2, 9])
def test_pace_and_unsaved_answers_do_not_move_the_cards(page, candidates, width):
    root = show(page, candidates, width)
    before = top_of_the_cards(root)
    page.evaluate(_BUSY)
    pace, unsent = root.locator(".rr-pace"), root.locator(".rr-unsent")
    assert (pace.inner_text(), unsent.inner_text()) == (
        "1 min 23 s each, about 3 hours left",
        "28 unsaved",
    )
    assert top_of_the_cards(root) == before
    assert checks.overflowing(root) == []


@pytest.mark.parametrize("width", [280, 360, 600, 900, 1136])
def test_no_number_of_responses_sticks_out(page, width):
    for candidates in range(2, 10):
        root = show(page, candidates, width)
        root.locator(".rr-card").first.focus()
        page.keyboard.press("r")
        assert checks.overflowing(root) == [], candidates
        page.keyboard.press("Escape")
        page.keyboard.press("c")
        assert checks.overflowing(root) == [], candidates


def test_the_four_buttons_are_in_one_line_on_a_phone(page):
    root = show(page, 4, 280)
    tops = {
        box["y"]
        for button in root.locator(".rw-actions > .rw-button").all()
        if (box := button.bounding_box()) is not None
    }
    assert len(tops) == 1


@pytest.fixture
def phone(session_browser) -> Iterator[Page]:
    """A page that is touched."""
    browser = session_browser.context.browser
    with browser.new_context(has_touch=True, is_mobile=True) as context:
        yield context.new_page()


def test_a_finger_drags_responses_into_ranks_and_scrolls_nothing(phone):
    root = show(phone, 4, 360)
    board = root.locator(".rr-board")
    board.scroll_into_view_if_needed()
    scrolled = phone.evaluate("() => scrollY")
    for letter, rank in zip("ABCD", "3122", strict=True):
        start = middle_of(board.locator(f"[data-letter={letter}]"))
        drag_by_finger(phone, start, middle_of(board.locator(f".rr-slot[data-rank='{rank}']")))
        card = root.locator(".rr-card").nth("ABCD".index(letter))
        expect(card).to_have_accessible_name(re.compile(f"rank {rank}"))
    assert phone.evaluate("() => scrollY") == scrolled


def middle_of(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag_by_finger(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """By the events of the browser's own protocol: Playwright has no finger that moves."""
    protocol = page.context.new_cdp_session(page)
    steps = [tuple(a + (b - a) * n / 8 for a, b in zip(start, end, strict=True)) for n in range(9)]
    for number, (x, y) in enumerate(steps):
        kind = "touchMove" if number else "touchStart"
        touched = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
        protocol.send("Input.dispatchTouchEvent", touched)
    protocol.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    protocol.detach()
