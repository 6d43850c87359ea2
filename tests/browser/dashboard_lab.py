"""A lab in its third round with a team at work, for pictures of the dashboard; needs no model."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import rlhf_lab as rl
from rlhf_lab.annotators import CalibrationQueue, ComparisonQueue
from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.store import AssignmentPlan, CalibrationPlan, PreferenceStore, open_store
from rlhf_lab.store.job_events import EventWriter
from rlhf_lab.types import (
    Job,
    JobKind,
    Judgment,
    Prompt,
    Ranking,
    RankingItem,
    Response,
    Sampling,
    Version,
    utc_now,
)
from tests.browser.dashboard_answers import ANSWERS, HELD_OUT, KINDS
from tests.browser.monitor_run import DRIFT, figures, samples
from tests.browser.versions_lab import evaluate, interval, set_heads
from tests.dashboard.helpers import PASSWORD, QUICK

ROLES = {"Ada": "admin", "Ben": "researcher", "Chloe": "annotator", "Dana": "annotator",
         "Emil": "annotator"}  # fmt: skip
AGE = timedelta(hours=41)
"""How long ago it began: what pages tell is how long ago something was."""

# How far off somebody's idea of an answer is: of its worth from 0 to 3, the standard deviation.
CARE = {"Ada": 0.3, "Ben": 0.5, "Chloe": 0.7, "Dana": 2.5, "Emil": 1.1}
WORTH = dict(zip(KINDS, (3.0, 2.0, 1.0, 0.0), strict=True))
COMMENTS = ("", "", "", "", "The first is right and short.", "Both read well.", "Not true.")
KNOWN = 9
CALIBRATING = 5
PPO_STEPS = 20
REWARDS = (
    ({"rankings": 36, "loss": 0.66, "heldout_accuracy": 0.63}, interval(0.63, 0.11, 14)),
    ({"rankings": 72, "loss": 0.61, "heldout_accuracy": 0.69}, interval(0.69, 0.08, 30)),
)
POLICIES = (
    ({"steps": 16, "score": 0.34, "kl": 2.4}, {"policy@0": interval(0.58, 0.09)}),
    (
        {"steps": PPO_STEPS, "score": 1.02, "kl": 5.8},
        {"policy@1": interval(0.61, 0.09), "policy@0": interval(0.69, 0.08)},
    ),
)


class Making:
    """A lab while it is made: its store, a clock that work moves on, and one source of chance."""

    def __init__(self, folder: Path) -> None:
        self.now = utc_now() - AGE
        self.draw = random.Random(0)
        with rl.Lab(folder, progress=False) as lab:
            self.seed = lab.seed
        self.store: PreferenceStore = open_store(folder, clock=lambda: self.now)
        self.worth: dict[str, float] = {}

    def id(self) -> str:
        return uuid.UUID(int=self.draw.getrandbits(128)).hex

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def respond(self, prompt: Prompt, version: str, texts: Sequence[str], purpose: str) -> None:
        """Answers of a version, from the best to the worst."""
        made = [
            Response(
                id=self.id(), prompt_id=prompt.id, text=text, token_ids=(1,) * (len(text) // 4),
                version=version, sampling=Sampling(), seed=number, end_reason="stop",
                purpose=purpose, created_at=self.now,
            )
            for number, text in enumerate(texts)
        ]  # fmt: skip
        self.store.add_responses(made)
        self.worth |= {one.id: worth for one, worth in zip(made, WORTH.values(), strict=False)}

    def judge(self, item: RankingItem, annotator: str) -> Judgment:
        """What somebody says of an item, as well as they can."""
        noise = CARE[annotator]
        seen = {c.id: self.worth[c.id] + self.draw.gauss(0, noise) for c in item.candidates}
        if annotator in ("Ada", "Chloe"):  # who say so when they see no difference
            seen = {id: float(round(worth)) for id, worth in seen.items()}
        seconds = self.draw.lognormvariate(2.0 if annotator == "Dana" else 3.2, 0.5)
        self.wait(seconds + 5)
        return Judgment(
            id=self.id(), prompt_id=item.prompt.id, annotator=annotator,
            shown_order=tuple(c.id for c in item.candidates), ranking=Ranking.from_scores(seen),
            comment=self.draw.choice(COMMENTS), seconds=seconds, created_at=self.now,
        )  # fmt: skip


def fill(folder: Path) -> None:
    """Make the lab; its people all have the password of `tests.dashboard.helpers`."""
    making = Making(folder)
    with making.store:
        making.store.add_prompts(rl.load_prompts("starter"))
        _people(making.store, lambda: making.now)
        making.store.assignments.plan = AssignmentPlan(
            overlap=3, gold_rate=0.1, repeat_rate=0.1, repeat_after=3
        )
        _rounds(making)
        _compare(making)
        _work(making)


def _people(store: PreferenceStore, clock: Callable[[], datetime]) -> None:
    accounts = Accounts(store.database, clock, passwords=QUICK)
    accounts.redeem(accounts.invite_admin(), PASSWORD, name="Ada")
    for name, role in ROLES.items():
        if role != "admin":
            accounts.redeem(accounts.invite(name, role, "Ada"), PASSWORD)


def _version(
    making: Making, name: str, parent: str | None, with_: Sequence[str] = (), **metrics: float
) -> None:
    version = Version(
        name=name, parent=parent, path=f"checkpoints/{name}", trained_with=tuple(with_),
        metrics=metrics, created_at=making.now,
    )  # fmt: skip
    making.store.add_version(version)


def _update(making: Making, number: int) -> None:
    """What an update brings: a reward model, a policy that learned from it, and its evaluations."""
    of_reward, of_policy = REWARDS[number - 1], POLICIES[number - 1]
    reward, policy = f"reward@{number - 1}", f"policy@{number}"
    _version(making, reward, f"reward@{number - 2}" if number > 1 else None, **of_reward[0])
    making.store.log_metrics("reward", reward, 0, of_reward[1].figures("heldout_accuracy"))
    making.wait(900)
    _version(making, policy, f"policy@{number - 1}", [reward], **of_policy[0])
    making.wait(600)
    for baseline, won in of_policy[1].items():
        evaluate(making.store, policy, baseline, won, of_policy[0]["kl"])
    set_heads(making.store, policy, reward)


def _rounds(making: Making) -> None:
    """Each policy answers, and the team ranks; of the last one's answers much is still to do."""
    prompts = {prompt.text: prompt for prompt in making.store.prompts()}
    for number, rankings in enumerate((40, 52, 26)):
        version = f"policy@{number}"
        if number == 0:
            _version(making, version, None)
        else:
            _update(making, number)
        for text, answers in ANSWERS.items():
            making.respond(prompts[text], version, _as_by(number, answers), "candidate")
        for text, both in HELD_OUT.items():
            text_of_it = both[0] if number == 2 else both[1]
            making.respond(prompts[text], version, [text_of_it], "evaluation")
        making.store.assignments.offer(version)
        if number == 0:
            _known_answers(making)
        _rank(making, version, rankings)
        making.wait(18 * 3600 if number < 2 else 0)


