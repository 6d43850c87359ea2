"""The tree of versions on the page: what it asks of the worker, and what it shows meanwhile."""

import pytest

from rlhf_lab.dashboard.pages.rounds_versions import AskedVersions, Versions, wanted
from rlhf_lab.errors import NotAllowed, NotEnoughData, SignedOut
from tests.browser.versions_lab import add, event, fill, set_heads


@pytest.fixture
def store(lab):
    fill(lab.store)  # present: policy@5 with reward@2
    return lab.store


@pytest.fixture
def versions(context, store):
    made = Versions(context)
    made.update(context.jobs.open())
    return made


@pytest.fixture
def tree(versions):
    return versions.shown[0].state


def do(tree, kind: str, **fields: object) -> str:
    tree.apply([event(kind, **{"present": tree.view["present"], **fields})])
    return tree.notice["text"] if tree.notice else ""


def work(versions, store, jobs) -> None:
    """What the worker does with a checkout or an undo."""
    job = jobs.take("w1")
    version = store.version(wanted(job))
    set_heads(store, *(version.trained_with if job.kind == "checkout" else ()), version.name)
    jobs.finish(job.id, "w1", "done", f"{version.name} is present.")
    versions.update(jobs.open())


def test_a_checkout_is_asked_of_the_worker_and_shown_when_it_is_done(versions, tree, store, jobs):
    assert do(tree, "checkout", name="policy@1") == (
        "Asked for policy@1: it becomes present when the worker gets to it."
    )
    [job] = jobs.open()
    assert (job.kind, dict(job.arguments), job.asked_by) == (
        "checkout",
        {"name": "policy@1", "with_reward": True},
        "ada",
    )
    assert tree.view["present"] == ["policy@5", "reward@2"]
    assert tree.view["awaited"] == ["policy@1"]
    work(versions, store, jobs)
    assert tree.view["present"] == ["policy@1", "reward@0"]
    assert tree.view["awaited"] == []
    assert tree.view["back"] == ["policy@5", "reward@2"]


def test_undo_asks_for_the_parent_by_its_name(versions, tree, store, jobs):
    ppo = jobs.ask("ppo", {"steps": 1}, "bob")  # before it in the queue
    do(tree, "undo")
    assert (jobs.open()[-1].kind, dict(jobs.open()[-1].arguments)) == ("undo", {"to": "policy@4"})
    assert tree.view["awaited"] == ["policy@4"]
    jobs.take("w1")
    add(store, "policy@7", "policy@5", with_=["reward@2"])
    set_heads(store, "policy@7")
    jobs.finish(ppo.id, "w1", "done", "policy@7 was made.")
    versions.update(jobs.open())
    work(versions, store, jobs)
    # What was seen on the button, and not the parent of what has come in between.
    assert tree.view["present"] == ["policy@4", "reward@2"]


def test_a_cancelled_checkout_is_no_longer_awaited(versions, tree, jobs):
    do(tree, "checkout", name="policy@1")
    jobs.cancel(jobs.open()[0].id, "bob")
    versions.update(jobs.open())
    assert tree.view["awaited"] == []
    assert tree.notice["text"].startswith("policy@1 was asked for, and is not present")


def test_what_somebody_else_asked_for_shows_at_the_next_look(versions, tree, jobs):
    jobs.ask("checkout", {"name": "policy@2"}, "bob")
    versions.update(jobs.open())
    assert tree.view["awaited"] == ["policy@2"]


def test_a_new_version_and_a_new_evaluation_show_at_the_next_look(versions, tree, store, jobs):
    from tests.browser.versions_lab import evaluate, interval

    add(store, "policy@7", "policy@5", with_=["reward@2"])
    set_heads(store, "policy@7")
    versions.update(jobs.open())
    assert tree.view["present"] == ["policy@7", "reward@2"]
    assert versions.policies[-1] == "policy@7"
    evaluate(store, "policy@7", "policy@5", interval(0.6, 0.1))
    versions.update(jobs.open())
    last = tree.content["versions"][-1]
    assert last["evaluations"][0]["win_rate"]["estimate"] == 0.6


def test_the_tree_is_read_only_when_something_of_it_has_changed(versions, tree, store, jobs):
    told = []
    tree.on_change(lambda: told.append(1))
    ppo = jobs.ask("ppo", {"steps": 4}, "ada")
    jobs.take("w1")
    jobs.tell(ppo.id, "w1", done=1, total=4)
    store.log_metrics("ppo", "policy@7", 1, {"score": 0.5})
    versions.update(jobs.open())
    assert told == []
    set_heads(store, "policy@4")
    versions.update(jobs.open())
    assert len(told) == 1


def test_two_versions_come_with_what_is_known_and_lead_to_the_page_for_them(tree):
    assert tree.view["evaluate_page"] == "/evaluate"
    assert do(tree, "compare", first="policy@2", second="policy@5") == (
        "policy@5 won 0.58 [0.50, 0.66] (n=64) against policy@2."
    )
    assert do(tree, "compare", first="policy@1", second="policy@5") == (
        "policy@5 was not evaluated against policy@1."
    )


def test_the_start_alone_says_how_versions_come_about(context, lab):
    versions = Versions(context)
    versions.update([])
    assert "Only the start so far" in versions.shown[0].html
    fill(lab.store)
    versions.update([])
    assert versions.shown[0].state.view["phase"] == "ready"


def test_undo_at_the_start_asks_for_nothing(context, jobs):
    with pytest.raises(NotEnoughData, match=r"policy@0 is the start"):
        AskedVersions(context).undo()
    assert jobs.all() == []


def test_an_annotator_sees_and_moves_nothing(context_of, store, jobs):
    source = AskedVersions(context_of("ann", "annotator"))
    for attempt in (source.versions, source.undo, lambda: source.checkout("policy@1")):
        with pytest.raises(NotAllowed):
            attempt()
    assert jobs.all() == []


def test_who_was_demoted_or_signed_out_moves_nothing(tree, context, accounts, jobs):
    accounts.set_role("ada", "annotator", "root")
    assert "versions are for researchers" in do(tree, "checkout", name="policy@1")
    accounts.set_role("ada", "researcher", "root")
    accounts.sign_out(context.actor.sign_in_id)
    assert "signed out" in do(tree, "undo")
    assert jobs.all() == []
    with pytest.raises(SignedOut):
        AskedVersions(context).checkout("policy@1")
