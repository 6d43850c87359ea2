"""The ranking widget as a person meets it: a real JupyterLab, kernel, database and browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
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

# What JupyterLab does with single keys in command mode, the widget's own, and the usual others;
# without those that answer an item.
KEYS = [
    *"acdfhijklmnopqrtvwxyz",
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


def wait_until_saved(notebook: Notebook) -> None:
    """The page goes on at once; what it sent is in the database when it has been acknowledged."""
    expect(notebook.widget).to_have_attribute("aria-busy", "false")


@contextmanager
def busy_kernel(notebook: Notebook, gate: Path) -> Iterator[None]:
    """A kernel that runs a cell until the block ends."""
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
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)",
    )
    yield
    gate.touch()


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
    wait_until_saved(notebook)
    (judgment,) = lab_source.stored(database)
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
    wait_until_saved(notebook)
    kinds = [event.kind for event in lab_source.stored(database)]
    assert kinds == ["ranking", "skip", "undo", "undo"]
    assert notebook.commands() == []
    assert notebook.state() == before


def test_all_judgments_are_in_the_database_in_order_and_the_end_says_so(notebook, database):
    notebook.card("A").focus()
    ranks = ("1243", "4321", "1111", "2212")
    for number, keys in enumerate(ranks, start=1):
        wait_for_position(notebook, f"{number} of 4")
        press(notebook, *keys, "Enter")
    expect(notebook.widget).to_contain_text("All ranked: 4 of 4")
    wait_until_saved(notebook)

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
    wait_until_saved(notebook)
    (judgment,) = lab_source.stored(database)
    assert judgment.ranking is not None
    given = judgment.ranking.ranks()
    assert [given[i] for i in judgment.shown_order] == [3, 1, 2, 4]


def test_a_letter_is_dragged_to_its_rank(notebook):
    chip = notebook.widget.get_by_role("button", name="C, not ranked.")
    slot = notebook.widget.get_by_role("group", name="Rank 2: none")
    chip.scroll_into_view_if_needed()
    height = notebook.widget.evaluate("(e) => e.offsetHeight")
    start, end = chip.bounding_box(), slot.bounding_box()
    assert start is not None
    assert end is not None
    notebook.page.mouse.move(start["x"] + 9, start["y"] + 9)
    notebook.page.mouse.down()
    notebook.page.mouse.move(end["x"] + 30, end["y"] + 15, steps=12)
    notebook.page.mouse.up()
    expect(notebook.card("C")).to_have_accessible_name("Response C, rank 2")
    assert notebook.widget.evaluate("(e) => e.offsetHeight") == height


def test_no_key_typed_in_the_widget_reaches_the_notebook(notebook, database):
    one_of_each = (".rr-card", ".rr-radio", ".rr-chip", ".rr-tool", ".rw-button")
    elements = [notebook.widget.locator(kind).first for kind in one_of_each]
    elements[0].click(position={"x": 3, "y": 3})
    before = notebook.state()
    notebook.record_commands()
    for element in elements:
        element.focus()
        for key in KEYS:
            press(notebook, *key.split(" "))
            if key == "Escape" or not notebook.widget.evaluate("(e) => e.matches(':focus-within')"):
                element.focus()
    for opener in "cfe?":
        elements[0].focus()
        press(notebook, opener, "a", "b", "Enter", "Shift+Enter", "Control+b", "Escape")
    assert notebook.commands() == []
    assert notebook.state() == before


def test_the_notebook_does_hear_keys_outside_the_widget(notebook):
    """Shows that the test above could fail."""
    notebook.page.locator(".jp-InputPrompt").first.click()
    notebook.record_commands()
    press(notebook, "b")
    notebook.page.wait_for_function("() => window.ranCommands.length > 0")
    assert "notebook:insert-cell-below" in notebook.commands()


def test_a_reloaded_page_resumes_the_same_item_in_the_same_order(notebook, database):
    notebook.card("A").focus()
    press(notebook, "1", "2", "4", "3", "Enter")
    wait_for_position(notebook, "2 of 4")
    wait_until_saved(notebook)
    before = shown_texts(notebook)
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    notebook.reload()
    wait_for_position(notebook, "2 of 4")
    assert shown_texts(notebook) == before
    expect(notebook.card("A")).not_to_be_focused()
    notebook.card("A").focus()
    press(notebook, "4", "3", "2", "1", "Enter")
    wait_for_position(notebook, "3 of 4")
    wait_until_saved(notebook)
    assert [event.kind for event in lab_source.stored(database)] == ["ranking", "ranking"]


def test_a_person_ranks_on_while_the_kernel_is_busy(notebook, database):
    with busy_kernel(notebook, database.with_suffix(".gate")):
        notebook.card("A").focus()
        first = shown_texts(notebook)
        press(notebook, *"1243", "Enter", *"4321", "Enter", "s")
        wait_for_position(notebook, "4 of 4")
        expect(notebook.widget).to_contain_text("3 answers wait to be saved")
        press(notebook, "u", "u", "u")
        assert shown_texts(notebook) == first
        press(notebook, "Shift+U", "Shift+U", *"2211", "Enter", *"1111", "Enter")
        expect(notebook.widget).to_contain_text("That was the last one")
        assert lab_source.stored(database) == []
    expect(notebook.widget).to_contain_text("All ranked: 4 of 4")
    wait_until_saved(notebook)
    kinds = [event.kind for event in lab_source.stored(database)]
    assert [kind for kind in kinds if kind != "undo"].count("ranking") >= 4
    expect(notebook.widget.locator(".rw-message")).to_have_text("")


def test_answers_outlive_a_kernel_that_is_restarted_before_it_saves_them(notebook, database):
    with busy_kernel(notebook, database.with_suffix(".gate")):
        notebook.card("A").focus()
        press(notebook, *"1243", "Enter", *"4321", "Enter")
        wait_for_position(notebook, "3 of 4")
        notebook.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
    notebook.wait_until_ready()
    assert lab_source.stored(database) == []
    notebook.run_all()
    expect(notebook.widget).to_contain_text("2 answers from before the restart are sent again.")
    wait_for_position(notebook, "3 of 4")
    wait_until_saved(notebook)
    assert [event.kind for event in lab_source.stored(database)] == ["ranking", "ranking"]


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
