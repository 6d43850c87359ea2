"""The token view as a person meets it in JupyterLab."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.jupyter import ROOT, START_SECONDS

pytestmark = pytest.mark.browser

PATIENCE = 1000 * START_SECONDS
"""Milliseconds for what a kernel has to do first."""

CELL = """\
from rlhf_lab.widgets import TokenWidget
from tests.browser.token_reports import sample_reports
tokens = TokenWidget(sample_reports())
tokens"""

# Contrast of the text of every token with what is behind it.
CONTRASTS = """(root) => {
    const channel = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgb = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const over = ([r, g, b, a], below) => [r, g, b].map(
        (part, i) => part * a / 255 + below[i] * (1 - a / 255));
    const background = (element) => {
        const own = rgb(getComputedStyle(element).backgroundColor);
        return own[3] === 255 || !element.parentElement
            ? own.slice(0, 3) : over(own, background(element.parentElement));
    };
    const light = (colour) => {
        const [r, g, b] = colour.map((part) => channel(part / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return [...root.querySelectorAll('.tk-text .tk-token')].map((token) => {
        const below = background(token);
        const text = over(rgb(getComputedStyle(token).color), below);
        const [low, high] = [light(below), light(text)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    });
}"""


@pytest.fixture
def widget(open_cells) -> Locator:
    notebook = open_cells(CELL, "# another cell")
    found = notebook.page.locator(".rlhf-tokens")
    expect(found.get_by_role("option").first).to_be_visible(timeout=PATIENCE)
    return found


def chosen(widget: Locator) -> Locator:
    return widget.get_by_role("radiogroup", name="Colour tokens by").locator("input:checked + span")


def height(widget: Locator) -> float:
    box = widget.bounding_box()
    assert box is not None
    return box["height"]


def complaints(page: Page) -> list[list[str]]:
    """What axe finds in the widget."""
    axe = (ROOT / "widgets" / "node_modules" / "axe-core" / "axe.min.js").read_text()
    page.evaluate(axe)
    found: list[list[str]] = page.evaluate(
        """async () => (await axe.run('.rlhf-tokens', {rules: {region: {enabled: false}}}))
            .violations.map(({id, nodes}) => [id, ...nodes.slice(0, 3).map((n) => n.html)])"""
    )
    return found


def test_a_person_walks_the_tokens_and_changes_the_figure_with_keys_alone(widget, lab):
    page = widget.page
    options = widget.get_by_role("option")
    options.first.focus()
    before, tall = lab.state(), height(widget)
    lab.record_commands()
    expect(chosen(widget)).to_contain_text("Advantage")

    page.keyboard.press("ArrowRight")
    expect(options.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).not_to_be_focused()
    page.keyboard.press("End")
    expect(options.last).to_be_focused()
    expect(widget.locator(".tk-how")).to_contain_text("and the score +1.24000")
    for key, figure in zip(
        "12345", ("Log-ratio", "KL", "Value", "Advantage", "Reward"), strict=True
    ):
        page.keyboard.press(key)
        expect(chosen(widget)).to_contain_text(figure)
    expect(options.last).to_have_attribute("data-level", "6")
    for key in ("Home", "a", "b", "d", "d", "m", "Shift+Enter", "ArrowUp", "x"):
        page.keyboard.press(key)
    expect(options.first).to_be_focused()

    assert lab.commands() == []
    assert lab.state() == before
    assert height(widget) == tall  # nothing jumps


def test_nothing_moves_under_the_pointer(widget):
    tall = height(widget)
    options = widget.get_by_role("option")
    for index in range(0, options.count(), 9):
        options.nth(index).hover()
        expect(widget.locator(".tk-look-place")).to_have_text(f"{index + 1} of {options.count()}")
        assert height(widget) == tall


def test_a_page_loaded_again_shows_the_same_response_by_the_same_figure(widget, lab):
    widget.get_by_role("option").first.focus()
    for key in ("n", "3"):
        widget.page.keyboard.press(key)
    expect(chosen(widget)).to_contain_text("Value")
    expect(widget.locator(".tk-about")).to_contain_text("response-2")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    lab.reload()
    expect(widget.get_by_role("option").first).to_be_visible(timeout=PATIENCE)
    expect(chosen(widget)).to_contain_text("Value")
    expect(widget.locator(".tk-about")).to_contain_text("response-2")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_token_is_readable_and_axe_has_no_complaint(widget, lab, theme):
    page = widget.page
    lab.use_theme(theme)
    try:
        expect(widget).to_have_attribute("data-theme", theme)
        for key in "14":
            widget.get_by_role("option").first.focus()
            page.keyboard.press(key)
            contrasts = widget.evaluate(CONTRASTS)
            assert len(contrasts) > 60
            assert min(contrasts) >= 4.5
        page.keyboard.press("t")
        assert complaints(page) == []
    finally:
        lab.use_theme("light")


def test_what_a_model_printed_runs_nothing_and_turns_nothing(widget):
    widget.get_by_role("option").first.focus()
    widget.page.keyboard.press("n")
    widget.page.keyboard.press("t")
    expect(widget.locator(".tk-about")).to_contain_text("response-2")
    expect(widget.locator(".tk-table")).to_be_visible()
    assert widget.page.title() != "owned"
    assert widget.locator("img, script, iframe, a").count() == 0
    shown = widget.inner_text()
    assert "<img src=x" in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown


def test_it_fits_a_narrow_page(widget):
    widget.page.evaluate(
        "() => { document.querySelector('.rlhf-tokens').parentElement.style.width = '360px'; }"
    )
    box = widget.bounding_box()
    assert box is not None
    assert box["width"] <= 360
    assert widget.evaluate("(e) => e.scrollWidth <= e.clientWidth")
    tokens = widget.locator(".tk-text")
    assert tokens.evaluate("(e) => e.scrollWidth <= e.clientWidth")
