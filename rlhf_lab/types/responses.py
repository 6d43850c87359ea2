"""What a policy answered, and how the answer was drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from rlhf_lab.errors import ConfigError
from rlhf_lab.types.clock import utc_now

EndReason = Literal["stop", "length"]
Purpose = Literal["candidate", "evaluation", "spare"]

# What the versions of answers from elsewhere start with, so that none passes for a policy's.
IMPORTED = "import:"


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
    """One answer, with everything needed to trace it, and to repeat it if it was sampled here.

    Attributes:
        token_ids: As sampled, end token included; empty for an imported answer, which is text
            until a model reads it.
        version: The policy that wrote it, or `IMPORTED` and the name of its source.
        sampling: How it was drawn; None where that is not known.
        seed: Of this response's own random stream; None where there was none.
        purpose: "candidate" for ranking; "evaluation": shown only to who compares versions; or
            "spare": sampled to choose candidates from, and not chosen.
    """

    id: str
    prompt_id: str
    text: str
    token_ids: tuple[int, ...] = ()
    version: str
    sampling: Sampling | None = None
    seed: int | None = None
    end_reason: EndReason = "stop"
    purpose: Purpose = "candidate"
    created_at: datetime = field(default_factory=utc_now)
