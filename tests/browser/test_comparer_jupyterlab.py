"""The comparing widget as a person meets it: a real JupyterLab, kernel, database and browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import compare_source
from tests.browser.compare_source import NEW, OLD, winner
from tests.browser.jupyter import Notebook

pytestmark = pytest.mark.browser

SAVED_MS = 60_000
"""On a machine that is busy with other tests; the page itself goes on at once."""

CELL = """\
from rlhf_lab.widgets import ComparisonWidget
from tests.browser.compare_source import shown
comparing = ComparisonWidget(shown({folder!r}, hostile={hostile}))
comparing"""


@pytest.fixture
def folder(server, request) -> Path:
    path = server.folder / request.node.name
    path.mkdir()
    return path


def show(open_cells, folder: Path, *, hostile: bool = False) -> Notebook:
    notebook: Notebook = open_cells(CELL.format(folder=str(folder), hostile=hostile), "# another")
    widget(notebook).locator(".rc-bar").wait_for()
    return notebook


def widget(notebook: Notebook) -> Locator:
    return notebook.page.locator(".rlhf-comparer")


def press(notebook: Notebook, *keys: str) -> None:
    for key in keys:
        notebook.page.keyboard.press(key)


def wait_for_position(notebook: Notebook, text: str) -> None:
    expect(widget(notebook).locator(".rc-position")).to_have_text(text)


def wait_until_saved(notebook: Notebook) -> None:
    expect(widget(notebook)).to_have_attribute("aria-busy", "false", timeout=SAVED_MS)


def left_version(notebook: Notebook) -> str:
    """Which version is on the left; a person could tell it from these answers, too."""
    text = widget(notebook).locator("[data-letter=A] .rc-body").inner_text()
    return NEW if "short answer" in text else OLD


def prefer(notebook: Notebook, version: str) -> None:
    press(notebook, "1" if left_version(notebook) == version else "2", "Enter")


def test_a_person_compares_with_keys_alone_takes_back_and_sees_names_at_the_end(open_cells, folder):
    notebook = show(open_cells, folder)
    database = folder / "compared.db"
    widget(notebook).locator(".rc-bar").focus()
    before = notebook.state()
    notebook.record_commands()

    wait_for_position(notebook, "1 of 4")
    prefer(notebook, NEW)
    wait_for_position(notebook, "2 of 4")
    press(notebook, "0", "Enter", "s")
    wait_for_position(notebook, "4 of 4")
    wait_until_saved(notebook)
    events = compare_source.stored(database)
    assert [e.kind for e in events] == ["ranking", "ranking", "skip"]
    assert [winner(e) for e in events[:2]] == [NEW, "tie"]
    assert all(e.seconds > 0 for e in events)
    expect(widget(notebook)).not_to_contain_text("policy@")

    press(notebook, "u", "u")
    wait_for_position(notebook, "2 of 4")
    expect(widget(notebook).get_by_role("button", name="Tie")).to_have_attribute(
        "aria-pressed", "true"
    )
    prefer(notebook, OLD)
    press(notebook, "0", "Enter", "ArrowLeft", "Enter")
    expect(widget(notebook)).to_contain_text("No difference shown", timeout=SAVED_MS)
    expect(widget(notebook).locator(".rc-counts")).to_contain_text(NEW)
    kinds = [e.kind for e in compare_source.stored(database)]
    assert kinds == ["ranking", "ranking", "skip", "undo", "undo", *["ranking"] * 3]

    press(notebook, "u")  # the focus stayed in the widget; names are gone again
    wait_for_position(notebook, "4 of 4")
    expect(widget(notebook)).not_to_contain_text("policy@")
    assert notebook.commands() == []
    assert notebook.state() == before


def test_answers_given_while_the_kernel_is_busy_are_saved_afterwards(open_cells, folder):
    notebook = show(open_cells, folder)
    database = folder / "compared.db"
    gate = folder / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)"
    notebook.page.evaluate(
        """(code) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            kernel.requestExecute({code});
            return new Promise((resolve) => {
                const check = () => kernel.status === 'busy' && resolve();
                kernel.statusChanged.connect(check);
                check();
            });
        }""",
        code,
    )
    widget(notebook).locator(".rc-bar").focus()
    press(notebook, "1", "Enter", "2", "Enter", "u", "0", "Enter", "s")
    wait_for_position(notebook, "4 of 4")
    expect(widget(notebook)).to_contain_text("4 answers wait to be saved")
    assert compare_source.stored(database) == []
    gate.touch()
    wait_until_saved(notebook)
    kinds = [e.kind for e in compare_source.stored(database)]
    assert kinds == ["ranking", "ranking", "undo", "ranking", "skip"]
    wait_for_position(notebook, "4 of 4")


def test_a_reloaded_page_resumes_at_the_same_pair(open_cells, folder):
    notebook = show(open_cells, folder)
    widget(notebook).locator(".rc-bar").focus()
    prefer(notebook, NEW)
    wait_until_saved(notebook)
    before = widget(notebook).locator(".rc-body").all_inner_texts()
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    notebook.reload()
    widget(notebook).locator(".rc-bar").wait_for()
    wait_for_position(notebook, "2 of 4")
    assert widget(notebook).locator(".rc-body").all_inner_texts() == before
    expect(widget(notebook).locator(".rc-bar")).not_to_be_focused()


def test_names_are_asked_for_twice_and_one_goes_on(open_cells, folder):
    notebook = show(open_cells, folder)
    widget(notebook).locator(".rc-bar").focus()
    prefer(notebook, NEW)
    wait_until_saved(notebook)
    widget(notebook).get_by_role("button", name="Stop and see").click()
    expect(widget(notebook)).not_to_contain_text("policy@")
    widget(notebook).get_by_role("button", name="Show names now").click()
    expect(widget(notebook)).to_contain_text("These are 1 of 4 pairs", timeout=SAVED_MS)
    expect(widget(notebook)).to_contain_text(NEW)
    widget(notebook).get_by_role("button", name="Go on comparing").click()
    expect(widget(notebook).locator(".rc-bar")).to_be_focused()
    expect(widget(notebook)).not_to_contain_text("policy@")


def test_what_a_model_printed_runs_nothing_and_differences_are_text(open_cells, folder):
    notebook = show(open_cells, folder, hostile=True)
    widget(notebook).locator(".rc-bar").focus()
    expect(widget(notebook).locator(".rc-diff")).to_be_hidden()
    expect(widget(notebook).locator(".rc-keys")).to_be_hidden()
    press(notebook, "d")
    expect(widget(notebook).locator(".rc-diff")).to_contain_text("<img src=x")
    expect(widget(notebook).locator(".rc-cards")).to_be_hidden()
    assert notebook.page.title() != "owned"
    assert widget(notebook).locator("img, script, iframe, a").count() == 0


def test_it_fits_a_narrow_page(open_cells, folder):
    notebook = show(open_cells, folder)
    widget(notebook).evaluate("(e) => { e.parentElement.style.width = '360px'; }")
    press(notebook, "?")
    assert widget(notebook).evaluate("(e) => e.scrollWidth <= e.clientWidth && e.clientWidth < 361")
    columns = (
        widget(notebook)
        .locator(".rc-cards")
        .evaluate("(e) => getComputedStyle(e).gridTemplateColumns.split(' ').length")
    )
    assert columns == 1
