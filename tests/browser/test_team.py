"""A team's first round in real browsers: one story, from the link of the first start to an undo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from rlhf_lab import Lab
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Judgment
from tests.browser.conftest import no_errors
from tests.browser.jupyter import Browser as Guarded
from tests.dashboard.helpers import PASSWORD, Served, served
from tests.dashboard.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.slow]

TRAIN = ("Name a colour.", "Name a fruit.", "Name a river.", "Name a bird.")
HELDOUT = ("Name a tree.", "Name a drink.")
ITEMS = 4
MODEL_WORK_MS = 600_000
"""A job of the embedded model on two cores that other tests keep busy."""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A dashboard over a lab on the embedded model, with a worker and nobody in it yet."""
    folder = tmp_path_factory.mktemp("team") / "lab"
    with Lab(folder, progress=False) as lab:
        lab.add_prompts(list(TRAIN), split="train")
        lab.add_prompts(list(HELDOUT), split="heldout")
    with served(folder) as running:
        yield running


class Person:
    """Somebody at a browser of their own."""

    def __init__(self, browser: Browser, team: Served, name: str) -> None:
        self.name = name
        self.page: Page = browser.new_context(
            viewport={"width": 1280, "height": 1000}, permissions=["clipboard-write"]
        ).new_page()
        self._team = team

    def open(self, path: str) -> Page:
        self.page.goto(f"{self._team.url}{path}")
        expect(self.page.locator("main h1, .rlhf-ranker").first).to_be_visible()
        return self.page

    def join(self, link: str) -> None:
        """Use a one-time link."""
        self.page.goto(link)
        if self.page.get_by_label("Your name").count():
            self.page.get_by_label("Your name").fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_label("The same once more").fill(PASSWORD)
        self.page.get_by_role("button", name="Make the account").click()
        self.page.wait_for_url("**/rank")

    def sign_out_and_in(self) -> None:
        self.page.get_by_role("button", name=re.compile("account, appearance")).click()
        self.page.get_by_role("button", name="Sign out", exact=True).click()
        self.page.wait_for_url("**/login*")
        self.page.get_by_label("Name", exact=True).fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url("**/rank")

    def invite(self, name: str, role: str) -> str:
        """Make a link for somebody."""
        page = self.open("/people")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Role", exact=True).select_option(role)
        page.get_by_role("button", name="Make an invitation link").click()
        link = page.get_by_label("One-time link")
        expect(link).to_have_value(re.compile("/invite/"))
        return link.input_value()

    @property
    def ranker(self) -> Locator:
        return self.page.locator(".rlhf-ranker")

    def rank(self, *keys: str) -> None:
        """One pair for each key, which says how much better which one is."""
        self.open("/rank")
        for key in keys:
            done = len(self._said())
            self.ranker.get_by_role("group", name="Response A,").focus()
            self.page.keyboard.press(key)
            self.page.keyboard.press("Enter")
            until(lambda done=done: len(self._said()) > done)
            expect(self.ranker).to_have_attribute("aria-busy", "false")

    def compare(self, *keys: str) -> None:
        """Prefer one of two versions' responses, for each key."""
        comparer = self.page.locator(".rlhf-comparer")
        for key in keys:
            done = len(self._said())
            comparer.locator(".rc-bar").focus()
            self.page.keyboard.press(key)
            self.page.keyboard.press("Enter")
            until(lambda done=done: len(self._said()) > done)
            expect(comparer).to_have_attribute("aria-busy", "false")

    def _said(self) -> list[Judgment]:
        return self._team.store.judgments(annotator=self.name)

    def start(self, name: str, **fields: str) -> None:
        """Start a step of the round."""
        form = self.page.get_by_role("region", name=name, exact=True)
        if form.get_by_text("Settings").count():
            form.get_by_text("Settings").click()
        for label, value in fields.items():
            form.get_by_label(label.replace("_", " "), exact=True).fill(value)
        form.locator("button[type=submit]").click()

    def wait_for(self, title: str) -> None:
        """Wait until the job of this title is done."""
        job = self.page.locator(".rounds-jobs li", has_text=title).first
        expect(job).to_contain_text("done", timeout=MODEL_WORK_MS)


