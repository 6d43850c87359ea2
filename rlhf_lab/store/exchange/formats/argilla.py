"""Records as Argilla exports them, versions 1 and 2, nested or flattened into columns.

A record has fields (a prompt and the answers), questions, and what each user replied to them. The
replies to its ranking question become judgments, one for each user. Suggestions come from models
and are left aside.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from rlhf_lab.store.exchange import fields
from rlhf_lab.store.exchange.fields import Ratings, Strict
from rlhf_lab.store.exchange.formats.kwise import check_tiers
from rlhf_lab.store.exchange.formats.prompts import exact_messages, plain_messages, prompt_in
from rlhf_lab.store.exchange.record import Candidate, Record, Row, RowProblem, What

_NOT_FIELDS = ("id", "external_id", "_server_id", "status", "metadata", "inserted_at", "updated_at")


class _Exact(Strict):
    """What a record of this lab has in its metadata beside the columns of judgments."""

    tiers: list[list[int]] | None = None
    sources: list[str] | None = None
    response_ids: list[str | None] | None = None
    ratings: list[Ratings | None] | None = None


class _Reply(NamedTuple):
    user: str | None
    status: str
    ranking: object
    comment: object


class Argilla:
    """{"fields": {"prompt", "response-1", ...}, "responses": {"ranking": [...]}, "metadata", ...}.

    It is written as version 2 has it. There a ranking is a list of names without ties; those,
    and all else without a place, stand in the metadata. A skipped record is a discarded one. Users
    have UUIDs there: an annotator's is made from the name, which is in the metadata.
    """

    name = "argilla"
    what: What = "judgments"
    needs = ("fields", "responses")
    columns: Mapping[str, str] = {
        "id": "text",
        "fields": "json",
        "metadata": "json",
        "suggestions": "json",
        "responses": "json",
        "status": "text",
    }

    def matches(self, row: Row) -> bool:
        """By its fields, or by flattened columns that go together."""
        return isinstance(row.get("fields"), Mapping) or bool(_questions(row))

    def group(self, row: Row) -> str | None:
        """Every record stands alone."""
        return None

    def read(self, rows: Sequence[Row]) -> list[Record]:
        """A judgment for each user who replied; answers without one where nobody did."""
        (row,) = rows
        nested = _nested(row) if not isinstance(row.get("fields"), Mapping) else row
        texts = _object(nested.get("fields"), "fields")
        metadata = _object(_opened(nested.get("metadata"), "metadata") or {}, "metadata")
        name, options = _split_fields(texts)
        prompt = fields.make_prompt(prompt_in(texts[name], f"fields.{name}"), f"fields.{name}")
        said = fields.shared(metadata, prompt)
        of_prompt = fields.shared({f: metadata.get(f) for f in fields.OF_PROMPTS}, prompt)
        exact = fields.check(_Exact, {k: _opened(metadata.get(k), k) for k in _Exact.model_fields})
        candidates = _candidates(texts, options, exact)
        replies = _replies(nested.get("responses"))
        unrated = tuple(c._replace(ratings=None) for c in candidates)
        written = [r for r in replies if _is_by(said["annotator"], r, alone=len(replies) == 1)]
        found = [
            self._record(r, said, candidates, options, exact)
            if r in written[:1]
            else self._record(r, of_prompt, unrated, options, _Exact())
            for r in replies
        ]
        judged = [r for r in found if r is not None]
        # People without a name may agree: nothing but their number tells them apart.
        return [
            r if r.annotator else replace(r, nth=judged[:n].count(r)) for n, r in enumerate(judged)
        ] or [Record(kind="candidates", candidates=candidates, **{**said, "id": None})]

    def _record(
        self,
        reply: _Reply,
        said: dict[str, Any],
        candidates: tuple[Candidate, ...],
        options: list[str],
        exact: _Exact,
    ) -> Record | None:
        own = {**said, "annotator": said.get("annotator") or reply.user}
        if not own.get("comment") and isinstance(reply.comment, str):
            own["comment"] = reply.comment
        if reply.status == "discarded":
            return Record(kind="skip", candidates=candidates, **own)
        if reply.status == "draft" or reply.ranking is None:
            return None
        tiers = _tiers(_opened(reply.ranking, ""), options)
        if exact.tiers is not None and _in_order(exact.tiers) == _in_order(tiers):
            tiers = exact.tiers  # which knows of ties
        elif exact.tiers is not None:
            own["id"] = None  # ranked anew over there
        placed = check_tiers(tiers, len(candidates), "responses.ranking")
        return Record(kind="ranking", candidates=candidates, tiers=placed, **own)

    def write(self, record: Record) -> list[dict[str, Any]]:
        """One record."""
        if record.kind not in ("ranking", "skip"):
            return []
        messages = record.prompt.messages
        text = messages[0].content
        chat = len(messages) > 1 or exact_messages(text, messages)
        names = [f"response-{n}" for n in range(1, len(record.candidates) + 1)]
        user = _uuid(record.annotator or "")
        said: list[dict[str, Any]] = []
        if record.tiers is not None:
            said = [{"value": [names[i] for t in record.tiers for i in t], "user_id": user}]
        elif record.kind == "skip":
            said = [{"value": None, "user_id": user, "status": "discarded"}]
        return [
            {
                "id": record.id,
                "fields": {
                    "prompt": plain_messages(messages) if chat else text,
                    **{n: c.text for n, c in zip(names, record.candidates, strict=True)},
                },
                "metadata": {
                    **fields.about_judgment(record),
                    "tiers": record.tiers and [list(t) for t in record.tiers],
                    "sources": [c.source for c in record.candidates],
                    "response_ids": [c.id for c in record.candidates],
                    "ratings": [dict(c.ratings) if c.ratings else None for c in record.candidates],
                },
                "suggestions": {},
                "responses": {"ranking": said},
                "status": "completed",
            }
        ]


def _is_by(annotator: str | None, reply: _Reply, *, alone: bool) -> bool:
    """Whether what the metadata say of a judgment is about this reply."""
    return alone if annotator is None else reply.user in (annotator, _uuid(annotator))


def _in_order(tiers: Sequence[Sequence[int]]) -> list[int]:
    return [place for tier in tiers for place in tier]


def _uuid(name: str) -> str:
    return str(UUID(bytes=hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]))


def _split_fields(texts: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name of the prompt among the fields, and those of the answers."""
    usual = ("prompt", "instruction", "question", "context", "input", "text")
    name = next((f for f in usual if texts.get(f) is not None), None)
    if name is None:
        raise RowProblem("fields", f"{sorted(texts)!r:.80}: none of {list(usual)} is there")
    # A context or background is no answer: answers have a number, or are named as such.
    options = [f for f in texts if f != name and re.search(r"\d$|response|reply|answer|output", f)]
    return name, options


