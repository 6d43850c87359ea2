"""Comparing the policy in the model with another version of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from torch import Tensor

from rlhf_lab.evaluation.decline import earlier_best
from rlhf_lab.evaluation.kl import kl_per_response
from rlhf_lab.evaluation.reward_gain import reward_gain
from rlhf_lab.evaluation.win_rate import EvalReport, compare_versions
from rlhf_lab.models import RoleModel
from rlhf_lab.models.collection import collect_responses
from rlhf_lab.models.roles import RoleName
from rlhf_lab.models.watching import Watch
from rlhf_lab.store import PreferenceStore, log_evaluation, log_scores
from rlhf_lab.types import Annotator, Evaluation, Prompt, Response, Sampling


def evaluate_policy(
    model: RoleModel,
    store: PreferenceStore,
    prompts: Sequence[Prompt],
    *,
    version: str,
    baseline: str,
    baseline_state: Mapping[str, Tensor],
    reward: str | None = None,
    reward_state: Mapping[str, Tensor] | None = None,
    judge: Annotator,
    sampling: Sampling,
    seed: int,
    progress: bool = True,
    watch: Watch | None = None,
) -> EvalReport:
    """One response of each version to each prompt, sampled if missing, and what a judge says.

    Args:
        model: Its policy is `version`, and is so again afterwards.
        store: Where responses and figures go.
        prompts: Held-out ones.
        version: Name of the policy.
        baseline: Name of what it is compared with.
        baseline_state: The baseline's weights.
        reward: Name of the reward version that scores both; None for none.
        reward_state: Its weights.
        judge: Compares the two responses to each prompt.
        sampling: How responses are drawn.
        seed: Of the bootstrap.
        progress: Show bars.
        watch: Is told how far it is, and may end it.

    Raises:
        Stopped: the watch ended it; responses are kept, nothing was logged.
        JudgmentError: the judge did not rank the two responses it was shown; nothing was logged.
        NonFiniteError: scores that are NaN or infinite; nothing was logged.
    """
    watch = watch or Watch()
    watch.begin(2 * len(prompts))

    def responses(name: str) -> list[Response]:
        batch = collect_responses(
            model,
            store,
            prompts,
            k=1,
            version=name,
            sampling=sampling,
            purpose="evaluation",
            progress=progress,
            watch=watch,
        )
        wanted = {r.prompt_id: r for r in batch.responses if r.sampling == sampling}
        return [wanted[p.id] for p in prompts]

    watch.phase("sampling")
    with policy_as(model, baseline_state):
        before = responses(baseline)
    after = responses(version)
    watch.phase("kl")
    kl = kl_per_response(model, prompts, after, progress=progress)
    report = compare_versions(prompts, before, after, judge, kl=kl, seed=seed)
    if reward_state is not None:
        watch.phase("scoring")
        with weights_as(model, "reward", reward_state):
            gain, scores = reward_gain(model, prompts, before, after, seed=seed, progress=progress)
        best = earlier_best(store, version, baseline, reward, report.judge)
        report = replace(report, reward=reward, reward_gain=gain, best=best)
        if reward is not None:
            log_scores(store, reward, scores)
    found = Evaluation(
        baseline=baseline,
        win_rate=report.win_rate,
        kl=kl,
        reward=report.reward,
        reward_gain=report.reward_gain,
        judge=report.judge,
    )
    log_evaluation(store, version, found)
    return report


def policy_as(model: RoleModel, state: Mapping[str, Tensor]) -> AbstractContextManager[None]:
    """Other weights in the policy role for a while."""
    return weights_as(model, "policy", state)


@contextmanager
def weights_as(model: RoleModel, role: RoleName, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Other weights in a role for a while."""
    present = model.state(role)
    model.load_state(role, state)
    try:
        yield
    finally:
        model.load_state(role, present)
