"""What widgets of the dashboard work on: each call is checked for the person, now."""

from dataclasses import replace

import pytest

from rlhf_lab.dashboard.sources import (
    GuardedRanking,
    GuardedTable,
    comparison_source,
    ranking_source,
    table_source,
)
from rlhf_lab.errors import NotAllowed, SignedOut
from rlhf_lab.store import AssignmentPlan, TableBrowser
from rlhf_lab.types import Demonstration, Judgment, Ranking, TableQuery
from tests.dashboard.pages.lab_items import make_present, offer


@pytest.fixture
def ben(context_of):
    return context_of("ben", "annotator")


def judgment(item, annotator, number=0):
    shown = tuple(candidate.id for candidate in item.candidates)
    return Judgment(
        id=f"judgment-{annotator}-{number}",
        prompt_id=item.prompt.id,
        annotator=annotator,
        shown_order=shown,
        ranking=Ranking(tiers=tuple((i,) for i in shown)),
    )


def test_a_judgment_is_stored_under_the_name_of_whoever_is_signed_in(lab, ben):
    offer(lab, ["Tea?"])
    source = ranking_source(ben)
    [item] = source.upcoming(1)
    assert source.submit(judgment(item, source.annotator))
    assert [kept.annotator for kept in lab.store.judgments()] == ["ben"]
    assert (source.progress().done, source.progress().total) == (1, 1)


def test_a_judgment_under_another_name_is_refused_and_not_stored(lab, ben, context_of):
    context_of("eve", "annotator")
    offer(lab, ["Tea?"])
    source = ranking_source(ben)
    [item] = source.upcoming(1)
    with pytest.raises(NotAllowed, match="ben judges as ben alone"):
        source.submit(judgment(item, "eve"))
    with pytest.raises(NotAllowed, match="ben writes as ben alone"):
        source.demonstrate(
            Demonstration(id="made-by-eve", prompt_id=item.prompt.id, text="Yes!", annotator="eve")
        )
    assert lab.store.judgments(kinds=("ranking", "skip")) == []
    assert lab.store.demonstrations() == []


def test_nobody_gets_the_queue_of_somebody_else(lab, ben):
    with pytest.raises(NotAllowed, match="ben has their own"):
        GuardedRanking(lab.queue("eve"), ben.actor)


def test_who_is_signed_out_gets_and_changes_nothing(lab, accounts, ben):
    offer(lab, ["Tea?", "Rain?"])
    source = ranking_source(ben)
    first, second = source.upcoming(2)
    source.submit(judgment(first, "ben"))
    accounts.sign_out(ben.actor.sign_in_id)

    for call in (
        lambda: source.upcoming(1),
        lambda: source.submit(judgment(second, "ben", 1)),
        lambda: source.undo("an-undo-of-ben"),
        lambda: source.redo("a-redo-of-ben"),
        lambda: source.known(["judgment-ben-0"]),
        source.progress,
        lambda: ranking_source(ben),
    ):
        with pytest.raises(SignedOut):
            call()
    assert [kept.id for kept in lab.store.judgments()] == ["judgment-ben-0"]


def test_who_is_disabled_is_refused_at_the_next_act(lab, accounts, ben):
    offer(lab, ["Tea?"])
    source = ranking_source(ben)
    [item] = source.upcoming(1)
    accounts.disable("ben", by="root")
    with pytest.raises(SignedOut):
        source.submit(judgment(item, "ben"))
    assert lab.store.judgments() == []


def test_the_plan_shares_out_among_the_people_of_the_dashboard(lab, ben, context_of):
    lab.plan = AssignmentPlan(overlap=1)
    offer(lab, ["Tea?", "Rain?"])
    hers = ranking_source(context_of("cleo", "annotator")).upcoming(1)
    his = ranking_source(ben).upcoming(2)
    assert [item.prompt.text for item in hers + his] == ["Tea?", "Rain?"]


def test_pairs_are_compared_by_whoever_is_signed_in_and_only_then(lab, accounts, ben):
    prompts = offer(lab, ["Tea?"])
    offer(lab, ["Tea?"], version="policy@1")
    make_present(lab, "policy@1")
    source = comparison_source(ben, "policy@1", "policy@0", split=prompts[0].split)
    [pair] = source.waiting(1)
    source.submit(judgment(pair, "ben"))
    assert source.report().total == 1
    source.refresh()
    assert source.waiting(1) == []

    accounts.sign_out(ben.actor.sign_in_id)
    for call in (lambda: source.waiting(1), source.report, source.refresh, source.undo):
        with pytest.raises(SignedOut):
            call()


def test_a_table_closes_before_who_is_no_researcher_any_more(lab, accounts, context):
    prompts = offer(lab, ["Tea?"])
    table = table_source(context, TableBrowser(lab.prompts))
    assert (table.name, table.page(TableQuery(), 0, 10).total) == ("prompts", 1)
    assert table.detail(prompts[0].id).title
    accounts.set_role("ada", "annotator", by="root")

    for call in (
        table.columns,
        lambda: table.page(TableQuery(), 0, 10),
        lambda: table.detail(prompts[0].id),
        lambda: table_source(context, TableBrowser(lab.prompts)),
    ):
        with pytest.raises(NotAllowed, match="see_data: this needs the role researcher"):
            call()


def test_a_table_of_an_annotator_never_opens(lab, ben):
    with pytest.raises(NotAllowed):
        GuardedTable(TableBrowser(lab.prompts), ben.actor).columns()


def test_the_versions_lease_and_secret_are_those_of_the_lab(lab, ben):
    lab.plan = replace(lab.plan, lease_seconds=60.0)
    source = ranking_source(ben)
    queue = lab.queue("ben")
    assert (source.version, source.lease_seconds) == ("policy@0", 60.0)
    assert source.secret == queue.secret
