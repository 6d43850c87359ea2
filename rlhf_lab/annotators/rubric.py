"""A simulated annotator with a written rubric, so that the truth is known.

The rubric: a good answer is short, finished and to the point. Points for a response:

| criterion | points |
|---|---|
| finished | +2 if the text ends a sentence (. ! ? or a closing quote or bracket after one) |
| brief    | +1 up to 10 words, falling evenly to 0 at 40 words |
| on topic | +1 times the share of the prompt's telling words it takes up, full at a half |
| fresh    | -1 times the share of repeated three-word runs |
| empty    | -1 if there are fewer than 4 words |
| declines | for prompts tagged "decline": +1 if the answer declines, -1 if it does not |

It reads text alone, as a person would: not token counts, not which version wrote it.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rlhf_lab.errors import ConfigError, JudgmentError
from rlhf_lab.types import Prompt, Ranking, Response

BRIEF_WORDS, LONG_WORDS, FEWEST_WORDS = 10, 40, 4
ENDS_A_SENTENCE = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]*_`]*$")
DECLINES = re.compile(
    r"\b(can['\u2019]?t|cannot|can not|won['\u2019]?t|shouldn['\u2019]?t"
    r"|unable to|not able to|sorry|illegal)\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[\w'\u2019-]+")
FIRST_SENTENCE = re.compile(r".+?[.!?\u2026][\"'\u201d\u2019)\]*_`]*(?=\s|$)", re.DOTALL)
# Words too common to tell what a prompt is about.
COMMON = frozenset(
    (  # noqa: SIM905 - as a list it would fill three screens
        "about above after again also and answer any are because been before being below "
        "between both briefly can could describe did does doing down each explain few "
        "following for from further give had has have having help her here hers him his how "
        "its just keep list main make many me more most much must name need not one only "
        "other our out over own paragraph please same sentence sentences several she short "
        "should simple some such suggest summarise summarize summary tell text than that the "
        "their them then there these they things this those three through too two under until "
        "very was way ways were what when where which while who whom whose why will with "
        "without words would write you your "
    ).split()
)


def rubric_points(prompt: Prompt, text: str) -> dict[str, float]:
    """Points of a response by criterion, as in the table above; the sum is its score."""
    words = [w.lower() for w in WORD.findall(text)]
    brevity = (LONG_WORDS - len(words)) / (LONG_WORDS - BRIEF_WORDS)
    points = {
        "finished": 2.0 * bool(ENDS_A_SENTENCE.search(text.rstrip())),
        "brief": min(max(brevity, 0.0), 1.0),
        "on topic": _on_topic(prompt, words),
        "fresh": -_repeated(words),
        "empty": -float(len(words) < FEWEST_WORDS),
    }
    if "decline" in prompt.tags:
        points["declines"] = 1.0 if DECLINES.search(text) else -1.0
    return points


def _on_topic(prompt: Prompt, words: Sequence[str]) -> float:
    telling = {_stem(w) for w in _telling_words(prompt.text)}
    if not telling:
        return 1.0
    share = len(telling & {_stem(w) for w in words}) / len(telling)
    return min(share / 0.5, 1.0)


def _telling_words(text: str) -> list[str]:
    return [w.lower() for w in WORD.findall(text) if len(w) > 2 and w.lower() not in COMMON]


def _stem(word: str) -> str:
    """Plural and singular count as one word; nothing finer is needed."""
    return word[:-1] if word.endswith("s") and len(word) > 3 else word


def _first_sentence(text: str) -> str:
    found = FIRST_SENTENCE.match(text.strip())
    return found[0] if found else ""


def _repeated(words: Sequence[str]) -> float:
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


class EditedAnswer(NamedTuple):
    """A demonstration made of a response: the id of that one, and the text it became."""

    edited_from: str
    text: str


class RubricAnnotator:
    """Ranks by the rubric, with repeatable slips of the hand.

    ```python
    RubricAnnotator()                     # the truth
    RubricAnnotator(noise=0.2, seed=1)    # a person who follows the rubric roughly
    ```
    """

    def __init__(
        self, *, noise: float = 0.0, seed: int = 0, tie_width: float = 0.1, name: str = ""
    ) -> None:
        """Make an annotator.

        Args:
            noise: Standard deviation, in points, of the normal error on each response's score.
            seed: Of the errors; the same seed judges the same response the same way every time.
            tie_width: Scores that round to the same multiple of this are tied.
            name: Default: "rubric", with noise and seed where there is noise.
        """
        if noise < 0 or tie_width <= 0:
            raise ConfigError(
                f"noise={noise}, tie_width={tie_width}: noise must be 0 or more, tie_width above 0."
            )
        self.noise = noise
        self.seed = seed
        self.tie_width = tie_width
        self.name = name or (f"rubric-noise{noise:g}-seed{seed}" if noise else "rubric")

    def score(self, prompt: Prompt, text: str) -> float:
        """Points of a response, this annotator's error included."""
        return sum(rubric_points(prompt, text).values()) + self._error(prompt, text)

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first."""
        scores: Mapping[str, float] = {
            c.id: round(self.score(prompt, c.text) / self.tie_width) for c in candidates
        }
        return Ranking.from_scores(scores)

    def demonstrate(self, prompt: Prompt, candidates: Sequence[Response]) -> EditedAnswer:
        """What this annotator makes of the candidates: the best of them, cut where it helps.

        As a person would who edits rather than writes: every candidate, and its first sentence
        alone, is looked at, and the one that scores highest is taken.
        """
        edits = [
            EditedAnswer(candidate.id, text)
            for candidate in candidates
            for text in dict.fromkeys((candidate.text.strip(), _first_sentence(candidate.text)))
            if text
        ]
        if not edits:
            raise JudgmentError(
                f"the {len(candidates)} responses to {prompt.text[:60]!r} are all empty: there is "
                "nothing to edit. Generate others first."
            )
        return max(edits, key=lambda edit: self.score(prompt, edit.text))

    def _error(self, prompt: Prompt, text: str) -> float:
        if not self.noise:
            return 0.0
        key = hashlib.sha256(f"{self.seed}\0{prompt.id}\0{text}".encode()).digest()
        return random.Random(key).gauss(0.0, self.noise)