def _candidates(
    texts: Mapping[str, Any], options: list[str], exact: _Exact
) -> tuple[Candidate, ...]:
    found = []
    for n, option in enumerate(options):
        if not isinstance(texts[option], str):
            raise RowProblem(f"fields.{option}", f"{texts[option]!r:.80}: should be text")
        more = [_at(x, n) for x in (exact.sources, exact.response_ids, exact.ratings)]
        found.append(Candidate(texts[option], more[0] or "", more[1], more[2]))
    if not found:
        raise RowProblem("fields", f"{sorted(texts)!r:.80}: no response-1, response-2 ...")
    return tuple(found)


def _at(values: Sequence[Any] | None, n: int) -> Any:  # noqa: ANN401
    return values[n] if values is not None and n < len(values) else None


def _replies(responses: object) -> list[_Reply]:
    """Of either version."""
    responses = _opened(responses, "responses")
    if responses is None:
        return []
    if isinstance(responses, Mapping):
        return _by_user(_object(responses, "responses"))
    if not isinstance(responses, (list, tuple)):
        raise RowProblem("responses", f"{responses!r:.80}: should be an object or a list")
    found = []
    for n, reply in enumerate(responses):
        if not isinstance(reply, Mapping):
            raise RowProblem(f"responses.{n}", f"{reply!r:.80}: should have values and a user_id")
        values = _object(reply.get("values") or {}, f"responses.{n}.values")
        plain = {q: v.get("value") if isinstance(v, Mapping) else v for q, v in values.items()}
        found.append(_reply(reply.get("user_id"), reply.get("status"), plain, f"responses.{n}"))
    return found


def _by_user(responses: Mapping[str, Any]) -> list[_Reply]:
    users: dict[Any, dict[str, Any]] = {}
    states: dict[Any, object] = {}
    for question, replies in responses.items():
        if not isinstance(replies, (list, tuple)):
            raise RowProblem(f"responses.{question}", f"{replies!r:.80}: should be a list")
        for n, reply in enumerate(replies):
            where = f"responses.{question}.{n}"
            if not isinstance(reply, Mapping):
                raise RowProblem(where, f"{reply!r:.80}: should have a value and a user_id")
            user = reply.get("user_id")
            if user is not None and not isinstance(user, str):
                raise RowProblem(f"{where}.user_id", f"{user!r:.80}: should be text")
            # Replies without a user are of as many people as a question has of them.
            who = (user, n if user is None else 0)
            if question in users.setdefault(who, {}):
                raise RowProblem(f"{where}.user_id", f"{user!r:.80}: replied to it before")
            users[who][question] = reply.get("value")
            states[who] = reply.get("status")
    return [_reply(who[0], states[who], values, "responses") for who, values in users.items()]


