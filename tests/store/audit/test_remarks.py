"""What is worth knowing and no damage, and what is no head to ask for."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module

import pytest
from typer.testing import CliRunner

from rlhf_lab.cli import app
from rlhf_lab.errors import ConfigError
from rlhf_lab.store import AssignmentPlan, PreferenceStore, audit, audit_chain
from rlhf_lab.store.audit import KEPT
from tests.store.helpers import NOON, fill, ranking, undo


@pytest.fixture
def crowded(database):
    """One item of two places, filled by three people: the first undid, and redid too late."""
    now = [NOON]
    with PreferenceStore(database, clock=lambda: now[0]) as store:
        one, *_ = fill(store, "one", "two")
        store.assignments.offer()
        store.assignments.plan = AssignmentPlan(overlap=2, lease_seconds=60)
        first = ranking("r-ann", one)
        back = undo("u-ann", first)
        store.submit(first)
        store.submit(ranking("r-bob", one, annotator="bob"))
        store.submit(back)
        now[0] += timedelta(seconds=61)
        store.submit(ranking("r-cat", one, annotator="cat"))
        assert audit(store).remarks == ()
        # As an open page of an earlier release sends it; the queue's own redo would be refused.
        store.submit(undo("again-ann", back))
        yield store


def test_more_rankings_than_the_plan_asks_for_are_a_remark_and_no_problem(crowded):
    report = audit(crowded)
    assert report.ok
    assert report.problems == ()
    assert report.remarked == 1
    (remark,) = report.remarks
    assert re.fullmatch(
        r"item 1 \([0-9a-f]+\) has 3 rankings that count, and the plan asks for 2: .*", remark
    )
    verdict, line = str(report).splitlines()
    assert verdict.startswith("ok: 5 judgments, the chain holds")
    assert line == f"  - remark: {remark}"
    assert f"<li>remark: {remark}</li>" in report._repr_html_()


def test_what_a_plan_allows_is_no_remark(crowded):
    for overlap, expected in ((None, 0), (3, 0), (2, 1), (1, 1)):
        crowded.assignments.plan = AssignmentPlan(overlap=overlap)
        report = audit(crowded)
        assert report.ok
        assert report.remarked == expected


def test_only_the_first_remarks_are_kept_and_all_are_counted(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        prompts = fill(store, *(f"p{n}" for n in range(KEPT + 5)))
        store.assignments.offer()
        for who in ("ann", "bob"):
            for one in prompts:
                store.submit(ranking(f"{who}-{one.text}", one, annotator=who))
        store.assignments.plan = AssignmentPlan(overlap=1)
        report = audit(store)
    assert report.ok
    assert (len(report.remarks), report.remarked) == (KEPT, KEPT + 5)
    assert str(report).endswith("and 5 more remarks")


def test_a_remark_leaves_the_exit_status_alone(tmp_path):
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        (one,) = fill(store, "one")
        store.assignments.offer()
        for who in ("ann", "bob"):
            store.submit(ranking(who, one, annotator=who))
        store.assignments.plan = AssignmentPlan(overlap=1)
    done = CliRunner().invoke(app, ["audit", str(tmp_path)])
    assert done.exit_code == 0
    assert "remark: item 1" in done.output


def test_remarks_that_cannot_be_made_are_a_problem(crowded, monkeypatch):
    """Else an audit that did not look would say that all is well."""

    def broken(session):
        yield "item 1"
        raise ValueError("no plan")

    # By its name: the package has a function of the same one.
    monkeypatch.setattr(import_module("rlhf_lab.store.audit"), "more_than_asked", broken)
    report = audit(crowded)
    assert not report.ok
    assert report.problems == (
        "what is more than the plan asks for cannot be checked any further: no plan",
    )
    assert report.remarks == ("item 1",)


# -- heads that were written down wrongly

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "head",
    ["TYPO", "", "5", f"5:{HASH[:-1]}", f"5:{HASH}0", f"5;{HASH}", f":{HASH}", f"-1:{HASH}",
     f"5:{HASH.upper()}", "1204:6f0c…", f"{'9' * 5000}:{HASH}", f"\u0665:{HASH}", f"5:{HASH}\n5"],
)  # fmt: skip
def test_what_is_no_head_is_a_slip_and_not_a_damaged_record(lab, head):
    with pytest.raises(ConfigError, match=r"^head '.*: a head is NUMBER:HASH, .* Copy the whole"):
        audit(lab, expected=head)


def test_spaces_around_a_head_do_no_harm(lab):
    assert audit(lab, expected=f" {lab.chain_head()}\n").ok
    assert audit_chain.require_head(f"5:{HASH} ") == f"5:{HASH}"


def test_the_command_says_what_is_no_head(template):
    done = CliRunner().invoke(app, ["audit", str(template.parent), "--head", "TYPO"])
    assert done.exit_code == 1
    assert "ConfigError: head 'TYPO': a head is NUMBER:HASH" in done.output
