"""Texts of models in a real page: honest ones are legible, and links ask before they open."""

import pytest
from playwright.sync_api import expect

from tests.browser import checks, lab_source
from tests.browser.cases import CASES
from tests.browser.hosts import Host
from tests.widgets.content_corpus import CORPUS

pytestmark = pytest.mark.browser

RANKER = next(case for case in CASES if case.name == "ranker")
PER_ITEM = 1 + lab_source.MOST_CANDIDATES

# Of every rendered text: its words are there, have a size, and are not laid over one another.
_ILLEGIBLE = """(root) => {
    const found = [];
    for (const text of root.querySelectorAll('.rw-md')) {
        const texts = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const parent = texts.currentNode.parentElement;
            // The box of a single sign of a formula is its ink: that of a minus is flat.
            const element = parent.closest('math') ?? parent;
            if (!texts.currentNode.data.trim()) continue;
            const size = parseFloat(getComputedStyle(element).fontSize);
            const box = element.getBoundingClientRect();
            if (size < 8 || box.height < 4 || !element.checkVisibility()) {
                found.push(texts.currentNode.data.slice(0, 80));
            }
        }
        let last = -Infinity;
        for (const block of text.children) {
            const { top, bottom } = block.getBoundingClientRect();
            if (top < last - 1) found.push(`over another: ${block.textContent.slice(0, 80)}`);
            last = bottom;
        }
    }
    return found;
}"""


@pytest.mark.parametrize("width", [1280, 360])
def test_honest_texts_of_every_kind_are_legible(host: Host, tmp_path, width):
    texts = [content.text for content in CORPUS.values() if content.text.strip()]
    rows = [texts[at : at + PER_ITEM] for at in range(0, len(texts), PER_ITEM)]
    rows[-1] += texts[: max(0, 3 - len(rows[-1]))]
    lab_source.fill_with(tmp_path / lab_source.DATABASE, rows)
    root = host.show(RANKER, tmp_path)
    if width < 1280:
        host.narrow(root, width)
    for number in range(1, len(rows) + 1):
        expect(root.locator(".rr-position")).to_have_text(f"{number} of {len(rows)}")
        assert checks.overflowing(root) == []
        assert root.evaluate(_ILLEGIBLE) == []
        root.locator(".rr-card").first.focus()
        host.page.keyboard.press("s")


@pytest.fixture
def linked(host: Host, tmp_path):
    text = "See [the *docs*](https://docs.example/a?b=1) or <javascript:HIT()>."
    lab_source.fill_with(tmp_path / lab_source.DATABASE, [["Where?", text, "Nowhere."]])
    return host.show(RANKER, tmp_path)


def test_a_link_shows_its_address_and_asks_first(host: Host, linked, session_browser):
    link = linked.get_by_role("button", name="the docs")
    link.focus()
    host.record()
    host.page.keyboard.press("Enter")
    dialog = linked.get_by_role("dialog", name="Open this address?")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("group")).to_have_text("https://docs.example/a?b=1")
    expect(dialog.locator("strong")).to_have_text("docs.example")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert checks.violations(linked) == []
    assert session_browser.outside == []

    for key in ("1", "b", "s"):
        host.page.keyboard.press(key)
    expect(dialog).to_be_visible()
    host.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()
    expect(linked.get_by_role("radio", checked=True)).to_have_count(0)
    assert host.recorded() == []
    assert session_browser.outside == []


def test_a_link_opens_in_a_page_that_knows_nothing_of_this_one(host: Host, linked, session_browser):
    linked.get_by_role("button", name="the docs").click()
    opener = linked.get_by_role("link", name="Open in a new tab")
    with host.page.context.expect_page() as opened:
        opener.click()
    assert opened.value.evaluate("() => window.opener") is None
    opened.value.close()
    expect(opener).to_have_count(0)
    assert session_browser.outside == ["https://docs.example/a?b=1"]
    session_browser.outside.clear()
