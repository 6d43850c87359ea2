"""What a person does with the table widget, the same in every host."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.browser.browse_lab import RARE, RESPONSES


def focused_row(root: Locator) -> int:
    """The number of the row that has the focus, from 0; -1 if none has."""
    return int(
        root.evaluate(
            "(e) => [...e.querySelectorAll('tbody tr')].indexOf(e.getRootNode().activeElement)"
        )
    )


def box_height(root: Locator) -> float:
    """Of the part with the rows."""
    return float(root.locator(".rt-box").evaluate("(e) => e.getBoundingClientRect().height"))


def work_with_keys(root: Locator) -> None:
    """Search, read, turn pages and sort without a mouse; rows are in place at the end."""
    keyboard, rows = root.page.keyboard, root.locator("tbody tr")
    expect(root.locator(".rt-range")).to_have_text(f"rows 1–50 of {RESPONSES}")
    height = box_height(root)
    rows.first.focus()
    keyboard.press("PageDown")
    expect(root.locator(".rt-range")).to_have_text(f"rows 51–100 of {RESPONSES}")
    assert focused_row(root) == 0
    assert box_height(root) == height

    keyboard.press("/")
    keyboard.type(RARE)
    expect(root.locator(".rt-range")).to_have_text("rows 1–1 of 1")
    assert box_height(root) == height  # the pager stays where the hand is
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    details = root.locator(".rt-details")
    expect(details).to_contain_text(f"Then plant a {RARE}.")
    expect(details.locator(".rt-facts")).to_contain_text("policy@1")
    keyboard.press("Escape")
    expect(details).to_be_hidden()
    assert focused_row(root) == 0

    keyboard.press("/")
    keyboard.press("Escape")  # empties the search
    expect(root.locator(".rt-range")).to_have_text(f"rows 1–50 of {RESPONSES}")
    root.get_by_label("Version", exact=True).select_option("policy@2")
    expect(root.locator(".rt-range")).to_have_text(f"rows 1–50 of {RESPONSES // 4}")
    root.get_by_role("button", name="Clear", exact=True).click()
    expect(root.locator(".rt-range")).to_have_text(f"rows 1–50 of {RESPONSES}")


def read_the_hostile_row(root: Locator) -> None:
    """The row stored last, and all that it says, whole: nothing in it acts."""
    rows = root.locator("tbody tr")
    expect(rows.first).to_contain_text("<img src=x onerror=")
    rows.first.locator("td").nth(1).click()
    expect(root.locator(".rt-text")).to_have_count(3)
    expect(root.locator(".rt-details")).to_contain_text("javascript:document.title")
    assert root.page.title() != "owned"
    assert root.locator("script, img, style, a, iframe").count() == 0
    sticking_out = """(e) => [...e.querySelectorAll('*')].filter((one) =>
        one.getBoundingClientRect().right > e.getBoundingClientRect().right + 1
        && !one.closest('.rw-sr-only')).map((one) => one.className)"""
    assert root.evaluate(sticking_out) == []
    # Rows are of one height, however long their words.
    heights = rows.evaluate_all("(all) => all.map((e) => e.getBoundingClientRect().height)")
    assert max(heights) - min(heights) <= 1
