"""A writer with several annotators at work, killed at random moments, again and again.

python -m benchmarks.torture [--kills N] [--database sqlite|postgres|PLACE] [--seed N]

Each life of the writer is a process in which four annotators rank, correct, skip, undo and redo at
once. It announces every act on a pipe, does it, and acknowledges it on the pipe; SIGKILL ends it.
The next life first repeats what was announced and not acknowledged, under the same id. At the
end everything acknowledged must be there as it was said, once, with a chain that verifies and with
exactly those judgments counting that a replay of the events leaves.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.forked import in_child, send
from benchmarks.places import place
from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import PreferenceStore, audit
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, Response

ANNOTATORS = ("ann", "bob", "cat", "dan")
# A life ends so many acts after the writer began to speak, and so many seconds later at most: the
# same work on any machine, cut at any point within an act.
LONGEST_LIFE, JITTER = 60, 0.02
STILLBORN = 0.1  # share of lives that end while the lab is being opened
PROMPTS, CANDIDATES = 2_000, 3

Act = dict[str, Any]  # as it goes through the pipe: id, annotator, kind and, if any, what was said


@dataclass
class Record:
    """What the parent knows of all lives, from their pipes alone.

    Attributes:
        announced: Every act by its id.
        acknowledged: Ids of those that the store had said were on disk.
        pending: The act of each annotator that was under way when the writer was killed.
    """

    announced: dict[str, Act] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    pending: dict[str, Act] = field(default_factory=dict)

    def note(self, line: str) -> None:
        """Take in one line of a writer."""
        said = json.loads(line)
        if "failed" in said:
            raise SystemExit(f"the writer failed of itself:\n{said['failed']}")
        if "act" in said:
            act = said["act"]
            self.announced[act["id"]] = self.pending[act["annotator"]] = act
        else:
            del self.pending[said["annotator"]]
            if said["stored"]:
                self.acknowledged.add(said["id"])


def torture(location: Path | str, kills: int, seed: int = 0) -> dict[str, Any]:
    """Fill a lab in many short lives and look at what is left.

    Args:
        location: Where there is no lab yet.
        kills: Number of lives, each ended by SIGKILL.
        seed: Of what annotators do, and of the moments.
    """
    # This process opens no database until the last writer is gone: connections survive no fork.
    record = Record()
    for line in in_child(lambda _pipe: _prepare(location)):
        record.note(line)
    moments = random.Random(seed)
    start = time.perf_counter()
    tqdm.monitor_interval = 0  # its thread would not survive a fork either
    for life in tqdm(range(kills), desc="kills", unit="kill", file=sys.stderr):
        pending = dict(record.pending)

        def work(pipe: int, life: int = life, pending: dict[str, Act] = pending) -> None:
            _live(location, pipe, f"{seed}/{life}", pending)

        stillborn = moments.random() < STILLBORN
        acts = 0 if stillborn else moments.randint(1, LONGEST_LIFE)
        delay = moments.uniform(0, 0.3 if stillborn else JITTER)
        for line in in_child(work, kill=(acts, delay)):
            record.note(line)
    seconds = time.perf_counter() - start
    with PreferenceStore(location) as store:
        return {"kills": kills, **inspect(store, record), "seconds": round(seconds, 1)}


def inspect(store: PreferenceStore, record: Record) -> dict[str, Any]:
    """Hold what is stored against what was announced and acknowledged."""
    with store.database.write():
        pass  # whatever a killed client had sent to a server is done or gone after this
    events = store.judgments(kinds=("ranking", "skip", "undo"), include_superseded=True)
    times = Counter(event.id for event in events)
    altered = [e.id for e in events if not _is_what_was_said(e, record.announced.get(e.id))]
    report = audit(store, progress=False)
    return {
        "acknowledged": len(record.acknowledged),
        "lost": len(record.acknowledged - times.keys()),
        "duplicated": sum(times.values()) - len(times),
        "chain": "verified" if report.ok else "; ".join(report.problems[:3]),
        "altered": len(altered),
        "events": len(events),
        "counting": len(store.judgments(kinds=("ranking", "skip"))),
    }


def _is_what_was_said(event: Judgment, act: Act | None) -> bool:
    if act is None or event.annotator != act["annotator"]:
        return False
    if act["kind"] in ("undo", "redo"):
        return event.kind == "undo"
    tiers = None if event.ranking is None else [list(t) for t in event.ranking.tiers]
    said = (act["kind"], act["prompt_id"], act["tiers"], act["supersedes"], act["comment"])
    return (event.kind, event.prompt_id, tiers, event.supersedes, event.comment) == said


# -- inside a life


def _prepare(location: Path | str) -> None:
    prompts = [
        Prompt(messages=(Message(role="user", content=f"Question {n}?"),)) for n in range(PROMPTS)
    ]
    with PreferenceStore(location) as store:
        store.add_prompts(prompts)
        store.add_responses(
            Response(id=f"{p.id}-{n}", prompt_id=p.id, text=f"Answer {n}.", version="policy@0")
            for p in prompts
            for n in range(CANDIDATES)
        )
        store.assignments.offer()
        store.assignments.plan = AssignmentPlan(
            overlap=3, shuffled=True, repeat_rate=0.05, lease_seconds=2
        )


def _live(location: Path | str, pipe: int, seed: str, pending: dict[str, Act]) -> None:
    store = PreferenceStore(location)
    failed = threading.Event()

    def annotate(name: str) -> None:
        try:
            annotator = _Annotator(store, name, pipe, random.Random(f"{seed}/{name}"))
            if name in pending:
                annotator.do(pending[name])
            while True:
                annotator.do(annotator.decide())
        except Exception:  # noqa: BLE001 - goes to the parent, which stops
            send(pipe, failed=traceback.format_exc()[-2000:])
            failed.set()

    for name in ANNOTATORS:
        threading.Thread(target=annotate, args=(name,), daemon=True).start()
    failed.wait()  # for the kill, if nothing goes wrong


class _Annotator:
    """One of those at work in a life."""

    def __init__(self, store: PreferenceStore, name: str, pipe: int, random: random.Random) -> None:
        self._store = store
        self._name = name
        self._pipe = pipe
        self._random = random

    def decide(self) -> Act:
        """What to do next."""
        act: Act = {"id": f"{self._random.getrandbits(96):024x}", "annotator": self._name}
        [kind] = self._random.choices(("rank", "correct", "undo", "redo"), (60, 15, 15, 10))
        if kind in ("undo", "redo"):
            return {**act, "kind": kind}
        latest = self._store.latest_active(self._name) if kind == "correct" else None
        if latest is not None and latest.shown_order:
            return {**act, **self._opinion(latest.prompt_id, latest.shown_order, latest.id)}
        item = self._store.assignments.next_item(self._name)
        if item is None:
            return {**act, "kind": "redo"}
        shown = tuple(c.id for c in item.candidates)
        return {**act, **self._opinion(item.prompt.id, shown, None)}

    def _opinion(self, prompt_id: str, shown: Sequence[str], supersedes: str | None) -> Act:
        scores = {i: self._random.randrange(3) for i in shown}  # with ties
        tiers = [list(t) for t in Ranking.from_scores(scores).tiers]
        skipped = self._random.random() < 0.1
        return {
            "kind": "skip" if skipped else "ranking",
            "prompt_id": prompt_id,
            "shown": list(shown),
            "tiers": None if skipped else tiers,
            "supersedes": supersedes,
            "comment": f"comment {self._random.getrandbits(32)}",
        }

    def do(self, act: Act) -> None:
        """Announce, do, acknowledge."""
        send(self._pipe, act=act)
        send(self._pipe, id=act["id"], annotator=self._name, stored=self._store_act(act))

    def _store_act(self, act: Act) -> bool:
        if act["kind"] in ("undo", "redo"):
            take_back = getattr(self._store.assignments, act["kind"])
            try:
                return take_back(self._name, submission=act["id"]) is not None
            except JudgmentError:  # a redo, after others have taken the place
                return False
        tiers = act["tiers"]
        self._store.submit(
            Judgment(
                id=act["id"],
                prompt_id=act["prompt_id"],
                annotator=self._name,
                kind=act["kind"],
                shown_order=tuple(act["shown"]),
                ranking=tiers and Ranking(tiers=tuple(tuple(t) for t in tiers)),
                comment=act["comment"],
                supersedes=act["supersedes"],
            )
        )
        return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and say what was found; the exit status is 1 if anything is wrong."""
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arg.add_argument("--kills", type=int, default=200)
    arg.add_argument(
        "--database",
        default="sqlite",
        help="sqlite, postgres (a server of its own), a file or a URL",
    )
    arg.add_argument("--seed", type=int, default=0)
    options = arg.parse_args(arguments)
    with place(options.database) as location:
        found = torture(location, options.kills, options.seed)
    fine = not (found["lost"] or found["duplicated"] or found["altered"])
    print(json.dumps({"benchmark": "torture", "seed": options.seed, **found}))
    return int(not (fine and found["chain"] == "verified"))


if __name__ == "__main__":
    raise SystemExit(main())
