"""What an event of the ranking widget says about an item, checked, and as a draft to go on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast, get_args

from rlhf_lab.errors import ConfigError, JudgmentError
from rlhf_lab.types import (
    ALL_BAD,
    HIGHEST_RATING,
    LOWEST_RATING,
    MOST_CANDIDATES,
    Demonstration,
    Judgment,
    Ranking,
    RankingItem,
    Strength,
)
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.ranking_items import Draft, Shown
from rlhf_lab.widgets.state import Event

MIN_CANDIDATES: Final = 2

MAX_COMMENT: Final = 4_000
"""Characters of a comment."""

MAX_DEMONSTRATION: Final = 100_000
"""Characters of an answer that a person writes."""

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a person may say beside the ranks.

    Attributes:
        criteria: What each response may be rated by; none for no ratings.
        flags: What may be ticked.
        editing: Whether a response may be edited into a demonstration.
    """

    criteria: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    editing: bool = True

    @classmethod
    def of(cls, criteria: Sequence[str], flags: Sequence[str], *, editing: bool) -> Form:
        """Check the names.

        Raises:
            ConfigError: one is empty or no text, or comes twice.
        """
        return cls(
            criteria=_names("criteria", criteria), flags=_names("flags", flags), editing=editing
        )


def draft_of(event: Event, form: Form, candidates: int) -> Draft:
    """What an event says, as far as it can be shown again; nothing is refused."""

    def or_else(read: Callable[[], R], default: R) -> R:
        try:
            return read()
        except JudgmentError:
            return default

    ranks = or_else(lambda: list(_ranks(event, candidates)), None)
    comment = event.text("comment")
    return Draft(
        ranks=ranks if event.type == "submit" else None,
        strength=or_else(lambda: _strength(event), None),
        ratings=or_else(lambda: _ratings(event, form, candidates), [{}] * candidates),
        comment=sendable.text(comment),
        flags=or_else(lambda: list(_flags(event, form)), []),
    )


def draft_again(judgment: Judgment) -> Draft:
    """What a stored judgment said; ties and gaps in ranks come back as plain tiers."""
    ranks = judgment.ranking.ranks() if judgment.ranking else {}
    return Draft(
        ranks=[ranks[i] for i in judgment.shown_order] if ranks else None,
        strength=judgment.strength,
        ratings=[dict(judgment.criteria.get(i, {})) for i in judgment.shown_order],
        comment=sendable.text(judgment.comment),
        flags=[sendable.text(flag) for flag in judgment.flags],
    )


def judgment_of(event: Event, item: RankingItem, annotator: str, form: Form) -> Judgment:
    """What a "submit" or "skip" says of an item.

    Raises:
        JudgmentError: it does not fit the item or the form.
    """
    ids = tuple(response.id for response in item.candidates)
    skip = Judgment(
        id=event.id,
        prompt_id=item.prompt.id,
        annotator=annotator,
        kind="skip",
        shown_order=ids,
        comment=_text(event, "comment", MAX_COMMENT),
        flags=_flags(event, form),
        seconds=event.seconds,
    )
    if event.type == "skip":
        return skip
    _check_candidates(len(ids))
    ratings = zip(ids, _ratings(event, form, len(ids)), strict=True)
    return replace(
        skip,
        kind="ranking",
        ranking=Ranking.from_ranks(dict(zip(ids, _ranks(event, len(ids)), strict=True))),
        strength=_strength(event),
        criteria={i: rated for i, rated in ratings if rated},
    )


def draft_to_go_on(shown: Shown, item: RankingItem) -> Draft | None:
    """As it was typed, or, if that was before this sitting, as it was stored."""
    if item.said is None:
        return shown.said.draft if shown.said else None
    if shown.said is not None and shown.said.judgment.id == item.said.id:
        return shown.said.draft
    return draft_again(item.said)