def _reply(user: object, status: object, values: Mapping[str, Any], where: str) -> _Reply:
    if user is not None and not (isinstance(user, str) and user.strip()):
        raise RowProblem(f"{where}.user_id", f"{user!r:.80}: should be text")
    if status is not None and status not in ("submitted", "discarded", "draft", "pending"):
        raise RowProblem(f"{where}.status", f"{status!r:.80}: should be submitted or discarded")
    ranking = next((v for q, v in values.items() if "rank" in q), None)
    if ranking is None:
        ranking = next((v for v in values.values() if _is_ranking(v)), None)
    comment = next((v for q, v in values.items() if "comment" in q or "feedback" in q), None)
    return _Reply(user, str(status or "submitted"), ranking, comment)


def _is_ranking(value: object) -> bool:
    """Whether it looks like one, also where `datasets` made an object of lists of it."""
    if isinstance(value, Mapping):
        return {"rank", "value"} <= value.keys()
    return isinstance(value, (list, tuple))


def _tiers(value: object, options: list[str]) -> list[list[int]]:
    """Places of the answers named in a ranking: names in order, or names with ranks."""
    if isinstance(value, Mapping):  # a list of pairs, as `datasets` turns it around
        ranks, names = value.get("rank"), value.get("value")
        if isinstance(ranks, Sequence) and isinstance(names, Sequence):
            value = [{"rank": r, "value": v} for r, v in zip(ranks, names, strict=False)]
    if not isinstance(value, (list, tuple)):
        raise RowProblem("responses.ranking", f"{value!r:.80}: should be a list")
    index = {_plain(name): n for n, name in enumerate(options)}
    levels: dict[Any, list[int]] = {}
    for n, entry in enumerate(value):
        pair = entry if isinstance(entry, Mapping) else {"value": entry}
        name, rank = pair.get("value"), pair.get("rank")
        rank = n + 1 if rank is None else rank
        if not isinstance(name, str) or _plain(name) not in index:
            raise RowProblem("responses.ranking", f"{name!r:.80}: is none of {options!r:.80}")
        if type(rank) is not int:
            raise RowProblem("responses.ranking", f"{rank!r:.80}: a rank is a whole number")
        levels.setdefault(rank, []).append(index[_plain(name)])
    return [levels[rank] for rank in sorted(levels)]


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def _object(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise RowProblem(field, f"{value!r:.80}: should be an object, with text as names")
    return value


def _opened(value: object, field: str) -> object:
    """What tables hold as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RowProblem(
            field,
            f"{value!r:.80}: should be JSON ({error}); tables of text from other tools seldom are: "
            "export it as JSON lines or Parquet",
        ) from error


def _questions(row: Row) -> dict[str, int]:
    """Questions of a flattened record, each with the version of Argilla that wrote it so."""
    found = {c.removesuffix(".responses"): 2 for c in row if c.endswith(".responses")}
    for column in row:
        question = column.removesuffix("-suggestion")
        if question != column and question in row:
            found[question] = 1
    return found


def _nested(row: Row) -> dict[str, Any]:
    """A flattened record as version 2 nests it."""
    questions = _questions(row)
    responses: dict[str, Any] = {}
    for question, version in questions.items():
        if version == 2:
            values, users, states = (
                _listed(row, f"{question}.responses{mark}") for mark in ("", ".users", ".status")
            )
            responses[question] = [
                {"value": v, "user_id": _at(users, n), "status": _at(states, n)}
                for n, v in enumerate(values)
            ]
        else:
            responses[question] = _turned(_opened(row[question] or None, question))
    belongs = tuple(f"{q}{mark}" for q in questions for mark in (".", "-suggestion"))
    texts = {
        c: x
        for c, x in row.items()
        if c not in _NOT_FIELDS and c not in questions and not c.startswith(belongs)
    }
    return {"fields": texts, "responses": responses, "metadata": row.get("metadata")}


def _listed(row: Row, column: str) -> Sequence[Any]:
    value = row.get(column)
    value = [] if value is None or value == "" else _opened(value, column)
    if not isinstance(value, (list, tuple)):
        raise RowProblem(column, f"{value!r:.80}: should be a list, with an entry for each user")
    return value


def _turned(value: object) -> object:
    """A list of replies, also where `datasets` made an object of lists of it."""
    if not isinstance(value, Mapping):
        return value or []
    columns = {k: v for k, v in value.items() if isinstance(v, (list, tuple))}
    size = min((len(v) for v in columns.values()), default=0)
    return [{k: v[n] for k, v in columns.items()} for n in range(size)]
