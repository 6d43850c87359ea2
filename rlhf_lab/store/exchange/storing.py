"""From records to rows of the store: ids, what is there already, and what contradicts it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from rlhf_lab.errors import LabError
from rlhf_lab.store import checks, events, judging, rows
from rlhf_lab.store.exchange.record import Record, RowProblem
from rlhf_lab.store.exchange.sources import Part
from rlhf_lab.store.prompt_files import split_by_hash
from rlhf_lab.store.tables import DemonstrationRow, JudgmentRow, PromptRow, ResponseRow
from rlhf_lab.types import IMPORTED, Demonstration, Judgment, Prompt, Ranking, Response, Split

Act = Judgment | Demonstration


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is true of a whole import; `import_data` says what they mean."""

    split: Split | None
    heldout_fraction: float
    annotator: str
    now: datetime


class Keeper:
    """Stores records within writing transactions.

    Attributes:
        new: How many of what were not in the lab.
        known: How many were there when a row named them.
    """

    def __init__(self, settings: Settings) -> None:
        self.new = Counter(prompts=0, responses=0, judgments=0, demonstrations=0)
        self.known = Counter(self.new)
        self._settings = settings

    def store(
        self,
        session: Session,
        records: Iterable[tuple[int, Record]],
        part: Part,
        reject: Callable[[int, RowProblem], None],
    ) -> None:
        """Store what fits together with what is stored; the rest is rejected."""
        found = [_identified(line, record, part, self._settings) for line, record in records]
        batch = self._batch(session, found)
        for one in found:
            try:
                batch.add(one)
            except RowProblem as problem:
                reject(one.line, problem)
        self._keep(session, batch)
        self.new.update(batch.new)
        self.known.update(batch.known)

    def _batch(self, session: Session, found: list[_Identified]) -> _Batch:
        return _Batch(
            now=self._settings.now,
            responses=_stored_responses(session, found),
            acts=_stored_acts(session, found),
            prompts=checks.existing(session, PromptRow.id, {f.prompt_id for f in found}),
        )

    def _keep(self, session: Session, batch: _Batch) -> None:
        batch.write(session)


