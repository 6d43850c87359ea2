"""The ranking widget as a person meets it: a real JupyterLab, kernel, database and browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import lab_source
from tests.browser.jupyter import Notebook

pytestmark = pytest.mark.browser

CELL = """\
from rlhf_lab.widgets import RankingWidget
from tests.browser.lab_source import source
ranking = RankingWidget(source({database!r}))
ranking"""

# What JupyterLab does with single keys in command mode, the widget's own, and the usual others.
KEYS = [
    *"abcdfhijklmnopqrtvwxyz",
    *("d d", "i i", "0 0", "Shift+A", "Shift+M", "Shift+L", "Shift+J", "Shift+K", "Shift+O"),
    *("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "Delete", "Backspace"),
    *("Shift+ArrowDown", "Shift+ArrowUp", "Escape", "1", "2", "3", "4", "9"),
    *("Shift+Enter", "Control+Enter", "Alt+Enter", "Control+s", "Control+Shift+c", "Control+b"),
]


@pytest.fixture
def database(server, request) -> Path:
    path = server.folder / f"{request.node.name}.db"
    lab_source.fill(path)
    return path


@pytest.fixture
def notebook(open_cells, database) -> Notebook:
    notebook = open_cells(CELL.format(database=str(database)), "# another cell")
    expect(notebook.card("A")).to_be_visible()
    return notebook


def press(notebook: Notebook, *keys: str) -> None:
    for key in keys:
        notebook.page.keyboard.press(key)


def wait_for_position(notebook: Notebook, text: str) -> None:
    expect(notebook.widget.locator(".rr-position")).to_have_text(text)


def shown_texts(notebook: Notebook) -> list[str]:
    return notebook.widget.locator(".rr-body").all_inner_texts()


def answer_numbers(response_ids: tuple[str, ...]) -> list[str]:
    """Numbers of the answers with these ids, as `lab_source.fill` made them."""
    return [response_id.rpartition("-")[2] for response_id in response_ids]


def numbers_shown(notebook: Notebook) -> list[str]:
    return re.findall(r"Answer (\d) to", "\n".join(shown_texts(notebook)))


def test_a_person_ranks_ties_skips_and_undoes_with_keys_alone(notebook, database):
    expect(notebook.card("A")).not_to_be_focused()
    notebook.card("A").focus()
    seen = numbers_shown(notebook)
    assert sorted(seen) == ["0", "1", "2", "3"]
    before = notebook.state()
    notebook.record_commands()

    press(notebook, "2", "1", "2", "4", "Enter")
    wait_for_position(notebook, "2 of 4")
    (judgment,) = lab_source.stored(database)  # durable before the next item shows
    assert judgment.kind == "ranking"
    assert answer_numbers(judgment.shown_order) == seen
    assert judgment.ranking is not None
    tiers = [sorted(answer_numbers(tier)) for tier in judgment.ranking.tiers]
    assert tiers == [[seen[1]], sorted([seen[0], seen[2]]), [seen[3]]]
    assert judgment.seconds > 0
    expect(notebook.card("A")).to_be_focused()

    press(notebook, "1", "1", "Enter")
    expect(notebook.widget.locator(".rw-message")).to_have_text("Not ranked yet: C and D.")
    expect(notebook.card("C")).to_be_focused()
    press(notebook, "s")
    wait_for_position(notebook, "3 of 4")
    press(notebook, "u")
    wait_for_position(notebook, "2 of 4")
    press(notebook, "u")
    wait_for_position(notebook, "1 of 4")
    assert numbers_shown(notebook) == seen
    kinds = [event.kind for event in lab_source.stored(database)]
    assert kinds == ["ranking", "skip", "undo", "undo"]
    assert notebook.commands() == []
    assert notebook.state() == before


def test_all_judgments_are_in_the_database_in_order_and_the_end_says_so(notebook, database):
    notebook.card("A").focus()
    ranks = ("1234", "4321", "1111", "2212")
    for number, keys in enumerate(ranks, start=1):
        wait_for_position(notebook, f"{number} of 4")
        press(notebook, *keys, "Enter")
    expect(notebook.widget).to_contain_text("All ranked: 4 of 4")

    stored = lab_source.stored(database)
    assert len({event.prompt_id for event in stored}) == len(stored) == 4
    for event, keys in zip(stored, ranks, strict=True):
        assert event.ranking is not None
        given = event.ranking.ranks()
        levels = sorted(set(keys))
        assert [given[i] for i in event.shown_order] == [levels.index(k) + 1 for k in keys]

    press(notebook, "u")  # the focus stayed in the widget
    wait_for_position(notebook, "4 of 4")
    expect(notebook.card("A")).to_have_accessible_name(re.compile("rank 2"))


def test_the_mouse_ranks_too(notebook, database):
    for letter, rank in zip("ABCD", "3124", strict=True):
        notebook.card(letter).get_by_role("radio", name=f"Rank {rank}").click()
    notebook.widget.get_by_role("button", name="Submit").click()
    wait_for_position(notebook, "2 of 4")
    (judgment,) = lab_source.stored(database)
    assert judgment.ranking is not None
    given = judgment.ranking.ranks()
    assert [given[i] for i in judgment.shown_order] == [3, 1, 2, 4]


def test_no_key_typed_in_the_widget_reaches_the_notebook(notebook, database):
    focusable = notebook.widget.locator("button:visible, [tabindex]:visible")
    count = focusable.count()
    assert count >= 4 + 16 + 3
    focusable.first.click(position={"x": 3, "y": 3})
    before = notebook.state()
    notebook.record_commands()
    for index in range(count):
        focusable.nth(index).focus()
        for key in KEYS:
            press(notebook, *key.split(" "))
            if key == "Escape":
                focusable.nth(index).focus()
    assert notebook.commands() == []
    assert notebook.state() == before
    assert lab_source.stored(database) == []


def test_the_notebook_does_hear_keys_outside_the_widget(notebook):
    """Shows that the test above could fail."""
    notebook.page.locator(".jp-InputPrompt").first.click()
    notebook.record_commands()
    press(notebook, "b")
    notebook.page.wait_for_function("() => window.ranCommands.length > 0")
    assert "notebook:insert-cell-below" in notebook.commands()


def test_a_reloaded_page_resumes_the_same_item_in_the_same_order(notebook, database):
    notebook.card("A").focus()
    press(notebook, "1", "2", "3", "4", "Enter")
    wait_for_position(notebook, "2 of 4")
    before = shown_texts(notebook)
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    notebook.reload()
    wait_for_position(notebook, "2 of 4")
    assert shown_texts(notebook) == before
    expect(notebook.card("A")).not_to_be_focused()
    notebook.card("A").focus()
    press(notebook, "4", "3", "2", "1", "Enter")
    wait_for_position(notebook, "3 of 4")
    assert [event.kind for event in lab_source.stored(database)] == ["ranking", "ranking"]


def test_an_answer_given_while_the_kernel_is_busy_is_kept_visible_and_then_saved(
    notebook, database
):
    gate = database.with_suffix(".gate")
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
    notebook.card("A").focus()
    press(notebook, "1", "2", "3", "4", "Enter")
    expect(notebook.widget).to_contain_text("1 answer waits to be saved")
    assert lab_source.stored(database) == []
    gate.touch()
    wait_for_position(notebook, "2 of 4")
    assert len(lab_source.stored(database)) == 1
    expect(notebook.widget.locator(".rw-message")).to_have_text("")


def test_what_a_model_printed_runs_nothing(notebook):
    assert notebook.page.title() != "owned"
    assert notebook.widget.locator("img, script, iframe, a").count() == 0
    expect(notebook.card("A")).to_contain_text("<img src=x")


def test_it_fits_a_narrow_page(notebook):
    notebook.page.evaluate(
        "() => { document.querySelector('.rlhf-ranker').parentElement.style.width = '360px'; }"
    )
    box = notebook.widget.bounding_box()
    assert box is not None
    assert box["width"] <= 360
    assert notebook.widget.evaluate("(e) => e.scrollWidth <= e.clientWidth")
    columns = notebook.widget.locator(".rr-cards").evaluate(
        "(e) => getComputedStyle(e).gridTemplateColumns.split(' ').length"
    )
    assert columns == 1
