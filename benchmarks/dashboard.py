"""A team at the dashboard while PPO runs: how long a click waits, and what a crash costs.

python -m benchmarks.dashboard [--browsers 8] [--clicks 400] [--pace 4] [--kills 0] [--seed 0]

A lab on the embedded model is served; so many people sign in at browsers of their own and rank,
each after 2 to 6 seconds with an item at the usual pace, while the worker makes PPO steps. All of
that is on the same processors: the browsers, too, which in a team are elsewhere.
The time is that from a click on Submit until the page has the server's word that the judgment is
on disk. With --kills N the worker, the server and browsers' connections are ended at random
moments, N times each, until when people go on ranking; times then say nothing and are left out.

In the end every judgment that any page was told is saved is looked for in the database.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.figures import Target
from benchmarks.ledger import settle
from benchmarks.rankers import PASSWORD, Person, people, quiet
from benchmarks.relay import Relay
from benchmarks.report import VERDICTS, processor_name
from benchmarks.served import Served
from rlhf_lab import Lab, RewardConfig, Sampling, load_prompts
from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.store import PreferenceStore, audit, open_store
from rlhf_lab.types import Job

TARGETS = (
    Target(figure="p95_ms", at_most=200),
    Target(figure="lost", at_most=0),
    Target(figure="duplicated", at_most=0),
)
ADMIN = "bench"
STEPS = 10_000
"""More than the load lasts: the job is cancelled in the end."""

FIRST_STEP_SECONDS = 300
BETWEEN_KILLS = 4
"""Judgments that are told to be saved between two faults: each finds people at work."""
AFTER_THAT = (0.0, 4.0)
"""Seconds, so that a fault comes at any moment."""
PACE, CALM_PACE = 4.0, 8.0
"""Mean seconds of a person with an item; calm ones have items left after all faults."""

SMALL = {"prompts_per_step": 2, "responses_per_prompt": 2}
"""Steps that are made between two kills."""

CHROMIUM = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking")


def prepare(folder: Path, browsers: int, seed: int) -> Path:
    """A lab with a reward model and something to rank for everybody; returns its directory."""
    path = folder / "lab"
    with Lab(path, sampling=Sampling(max_new_tokens=24), seed=seed) as lab:
        lab.add_prompts(load_prompts())
        # What matters is that there is a reward model, and that there are texts to rank.
        lab.generate(k=2, prompts=8)
        lab.annotate()
        lab.update_reward(RewardConfig(epochs=1))
        lab.generate(k=2, prompts=120)
        accounts = Accounts(lab.store.database)
        accounts.redeem(accounts.invite_admin(), PASSWORD, name=ADMIN)
        for number in range(browsers):
            name = f"annotator-{number}"
            accounts.redeem(accounts.invite(name, "annotator", ADMIN), PASSWORD)
    return path


class Faults:
    """Ends the worker, the server and connections, so many times each, in random order."""

    def __init__(
        self,
        served: Served,
        relays: Sequence[Relay],
        everyone: Sequence[Person],
        path: Path,
        kills: int,
        seed: int,
    ) -> None:
        self._path = path
        self._served = served
        self._relays = relays
        self._everyone = everyone
        self._random = random.Random(seed)
        self._left = ["worker", "server", "connection"] * kills
        self._random.shuffle(self._left)
        self.done = dict.fromkeys(self._left, 0)

    @property
    def over(self) -> bool:
        """Whether all have been."""
        return not self._left

    async def run(self) -> None:
        """One after the other, each once people have come to work after the one before."""
        for what in tqdm(list(self._left), desc="faults", file=sys.stderr):
            until = self._judgments() + BETWEEN_KILLS
            while self._judgments() < until:
                await asyncio.sleep(0.1)
            await asyncio.sleep(self._random.uniform(*AFTER_THAT))
            await getattr(self, f"_end_{what}")()
            self.done[what] += 1
            self._left.pop()

    def _judgments(self) -> int:
        return sum(len(person.trips) for person in self._everyone)

    async def _end_worker(self) -> None:
        """Wait until there is one, and kill it; three in a row would end a job for good."""
        await asyncio.to_thread(self._have_work)
        while (pid := self._served.worker()) is None:
            await asyncio.sleep(0.2)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _have_work(self) -> None:
        with open_store(self._path) as store:
            ask_ppo(store, SMALL)

    async def _end_server(self) -> None:
        """Kill it, and start it again as a service manager does."""
        self._served.kill()
        await asyncio.sleep(self._random.uniform(0.0, 2.0))
        await asyncio.to_thread(self._served.start)

    async def _end_connection(self) -> None:
        self._random.choice(self._relays).cut()


async def load(
    everyone: Sequence[Person],
    faults: Faults,
    path: Path,
    *,
    clicks: int,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Have people rank while PPO runs; returns the figures."""
    from tests.browser.jupyter import chromium_path

    bar = tqdm(total=clicks, desc="judgments", unit="click", file=sys.stderr)

    def goes_on() -> bool:
        return bar.n < clicks or not faults.over

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=list(CHROMIUM)
        )
        for person in everyone:
            await person.sign_in(browser)
        await asyncio.to_thread(wait_for_ppo, path, settings)
        ranking = [person.rank(goes_on=goes_on, told=bar.update) for person in everyone]
        await asyncio.gather(*ranking, faults.run())
        await quiet(everyone)
        steps = await asyncio.to_thread(steps_made, path)
        await browser.close()
    bar.close()
    with open_store(path) as store:
        account = settle([person.ledger for person in everyone], store)
        chained = audit(store, progress=False).ok
    trips = [trip for person in everyone for trip in person.trips]
    return {
        "browsers": len(everyone),
        "clicks": len(trips),
        **({} if faults.done else _percentiles(trips)),
        **asdict(account),
        "chain": "verified" if chained else "broken",
        "ppo_steps": steps,
        "reloads_by_hand": sum(person.reloads for person in everyone),
        **{f"killed_{what}": times for what, times in faults.done.items()},
    }


