"""What updates of the policy have in common that learn from what people wrote or ranked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from rlhf_lab.errors import NonFiniteError
from rlhf_lab.models import RoleModel
from rlhf_lab.training.checkpoints import Checkpoint
from rlhf_lab.training.versions import VersionNote, VersionTree
from rlhf_lab.types import Version

MadeBy = Literal["sft", "dpo"]


class LearnedBefore(NamedTuple):
    """Ids of what a line of policies has learned by one kind of update, and its latest report."""

    ids: set[str]
    report: Mapping[str, Any] | None


def learned_before(tree: VersionTree, policy: Version, made_by: MadeBy) -> LearnedBefore:
    """What a policy and its ancestors have learned this way, up to the start of their line."""
    ids: set[str] = set()
    report: Mapping[str, Any] | None = None
    for version in tree.line(policy):
        state = tree.state_of(version)
        if state.get("made_by") == made_by:
            ids |= set(state["learned"])
            report = report or state["report"]
        if version.is_start:
            break
    return LearnedBefore(ids, report)


@contextmanager
def policy_restored(model: RoleModel, tree: VersionTree, policy: Version) -> Iterator[None]:
    """Put a policy back if the block does not finish, Ctrl-C included."""
    try:
        yield
    except BaseException:
        tree.put_policy(model, policy)
        raise


def save_policy(
    model: RoleModel,
    tree: VersionTree,
    policy: Version,
    *,
    made_by: MadeBy,
    learned: set[str],
    report: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> Version:
    """Make what the policy role holds now a child of a policy, and the present one."""
    state = {"made_by": made_by, "learned": sorted(learned), "report": report}
    checkpoint = Checkpoint(tensors={"policy": model.state("policy")}, state=state)
    version = tree.save("policy", checkpoint, VersionNote(parent=policy.name, metrics=metrics))
    tree.put_policy(model, version)
    return version


def first_and_last(losses: Sequence[float], epochs: int) -> tuple[float, float]:
    """Mean loss over the first and over the last half epoch, without steps that were dropped.

    Raises:
        NonFiniteError: every step was dropped.
    """
    if not any(map(math.isfinite, losses)):
        raise NonFiniteError(
            f"losses {list(losses)[:8]}: no step could be taken, and the policy is what it was. "
            "Lower learning_rate, or look for broken texts."
        )
    window = max(1, len(losses) // (2 * epochs))
    return _mean(losses[:window]), _mean(losses[-window:])


def _mean(losses: Sequence[float]) -> float:
    finite = [loss for loss in losses if math.isfinite(loss)]
    return sum(finite) / len(finite) if finite else math.nan