def demonstration_of(event: Event, item: RankingItem, annotator: str, form: Form) -> Demonstration:
    """The edited response that a "demonstrate" brings.

    Raises:
        JudgmentError: there is no such card, no text, too much of it, or editing is off.
    """
    if not form.editing:
        raise JudgmentError("editing is off in this ranking: lab.rank(editing=True) allows it.")
    card, cards = event.fields.get("card"), min(len(item.candidates), MOST_CANDIDATES)
    if type(card) is not int or not 0 <= card < cards:
        raise JudgmentError(f"card {card!r:.20} of {cards}: a whole number from 0 is needed.")
    return Demonstration(
        id=event.id,
        prompt_id=item.prompt.id,
        text=_text(event, "text", MAX_DEMONSTRATION),
        annotator=annotator,
        edited_from=item.candidates[card].id,
        seconds=event.seconds,
    )


def _ranks(event: Event, candidates: int) -> tuple[int, ...]:
    ranks = event.fields.get("ranks", [])
    if not _is_list_of(int, ranks):
        raise JudgmentError(f"event {event.seq} has ranks {ranks!r:.60}: whole numbers are needed.")
    if len(ranks) != candidates or not all(1 <= rank <= candidates for rank in ranks):
        raise JudgmentError(
            f"ranks {ranks!r:.60} for {candidates} candidates: each needs one from 1 to "
            f"{candidates}."
        )
    return tuple(ranks)


def _strength(event: Event) -> Strength | None:
    strength = event.fields.get("strength")
    if strength is not None and strength not in get_args(Strength):
        known = ", ".join(map(repr, get_args(Strength)))
        raise JudgmentError(f"strength {strength!r:.40}: use one of {known}, or none.")
    return cast("Strength | None", strength)


def _ratings(event: Event, form: Form, candidates: int) -> list[dict[str, int]]:
    ratings = event.fields.get("ratings") or [{}] * candidates
    if not _is_list_of(dict, ratings) or len(ratings) != candidates:
        raise JudgmentError(
            f"event {event.seq} has ratings {ratings!r:.60}: one record for each of {candidates} "
            "candidates is needed, empty where nothing was rated."
        )
    for criterion, rating in (pair for rated in ratings for pair in rated.items()):
        if criterion not in form.criteria:
            raise JudgmentError(f"{criterion!r:.40} is no criterion here: {_listed(form.criteria)}")
        if type(rating) is not int or not LOWEST_RATING <= rating <= HIGHEST_RATING:
            raise JudgmentError(
                f"{criterion}={rating!r:.20}: a rating is a whole number from {LOWEST_RATING} to "
                f"{HIGHEST_RATING}."
            )
    return [dict(rated) for rated in ratings]


def _flags(event: Event, form: Form) -> tuple[str, ...]:
    flags = event.fields.get("flags") or []
    if not _is_list_of(str, flags):
        raise JudgmentError(f"event {event.seq} has flags {flags!r:.60}: names are needed.")
    known = (*form.flags, ALL_BAD)
    for flag in flags:
        if flag not in known:
            raise JudgmentError(f"{flag!r:.40} is no flag here: {_listed(known)}")
    return tuple(dict.fromkeys(flags))


def _text(event: Event, name: str, longest: int) -> str:
    text = event.text(name)
    if len(text) > longest:
        raise JudgmentError(
            f"the {name} has {len(text):,} characters and may have {longest:,}: shorten it."
        )
    return text


def _check_candidates(candidates: int) -> None:
    if not MIN_CANDIDATES <= candidates <= MOST_CANDIDATES:
        raise JudgmentError(
            f"this item has {candidates} candidates; ranking by digits needs {MIN_CANDIDATES} to "
            f"{MOST_CANDIDATES}. Skip it."
        )


def _is_list_of(kind: type, value: Any) -> bool:  # noqa: ANN401 - as a page sent it
    # Exactly the kind: True is an int by inheritance.
    return isinstance(value, list) and all(type(one) is kind for one in value)


def _listed(names: Sequence[str]) -> str:
    return f"there are {', '.join(map(repr, names))}." if names else "there are none."


def _names(what: str, names: Sequence[object]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ConfigError(f"{what}={names!r}: a list of names is needed, as in [{names!r}].")
    checked = []
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{what}={list(names)!r:.80}: {name!r:.40} is no name. Leave it out.")
        checked.append(name)
    if len(set(checked)) < len(checked):
        raise ConfigError(f"{what}={checked!r:.80}: a name comes twice. Keep one of them.")
    return tuple(checked)
