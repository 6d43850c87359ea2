"""Ranking in each host: the same keys and the same mouse leave the same judgments in the store."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from rlhf_lab.types import Judgment
from tests.browser import lab_source
from tests.browser.cases import CASES
from tests.browser.hosts import Host

pytestmark = pytest.mark.browser

RANKER = next(case for case in CASES if case.name == "ranker")
BUSY_SECONDS = 8
ITEMS_WHILE_BUSY = 20


class Ranker:
    """The ranking widget in a host, over a store of its own."""

    def __init__(self, host: Host, folder: Path, *, items: int = 4, candidates: int = 4):
        self.host = host
        self.keyboard = host.page.keyboard
        self.items = items
        self.database = folder / lab_source.DATABASE
        lab_source.fill(self.database, items=items, candidates=candidates)
        self.root = host.show(RANKER, folder)

    def focus(self) -> None:
        self.card("A").focus()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.keyboard.press(key)

    def at(self, position: int) -> None:
        """Wait until an item has its turn."""
        expect(self.root.locator(".rr-position")).to_have_text(f"{position} of {self.items}")

    def saved(self) -> None:
        """Wait until Python has everything."""
        expect(self.root).to_have_attribute("aria-busy", "false")

    def card(self, letter: str) -> Locator:
        return self.root.get_by_role("group", name=f"Response {letter},")

    def texts(self) -> list[str]:
        return self.root.locator(".rr-body").all_inner_texts()

    @property
    def order(self) -> list[str]:
        """Numbers of the answers as they are shown."""
        return re.findall(r"Answer (\d+) to", "\n".join(self.texts()))

    @property
    def question(self) -> str:
        """As in "Question 3?"."""
        found = re.search(r"Question \d+\?", self.root.locator(".rw-prompt").inner_text())
        assert found is not None
        return found[0]

    @property
    def stored(self) -> list[Judgment]:
        return lab_source.stored(self.database)


def ranks(judgment: Judgment) -> list[int]:
    """What was said of each response, in the order in which they were shown."""
    assert judgment.ranking is not None
    given = judgment.ranking.ranks()
    return [given[response] for response in judgment.shown_order]


def numbers(judgment: Judgment) -> list[str]:
    """Numbers of the answers in the order in which they were shown."""
    return [response.rpartition("-")[2] for response in judgment.shown_order]


def test_a_pair_takes_two_keys_strength_included(host, tmp_path):
    ranker = Ranker(host, tmp_path, items=5, candidates=2)
    ranker.focus()
    for position, key in enumerate("15792", start=1):
        ranker.at(position)
        ranker.press(key, "Enter")
    expect(ranker.root).to_contain_text("5 of 5")
    ranker.saved()
    said = [(ranks(judgment), judgment.strength) for judgment in ranker.stored]
    assert said == [
        ([1, 2], "much"),
        ([1, 1], None),
        ([2, 1], "slightly"),
        ([2, 1], "much"),
        ([1, 2], "clearly"),
    ]


def test_four_with_ties_take_five_keys(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    seen = ranker.order
    assert sorted(seen) == ["0", "1", "2", "3"]
    ranker.focus()
    ranker.press("2", "1", "2", "4", "Enter")
    ranker.at(2)
    ranker.saved()
    (judgment,) = ranker.stored
    assert numbers(judgment) == seen
    assert ranks(judgment) == [2, 1, 2, 3]
    assert judgment.seconds > 0


def test_a_whole_session_needs_no_mouse(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    tab_into(host, ranker.root)
    host.record()
    ranker.press("2", "1", "2", "4", "c")
    ranker.keyboard.type("b and 1 are letters here")
    ranker.press("Escape", "Enter")
    ranker.at(2)
    ranker.press("s")
    ranker.at(3)
    ranker.press("u")
    ranker.at(2)
    ranker.press("Shift+U")
    ranker.at(3)
    ranker.press("4", "3", "Backspace", "2", "2", "1", "Enter")
    ranker.at(4)
    ranker.press("b")
    expect(ranker.root).to_contain_text("All ranked: 4 of 4")
    ranker.saved()
    kinds = [event.kind for event in ranker.stored]
    assert kinds[:3] == ["ranking", "skip", "undo"]
    first, *_, third, fourth = ranker.stored
    assert ranks(first) == [2, 1, 2, 3]
    assert first.comment == "b and 1 are letters here"
    assert ranks(third) == [3, 2, 2, 1]
    assert (ranks(fourth), fourth.flags) == ([1, 1, 1, 1], ("all bad",))
    assert host.recorded() == []


def tab_into(host: Host, root: Locator) -> None:
    """Go into the widget as somebody without a mouse does who has just run its cell."""
    if host.name == "jupyterlab":
        host.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activate()")
        host.page.keyboard.press("Escape")
    inside = "(e) => e.contains(e.getRootNode().activeElement) && e.ownerDocument.hasFocus()"
    for _ in range(80):
        if root.evaluate(inside):
            return
        host.page.keyboard.press("Tab")
    pytest.fail("Tab does not lead into the widget")


def test_the_mouse_drags_responses_into_ranks(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    height = ranker.root.evaluate("(e) => e.offsetHeight")
    for letter, rank in zip("ABCD", "3122", strict=True):
        drag(ranker, letter, rank)
        expect(ranker.card(letter)).to_have_accessible_name(re.compile(f"rank {rank}"))
    assert ranker.root.evaluate("(e) => e.offsetHeight") == height
    ranker.root.get_by_role("button", name="Submit").click()
    ranker.at(2)
    ranker.saved()
    (judgment,) = ranker.stored
    assert ranks(judgment) == [3, 1, 2, 2]


def drag(ranker: Ranker, letter: str, rank: str) -> None:
    ranker.root.locator(".rr-board").scroll_into_view_if_needed()
    middle = {}
    for name in (f"[data-letter={letter}]", f".rr-slot[data-rank='{rank}']"):
        box = ranker.root.locator(f".rr-board {name}").bounding_box()
        assert box is not None
        middle[name] = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    start, end = middle.values()
    mouse = ranker.host.page.mouse
    mouse.move(*start)
    mouse.down()
    mouse.move(*end, steps=8)
    mouse.up()


def test_the_mouse_chooses_ranks(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    for letter, rank in zip("ABCD", "3124", strict=True):
        ranker.card(letter).get_by_role("radio", name=f"Rank {rank}").click()
    ranker.root.get_by_role("button", name="Submit").click()
    ranker.at(2)
    ranker.saved()
    (judgment,) = ranker.stored
    assert ranks(judgment) == [3, 1, 2, 4]


def test_all_is_stored_in_order_and_the_end_says_so(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    ranker.focus()
    given = ("1243", "4321", "1111", "2212")
    for position, keys in enumerate(given, start=1):
        ranker.at(position)
        ranker.press(*keys, "Enter")
    expect(ranker.root).to_contain_text("All ranked: 4 of 4")
    ranker.saved()
    stored = ranker.stored
    assert len({judgment.prompt_id for judgment in stored}) == len(stored) == 4
    assert [ranks(judgment) for judgment in stored] == [
        [1, 2, 4, 3],
        [4, 3, 2, 1],
        [1, 1, 1, 1],
        [2, 2, 1, 2],
    ]
    ranker.press("u")  # the focus stayed in the widget
    ranker.at(4)
    expect(ranker.card("A")).to_have_accessible_name(re.compile("rank 2"))


def test_undo_brings_back_what_was_said(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    ranker.focus()
    question, order = ranker.question, ranker.order
    ranker.press("2", "1", "2", "4", "Enter")
    ranker.at(2)
    ranker.press("u")
    ranker.at(1)
    assert (ranker.question, ranker.order) == (question, order)
    for letter, rank in zip("ABCD", "2124", strict=True):
        expect(ranker.card(letter)).to_have_accessible_name(re.compile(f"rank {rank}"))
    ranker.press("Enter")
    ranker.at(2)
    ranker.saved()
    first, undo, again = ranker.stored
    assert (first.kind, undo.kind, again.kind) == ("ranking", "undo", "ranking")
    assert undo.supersedes == first.id
    assert ranks(again) == [2, 1, 2, 3]


def test_a_reloaded_page_goes_on_where_it_was(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    ranker.focus()
    ranker.press("4", "3", "2", "1", "Enter")
    ranker.at(2)
    ranker.saved()
    question, texts = ranker.question, ranker.texts()
    host.reload()
    host.wait_for(RANKER)
    ranker.at(2)
    assert (ranker.question, ranker.texts()) == (question, texts)
    ranker.focus()
    ranker.press("3", "3", "2", "1", "Enter")
    ranker.at(3)
    ranker.saved()
    assert [ranks(judgment) for judgment in ranker.stored] == [[4, 3, 2, 1], [3, 3, 2, 1]]


def test_python_that_starts_anew_goes_on_where_it_was(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    ranker.focus()
    ranker.press("4", "3", "2", "1", "Enter")
    ranker.at(2)
    ranker.saved()
    question, texts = ranker.question, ranker.texts()
    host.restart()
    host.wait_for(RANKER)
    ranker.at(2)
    assert (ranker.question, ranker.texts()) == (question, texts)
    ranker.focus()
    ranker.press("3", "3", "2", "1", "Enter")
    ranker.at(3)
    ranker.press("u")
    ranker.at(2)
    ranker.press("u")
    ranker.at(1)
    ranker.saved()
    kinds = [event.kind for event in ranker.stored]
    assert kinds == ["ranking", "ranking", "undo", "undo"]
    assert [ranks(judgment) for judgment in ranker.stored[:2]] == [[4, 3, 2, 1], [3, 3, 2, 1]]


def test_python_that_dies_while_busy_gets_what_was_entered_meanwhile(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    ranker.focus()
    with host.blocked():
        ranker.press(*"4321", "Enter", *"2211", "Enter")
        ranker.at(3)
        assert ranker.stored == []
        host.restart()
    host.wait_for(RANKER)
    expect(ranker.root).to_contain_text("2 answers from before the restart are sent again.")
    ranker.at(3)
    ranker.saved()
    assert [ranks(judgment) for judgment in ranker.stored] == [[4, 3, 2, 1], [2, 2, 1, 1]]


def test_a_person_goes_back_and_forth_while_python_is_busy(host, tmp_path):
    ranker = Ranker(host, tmp_path)
    ranker.focus()
    with host.blocked():
        first = ranker.question
        ranker.press(*"1243", "Enter", *"4321", "Enter", "s")
        ranker.at(4)
        expect(ranker.root).to_contain_text("3 answers wait to be saved")
        ranker.press("u", "u", "u")
        assert ranker.question == first
        ranker.press("Shift+U", "Shift+U", *"2211", "Enter", *"1111", "Enter")
        expect(ranker.root).to_contain_text("That was the last one")
        assert ranker.stored == []
    expect(ranker.root).to_contain_text("All ranked: 4 of 4")
    ranker.saved()
    expect(ranker.root.locator(".rw-message")).to_have_text("")
    stored = ranker.stored
    # A redo takes back an undo: the store adds an event, and no judgment is said twice.
    assert [event.kind for event in stored] == [
        *("ranking", "ranking", "skip"),
        *("undo", "undo", "undo", "undo", "undo"),
        *("ranking", "ranking"),
    ]
    said = [ranks(event) for event in stored if event.kind == "ranking"]
    assert said == [[1, 2, 4, 3], [4, 3, 2, 1], [2, 2, 1, 1], [1, 1, 1, 1]]


def test_what_is_entered_while_python_is_busy_is_stored_in_order_and_once(host, tmp_path):
    ranker = Ranker(host, tmp_path, items=ITEMS_WHILE_BUSY + 1)
    ranker.focus()
    questions = []
    # Each item gets other keys, so that an exchange of two would show.
    digits = [f"{1 + n % 4}{1 + n // 4 % 4}{1 + n // 16}4" for n in range(ITEMS_WHILE_BUSY)]
    digits[0] = "4111"  # not the order shown, which asks for a second Enter
    with host.blocked(at_least=BUSY_SECONDS):
        for position, keys in enumerate(digits, start=1):
            ranker.at(position)
            questions.append(ranker.question)
            ranker.press(*keys, "Enter")
        ranker.at(ITEMS_WHILE_BUSY + 1)
        assert ranker.stored == []
    ranker.saved()
    stored = ranker.stored
    assert len(stored) == ITEMS_WHILE_BUSY
    assert len({judgment.id for judgment in stored}) == ITEMS_WHILE_BUSY
    asked = lab_source.questions(ranker.database)
    for judgment, keys, question in zip(stored, digits, questions, strict=True):
        levels = sorted(set(keys))
        assert ranks(judgment) == [levels.index(key) + 1 for key in keys]
        assert question in asked[judgment.prompt_id]
    assert len(set(questions)) == ITEMS_WHILE_BUSY
