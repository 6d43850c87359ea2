"""The table widget as a person meets it, in JupyterLab and in Panel, over a real store."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import browse_lab, table_checks
from tests.browser.cases import case_of
from tests.browser.checks import violations
from tests.browser.hosts import Host

pytestmark = pytest.mark.browser

CELL = """\
from tests.browser import browse_lab
lab = browse_lab.open_lab({folder!r})
table = lab.browse("responses")
table"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("browse") / "lab")
    browse_lab.open_lab(path).close()
    return path


@pytest.fixture
def in_jupyterlab(open_cells, folder) -> Locator:
    notebook = open_cells(CELL.format(folder=folder), "# another cell")
    root = notebook.page.locator(".rlhf-tables")
    expect(root.locator("tbody tr")).to_have_count(50)
    notebook.record_commands()
    return root


def test_a_person_looks_through_a_table_in_jupyterlab(in_jupyterlab, lab):
    before = lab.state()
    table_checks.work_with_keys(in_jupyterlab)
    assert lab.commands() == []
    after = lab.state()
    assert after["cells"] == before["cells"]
    assert violations(in_jupyterlab) == []


def test_a_hostile_row_is_text_in_jupyterlab(in_jupyterlab):
    table_checks.read_the_hostile_row(in_jupyterlab)
    assert violations(in_jupyterlab) == []


def test_a_busy_kernel_loses_no_question_and_answers_the_last(in_jupyterlab, lab, tmp_path):
    gate = tmp_path / "gate"
    lab.page.evaluate(
        """(code) => {
            const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
            session.kernel.requestExecute({ code });
        }""",
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)",
    )
    for _ in range(3):
        in_jupyterlab.get_by_role("button", name="Next page").click()
    expect(in_jupyterlab.locator(".rw-message")).to_contain_text("The kernel is busy")
    expect(in_jupyterlab.locator(".rt-range")).to_have_text("rows 1–50 of 300")
    gate.touch()
    expect(in_jupyterlab.locator(".rt-range")).to_have_text("rows 151–200 of 300")
    expect(in_jupyterlab.locator(".rw-message")).to_have_text("")


def test_rows_are_cards_where_there_is_little_room(in_jupyterlab):
    in_jupyterlab.evaluate("(e) => { e.parentElement.style.width = '360px'; }")
    expect(in_jupyterlab.locator("thead")).to_be_hidden()
    order = in_jupyterlab.get_by_label("Sort", exact=True)
    order.select_option("Length, smallest first")
    expect(in_jupyterlab.locator("tbody tr").first).to_contain_text("(empty)")
    in_jupyterlab.locator("tbody tr").nth(2).click()
    expect(in_jupyterlab.locator(".rt-facts")).to_be_visible()
    wide = "(e) => [...e.querySelectorAll('.rt-box, .rt-details, .rt-toolbar, .rt-bottom')]"
    assert in_jupyterlab.evaluate(f"{wide}.map((one) => one.scrollWidth - one.clientWidth)") == [
        0, 0, 0, 0,
    ]  # fmt: skip
    assert violations(in_jupyterlab) == []
    in_jupyterlab.get_by_role("searchbox").fill("in no row")
    expect(in_jupyterlab.locator(".rw-closing")).to_be_visible()
    expect(in_jupyterlab.locator(".rt-table")).to_be_hidden()


def test_a_person_looks_through_a_table_in_panel(panel: Host, tmp_path):
    table = panel.show(case_of("tables"), tmp_path)
    table_checks.work_with_keys(table)
    table_checks.read_the_hostile_row(table)


def test_a_heading_that_goes_with_its_rows_leaves_the_focus_in_the_widget(panel: Host, tmp_path):
    table = panel.show(case_of("tables"), tmp_path)
    search = table.get_by_role("searchbox")
    with panel.blocked():
        search.fill("in no row")
        search.press("Enter")
        table.locator(".rt-sort").first.focus()
    expect(table.locator(".rw-closing button")).to_be_focused()
    panel.record()
    panel.page.keyboard.press("b")
    assert panel.recorded() == []