def _as_by(number: int, answers: Sequence[str]) -> list[str]:
    """The same answers in the manner of an earlier or a later policy."""
    good, fair, short, poor = answers
    if number == 0:
        return [good[: len(good) * 2 // 3], fair, short, poor]
    if number == 1:
        return [f"Sure! {good}", f"{fair} I hope this helps!", short, poor]
    return [good, fair, short, poor]


def _known_answers(making: Making) -> None:
    """Ada's first rankings are known answers; newcomers begin with them, Ben is not done yet."""
    store = making.store
    said = [making.judge(item, "Ada") for item in _upcoming(making, "Ada", "policy@0", KNOWN)]
    for judgment in said:
        store.submit(judgment)
    store.assignments.make_gold([judgment.id for judgment in said])
    store.assignments.calibration = CalibrationPlan(enabled=True, items=CALIBRATING)
    for name, answered in (("Chloe", 5), ("Dana", 5), ("Emil", 5), ("Ben", 2)):
        queue = CalibrationQueue(store, annotator=name, seed=making.seed)
        for item in queue.upcoming(answered):
            queue.submit(making.judge(item, name))


def _upcoming(making: Making, name: str, version: str, count: int) -> list[RankingItem]:
    return making.store.assignments.upcoming(name, version, count, seed=making.seed)


def _rank(making: Making, version: str, rankings: int) -> None:
    names = list(CARE)
    for _ in range(rankings):
        name = making.draw.choices(names, (2, 2, 3, 3, 2))[0]
        if item := making.store.assignments.next_item(name, version, seed=making.seed):
            making.store.submit(making.judge(item, name))
    for name in names:
        making.store.assignments.give_back(name)


def _compare(making: Making) -> None:
    """The team compares the present policy with the first one, blind."""
    making.store.set_setting("comparison", {"first": "policy@2", "second": "policy@0"})
    for name, count in (("Ben", 6), ("Chloe", 6), ("Emil", 5), ("Ada", 2)):
        queue = ComparisonQueue(
            making.store, ("policy@2", "policy@0"), annotator=name, seed=making.seed,
            prompts=None, split="heldout",
        )  # fmt: skip
        for pair in queue.waiting(count):
            for one in pair.candidates:
                making.worth[one.id] = 2.0 if one.version == "policy@2" else 1.0
            queue.submit(making.judge(pair, name))


def _work(making: Making) -> None:
    """What the worker did of late: the last update, with its curves."""
    _done(making, "reward", {}, 240, 27, "Kept as reward@1.")
    job = _take(making, "ppo", {"steps": PPO_STEPS})
    told = EventWriter(lambda new: making.store.jobs.tell(job.id, "worker", [new]))
    told.started(done=0, total=PPO_STEPS)
    for step in range(1, PPO_STEPS + 1):
        of_step = figures(step)
        making.wait(sum(of_step[name] for name in of_step if name.startswith("seconds")))
        told.add(step, of_step, done=step)
        if step == 18:
            told.alarm(step, DRIFT)
    told.show(samples(PPO_STEPS, more=""))
    told.ended("finished", "Kept as policy@2.")
    _finish(making, job, PPO_STEPS, "Kept as policy@2.")
    _done(making, "evaluate", {"baseline": "policy@0", "prompts": 64}, 300, 128,
          "policy@2 won 69% against policy@0.")  # fmt: skip


def _done(
    making: Making, kind: JobKind, given: dict[str, object], seconds: float, total: int, note: str
) -> None:
    job = _take(making, kind, given)
    making.wait(seconds)
    _finish(making, job, total, note)


def _take(making: Making, kind: JobKind, given: dict[str, object]) -> Job:
    job = making.store.jobs.ask(kind, given, "Ben", id=making.id())
    making.wait(2)
    making.store.jobs.take("worker")
    return job


def _finish(making: Making, job: Job, total: int, note: str) -> None:
    making.store.jobs.tell(job.id, "worker", done=total, total=total)
    making.store.jobs.finish(job.id, "worker", "done", note)
    making.wait(60)