def _percentiles(trips: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(trips, n=100, method="inclusive")
    found = {"p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98], "max_ms": max(trips)}
    return {name: round(value, 1) for name, value in found.items()}


def wait_for_ppo(path: Path, settings: dict[str, Any]) -> None:
    """Ask for PPO, and return once its first step is under way."""
    with open_store(path) as store:
        job = ask_ppo(store, settings)
        deadline = time.monotonic() + FIRST_STEP_SECONDS
        while not store.jobs.events(job.id):
            if time.monotonic() > deadline:
                raise SystemExit(f"no PPO step began: {store.jobs.get(job.id)}")
            time.sleep(0.5)


def ask_ppo(store: PreferenceStore, settings: dict[str, Any]) -> Job:
    """The PPO job that is open, or a new one."""
    found = store.jobs.open()
    return found[0] if found else store.jobs.ask("ppo", {"steps": STEPS, **settings}, by=ADMIN)


def steps_made(path: Path) -> int:
    """Cancel what is open; how many steps all jobs have made."""
    with open_store(path) as store:
        for job in store.jobs.open():
            store.jobs.cancel(job.id, by=ADMIN)
        return sum(job.done for job in store.jobs.all() if job.kind == "ppo")


def measure(*, browsers: int, clicks: int, pace: float, kills: int, seed: int) -> dict[str, Any]:
    """Everything, in a folder that goes again."""

    async def run(folder: Path) -> dict[str, Any]:
        path = prepare(folder, browsers, seed)
        served = Served(path, folder)
        # What a relay takes is not the dashboard's: only who is to be cut off is behind one.
        relays = [Relay(served.port) for _ in range(browsers if kills else 0)]
        for relay in relays:
            await relay.start()
        served.allow([f"127.0.0.1:{relay.port}" for relay in relays])
        served.start()
        ports = [relay.port for relay in relays] or [served.port] * browsers
        everyone = people(ports, (pace / 2, 3 * pace / 2), seed)
        faults = Faults(served, relays, everyone, path, kills, seed)
        settings = SMALL if kills else {}
        try:
            return await load(everyone, faults, path, clicks=clicks, settings=settings)
        finally:
            for relay in relays:
                await relay.stop()
            served.stop()

    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        return asyncio.run(run(Path(folder)))


def _show(figures: dict[str, Any]) -> None:
    table = Table(title=f"dashboard on {processor_name()}")
    table.add_column("figure")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name, str(value))
    for target in TARGETS:
        table.add_row(str(target), VERDICTS[target.met(figures)])
    Console(stderr=True).print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table and one line of JSON; the exit status is 1 if a word was lost."""
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arg.add_argument("--browsers", type=int, default=8)
    arg.add_argument("--clicks", type=int, default=400, help="judgments of all together, at least")
    arg.add_argument(
        "--pace",
        type=float,
        help=f"mean seconds with an item; {PACE:g}, {CALM_PACE:g} with --kills",
    )
    arg.add_argument("--kills", type=int, default=0, help="of each kind; 20 to report")
    arg.add_argument("--seed", type=int, default=0)
    options = arg.parse_args(arguments)
    if options.browsers < 1 or options.clicks < 2:
        arg.error(f"--browsers {options.browsers} --clicks {options.clicks}: 1 and 2 at least.")
    pace = options.pace or (CALM_PACE if options.kills else PACE)
    figures = measure(
        browsers=options.browsers,
        clicks=options.clicks,
        pace=pace,
        kills=options.kills,
        seed=options.seed,
    )
    _show(figures)
    print(
        json.dumps(
            {
                "benchmark": "dashboard",
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "device": processor_name(),
                "pace_s": pace,
                **figures,
                "targets": [{**asdict(t), "met": t.met(figures)} for t in TARGETS],
            }
        )
    )
    return int(bool(figures["lost"] or figures["duplicated"]))


if __name__ == "__main__":
    raise SystemExit(main())
