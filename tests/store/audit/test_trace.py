"""Where a judgment comes from and what became of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Ranking
from tests.store.helpers import NOON, prompt, ranking, response, undo


def test_a_trace_tells_where_a_judgment_comes_from_and_what_became_of_it(either):
    found = either.trace("r2")
    two = either.prompts()[1]
    assert found.prompt == two
    assert found.candidates == (response(two, 1), response(two, 0))
    assert found.judgment.id == "r2"
    assert not found.counts
    assert [event.id for event in found.superseded_by] == ["r3"]
    assert (found.place, found.length) == (2, 5)
    assert found.previous == either.trace("r1").hash
    assert found.hash == either.trace("r3").previous
    assert either.trace("r3").supersedes == found.judgment
    assert either.trace("r3").counts
    assert either.trace("r1").previous == ""
    assert either.trace("r5").judgment.kind == "skip"
    text = str(found)
    for part in (
        "r2 (ranking, superseded)",
        "ann, 2025-03-01 12:00:00 UTC, 2.5 s",
        "strength:      much",
        "flags:         unsafe",
        "superseded by: r3 (ranking",
        "2 of 5",
        "A. rank 2  policy@0, two-1: answer 1",
        "B. rank 1  policy@0, two-0: answer 0",
    ):
        assert part in text
    assert "two-0: helpful 4" in str(either.trace("r3"))


def test_the_trace_of_an_undo_names_what_it_took_back(lab):
    lab.submit(undo("u1", ranking("r1", prompt("one"))))
    assert lab.trace("u1").supersedes.id == "r1"
    assert lab.trace("u1").candidates == ()
    assert [event.id for event in lab.trace("r1").superseded_by] == ["u1"]


def test_hostile_texts_in_a_trace_act_neither_on_a_notebook_nor_on_a_terminal(tmp_path):
    evil = "<script>alert(1)</script>\x1b[2J\ud800 \u202etxet\n" + "x" * 5000
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        one = prompt("<img src=x onerror=alert(1)>")
        store.add_prompts([one])
        store.add_responses([response(one, n, id=f"{n}", text=evil) for n in (0, 1)])
        store.submit(
            ranking(
                "r<b>",
                one,
                annotator="<i>eve",
                comment=evil,
                shown_order=("1", "0"),
                ranking=Ranking(tiers=(("0",), ("1",))),
                created_at=NOON + timedelta(seconds=1),
            )
        )
        found = store.trace("r<b>")
    for shown in (str(found), found._repr_html_()):
        shown.encode("utf-8")
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert len(shown) < 4000
        assert "\\x1b[2J\\ud800 \\u202etxet⏎" in shown
    for tag in ("<script", "<img", "<b>", "<i>"):
        assert tag not in found._repr_html_()


def test_the_trace_of_an_unknown_judgment_is_refused(lab):
    with pytest.raises(Exception, match=r"judgment 'r99' is not in this lab: judgments\("):
        lab.trace("r99")
