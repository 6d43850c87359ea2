"""What the responses of each version are like, by figures that the database can count alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select

from rlhf_lab.store.database import Database
from rlhf_lab.store.tables import AnnotatorRow, ResponseRow


@dataclass(frozen=True, kw_only=True)
class ResponseFigures:
    """Of all responses of one version.

    Attributes:
        version: Who wrote them, or `import:SOURCE`.
        responses: How many there are.
        prompts: How many prompts they answer.
        characters: The mean length.
        ended: Share that came to an end before the longest length allowed.
        different: How many different texts there are to each prompt's responses, as a share: low
            where a policy says the same again and again.
    """

    version: str
    responses: int
    prompts: int
    characters: float
    ended: float
    different: float


def response_figures(database: Database) -> list[ResponseFigures]:
    """Of each version that wrote something, in the order in which they began to."""
    each = (
        select(
            ResponseRow.version,
            ResponseRow.prompt_id,
            func.min(ResponseRow.seq).label("first"),
            func.count(ResponseRow.seq).label("responses"),
            func.sum(func.length(ResponseRow.text)).label("characters"),
            func.sum(case((ResponseRow.end_reason == "stop", 1), else_=0)).label("ended"),
            func.count(ResponseRow.text.distinct()).label("different"),
        )
        .group_by(ResponseRow.version, ResponseRow.prompt_id)
        .subquery()
    )
    sums = (
        func.sum(each.c[name]).label(name)
        for name in ("responses", "characters", "ended", "different")
    )
    query = select(each.c.version, func.count().label("prompts"), *sums).group_by(each.c.version)
    with database.read() as session:
        found = session.execute(query.order_by(func.min(each.c.first))).all()
    return [
        ResponseFigures(
            version=row.version,
            responses=int(row.responses),
            prompts=int(row.prompts),
            characters=float(row.characters) / int(row.responses),
            ended=int(row.ended) / int(row.responses),
            different=int(row.different) / int(row.responses),
        )
        for row in found
    ]


def answering_versions(database: Database) -> list[str]:
    """Whoever wrote a response, the one that wrote last first."""
    last = func.max(ResponseRow.seq)
    query = select(ResponseRow.version).group_by(ResponseRow.version).order_by(last.desc())
    with database.read() as session:
        return list(session.scalars(query))


def annotator_names(database: Database) -> list[str]:
    """Everybody who ever judged something, by name."""
    with database.read() as session:
        return list(session.scalars(select(AnnotatorRow.name).order_by(AnnotatorRow.name)))