def test_a_team_goes_through_a_round(team: Served, session_browser: Guarded) -> None:
    browser = session_browser.context.browser
    assert browser is not None
    assert team.admin_link is not None
    root, ann, bob, rita = (Person(browser, team, n) for n in ("Root", "Ann", "Bob", "Rita"))
    with ExitStack() as stack:
        for person in (root, ann, bob, rita):
            stack.enter_context(no_errors(person.page, session_browser))

        root.join(team.admin_link)
        links = {p.name: root.invite(p.name, r) for p, r in _roles(ann, bob, rita)}
        for person, _ in _roles(ann, bob, rita):
            person.join(links[person.name])
        ann.sign_out_and_in()
        assert _refused(ann, "/rounds")
        assert _refused(bob, "/people")

        page = rita.open("/rounds")
        page.get_by_label("People per item").fill("2")
        page.get_by_role("button", name="Save the plan").click()
        expect(page.get_by_text("The plan is saved")).to_be_visible()
        rita.start("Generate", Responses_per_prompt="2", Prompts=str(ITEMS))
        rita.wait_for("Generate 2 responses")

        ann.rank("1", "1", "1", "1")
        bob.rank("2", "8", "5")
        page = rita.open("/agreement")
        for name in ("Ann", "Bob"):
            expect(page.locator("main")).to_contain_text(name)
        expect(page.locator("main")).to_contain_text("alpha")

        page = rita.open("/rounds")
        rita.start("Reward update")
        rita.wait_for("Reward update")
        rita.start("PPO", Steps="3", Prompts_per_step="2", **{"Responses_per_prompt": "2"})
        live = page.locator(".rlhf-monitor")
        expect(live).to_contain_text("PPO, 3 steps", timeout=MODEL_WORK_MS)
        bob.rank("1")  # while it runs
        assert _job(team.store, "ppo").state == "running"
        expect(live).to_contain_text("Reward score")
        rita.wait_for("PPO, 3 steps")
        expect(page.locator(".rlhf-versions")).to_contain_text("policy@1")

        rita.start("Evaluate", Prompts="2")
        rita.wait_for("Evaluat")
        page = rita.open("/evaluate?first=policy@1&second=policy@0")
        expect(page.locator("main")).to_contain_text("By the rubric")
        page.get_by_role("button", name="Have the team compare these").click()
        rita.compare("1", "2")

        page = rita.open("/rounds")
        page.get_by_role("button", name="Undo to policy@0").click()
        rita.wait_for("Undo")
        expect(page.locator(".rlhf-versions")).to_contain_text("Present: policy@0")
    _is_what_was_clicked(team.store)


def _roles(ann: Person, bob: Person, rita: Person) -> list[tuple[Person, str]]:
    return [(ann, "annotator"), (bob, "annotator"), (rita, "researcher")]


def _refused(person: Person, path: str) -> bool:
    answer = person.page.goto(f"{person._team.url}{path}")
    assert answer is not None
    return answer.status == 403


def _job(store: PreferenceStore, kind: str) -> Any:
    return next(job for job in store.jobs.all() if job.kind == kind)


def _is_what_was_clicked(store: PreferenceStore) -> None:
    said = [
        (j.annotator, _ranks(j), j.strength)
        for j in store.judgments(kinds=("ranking", "skip", "undo"), include_superseded=True)
    ]
    assert said == [
        *[("Ann", [1, 2], "much")] * ITEMS,
        ("Bob", [1, 2], "clearly"),
        ("Bob", [2, 1], "clearly"),
        ("Bob", [1, 1], None),
        ("Bob", [1, 2], "much"),
        ("Rita", [1, 2], None),
        ("Rita", [2, 1], None),
    ]
    assert store.assignments.plan.overlap == 2
    asked = [(j.kind, j.asked_by, j.state, j.attempts) for j in reversed(store.jobs.all())]
    kinds = ("generate", "reward", "ppo", "evaluate", "undo")
    assert asked == [(kind, "Rita", "done", 1) for kind in kinds]
    candidates = [r for r in store.responses() if r.purpose == "candidate"]
    assert len(candidates) == 2 * ITEMS
    assert [v.name for v in store.versions()] == ["policy@0", "reward@0", "policy@1"]
    assert len(store.metrics("ppo", "policy@1")) == 3
    assert len(store.metrics("evaluation", "policy@1")) == 1
    assert store.get_setting("head.policy") == "policy@0"


def _ranks(judgment: Judgment) -> list[int]:
    assert judgment.ranking is not None
    given = judgment.ranking.ranks()
    return [given[response] for response in judgment.shown_order]
