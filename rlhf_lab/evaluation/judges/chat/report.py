"""What an endpoint was asked, what it cost, and how far its verdicts hang on the order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rlhf_lab.evaluation.judges.chat.template import Choice
from rlhf_lab.store.showing import as_html, counted, in_frame
from rlhf_lab.types import Interval
from rlhf_lab.types.intervals import wilson_interval

# What the verdicts on one pair, asked in both orders, come to.
Outcome = Literal["same answer", "both tie", "first place", "second place", "half tie", "unread"]


class PairVerdicts(NamedTuple):
    """What was said of two answers, in the order they came in and in the other one.

    Attributes:
        prompt_id: Whose answers they are.
        given: The verdict with the first one shown first; None if no reply could be read.
        turned: The verdict with the second one shown first.
    """

    prompt_id: str
    given: Choice | None
    turned: Choice | None

    @property
    def outcome(self) -> Outcome:
        """What the two come to."""
        if self.given is None or self.turned is None:
            return "unread"
        if self.given == self.turned:
            places: dict[Choice, Outcome] = {
                "first": "first place",
                "second": "second place",
                "tie": "both tie",
            }
            return places[self.given]
        return "half tie" if "tie" in (self.given, self.turned) else "same answer"

    @property
    def points(self) -> float:
        """Of the one that came in first: 1 if it won in both orders, 0 if it lost in both.

        Else 0.5: what depends on the order is no preference.

        Source: Zheng et al. (2023), "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena",
        section 3.4.
        """
        if self.outcome != "same answer":
            return 0.5
        return 1.0 if self.given == "first" else 0.0


@dataclass(frozen=True, kw_only=True)
class ChatReport:
    """What a `ChatJudge` has done since it was made. A pair is two answers to one prompt.

    Attributes:
        judge: Its name.
        requests: HTTP requests sent, repeated ones included.
        retries: Of those, how many repeated one that had failed.
        asked: Replies that came.
        cached: Replies that were known from before and cost nothing.
        input_tokens: Of what was asked.
        output_tokens: Of the replies that came.
        estimated: Replies whose endpoint gave no numbers of tokens; they count at the most that
            they can have been.
        cost: In the currency of the prices; None without prices. Requests that failed in a way
            that leaves open whether they are billed count at the most they can cost.
        unreadable: Replies without a verdict, the cached ones included.
        cut: Replies that came and ended because they reached `max_tokens`.
        prompts: Prompts whose answers were compared.
        pairs: Pairs, each asked in both orders.
        same_answer: Pairs where both orders prefer the same answer.
        both_tie: Pairs that both orders call a tie.
        half_tie: Pairs that one order calls a tie; they count as ties.
        first_place: Pairs where both orders prefer whichever answer comes first; counted as ties.
        second_place: The same with the second place.
        unread: Pairs with a verdict that could not be read, however often it was asked for;
            counted as ties.
    """

    judge: str
    requests: int
    retries: int
    asked: int
    cached: int
    input_tokens: int
    output_tokens: int
    estimated: int
    cost: float | None
    unreadable: int
    cut: int
    prompts: int
    pairs: int
    same_answer: int
    both_tie: int
    half_tie: int
    first_place: int
    second_place: int
    unread: int

    @property
    def ties(self) -> int:
        """Pairs that count as a tie, for whatever reason."""
        return self.pairs - self.same_answer

    @property
    def consistent(self) -> Interval | None:
        """Share of the pairs that were read where both orders say the same; None without any.

        All three shares have Wilson's 95% interval for as many values as there are prompts: pairs
        of answers to one prompt are not independent.
        """
        return self._share(self.same_answer + self.both_tie)

    @property
    def prefers_first(self) -> Interval | None:
        """Share of the pairs that were read where the first place won in both orders."""
        return self._share(self.first_place)

    @property
    def prefers_second(self) -> Interval | None:
        """Share of the pairs that were read where the second place won in both orders."""
        return self._share(self.second_place)

    def _share(self, pairs: int) -> Interval | None:
        read = self.pairs - self.unread
        return wilson_interval(pairs / read, min(read, self.prompts)) if read else None

    def __str__(self) -> str:
        """Verdicts, position bias, and what it took."""
        return "\n".join(filter(None, (self._verdicts(), self._bias(), self._traffic())))

    __repr__ = __str__

    def _verdicts(self) -> str:
        disagreed = self.half_tie + self.first_place + self.second_place
        return (
            f"{self.judge}: {counted(self.pairs, 'pairs')} of {counted(self.prompts, 'prompts')} "
            f"in both orders: {self.same_answer:,} decided, {counted(self.ties, 'ties')} "
            f"({self.both_tie:,} called so, {disagreed:,} where the orders disagree, "
            f"{self.unread:,} unreadable)"
        )

    def _bias(self) -> str:
        if self.consistent is None:
            return ""
        return (
            f"position bias: first place in both orders {self.prefers_first}, second place in both "
            f"{self.prefers_second}; consistent {self.consistent}"
        )

    def _traffic(self) -> str:
        cost = "" if self.cost is None else f", cost {self.cost:.4g}"
        oddities = {
            "retries": self.retries,
            "replies without a verdict": self.unreadable,
            "replies cut off at max_tokens": self.cut,
            "replies without token counts": self.estimated,
        }
        odd = "".join(f", {counted(n, things)}" for things, n in oddities.items() if n)
        return (
            f"{counted(self.requests, 'requests')}, {self.cached:,} replies from the cache, "
            f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out{cost}{odd}"
        )

    def _repr_html_(self) -> str:
        lines = "<br>".join(map(as_html, str(self).split("\n")))
        return in_frame(f"<p>{lines}</p>")


def count_outcomes(pairs: Iterable[PairVerdicts]) -> dict[str, int]:
    """The figures of a `ChatReport` that are about pairs."""
    pairs = list(pairs)
    counts = Counter(pair.outcome for pair in pairs)
    return {
        "prompts": len({pair.prompt_id for pair in pairs}),
        "pairs": len(pairs),
        "same_answer": counts["same answer"],
        "both_tie": counts["both tie"],
        "half_tie": counts["half tie"],
        "first_place": counts["first place"],
        "second_place": counts["second place"],
        "unread": counts["unread"],
    }
