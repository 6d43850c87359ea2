"""The Rounds page as a whole: which step comes next, who may do what, and what is sent."""

from dataclasses import replace

import panel as pn
import pytest

from rlhf_lab.dashboard.pages import PAGES
from rlhf_lab.dashboard.pages.rounds import Rounds
from rlhf_lab.dashboard.pages.rounds_queue import Queue
from rlhf_lab.dashboard.pages.rounds_standing import next_step, steps
from rlhf_lab.dashboard.shell import Fragment, following, messages
from rlhf_lab.errors import NotAllowed, SignedOut
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.job_events import EventWriter
from rlhf_lab.store.standing import Standing
from rlhf_lab.widgets.panel import MonitorPane, VersionTreePane
from tests.browser.versions_lab import add, event, fill
from tests.dashboard.pages.html_of import elements, fragments, text_of
from tests.dashboard.pages.lab_items import act, offer
from tests.widgets.xss_corpus import PAYLOADS

STANDING = Standing(
    policy="policy@0",
    reward=None,
    prompts=40,
    responses=128,
    items=32,
    ranked=32,
    rankings=24,
    trained_with=(),
    is_evaluated=False,
)


@pytest.fixture
def rounds(context):
    return Rounds(context)


@pytest.fixture
def body(rounds):
    return rounds.body()


def shown(body) -> str:
    return " ".join(text_of(fragment.html) for fragment in fragments(body))


def with_act(body, name: str) -> Fragment:
    """The fragment in which something does this."""
    return next(f for f in fragments(body) if f'data-act="{name}"' in f.html)


# Where the round stands


@pytest.mark.parametrize(
    ("changes", "step", "told"),
    [
        ({"prompts": 0, "responses": 0, "items": 0, "ranked": 0}, None, "no prompts yet"),
        ({"responses": 0, "items": 0, "ranked": 0}, "generate", "policy@0 has written nothing"),
        ({"ranked": 0, "rankings": 0}, "rank", "32 items of policy@0 have no ranking."),
        ({"ranked": 31}, "rank", "1 item of policy@0 has no ranking yet; 24 rankings can be"),
        ({}, "reward", "Everything is ranked: 24 rankings to learn from."),
        ({"reward": "reward@0", "rankings": 0}, "ppo", "let policy@0 learn from it"),
        ({"reward": "reward@0", "rankings": 1}, "reward", "1 ranking to learn from"),
        (
            {"policy": "policy@1", "responses": 0, "trained_with": ("reward@0",)},
            "evaluate",
            "policy@1 is new",
        ),
        (
            {"policy": "policy@1", "responses": 0, "is_evaluated": True},
            "generate",
            "policy@1 has written nothing",
        ),
        (
            {"reward": "reward@0", "trained_with": ("reward@0",), "rankings": 0},
            "generate",
            "more prompts",
        ),
    ],
)
def test_the_next_step_in_words(changes, step, told):
    ahead = next_step(replace(STANDING, **changes))
    assert ahead.step == step
    assert told in ahead.text


def test_every_step_says_what_there_is_of_it():
    assert [step.figure for step in steps(replace(STANDING, reward="reward@0", ranked=1))] == [
        "128 responses of policy@0",
        "1 of 32 items ranked",
        "24 new rankings since reward@0",
        "from policy@0 with reward@0",
        "policy@0: not yet",
    ]


def test_the_strip_follows_the_store(rounds, body, lab, jobs):
    assert "no prompts yet" in shown(body)
    offer(lab, ["What is tea?", "What is milk?"])
    rounds.update()
    assert "2 items of policy@0 have no ranking." in shown(body)
    assert "4 responses of policy@0" in shown(body)
    job = jobs.ask("generate", {}, "ada")
    rounds.update()
    assert "Generate asked for" in shown(body)
    assert "Next: Generate 4 responses to each of 32 prompts, asked for by ada." in shown(body)
    jobs.take("w1")
    jobs.tell(job.id, "w1", done=8, total=128)
    rounds.update()
    assert "Generate running" in shown(body)
    assert "Now: Generate 4 responses to each of 32 prompts, 8 of 128, asked for by ada." in (
        shown(body)
    )
    assert "Next:" not in shown(body)
    assert 'data-tone="primary"' not in with_act(body, "generate").html
    jobs.finish(job.id, "w1", "done", "Nothing more to write.")
    rounds.update()
    assert "Generate running" not in shown(body)
    assert "Next: 2 items" in shown(body)


# Everything at once


def test_the_page_has_all_its_parts(body, lab):
    text = shown(body)
    for part in ("Start a step", "Queue", "Only the start so far", "Sharing the work"):
        assert part in text


def test_a_step_that_is_started_shows_in_the_queue_at_once(body):
    with_act(body, "ppo").act(act("ppo", **form_values(body, "ppo"), steps="3"))
    assert "PPO, 3 steps next" in shown(body)


def form_values(body, name: str) -> dict[str, str]:
    html = with_act(body, name).html
    return {"act-id": html.partition('name="act-id" value="')[2].partition('"')[0]}


