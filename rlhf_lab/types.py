"""The values that pass between the layers: frozen, torch-free, JSON-friendly."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol, get_args

from rlhf_lab.errors import ConfigError, JudgmentError, PromptError

# Small enough for a CPU, Apache-2.0.
DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"

Split = Literal["train", "heldout"]
EndReason = Literal["stop", "length"]
Purpose = Literal["candidate", "evaluation"]
JudgmentKind = Literal["ranking", "skip", "undo"]
Strength = Literal["slightly", "clearly", "much"]

# The version that every tree of policies starts with.
START = "policy@0"
# The name of an alarm that training and evaluation may both raise.
REWARD_ALONE = "reward up, preference not"


def utc_now() -> datetime:
    """The default clock: the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What the policy answers: one or more chat messages, the last one from the user.

    The id is derived from the messages alone, so adding a prompt twice adds it once.
    """

    messages: tuple[Message, ...]
    split: Split = "train"
    source: str = "user"
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse prompts that no model could answer."""
        if not self.messages or self.messages[-1].role != "user":
            raise PromptError(
                f"{[m.role for m in self.messages]} is not a prompt: the last message must come "
                "from the user. Pass a string, or a list of chat messages ending with role 'user'."
            )
        for message in self.messages:
            if not isinstance(message.content, str):
                raise PromptError(
                    f"{message.content!r:.80} is a {type(message.content).__name__}: prompts are "
                    "text. Convert it to a string first."
                )
        if not self.messages[-1].content.strip():
            raise PromptError(
                f"{self.messages[-1].content!r:.80} has no text: a prompt needs at least one "
                "visible character. Remove it from the list."
            )

    @property
    def id(self) -> str:
        """Sixteen hex digits of the SHA-256 of the messages."""
        canonical = json.dumps([[m.role, m.content] for m in self.messages], ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def with_system(self, content: str) -> Prompt:
        """The same prompt after a system message; unchanged if it has one."""
        if self.messages[0].role == "system":
            return self
        return replace(self, messages=(Message(role="system", content=content), *self.messages))

    @property
    def text(self) -> str:
        """The last user message."""
        return self.messages[-1].content


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        temperature: Divides the logits; 1.0 samples the model's own distribution.
        max_new_tokens: Longest response in tokens, end token included.
        top_k: Keep the k likeliest tokens; 0 keeps all. PPO refuses any other value.
        top_p: Keep the smallest set of tokens with this much probability; 1.0 keeps all.
            PPO refuses any other value.
        seed: Start of the random streams; every response derives its own from it.
    """

    temperature: float = 1.0
    max_new_tokens: int = 128
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every range in the cell that made the mistake."""
        # 1 and 1.0 must give the same responses, whose seeds derive from these settings.
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "top_p", float(self.top_p))
        if not self.temperature > 0:
            raise ConfigError(
                f"temperature={self.temperature}: it divides the logits, so it must be above 0. "
                "Use 0.7 to 1.0; for near-greedy text use 0.1."
            )
        if self.max_new_tokens < 1:
            raise ConfigError(
                f"max_new_tokens={self.max_new_tokens}: at least 1 token is needed. "
                "Use 32 to 256 for short answers."
            )
        if self.top_k < 0:
            raise ConfigError(
                f"top_k={self.top_k}: it counts tokens, so it cannot be negative. "
                "Use 0 to keep all tokens."
            )
        if not 0 < self.top_p <= 1:
            raise ConfigError(
                f"top_p={self.top_p}: above 0 and at most 1. Use 1.0 to keep all tokens."
            )


@dataclass(frozen=True, kw_only=True)
class Response:
    """One sampled answer, with everything needed to trace or repeat it.

    Attributes:
        token_ids: As sampled, end token included.
        version: The policy that wrote it.
        seed: Of this response's own random stream.
        purpose: "candidate" for ranking, or "evaluation": never shown to people who rank.
    """

    id: str
    prompt_id: str
    text: str
    token_ids: tuple[int, ...]
    version: str
    sampling: Sampling
    seed: int
    end_reason: EndReason
    purpose: Purpose = "candidate"
    created_at: datetime = field(default_factory=utc_now)


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
    comment: str = ""
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


VERSION_NAME = re.compile(r"^(policy|reward)@(\d+)$")


@dataclass(frozen=True, kw_only=True)
class Version:
    """An immutable checkpoint in the tree of versions.

    Attributes:
        name: "policy@3" or "reward@2".
        parent: The version it was trained from; None for the start of a tree.
        trained_with: Names of the other versions that took part (a policy's reward model).
        path: Checkpoint folder, relative to the lab directory.
        metrics: Figures worth showing in a tree, by name.
    """

    name: str
    parent: str | None
    path: str
    trained_with: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    created_at: datetime = field(default_factory=utc_now)

    @property
    def role(self) -> str:
        """The part before the @: "policy" or "reward"."""
        return self.name.partition("@")[0]

    @property
    def number(self) -> int:
        """The number after the @."""
        return int(self.name.partition("@")[2])


@dataclass(frozen=True, kw_only=True)
class LoraSpec:
    """Shape of the low-rank adapters, the same for every role.

    Attributes:
        rank: Inner dimension r of the update B @ A.
        alpha: The update is scaled by alpha / rank.
        target_modules: Names of linear layers, or "all-linear" for all but the output head.
    """

    rank: int = 16
    alpha: int = 32
    target_modules: str | tuple[str, ...] = "all-linear"

    def __post_init__(self) -> None:
        """Refuse adapters without room."""
        if self.rank < 1 or self.alpha <= 0:
            raise ConfigError(
                f"rank={self.rank}, alpha={self.alpha}: both must be positive. Use 16 and 32."
            )


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95% interval.

    Attributes:
        estimate: The mean.
        low: 2.5% point.
        high: 97.5% point.
        n: Independent units behind it (prompts, not pairs).
    """

    estimate: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """As in "0.71 [0.62, 0.80] (n=64)"."""
        return f"{self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}] (n={self.n})"


class Alarm(NamedTuple):
    """Something that should be looked at: its name, and the value, the rule and the next step."""

    name: str
    message: str

    def __str__(self) -> str:
        """As shown under a progress bar."""
        return f"{self.name}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class RankingItem:
    """What an annotator sees: one prompt and its candidates in their blind, shuffled order."""

    prompt: Prompt
    candidates: tuple[Response, ...]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an annotator is with the current queue."""

    done: int
    total: int


class RankingSource(Protocol):
    """Where a ranking widget gets its items and leaves its judgments; holds all the state."""

    annotator: str

    def next_item(self) -> RankingItem | None:
        """The next item nobody of this name has judged or skipped, or None when done.

        The same item in the same order until it is judged: a reloaded widget resumes.
        """

    def submit(self, judgment: Judgment) -> None:
        """Store a judgment or skip durably; returns once it is on disk. Same id twice is one."""

    def undo(self) -> RankingItem | None:
        """Take back this annotator's latest judgment or skip; its item, or None."""

    def progress(self) -> Progress:
        """How many items are judged or skipped, of how many in the queue."""


class Annotator(Protocol):
    """Something that ranks candidates: a rubric, a model, a person behind a queue."""

    name: str

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first."""
