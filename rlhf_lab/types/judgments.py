"""What people said about responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Literal, NamedTuple, get_args

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types.clock import utc_now

JudgmentKind = Literal["ranking", "skip", "undo"]
# Weakest first. Four, as Llama 2's and Llama 3's raters had them.
Strength = Literal["negligibly", "slightly", "clearly", "much"]
# Why somebody was shown an item: to be judged; to be compared with a known answer; to be compared
# with what the same person said before; to learn, by a known answer that is told afterwards, what
# is asked of them. "extra" came in after the item had all it needed.
Occasion = Literal["regular", "gold", "repeat", "calibration", "extra"]

# The criteria that widgets offer (Askell et al. 2021); any other name is as good in the store.
CRITERIA = ("helpful", "harmless", "honest")
LOWEST_RATING, HIGHEST_RATING = 1, 5
# Of one item: a rank is one digit.
MOST_CANDIDATES = 9
# The flags that widgets offer, and the one that says no response will do; others are as good.
FLAGS = ("unsafe", "off topic", "prompt unclear")
ALL_BAD = "all bad"


class PairAgreement(NamedTuple):
    """How many pairs two rankings put in the same order, of those that both put in an order."""

    agreed: int
    compared: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Tiers of response ids, best first; ids in one tier are tied."""

    tiers: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Refuse empty tiers and responses ranked twice."""
        if any(not tier for tier in self.tiers):
            raise JudgmentError(f"{self.tiers}: empty tier. Leave out tiers that hold no response.")
        ids = self.response_ids
        if len(set(ids)) != len(ids):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            raise JudgmentError(
                f"{twice} ranked more than once: each response has one tier. Keep one place each."
            )

    @property
    def response_ids(self) -> tuple[str, ...]:
        """All ranked responses, best tier first."""
        return tuple(i for tier in self.tiers for i in tier)

    def ranks(self) -> dict[str, int]:
        """Tier number of every response, 1 is best."""
        return {i: n for n, tier in enumerate(self.tiers, start=1) for i in tier}

    def agreement(self, other: Ranking) -> PairAgreement:
        """In how many pairs of responses that both rank this says the same as another.

        A pair that either of them ties counts for neither side: of two who guess, half agree.
        """
        ours, theirs = self.ranks(), other.ranks()
        both = (
            (ours[a] - ours[b]) * (theirs[a] - theirs[b])
            for a, b in combinations([i for i in ours if i in theirs], 2)
        )
        ordered = [same for same in both if same]
        return PairAgreement(sum(same > 0 for same in ordered), len(ordered))

    @classmethod
    def from_ranks(cls, ranks: Mapping[str, float]) -> Ranking:
        """Build tiers from one number per response: lower is better, equal is tied.

        Raises:
            JudgmentError: a number is NaN, which is neither better, worse nor equal.
        """
        if unordered := sorted(i for i, r in ranks.items() if r != r):
            raise JudgmentError(
                f"{unordered} have NaN for a number: it cannot be put in an order. Leave them out."
            )
        levels = sorted(set(ranks.values()))
        return cls(tiers=tuple(tuple(i for i, r in ranks.items() if r == x) for x in levels))

    @classmethod
    def from_scores(cls, scores: Mapping[str, float]) -> Ranking:
        """Build tiers from one number per response: higher is better, equal is tied."""
        return cls.from_ranks({i: -s for i, s in scores.items()})


@dataclass(frozen=True, kw_only=True)
class Judgment:
    """One event in the append-only record of what a person said.

    Attributes:
        id: The submission id, made where the person acted; the same id twice is one judgment.
        kind: "ranking", "skip" (no opinion on this prompt), or "undo" (takes back `supersedes`).
        shown_order: Response ids in the order the person saw them, left to right.
        ranking: Set for kind "ranking" alone; ranks exactly the responses shown.
        strength: How much better each tier of the ranking is than the next one; None when the
            person did not say.
        criteria: Ratings from 1 (worst) to 5 by response id and criterion, where they were given.
        flags: What else was marked, such as "all bad" or "unsafe".
        occasion: Why the item was shown; the store knows and sets it.
        supersedes: The event this one replaces or takes back, if any.
        seconds: Time spent on the item.
    """

    id: str
    prompt_id: str
    annotator: str
    kind: JudgmentKind = "ranking"
    shown_order: tuple[str, ...] = ()
    ranking: Ranking | None = None
    strength: Strength | None = None
    criteria: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    comment: str = ""
    flags: tuple[str, ...] = ()
    occasion: Occasion = "regular"
    seconds: float = 0.0
    supersedes: str | None = None
    created_at: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        """Refuse judgments that contradict themselves."""
        if (self.kind == "ranking") != (self.ranking is not None):
            raise JudgmentError(
                f"kind={self.kind!r} with ranking={self.ranking}: kind 'ranking' has one, the "
                "others none. Change the kind, or add or leave out the ranking."
            )
        if self.ranking and set(self.ranking.response_ids) != set(self.shown_order):
            raise JudgmentError(
                f"ranked {sorted(self.ranking.response_ids)} but shown {sorted(self.shown_order)}: "
                "a ranking places every shown response exactly once. Rank the missing ones, or tie "
                "them in a last tier; leave out what was not shown."
            )
        if self.strength is not None:
            self._check_strength()
        for response_id, ratings in self.criteria.items():
            self._check_ratings(response_id, ratings)
        if self.kind == "undo" and not self.supersedes:
            raise JudgmentError(
                f"kind='undo' with supersedes={self.supersedes!r}: an undo takes back one "
                "judgment. Pass that judgment's id as `supersedes`."
            )

    def _check_strength(self) -> None:
        if self.strength not in get_args(Strength):
            raise JudgmentError(
                f"judgment {self.id!r} has strength={self.strength!r}: use one of "
                f"{', '.join(map(repr, get_args(Strength)))}, or None when it was not said."
            )
        if self.ranking is None or len(self.ranking.tiers) < 2:
            raise JudgmentError(
                f"judgment {self.id!r} has strength={self.strength!r} but puts no response above "
                "another: a strength says how much better the upper tiers are. Leave it out, or "
                "rank in two or more tiers."
            )

    def _check_ratings(self, response_id: str, ratings: Mapping[str, int]) -> None:
        if response_id not in self.shown_order:
            raise JudgmentError(
                f"judgment {self.id!r} rates {response_id!r}, which was not shown "
                f"({list(self.shown_order)}): rate shown responses, or leave it out."
            )
        for criterion, rating in ratings.items():
            # Exactly int: True is one by inheritance.
            if type(rating) is not int or not LOWEST_RATING <= rating <= HIGHEST_RATING:
                raise JudgmentError(
                    f"judgment {self.id!r} rates {response_id!r} {criterion}={rating!r}: a rating "
                    f"is a whole number from {LOWEST_RATING} to {HIGHEST_RATING}."
                )


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """An answer that a person wrote or edited: what the policy should have said.

    Attributes:
        id: The submission id; the same id twice is one demonstration.
        annotator: Who wrote it.
        edited_from: The response it is an edit of; None when it was written from nothing.
        supersedes: An earlier demonstration of the same person that this one replaces.
        seconds: Time spent on it.
    """

    id: str
    prompt_id: str
    text: str
    annotator: str
    edited_from: str | None = None
    comment: str = ""
    seconds: float = 0.0
    supersedes: str | None = None
    created_at: datetime = field(default_factory=utc_now)

    def __post_init__(self) -> None:
        """Refuse answers without text."""
        if not self.text.strip():
            raise JudgmentError(
                f"demonstration {self.id!r} has no text: write what the policy should say, or "
                "leave it out."
            )
