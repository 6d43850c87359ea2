"""A lab's tables and reports as a person meets them: readable in both themes, and nothing runs."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SHOWN = (
    "lab.prompts",
    "lab.responses",
    "lab.judgments",
    "lab.judgments.where(annotator='nobody')",
    "lab.trace('j0')",
    "lab.trace('j2')",
    "lab.audit()",
    "tables_lab.import_badly(lab)",
)
SOURCE = "from tests.browser import tables_lab\nlab = tables_lab.open_lab({folder!r})\nNone"

# Of every text that an output shows: how it stands out from what is behind it (WCAG 2, 1.4.3).
CONTRASTS = """() => {
    const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgba = (colour) => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data].map((v) => v / 255);
    };
    const over = (top, under) => under.map((v, i) => top[i] * top[3] + v * (1 - top[3]));
    const behind = (node) => node
        ? over(rgba(getComputedStyle(node).backgroundColor), behind(node.parentElement))
        : [1, 1, 1];
    const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const luminance = (colour) => {
        const [r, g, b] = colour.map(linear);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = [];
    for (const output of document.querySelectorAll('.jp-OutputArea-output')) {
        const texts = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const element = texts.currentNode.parentElement;
            if (!texts.currentNode.data.trim()) continue;
            const back = behind(element);
            const front = over(rgba(getComputedStyle(element).color), back);
            const [low, high] = [luminance(front), luminance(back)].sort((a, b) => a - b);
            found.push([(high + 0.05) / (low + 0.05), element.checkVisibility()]);
        }
    }
    return found;
}"""


@pytest.fixture
def outputs(open_cells, server):
    notebook = open_cells(SOURCE.format(folder=str(server.folder / "tables")), *SHOWN)
    found = notebook.page.locator(".jp-OutputArea-output")
    expect(found).to_have_count(len(SHOWN))
    yield found
    notebook.use_theme("light")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_is_readable_and_nothing_that_is_stored_acts(outputs, lab, theme):
    page = outputs.page
    lab.use_theme(theme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert all(visible for _, visible in contrasts)
    assert min(ratio for ratio, _ in contrasts) >= 4.5

    assert page.title() != "owned"
    assert outputs.locator("script, img, style, a, b, mjx-container").count() == 0
    expect(outputs.first).to_contain_text("It costs $5 and then $6, or $$\\frac{a}{b}$$")


def test_long_words_are_broken_and_cells_start_where_their_script_does(outputs):
    expect(outputs.first.locator("td").first).to_be_visible()
    # Waited for: the theme of the test before may still be on its way out.
    outputs.page.wait_for_function(
        """(count) => {
            const all = [...document.querySelectorAll('.jp-OutputArea-output')];
            return all.length === count &&
                all.every(({firstElementChild: e}) => e.scrollWidth === e.clientWidth);
        }""",
        arg=len(SHOWN),
    )
    aligned = "(cells) => cells.map((cell) => getComputedStyle(cell).textAlign)"
    assert set(outputs.locator("td[dir], th[scope=row]").evaluate_all(aligned)) == {"start"}
