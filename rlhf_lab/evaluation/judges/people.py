"""People as a judge: what they said, read from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.judges.batch import JudgeItem, ranking_from_pairs
from rlhf_lab.types import Judgment, Prompt, Ranking, Response

Unjudged = Literal["error", "tie"]


class JudgmentSource(Protocol):
    """The part of the preference store that is read."""

    def judgments(self, prompt_id: str | None = None) -> Sequence[Judgment]:
        """The rankings that count, in the order they were submitted."""


class PeopleJudge:
    """Answers with what people said of the same responses, by ranking or by comparing.

    ```python
    lab.compare("policy@3", "policy@0")                    # a person compares
    lab.evaluate(judge=PeopleJudge(lab.store))             # and the same functions read it
    ```

    Of two responses, the one that more people put above the other is better; a tie when as many
    say the one as the other. Each person counts once, with what they said last of the two, be it
    in a ranking of these or of more. Three responses or more are ordered by the pairs, so that one
    person's ranking comes back as it was. What was said while learning from known answers is left
    out.

    Whoever is stored counts, simulated annotators included, unless `annotators` says who does.
    """

    def __init__(
        self,
        store: JudgmentSource,
        *,
        annotators: Collection[str] | None = None,
        unjudged: Unjudged = "error",
        name: str = "people",
    ) -> None:
        """Make a judge.

        Args:
            store: The lab's (`lab.store`). What is said later counts as soon as it is stored.
            annotators: Names of those who count; None for all.
            unjudged: What to do about two responses that nobody has put in an order or tied:
                "error", or "tie", which `unjudged_pairs` counts.
            name: As reports call it.

        Raises:
            ConfigError: a setting outside its range.
        """
        if unjudged not in ("error", "tie"):
            raise ConfigError(f"unjudged={unjudged!r}: use 'error' or 'tie'.")
        if isinstance(annotators, str) or (annotators is not None and not annotators):
            raise ConfigError(
                f"annotators={annotators!r}: a list of names, such as ['me'], or None for all."
            )
        self.name = name
        self.unjudged_pairs = 0
        self._store = store
        self._annotators = None if annotators is None else frozenset(annotators)
        self._unjudged = unjudged

    def __repr__(self) -> str:
        """Whose opinions count."""
        whose = "all" if self._annotators is None else ", ".join(sorted(self._annotators))
        return f"PeopleJudge({self.name!r}, annotators: {whose})"

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first.

        Raises:
            NotEnoughData: nobody ranked two of them, and `unjudged` is "error".
        """
        return self._rank(prompt, candidates, self._store.judgments(prompt.id))

    def rank_many(self, items: Sequence[JudgeItem]) -> list[Ranking]:
        """The same of many items; the store is read once."""
        by_prompt: dict[str, list[Judgment]] = {prompt.id: [] for prompt, _ in items}
        for judgment in self._store.judgments():
            if judgment.prompt_id in by_prompt:
                by_prompt[judgment.prompt_id].append(judgment)
        return [self._rank(p, candidates, by_prompt[p.id]) for p, candidates in items]

    def _rank(
        self, prompt: Prompt, candidates: Sequence[Response], judgments: Sequence[Judgment]
    ) -> Ranking:
        counting = [j for j in judgments if self._counts(j)]

        def points(first: str, second: str) -> float:
            said = _latest(counting, first, second)
            if not said:
                self._note_unjudged(prompt, first, second)
                return 0.5
            lead = said["above"] - said["below"]
            return 0.5 + 0.5 * ((lead > 0) - (lead < 0))

        return ranking_from_pairs([c.id for c in candidates], points)

    def _counts(self, judgment: Judgment) -> bool:
        if judgment.ranking is None or judgment.occasion == "calibration":
            return False
        return self._annotators is None or judgment.annotator in self._annotators

    def _note_unjudged(self, prompt: Prompt, first: str, second: str) -> None:
        if self._unjudged == "error":
            raise NotEnoughData(
                f"{self!r} knows nothing of responses {first} and {second} to "
                f"{prompt.text[:60]!r}: nobody ranked both. Have people compare the versions "
                "(lab.compare), or pass unjudged='tie'."
            )
        self.unjudged_pairs += 1


def _latest(judgments: Sequence[Judgment], first: str, second: str) -> Counter[str]:
    """How many people put the first above, below or level with the second, when last asked."""
    said: dict[str, str] = {}
    for judgment in judgments:
        ranks = judgment.ranking.ranks() if judgment.ranking else {}
        if first in ranks and second in ranks:
            lead = ranks[second] - ranks[first]
            said[judgment.annotator] = "above" if lead > 0 else "below" if lead < 0 else "level"
    return Counter(said.values())
