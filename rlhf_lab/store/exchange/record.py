"""`Record`: what every format is read into and written from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from rlhf_lab.types import Occasion, Prompt, Split, Strength

Row = Mapping[str, Any]
What = Literal["judgments", "prompts", "demonstrations"]


class Candidate(NamedTuple):
    """One answer as files hold it.

    Attributes:
        source: Who or what wrote it; empty where a file does not say.
        id: Of the response, where the file has one.
        ratings: From 1 to 5 by criterion.
    """

    text: str
    source: str = ""
    id: str | None = None
    ratings: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """One judgment, demonstration, prompt, or prompt with unjudged answers.

    Attributes:
        split: What the file says; None where it says nothing.
        candidates: In the order they were shown.
        tiers: Indices into `candidates`, best first; for kind "ranking" alone.
        id: Of the judgment or demonstration, where the file has one.
        annotator: Where the file names one, like the next ones.
        random_share: Whether the store hands the item out at random alone; written and not read,
            because another lab has shares of its own.
        text: What was written, for kind "demonstration" alone.
        edited_from: Id of the response that a demonstration is an edit of.
        nth: How many of the same row before it say the same, each by somebody else.
    """

    kind: Literal["ranking", "skip", "candidates", "demonstration", "prompt"]
    prompt: Prompt
    split: Split | None = None
    candidates: tuple[Candidate, ...] = ()
    tiers: tuple[tuple[int, ...], ...] | None = None
    id: str | None = None
    annotator: str | None = None
    strength: Strength | None = None
    comment: str = ""
    flags: tuple[str, ...] = ()
    seconds: float = 0.0
    created_at: datetime | None = None
    occasion: Occasion = "regular"
    random_share: bool = False
    text: str = ""
    edited_from: str | None = None
    nth: int = 0


class RowProblem(Exception):
    """Why a row is rejected.

    Attributes:
        field: Its dotted name; empty where the whole row is meant.
        reason: The value, the rule and the next step.
        row: Which of the rows of one record, from 0.
    """

    def __init__(self, field: str, reason: str, row: int = 0) -> None:
        super().__init__(f"field {field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason
        self.row = row


# A row, or why there is none, after the number of its line.
Numbered = tuple[int, Row | RowProblem]
# Told how much of a source has been read.
Seen = Callable[[int], object]