class Looker(Keeper):
    """Finds out what a `Keeper` would do, without writing: it remembers what would be new."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._responses: dict[str, _Same] = {}
        self._acts: dict[tuple[type[Act], str], Act] = {}
        self._prompts: set[str] = set()

    def _batch(self, session: Session, found: list[_Identified]) -> _Batch:
        batch = super()._batch(session, found)
        responses, acts = _response_ids(found), {one.act_id for one in found}
        batch.responses |= {i: self._responses[i] for i in responses if i in self._responses}
        kinds: tuple[type[Act], ...] = (Judgment, Demonstration)
        named = [(kind, act) for act in acts for kind in kinds]
        batch.acts |= {key: self._acts[key] for key in named if key in self._acts}
        batch.prompts |= self._prompts & {one.prompt_id for one in found}
        return batch

    def _keep(self, session: Session, batch: _Batch) -> None:
        self._prompts.update(prompt.id for prompt in batch.new_prompts)
        self._responses |= {r.id: _Same(r.prompt_id, r.text) for r in batch.new_responses}
        self._acts |= {(Judgment, j.id): j for j in batch.new_judgments}
        self._acts |= {(Demonstration, d.id): d for d in batch.new_demonstrations}


class _Identified(NamedTuple):
    """A record with the ids of what it holds."""

    line: int
    record: Record
    prompt: Prompt
    prompt_id: str
    response_ids: tuple[str, ...]
    act_id: str
    annotator: str


class _Same(NamedTuple):
    """What a stored response has to agree in with one of the same id."""

    prompt_id: str
    text: str


@dataclass(kw_only=True)
class _Batch:
    """Records that are stored together, and what the store has under their ids."""

    now: datetime
    responses: dict[str, _Same]
    acts: dict[tuple[type[Act], str], Act]
    prompts: set[str]
    new: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    new_prompts: list[Prompt] = field(default_factory=list)
    new_responses: list[Response] = field(default_factory=list)
    new_judgments: list[Judgment] = field(default_factory=list)
    new_demonstrations: list[Demonstration] = field(default_factory=list)

    def add(self, one: _Identified) -> None:
        """Take one up, or nothing of it.

        Raises:
            RowProblem: it contradicts itself or what is stored.
        """
        texts = self._unknown_responses(one)
        act = self._act(one)
        there = None if act is None else self.acts.get((type(act), act.id))
        if act is not None and there is not None and not _same(there, act):
            raise RowProblem(
                "judgment_id" if isinstance(act, Judgment) else "demonstration_id",
                f"{act.id!r:.80}: the lab, or a row above, has another one under this id; the rows "
                "of one judgment stand together",
            )
        self._count("prompts", one.prompt_id not in self.prompts)
        if one.prompt_id not in self.prompts:
            self.prompts.add(one.prompt_id)
            self.new_prompts.append(one.prompt)
        for response in texts:
            self.responses[response.id] = _Same(one.prompt_id, response.text)
        self.new_responses += texts
        self.new["responses"] += len(texts)
        self.known["responses"] += len(one.response_ids) - len(texts)
        if act is None:
            return
        self._count("judgments" if isinstance(act, Judgment) else "demonstrations", there is None)
        if there is None:
            self.acts[type(act), act.id] = act
            if isinstance(act, Judgment):
                self.new_judgments.append(act)
            else:
                self.new_demonstrations.append(act)

    def write(self, session: Session) -> None:
        """Insert what is new."""
        checks.insert_rows(session, PromptRow, [rows.prompt_values(p) for p in self.new_prompts])
        responses = [rows.response_values(r) for r in self.new_responses]
        checks.insert_rows(session, ResponseRow, responses)
        if self.new_judgments:
            events.append_many(session, self.new_judgments, self.now)
        demonstrations = [rows.demonstration_values(d) for d in self.new_demonstrations]
        checks.insert_rows(session, DemonstrationRow, demonstrations)
        session.expunge_all()

    def _count(self, name: str, is_new: bool) -> None:
        (self.new if is_new else self.known)[name] += 1

    def _unknown_responses(self, one: _Identified) -> list[Response]:
        found = []
        for response_id, candidate in zip(one.response_ids, one.record.candidates, strict=True):
            if one.response_ids.count(response_id) > 1:
                raise RowProblem("id", f"{response_id!r:.80}: two responses of one row have it")
            there = self.responses.get(response_id)
            if there is None:
                response = Response(
                    id=response_id,
                    prompt_id=one.prompt_id,
                    text=candidate.text,
                    version=IMPORTED + candidate.source,
                    created_at=one.record.created_at or self.now,
                )
                found.append(response)
            elif there != (one.prompt_id, candidate.text):
                raise RowProblem(
                    "id", f"{response_id!r:.80}: the lab, or a row above, has another response so"
                )
        return found

    def _act(self, one: _Identified) -> Act | None:
        try:
            if one.record.kind == "demonstration":
                return self._demonstration(one)
            if one.record.kind in ("ranking", "skip"):
                return self._judgment(one)
        except LabError as error:
            raise RowProblem("", str(error)) from error
        return None

    def _judgment(self, one: _Identified) -> Judgment:
        record, ids = one.record, one.response_ids
        tiers = record.tiers
        judgment = Judgment(
            id=one.act_id,
            prompt_id=one.prompt_id,
            annotator=one.annotator,
            kind="skip" if tiers is None else "ranking",
            shown_order=ids,
            ranking=None if tiers is None else _ranking(tiers, ids),
            strength=record.strength,
            criteria={
                i: c.ratings for i, c in zip(ids, record.candidates, strict=True) if c.ratings
            },
            comment=record.comment,
            flags=record.flags,
            occasion=record.occasion,
            seconds=record.seconds,
            created_at=record.created_at or self.now,
        )
        judging.check_itself(judgment)
        return judgment

    def _demonstration(self, one: _Identified) -> Demonstration:
        record = one.record
        edited = self.responses.get(record.edited_from or "")
        is_here = edited is not None and edited.prompt_id == one.prompt_id
        return Demonstration(
            id=one.act_id,
            prompt_id=one.prompt_id,
            text=record.text,
            annotator=one.annotator,
            edited_from=record.edited_from if is_here else None,
            comment=record.comment,
            seconds=record.seconds,
            created_at=record.created_at or self.now,
        )


def _identified(line: int, record: Record, part: Part, settings: Settings) -> _Identified:
    """Ids follow from the content where there are none, so that a file gives the same ones again.

    The same answer twice in one record is two answers.
    """
    prompt_id = record.prompt.id
    split = (
        settings.split
        or record.split
        or part.split
        or split_by_hash(prompt_id, settings.heldout_fraction)
    )
    seen: Counter[tuple[str, str]] = Counter()
    ids = []
    for c in record.candidates:
        seen[c.source, c.text] += 1
        ids.append(c.id or _digest(prompt_id, c.source, c.text, seen[c.source, c.text]))
    annotator = record.annotator or settings.annotator
    return _Identified(
        line,
        record,
        replace(record.prompt, split=split, source=record.prompt.source or part.name),
        prompt_id,
        tuple(ids),
        record.id or _act_id(part.name, line, record, prompt_id, ids, annotator),
        annotator,
    )


def _ranking(tiers: tuple[tuple[int, ...], ...], ids: tuple[str, ...]) -> Ranking:
    return Ranking(tiers=tuple(tuple(ids[i] for i in tier) for tier in tiers))


def _act_id(
    name: str, line: int, record: Record, prompt_id: str, ids: list[str], annotator: str
) -> str:
    ratings = [dict(c.ratings or {}) for c in record.candidates]
    said: list[object] = [record.strength, record.comment, record.flags, record.text, ratings]
    if record.nth:
        said.append(record.nth)
    return _digest(name, line, record.kind, annotator, prompt_id, ids, record.tiers, said)


def _digest(*content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode("ascii")).hexdigest()[:32]


def _response_ids(found: list[_Identified]) -> set[str]:
    """Those that are named."""
    named = {i for one in found for i in one.response_ids}
    return named | {one.record.edited_from for one in found if one.record.edited_from}


def _stored_responses(session: Session, found: list[_Identified]) -> dict[str, _Same]:
    columns = select(ResponseRow.id, ResponseRow.prompt_id, ResponseRow.text)
    stored = checks.in_chunks(session, columns, ResponseRow.id, _response_ids(found))
    return {row.id: _Same(row.prompt_id, row.text) for row in stored}


def _stored_acts(session: Session, found: list[_Identified]) -> dict[tuple[type[Act], str], Act]:
    ids = {one.act_id for one in found}
    judgments = checks.in_chunks(session, select(JudgmentRow), JudgmentRow.id, ids)
    stored: dict[tuple[type[Act], str], Act] = {
        (Judgment, row.id): rows.to_judgment(row) for (row,) in judgments
    }
    demonstrations = checks.in_chunks(session, select(DemonstrationRow), DemonstrationRow.id, ids)
    for (row,) in demonstrations:
        stored[Demonstration, row.id] = rows.to_demonstration(row)
    return stored


def _same(stored: Act, act: Act) -> bool:
    """Whether both are one act: files leave out what it replaced, and perhaps when it was."""
    if isinstance(stored, Judgment) and isinstance(act, Judgment):
        return judging.same_submission(replace(stored, supersedes=None), act)
    return replace(stored, supersedes=None, created_at=act.created_at) == act
