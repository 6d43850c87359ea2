"""`Assignments`: the work of a team, handed out item by item."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from rlhf_lab.errors import JudgmentError
from rlhf_lab.store import (
    calibrating,
    checks,
    choosing,
    events,
    handing_out,
    items,
    judging,
    rows,
    taking_back,
)
from rlhf_lab.store.calibrating import CalibrationPlan
from rlhf_lab.store.choosing import OpenItem
from rlhf_lab.store.database import Database
from rlhf_lab.store.handing_out import Asking
from rlhf_lab.store.plan import AssignmentPlan, check_strategy, read_plan, write_plan
from rlhf_lab.store.tables import JudgmentRow, SettingRow
from rlhf_lab.store.taking_back import Place
from rlhf_lab.types import Judgment, KnownItem, Progress, RankingItem, Strategy

_SECRET = "secret"


class Assignments:
    """Who is to judge what, who has what in hand, and taking back what was said.

    Any number of processes may ask at once. An item in hand stays with its annotator until it is
    judged or its lease runs out; then it is offered again.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        """Work on a lab's database; leases run by this clock."""
        self._database = database
        self._clock = clock

    @property
    def plan(self) -> AssignmentPlan:
        """How the work is shared out; every process that opens the lab sees the same."""
        with self._database.read() as session:
            return read_plan(session)

    @plan.setter
    def plan(self, plan: AssignmentPlan) -> None:
        with self._database.write() as session:
            write_plan(session, plan)
            items.apply_overlap(session, plan)

    def offer(self, version: str | None = None) -> int:
        """Make items of the candidates of a version, or of all; returns how many are new.

        Done by `generate` when all candidates of its prompts are there; again, it adds nothing.
        """
        with self._database.read() as session:
            if items.is_offered(session, version):
                return 0
        with self._database.write() as session:
            return items.offer(session, version, self._clock())

    def version_to_rank(self, present: str) -> str:
        """The present version; while it has nothing to rank, the newest one that has."""
        self.offer(present)
        with self._database.read() as session:
            return items.newest_version(session, present) or present

    def open_items(self, version: str | None = None) -> list[OpenItem]:
        """What may still be handed out, with what was said of it: what priorities are made from."""
        self.offer(version)
        with self._database.read() as session:
            return choosing.open_items(session, version)

    def prioritise(self, version: str | None, priorities: Mapping[str, float]) -> None:
        """Write down how much each item would teach, for `strategy="informative"` to go by.

        Args:
            version: Whose items; None for all. Those without a priority here have 0 then.
            priorities: In nats, by item; 0 or more.

        Raises:
            ConfigError: one is negative or no number; nothing was written.
        """
        with self._database.write() as session:
            choosing.prioritise(session, version, priorities)

    def make_candidates(self, response_ids: Iterable[str]) -> int:
        """Offer these spare samples for ranking; returns how many were none before.

        Raises:
            StoreError: one is not stored, or was sampled for another purpose.
        """
        with self._database.write() as session:
            return choosing.make_candidates(session, response_ids)

    def make_gold(self, judgment_ids: Sequence[str]) -> int:
        """Take these rankings for known answers, handed out at the plan's rate.

        Raises:
            JudgmentError: one is no ranking that counts, or ranks what was never offered.
        """
        with self._database.write() as session:
            return items.make_gold(session, judgment_ids)

    @property
    def calibration(self) -> CalibrationPlan:
        """Whether newcomers begin with known answers that are told, and with how many."""
        with self._database.read() as session:
            return calibrating.read_calibration(session)

    @calibration.setter
    def calibration(self, plan: CalibrationPlan) -> None:
        with self._database.write() as session:
            calibrating.write_calibration(session, plan)

    def known_answers(self) -> int:
        """How many items have a known answer, those of the calibration set included."""
        with self._database.read() as session:
            return calibrating.known_answers(session)

    def known_items(self, annotator: str, *, seed: int = 0) -> list[KnownItem]:
        """The calibration set as one annotator has it, with what they said of it at first."""
        with self._database.read() as session:
            return calibrating.known_items(session, annotator, seed)

    def rankings_to_know(self, annotator: str, *, most: int) -> list[KnownItem]:
        """A researcher's own rankings that `make_gold` could take, the latest first."""
        with self._database.read() as session:
            return calibrating.rankings_to_know(session, annotator, most)

    def next_item(
        self,
        annotator: str,
        version: str | None = None,
        *,
        seed: int = 0,
        leave_ranked: bool = False,
        strategy: Strategy | None = None,
    ) -> RankingItem | None:
        """Hand out an item, or the one they hold; None when there is nothing: `upcoming` of 1."""
        found = self.upcoming(
            annotator, version, 1, seed=seed, leave_ranked=leave_ranked, strategy=strategy
        )
        return found[0] if found else None

    def upcoming(
        self,
        annotator: str,
        version: str | None,
        count: int | None,
        *,
        seed: int = 0,
        leave_ranked: bool = False,
        strategy: Strategy | None = None,
    ) -> list[RankingItem]:
        """Hand out as many items, beginning with those they hold; fewer when there are no more.

        Each stays theirs until it is judged or its lease, renewed with every call, runs out.

        Args:
            annotator: Who asks.
            version: Only candidates of this one; None for all.
            count: How many they want to have in hand; None for as many as suit the plan.
            seed: Of the annotator's order of items, and of the order candidates are shown in.
            leave_ranked: Leave out what anybody has ranked already.
            strategy: How new ones are chosen; None: as the plan says.
        """
        if strategy is not None:
            check_strategy(strategy)
        with self._database.lend() as session:
            asking = self._asking(annotator, version, seed, leave_ranked, strategy)
            return handing_out.upcoming(session, asking, count)

    def give_back(self, annotator: str) -> int:
        """Let others have what this person holds and has not judged, before its lease runs out.

        Returns:
            How many items.
        """
        with self._database.lend() as session:
            return handing_out.give_back(session, annotator)

    @property
    def lease_seconds(self) -> float:
        """How long what was handed out stays theirs, by the plan."""
        return self.plan.lease_seconds

    @property
    def secret(self) -> str:
        """A random text that this lab keeps, made when it is first asked for.

        What must not be guessed from what a page shows is derived from it.
        """
        with self._database.read() as session:
            kept = session.get(SettingRow, _SECRET)
            if kept is not None:
                return str(kept.value)
        with self._database.write() as session:
            kept = session.get(SettingRow, _SECRET)  # another process may have been first
            if kept is None:
                kept = SettingRow(key=_SECRET, value=secrets.token_hex(32))
                session.add(kept)
            return str(kept.value)

    def progress(
        self, annotator: str, version: str | None = None, *, leave_ranked: bool = False
    ) -> Progress:
        """How many items they have judged or skipped, of those there are for them."""
        with self._database.read() as session:
            return handing_out.progress(session, self._asking(annotator, version, 0, leave_ranked))

    def undo(
        self,
        annotator: str,
        version: str | None = None,
        *,
        submission: str | None = None,
        of: str | None = None,
        among: Iterable[RankingItem] | None = None,
    ) -> RankingItem | None:
        """Take back their latest ranking or skip that counts; its item, or None.

        Args:
            annotator: Who takes back.
            version: Only about candidates of this one; None for any, but no comparison of
                versions, which has its candidates from two.
            submission: Id of the act; the same twice is one undo.
            of: Id of the judgment it is meant for; None is returned if that is not the latest.
            among: Only about the candidates of one of these, which need not have been handed
                out; the version does not matter then.
        """
        place = Place(annotator=annotator, version=version, among=_ids(among))
        return self._take_back(place, submission, of, taking_back.latest)

    def redo(
        self,
        annotator: str,
        version: str | None = None,
        *,
        submission: str | None = None,
        of: str | None = None,
        among: Iterable[RankingItem] | None = None,
    ) -> RankingItem | None:
        """Take back their latest undo; its item, or None when there is none or they judged since.

        Args:
            annotator: Whose undo.
            version: As for `undo`, also for what was judged since.
            submission: Id of the act; the same twice is one redo.
            of: Id of the judgment it is to bring back, or of the undo it takes back; None is
                returned if that is another.
            among: As for `undo`, also for what was judged since.

        Raises:
            JudgmentError: others have ranked the item since, or have it in hand, as often as the
                plan wants.
        """
        place = Place(annotator=annotator, version=version, among=_ids(among))
        return self._take_back(place, submission, of, taking_back.latest_undone)

    def known(self, annotator: str, ids: Iterable[str]) -> set[str]:
        """Those of the ids under which a ranking, skip, undo or redo of theirs is stored."""
        with self._database.read() as session:
            columns = select(JudgmentRow.id, JudgmentRow.annotator)
            found = checks.in_chunks(session, columns, JudgmentRow.id, ids)
            return {row.id for row in found if row.annotator == annotator}

    def said(self, annotator: str, among: Iterable[RankingItem]) -> list[Judgment]:
        """Their rankings and skips of the candidates of these that count, in order."""
        with self._database.read() as session:
            found = taking_back.said_about(session, annotator, _ids(among) or set())
            return [rows.to_judgment(row) for row in found]

    def _take_back(
        self,
        place: Place,
        submission: str | None,
        of: str | None,
        find: Callable[[Session, Place], JudgmentRow | None],
    ) -> RankingItem | None:
        event_id = submission or uuid.uuid4().hex
        with self._database.write() as session:
            stored = session.scalar(select(JudgmentRow).where(JudgmentRow.id == event_id))
            if stored is not None:
                _refuse_other_act(stored, place.annotator)
                return taking_back.item_of(session, stored)
            target = find(session, place)
            if target is None or (of is not None and not taking_back.is_meant(target, of)):
                return None
            if target.kind == "undo":
                taking_back.refuse_redo_into_full(session, target, self._clock())
            event = Judgment(
                id=event_id,
                prompt_id=target.prompt_id,
                annotator=place.annotator,
                kind="undo",
                supersedes=target.id,
                created_at=self._clock(),
            )
            checks.check_against_store(session, event)
            events.append(session, event, self._clock())
            return taking_back.item_of(session, target)

    def _asking(
        self,
        annotator: str,
        version: str | None,
        seed: int,
        leave_ranked: bool,
        strategy: Strategy | None = None,
    ) -> Asking:
        return Asking(
            annotator=annotator,
            version=version,
            seed=seed,
            leave_ranked=leave_ranked,
            now=rows.aware(self._clock(), "the clock"),
            strategy=strategy,
        )


def _ids(items: Iterable[RankingItem] | None) -> set[str] | None:
    if items is None:
        return None
    ids = (judging.item_id(item.prompt.id, (c.id for c in item.candidates)) for item in items)
    return {i for i in ids if i is not None}


def _refuse_other_act(stored: JudgmentRow, annotator: str) -> None:
    if (stored.kind, stored.annotator) != ("undo", annotator):
        raise JudgmentError(
            f"submission id {stored.id!r} already holds a {stored.kind} by {stored.annotator!r}: "
            "make a new id for every act."
        )
