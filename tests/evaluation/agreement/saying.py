"""Small labs whose people said what a test needs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from rlhf_lab.store import PreferenceStore, events
from rlhf_lab.types import Judgment, Message, Prompt, Ranking, Response, Sampling

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def prompt(text: str) -> Prompt:
    return Prompt(messages=(Message(role="user", content=text),))


def tiers(order: str) -> tuple[tuple[str, ...], ...]:
    """As in "A > B = C": letters of candidates, best first."""
    return tuple(tuple(tier.replace(" ", "").split("=")) for tier in order.split(">"))


class Team:
    """People who rank the answers A, B, C, ... to prompts that are called by a word.

    What they say is stored as imports are: nothing replaces anything, and the occasion is kept.
    """

    def __init__(self, store: PreferenceStore) -> None:
        self.store = store
        self._numbers = itertools.count()
        self._answered: set[str] = set()

    def answer(self, *words: str, letters: str) -> None:
        asked = [prompt(word) for word in words]
        self.store.add_prompts(asked)
        self.store.add_responses(
            Response(
                id=f"{to.text}-{letter}",
                prompt_id=to.id,
                text=f"{letter} to {to.text}",
                token_ids=(1, 2),
                version="policy@0",
                sampling=Sampling(),
                seed=number,
                end_reason="stop",
                created_at=NOON,
            )
            for to in asked
            for number, letter in enumerate(letters)
        )
        self._answered.update(words)

    def judgment(
        self, who: str, word: str, order: str, *, shown: str = "", minutes: float = 0, **changes
    ) -> Judgment:
        letters = sorted(letter for tier in tiers(order) for letter in tier)
        if word not in self._answered:
            self.answer(word, letters="".join(letters))
        return Judgment(
            **{
                "id": f"{who}-{next(self._numbers)}",
                "prompt_id": prompt(word).id,
                "annotator": who,
                "shown_order": tuple(f"{word}-{letter}" for letter in shown or letters),
                "ranking": Ranking(
                    tiers=tuple(tuple(f"{word}-{x}" for x in tier) for tier in tiers(order))
                ),
                "seconds": 10.0,
                "created_at": NOON + timedelta(minutes=minutes),
                **changes,
            }
        )

    def say(self, who: str, word: str, order: str, **changes) -> Judgment:
        said = self.judgment(who, word, order, **changes)
        self.keep([said])
        return said

    def keep(self, judgments: Iterable[Judgment]) -> None:
        with self.store.database.write() as session:
            events.append_many(session, list(judgments), NOON)
