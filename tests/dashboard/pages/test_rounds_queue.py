"""The queue: states in words, progress, cancelling and trying again."""

import re
from datetime import timedelta

import pytest

from rlhf_lab.dashboard.pages.rounds_queue import SHOWN, Queue
from rlhf_lab.dashboard.pages.rounds_words import duration, job_settings, job_title
from rlhf_lab.dashboard.shell import Act, messages


@pytest.fixture
def queue(context):
    return Queue(context)


def look(queue: Queue, jobs) -> str:
    queue.update(jobs.open(), jobs.all())
    return text(queue.shown.html)


def text(html: str) -> str:
    """What is read, without tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def act(queue: Queue, name: str, key: str) -> None:
    queue.shown.act(Act(name=name, key=key, values={}))


def test_an_empty_queue_says_what_to_do(queue, jobs):
    assert look(queue, jobs) == "Nothing was asked for yet: start a step above."


def test_who_asked_what_runs_and_what_waits(queue, jobs):
    jobs.ask("ppo", {"steps": 8, "learning_rate": 3e-4}, "ada")
    jobs.ask("generate", {"k": 2, "prompts": 16}, "bob")
    jobs.ask("evaluate", {}, "cy")
    first = look(queue, jobs)
    assert "PPO, 8 steps next" in first
    assert "learning rate 0.0003" in first
    jobs.take("w1")
    shown = look(queue, jobs)
    assert "PPO, 8 steps running Stop" in shown
    assert "Generate 2 responses to each of 16 prompts waits for 1 job before it Cancel" in shown
    assert "waits for 2 jobs before it" in shown
    assert [name in shown for name in ("ada asked", "bob asked", "cy asked")] == [True] * 3


def test_progress_shows_as_it_comes(queue, jobs):
    job = jobs.ask("ppo", {"steps": 8}, "ada")
    jobs.take("w1")
    assert "0 of 8" in look(queue, jobs)
    jobs.tell(job.id, "w1", done=3, total=8)
    assert "3 of 8" in look(queue, jobs)
    assert 'value="3" max="8"' in queue.shown.html
    jobs.finish(job.id, "w1", "done", "policy@1 was kept.")
    shown = look(queue, jobs)
    assert "PPO, 8 steps done policy@1 was kept. ada asked" in shown
    assert "Nothing is running and nothing waits." in shown


def test_nothing_is_sent_when_nothing_changed(queue, jobs):
    jobs.ask("ppo", {"steps": 8}, "ada")
    jobs.take("w1")
    look(queue, jobs)
    sent = []
    queue.shown.param.watch(sent.append, "html")
    for _ in range(3):
        look(queue, jobs)
    assert sent == []


def test_a_job_that_waits_says_for_whom(queue, jobs):
    job = jobs.ask("reward", {}, "ada")
    jobs.wait(job.id, "Waits for grace's notebook, which trains since 14:05.")
    assert "Waits for grace's notebook" in look(queue, jobs).replace("&#39;", "'")


def test_one_that_waits_is_cancelled_and_tried_again(queue, context, jobs):
    job = jobs.ask("ppo", {"steps": 8}, "bob")
    look(queue, jobs)
    act(queue, "cancel", job.id)
    assert jobs.get(job.id).state == "cancelled"
    assert jobs.get(job.id).cancelled_by == "ada"
    assert "Cancelled by ada." in text(queue.shown.html)
    act(queue, "retry", job.id)
    [again] = jobs.open()
    assert (again.kind, dict(again.arguments), again.asked_by) == ("ppo", {"steps": 8}, "ada")
    assert 'data-act="retry"' not in queue.shown.html  # it is asked for already
    act(queue, "retry", job.id)
    assert len(jobs.open()) == 1
    assert "asked for already" in messages(context).html


def test_one_that_runs_is_asked_to_stop_after_its_step(queue, context, jobs):
    job = jobs.ask("ppo", {"steps": 8}, "ada")
    jobs.take("w1")
    look(queue, jobs)
    assert "data-confirm=" in queue.shown.html
    act(queue, "cancel", job.id)
    shown = text(queue.shown.html)
    assert "stopping after its present step, for ada" in shown
    assert 'data-act="cancel"' not in queue.shown.html
    jobs.finish(job.id, "w1", "cancelled", "Stopped after 2 of 8 steps; policy@1 keeps them.")
    assert "policy@1 keeps them." in look(queue, jobs)


def test_an_unknown_job_is_told(queue, context, jobs):
    act(queue, "cancel", "<img src=x>")
    assert "is no job of this lab" in messages(context).html
    assert "<img" not in messages(context).html


def test_the_older_ones_are_folded(queue, jobs):
    for _ in range(SHOWN + 2):
        jobs.cancel(jobs.ask("reward", {}, "ada").id, "ada")
    look(queue, jobs)
    before, _, folded = queue.shown.html.partition("<details")
    assert before.count("data-row=") == SHOWN
    assert folded.count("data-row=") == 2


def test_titles_name_what_is_done(jobs):
    checkout = jobs.ask("checkout", {"name": "policy@1", "with_reward": False}, "ada")
    assert job_title(checkout) == "Check out policy@1, the reward model stays"
    assert job_settings(checkout) == ""
    ppo = jobs.ask("ppo", {"steps": 1, "kl": "fixed", "kl_coef": 0.1}, "ada")
    assert job_title(ppo) == "PPO, 1 step"
    assert job_settings(ppo) == "kl fixed, kl coef 0.1"
    assert job_title(jobs.ask("undo", {}, "ada")) == "Undo"
    undo = jobs.ask("undo", {"to": "policy@1"}, "ada")
    assert (job_title(undo), job_settings(undo)) == ("Undo to policy@1", "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations_in_words(seconds, words):
    assert duration(timedelta(seconds=seconds)) == words
