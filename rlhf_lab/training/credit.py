"""Where the credit went: what a PPO step would see of a response, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from torch import Tensor

from rlhf_lab.algorithms import kl_k1, kl_k3
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.models import Generated, RoleModel
from rlhf_lab.models.memory import Parts
from rlhf_lab.models.pieces import token_pieces
from rlhf_lab.training.batching import most_parts, response_groups
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.ppo_targets import (
    adjusted_scores,
    kept_kl_coef,
    token_rewards,
    value_advantages,
)
from rlhf_lab.training.rollout import Rollout, Texts, score_texts
from rlhf_lab.training.versions import VersionTree
from rlhf_lab.types import Prompt, Response, TokenReport

NO_REWARD = "there is no reward model yet: rank with lab.rank(), then lab.update_reward()."


class ReadText(NamedTuple):
    """A prompt and an answer to read: a response of the store, or any text."""

    prompt: Prompt
    answer: Response | str


@dataclass(frozen=True, kw_only=True)
class Readers:
    """What the roles of a model hold while they read.

    Attributes:
        policy: Version in the policy role.
        reward: Version in the reward role; None if it holds none.
        values: Where values come from: the value role, the head on the policy's trunk, or nothing.
        kl_coef: Reward lost per nat; None for the settings' own.
    """

    policy: str
    reward: str | None = None
    values: Literal["value", "policy_value"] | None = None
    kl_coef: float | None = None


def present_readers(model: RoleModel, tree: VersionTree, config: PPOConfig) -> Readers:
    """Put the present reward and the present policy's values into the model.

    Whatever uses these roles loads them first, so nothing else hears of it.

    Args:
        model: Its policy role is the present policy already.
        tree: Where versions come from.
        config: Says which price of a nat is wanted.

    Raises:
        CheckpointError: files of a version are missing or altered.
    """
    policy, reward = tree.head("policy"), tree.head("reward")
    assert policy
    checkpoint = tree.load(policy)
    if reward is not None:
        model.load_state("reward", tree.load(reward).tensors["reward"])
    values: Literal["value", "policy_value"] | None = None
    if "value" in checkpoint.tensors:
        values = "value"
        model.load_state("value", checkpoint.tensors["value"])
    elif "policy_value" in checkpoint.tensors:
        values = "policy_value"
        model.load_state("policy_value", checkpoint.tensors["policy_value"])
    return Readers(
        policy=policy.name,
        reward=reward.name if reward else None,
        values=values,
        kl_coef=kept_kl_coef(config, checkpoint.state),
    )


def token_report(
    model: RoleModel, prompt: Prompt, answer: Response | str, readers: Readers, config: PPOConfig
) -> TokenReport:
    """What a PPO step with these settings would see of one answer; see `token_reports`."""
    (report,) = token_reports(model, [ReadText(prompt, answer)], readers, config)
    return report


def token_reports(
    model: RoleModel, texts: Sequence[ReadText], readers: Readers, config: PPOConfig
) -> list[TokenReport]:
    """What a PPO step with these settings would see of some answers; nothing is learned.

    Args:
        model: With its roles as `readers` says.
        texts: Answers; those to one prompt are best kept together, then it is computed once.
        readers: What the roles hold. Without a reward there are no rewards and no advantages,
            without values no advantages.
        config: Settings of the step, resolved.

    Raises:
        NotEnoughData: an answer is empty.
        PromptError: prompt and answer exceed the model's context.
        NonFiniteError: scores that are NaN or infinite.
        OutOfMemory: one answer alone does not fit into memory.
    """
    read = Texts([], [])
    for text in texts:
        generated = _generated(model, text.answer)
        read.prompts.append(model.chat.encode(text.prompt, room=len(generated.token_ids)))
        read.generated.append(generated)
    rollout = _scored(model, read, readers, config)
    return _reports(model, texts, rollout, readers, config)


def _generated(model: RoleModel, answer: Response | str) -> Generated:
    """The tokens of an answer: as sampled, or as the model reads a text from elsewhere."""
    if isinstance(answer, Response) and answer.token_ids:
        return Generated(list(answer.token_ids), answer.end_reason)
    text = answer if isinstance(answer, str) else answer.text
    if not text:
        raise NotEnoughData("an answer without any text has no tokens to look at: pass some text.")
    return Generated(list(model.chat.encode_answer(text)), "stop")


def _scored(model: RoleModel, texts: Texts, readers: Readers, config: PPOConfig) -> Rollout:
    """What a PPO step computes between sampling and learning, by the same function."""
    assert config.sampling
    temperature = config.sampling.temperature
    planned = response_groups(
        model, texts.prompts, texts.responses, tokens=config.tokens_per_micro_batch
    )
    parts = Parts("batches of a token report", remedy="Look at fewer or at shorter answers.")
    with model.dense.base():
        # Without a reward version its scores mean nothing; they are computed and not shown.
        return parts.until_they_fit(
            lambda count: score_texts(
                model,
                texts,
                planned,
                parts=count,
                temperature=temperature,
                values=readers.values,
            ),
            most=most_parts(planned),
        )


def _reports(
    model: RoleModel,
    texts: Sequence[ReadText],
    rollout: Rollout,
    readers: Readers,
    config: PPOConfig,
) -> list[TokenReport]:
    assert config.sampling
    kl_coef = config.kl_coef if readers.kl_coef is None else readers.kl_coef
    scores = None if readers.reward is None else adjusted_scores(rollout, config).tolist()
    figures = _figures(rollout, readers, config, kl_coef)
    reports = []
    for row, (text, generated) in enumerate(zip(texts, rollout.texts.generated, strict=True)):
        stored = text.answer if isinstance(text.answer, Response) else None
        report = TokenReport(
            prompt=text.prompt,
            response_id=stored.id if stored else None,
            written_by=stored.version if stored else None,
            pieces=token_pieces(model.base.tokenizer, generated.token_ids),
            ended=generated.end_reason == "stop",
            score=scores[row] if scores else None,
            kl_coef=kl_coef,
            temperature=config.sampling.temperature,
            gamma=config.gamma,
            lam=config.lam,
            policy=readers.policy,
            reward=readers.reward,
            left_out=_left_out(readers),
            **{name: _own(full, row, len(generated.token_ids)) for name, full in figures.items()},
        )
        reports.append(report)
    return reports


def _figures(
    rollout: Rollout, readers: Readers, config: PPOConfig, kl_coef: float
) -> dict[str, Tensor | None]:
    """By the name of their field, (responses, longest response)."""
    rewards = estimated = None
    if readers.reward is not None:
        rewards = token_rewards(rollout, config, kl_coef)
        if rollout.values is not None:
            # Whitened over the texts of a report, rewards would be no step's.
            plain = replace(config, whiten_rewards=False)
            estimated = value_advantages(rollout, rewards, plain)
    return {
        "logp": rollout.logp,
        "ref_logp": rollout.ref_logp,
        "log_ratio": kl_k1(rollout.logp, rollout.ref_logp),
        "kl_k3": kl_k3(rollout.logp, rollout.ref_logp),
        "values": rollout.values,
        "rewards": rewards,
        "advantages": estimated and estimated.advantages,
        "returns": estimated and estimated.returns,
    }


def _own(full: Tensor | None, row: int, tokens: int) -> Any:  # noqa: ANN401 - figures, or None
    return None if full is None else tuple(full[row, :tokens].tolist())


def _left_out(readers: Readers) -> dict[str, str]:
    """What is missing and how to get it, by field."""
    no_values = (
        f"{readers.policy} keeps no value role: lab.ppo() trains one, and the newest versions keep "
        "theirs."
    )
    reasons: dict[str, str] = {}
    if readers.values is None:
        reasons["values"] = no_values
    if readers.reward is None:
        reasons["rewards"] = NO_REWARD
    if reasons:
        reasons["advantages"] = reasons.get("rewards", no_values)
        reasons["returns"] = reasons["advantages"]
    return reasons
