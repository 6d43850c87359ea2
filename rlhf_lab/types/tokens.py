"""What the roles make of a response, token by token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rlhf_lab.types.prompts import Prompt

PieceKind = Literal["text", "special", "bytes"]


@dataclass(frozen=True, kw_only=True)
class TokenPiece:
    """One token as something to look at.

    Attributes:
        id: In the model's vocabulary.
        kind: "text" is whole characters; "special" a token that stands for no text, as the end of
            a turn; "bytes" is a part of a character, which is no text alone.
        text: The characters; a special token's name; for bytes their hex digits, as in "F0 9F".
        whole: For bytes, the characters that the tokens around it make together with it; empty
            where they make none.
    """

    id: int
    kind: PieceKind
    text: str
    whole: str = ""


@dataclass(frozen=True, kw_only=True)
class TokenReport:
    """Figures of one response for each of its T tokens, end token included, as PPO sees them.

    Tuples of figures have length T and are None where a role is missing; `left_out` says why.

    Attributes:
        prompt: What was answered.
        response_id: In the store; None for a text that is not stored.
        written_by: The version that wrote the response; None where that is not known.
        pieces: The tokens.
        ended: Whether the response ended by itself.
        logp: log policy(token) in nats, at `temperature`.
        ref_logp: log reference(token) in nats, at `temperature`.
        log_ratio: `logp - ref_logp` in nats: also the estimate k1 of the KL, which the reward is
            charged for.
        kl_k3: The estimate k3 of the KL in nats; never negative.
        values: What the value role expects before each token, on the scale of normalised scores:
            0 is the mean of the reference's responses, 1 one standard deviation.
        rewards: `-kl_coef * log_ratio`, plus `score` at the last token; same scale.
        advantages: Generalised advantage estimates; same scale. A PPO step also whitens them over
            its whole batch, which shifts and scales all of them together.
        returns: `advantages + values`.
        score: Normalised score, as PPO clips and corrects it; None without a reward model.
        kl_coef: Reward lost per nat.
        temperature: Divides the logits.
        gamma: Discount per token.
        lam: GAE's lambda.
        policy: The version read, as in "policy@3".
        reward: The reward version that scored; None without one.
        left_out: For each field that is None for want of a role ("values", "rewards",
            "advantages", "returns"): what is missing and how to get it.
    """

    prompt: Prompt
    response_id: str | None
    written_by: str | None
    pieces: tuple[TokenPiece, ...]
    ended: bool
    logp: tuple[float, ...]
    ref_logp: tuple[float, ...]
    log_ratio: tuple[float, ...]
    kl_k3: tuple[float, ...]
    values: tuple[float, ...] | None
    rewards: tuple[float, ...] | None
    advantages: tuple[float, ...] | None
    returns: tuple[float, ...] | None
    score: float | None
    kl_coef: float
    temperature: float
    gamma: float
    lam: float
    policy: str
    reward: str | None
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Short: a list of two thousand figures helps nobody."""
        score = "no score" if self.score is None else f"score {self.score:+.3f}"
        return (
            f"TokenReport({len(self.pieces)} tokens read by {self.policy}, log-ratio "
            f"{sum(self.log_ratio):+.3f} nats, {score})"
        )
