"""Which judgments count: the rules for corrections and undo, free of any database.

An event is *retracted* when an undo that is not itself retracted names it. It is *replaced* when
a ranking or skip that is not retracted names it. It is *active* when it is neither. So:

- a correction replaces what it supersedes; a chain of corrections leaves its last one active;
- undoing a correction makes what it replaced active again;
- undoing an undo (redo) makes the judgment count again.

A ranking or skip that names nothing replaces what the same person said last about the same
candidates, unless they were asked about them again (see `events.append`); and a redo is refused
when something else that they said about them counts since. Only a correction that names other
candidates than what it corrects can leave two beside one another.

Only an active event of the same annotator and prompt can be superseded. A redo is refused when
what it brings back into force would act on something that has been superseded otherwise since.
Together these keep at most one judgment active in every chain of corrections.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from rlhf_lab.errors import JudgmentError
from rlhf_lab.types import Judgment, Response


class Event(Protocol):
    """What the rules need to know of a stored event."""

    @property
    def id(self) -> str:
        """The submission id."""

    @property
    def prompt_id(self) -> str:
        """The prompt it is about."""

    @property
    def annotator(self) -> str:
        """Who acted."""

    @property
    def kind(self) -> str:
        """One of "ranking", "skip" and "undo"."""

    @property
    def supersedes(self) -> str | None:
        """The event it replaces or takes back."""

    @property
    def shown_order(self) -> Sequence[str]:
        """The candidates."""

    @property
    def occasion(self) -> str | None:
        """Why they were shown; None stands for "regular"."""


E = TypeVar("E", bound=Event)


def active_events(events: Sequence[E]) -> list[E]:
    """The events that are active, in order.

    Args:
        events: In the order they were stored. Chains never cross prompts or annotators, so all
            events of one prompt, or of one annotator, are enough.
    """
    retracted: set[str] = set()
    replaced: set[str] = set()
    for event in reversed(events):  # what takes back or replaces comes after what it names
        if event.supersedes is not None and event.id not in retracted:
            (retracted if event.kind == "undo" else replaced).add(event.supersedes)
    return [e for e in events if e.id not in retracted and e.id not in replaced]


def check_itself(judgment: Judgment) -> None:
    """Refuse what can be seen to be wrong without looking anything up.

    Raises:
        JudgmentError: see the message.
    """
    for name in ("id", "annotator"):
        if not getattr(judgment, name).strip():
            raise JudgmentError(f"judgment of {judgment.prompt_id} has no {name}: give it one.")
    if not (math.isfinite(judgment.seconds) and judgment.seconds >= 0):
        raise JudgmentError(
            f"seconds={judgment.seconds}: a duration is a finite number, 0 or more. Use 0.0 when "
            "it is not known."
        )
    shown = judgment.shown_order
    if len(set(shown)) != len(shown):
        raise JudgmentError(f"shown_order={shown}: each response is shown once.")
    if judgment.kind == "ranking" and len(shown) < 2:
        raise JudgmentError(
            f"a ranking of {len(shown)} response(s) says nothing about preference: rank at least "
            "2, or skip the prompt."
        )


def check_responses(judgment: Judgment, prompt_of: Mapping[str, str]) -> None:
    """Refuse responses that are not stored or answer another prompt.

    Args:
        judgment: What was submitted.
        prompt_of: Prompt id by response id, for those shown that are stored.

    Raises:
        JudgmentError: names the responses.
    """
    missing = [i for i in judgment.shown_order if i not in prompt_of]
    if missing:
        raise JudgmentError(f"{missing} are not stored responses: add them with add_responses.")
    foreign = {i: prompt_of[i] for i in judgment.shown_order if prompt_of[i] != judgment.prompt_id}
    if foreign:
        raise JudgmentError(
            f"{foreign} (response: its prompt) do not answer {judgment.prompt_id}: judge the "
            "responses of one prompt at a time."
        )


def check_supersedes(judgment: Judgment, target: Event | None, history: Iterable[Event]) -> None:
    """Refuse to supersede what is unknown, someone else's, or already superseded.

    Args:
        judgment: What was submitted, with `supersedes` set.
        target: The stored event of that id.
        history: All events of this annotator on this prompt, in order.

    Raises:
        JudgmentError: see the message.
    """
    if target is None:
        raise JudgmentError(
            f"supersedes={judgment.supersedes!r} is not a stored judgment: use the id of one "
            "from judgments()."
        )
    for name in ("annotator", "prompt_id"):
        theirs, ours = getattr(target, name), getattr(judgment, name)
        if theirs != ours:
            raise JudgmentError(
                f"{target.id} has {name}={theirs!r}, this event has {ours!r}: only one's own "
                "judgment of the same prompt can be corrected or undone."
            )
    events = {e.id: e for e in history}
    active = {e.id for e in active_events(list(events.values()))}
    if target.id not in active:
        raise JudgmentError(
            f"{target.id} is already superseded: supersede the active judgment, see "
            f"latest_active({judgment.annotator!r})."
        )
    if target.kind == "undo":
        _check_undo_target(judgment, target, events, active)


def _check_undo_target(
    judgment: Judgment, target: Event, events: Mapping[str, Event], active: set[str]
) -> None:
    if judgment.kind != "undo":
        raise JudgmentError(
            f"{target.id} is an undo: only another undo can supersede it. Submit a new judgment "
            "without supersedes."
        )
    before = list(events.values())[: list(events).index(target.id)]
    then = {e.id for e in active_events(before)}
    since = [e for e in events.values() if e.id in active - then and e.kind != "undo"]
    _check_redo(events[str(target.supersedes)], events, active, since)


def _check_redo(
    revived: Event, events: Mapping[str, Event], active: set[str], since: Sequence[Event]
) -> None:
    """Follow what comes back into force: an undo that does so acts on its own target again."""
    while revived.supersedes is not None:
        acts_on = events[revived.supersedes]
        if acts_on.id not in active:
            raise JudgmentError(
                f"redoing {revived.id} would act again on {acts_on.id}, which has been superseded "
                "since: submit a new judgment instead."
            )
        if revived.kind != "undo" or acts_on.kind != "undo":
            break
        revived = events[str(acts_on.supersedes)]
    _check_not_said_since(revived, since)


def _check_not_said_since(revived: Event, since: Sequence[Event]) -> None:
    """Nobody has two opinions on the same candidates."""
    if revived.kind == "undo" or not revived.shown_order:
        return
    for event in since:
        if event.id != revived.supersedes and _question(event) == _question(revived):
            raise JudgmentError(
                f"redoing {revived.id} would stand beside {event.id}, which says something else "
                "about the same candidates since: undo that one first, or leave it."
            )


def _question(event: Event) -> tuple[str | None, bool]:
    """What was asked: which candidates, and whether once more, to compare."""
    return item_id(event.prompt_id, event.shown_order), event.occasion == "repeat"


def same_submission(stored: Judgment, judgment: Judgment) -> bool:
    """Whether two judgments of one id are the same act.

    A retry may carry a later time stamp, and knows neither the occasion nor what the store let the
    judgment replace.
    """
    known = replace(stored, created_at=judgment.created_at, occasion=judgment.occasion)
    if judgment.supersedes is None:
        known = replace(known, supersedes=None)
    return known == judgment


def item_id(prompt_id: str, candidates: Iterable[str]) -> str | None:
    """The id of the item made of these candidates, in whatever order; None for no candidates."""
    ids = sorted(candidates)
    if not ids:
        return None
    key = "\0".join([prompt_id, *ids]).encode("utf-8", "surrogatepass")
    return hashlib.sha256(key).hexdigest()[:16]


def same_response(stored: Response, response: Response) -> bool:
    """Whether two responses of one id are the same; a retry may carry a later time stamp."""
    return replace(stored, created_at=response.created_at) == response