def test_nothing_is_sent_while_nothing_changes(rounds, body, lab, jobs):
    fill(lab.store)
    run = jobs.ask("ppo", {"steps": 8}, "bob")
    jobs.take("w1")
    EventWriter(lambda new: jobs.tell(run.id, "w1", [new], done=1, total=8)).started(
        done=0, total=8
    )
    rounds.update()
    rounds.update_plan()
    sent = []
    for part in body.select():
        if isinstance(part, Fragment | VersionTreePane | MonitorPane | pn.Column):
            names = [name for name in part.param if name != "name"]
            part.param.watch(lambda change: sent.append((change.obj, change.name)), names)
    for _ in range(3):
        rounds.update()
        rounds.update_plan()
    assert sent == []
    jobs.tell(run.id, "w1", done=2, total=8)
    rounds.update()
    # The progress in the strip and in the queue, and nothing else.
    assert [text_of(part.html).count("2 of 8") for part, _ in sent] == [1, 1]


# Who may


def test_an_annotator_gets_no_page(context_of):
    with pytest.raises(NotAllowed):
        PAGES["rounds"].build(context_of("ann", "annotator"))


ACTS = [
    ("generate", {"k": "4", "prompts": "8"}),
    ("reward", {}),
    ("ppo", {"steps": "8"}),
    ("evaluate", {"baseline": "policy@0", "prompts": "8"}),
    ("cancel", {}),
    ("retry", {}),
    ("save", {"overlap": "2", "gold_rate": "0", "repeat_rate": "0", "repeat_after": "9"}),
]


@pytest.fixture
def busy(rounds, body, jobs, lab):
    """A page with something in it for every act."""
    fill(lab.store)
    jobs.cancel(jobs.ask("reward", {}, "bob").id, "bob")
    jobs.ask("ppo", {"steps": 2}, "bob")
    rounds.update()
    return body


def attempt(body, name: str, typed: dict[str, str], jobs) -> None:
    keys = {"cancel": jobs.open()[0].id, "retry": jobs.all()[1].id}
    values = {**(form_values(body, name) if name in ("ppo", "reward", "generate") else {}), **typed}
    with_act(body, name).act(act(name, keys.get(name, ""), **values))


@pytest.mark.parametrize(("name", "typed"), ACTS, ids=[name for name, _ in ACTS])
def test_every_act_is_refused_after_demotion(busy, context, accounts, jobs, lab, name, typed):
    before = jobs.all()
    accounts.set_role("ada", "annotator", "root")
    attempt(busy, name, typed, jobs)
    assert jobs.all() == before
    assert lab.plan == AssignmentPlan()
    assert "ada is annotator" in text_of(messages(context).html)


@pytest.mark.parametrize(("name", "typed"), ACTS, ids=[name for name, _ in ACTS])
def test_whoever_is_signed_out_is_led_away_and_does_nothing(
    busy, context, accounts, jobs, lab, name, typed
):
    before = jobs.all()
    accounts.sign_out(context.actor.sign_in_id)
    attempt(busy, name, typed, jobs)
    assert jobs.all() == before
    assert lab.plan == AssignmentPlan()
    assert messages(context).address.startswith("/login")


def test_a_page_of_somebody_who_is_demoted_shows_nothing_new_and_leaves(
    rounds, body, context, accounts, jobs
):
    before = shown(body)
    accounts.set_role("ada", "annotator", "root")
    jobs.ask("ppo", {}, "bob")
    following(context, rounds.update)()
    assert shown(body) == before
    assert messages(context).address == "/"


def test_a_page_of_somebody_who_is_signed_out_leaves(rounds, context, accounts):
    accounts.sign_out(context.actor.sign_in_id)
    with pytest.raises(SignedOut):
        rounds.update()
    following(context, rounds.update)()
    assert messages(context).address.startswith("/login")


# Hostile texts


def test_what_people_and_workers_wrote_is_text(context, jobs):
    waiting, over = (jobs.ask("reward", {"epochs": 2}, "bob") for _ in range(2))
    jobs.take("w1")
    running = jobs.get(waiting.id)
    ended = replace(jobs.cancel(over.id, "bob"), started_at=running.started_at)
    queue = Queue(context)
    queue.update([running, waiting], [ended])
    plain = elements(queue.shown.html)
    for payload in PAYLOADS:
        hostile = {"asked_by": payload, "note": payload, "cancelled_by": payload, "id": payload}
        queue.update(
            [replace(running, **hostile), replace(waiting, **hostile)], [replace(ended, **hostile)]
        )
        assert elements(queue.shown.html) <= plain, payload
        if payload.isprintable():
            assert text_of(queue.shown.html).count(" ".join(payload.split())) >= 6


def test_a_hostile_version_reaches_the_tree_as_data(rounds, body, lab):
    fill(lab.store)
    for number, payload in enumerate(PAYLOADS[:20]):
        add(lab.store, f"policy@{100 + number}", "policy@5", **{payload: 1.0})
    rounds.update()
    [tree] = body.select(VersionTreePane)
    named = {name for v in tree.content["versions"] for name in v["metrics"]}
    assert set(PAYLOADS[:20]) <= named
    tree.events = [event("checkout", name=PAYLOADS[0], present=tree.view["present"])]
    assert tree.notice["text"].startswith(repr(PAYLOADS[0])[:40])
