"""Judges: who says which of several responses is the best, when no person is at hand, or many are.

Every judge is an `Annotator`: it has a `name` and ranks the candidates of a prompt, so it works
wherever a rubric does (`lab.evaluate(judge=...)`, `lab.annotate(...)`). Those that are faster with
many items at once are a `BatchJudge` too; `rank_many` asks any judge the fastest way it has.

Names are loaded when they are first used: asking an endpoint, or people, loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlhf_lab.evaluation.judges.batch import BatchJudge, JudgeItem, rank_many
    from rlhf_lab.evaluation.judges.chat.errors import CostLimitReached, EndpointError
    from rlhf_lab.evaluation.judges.chat.judge import ChatJudge
    from rlhf_lab.evaluation.judges.chat.report import ChatReport
    from rlhf_lab.evaluation.judges.chat.template import JudgeTemplate
    from rlhf_lab.evaluation.judges.classifier import ClassifierJudge
    from rlhf_lab.evaluation.judges.people import PeopleJudge
    from rlhf_lab.evaluation.judges.reward import RewardJudge

_HOMES = {
    "batch": "BatchJudge JudgeItem rank_many",
    "chat.errors": "CostLimitReached EndpointError",
    "chat.judge": "ChatJudge",
    "chat.report": "ChatReport",
    "chat.template": "JudgeTemplate",
    "classifier": "ClassifierJudge",
    "people": "PeopleJudge",
    "reward": "RewardJudge",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "BatchJudge",
    "ChatJudge",
    "ChatReport",
    "ClassifierJudge",
    "CostLimitReached",
    "EndpointError",
    "JudgeItem",
    "JudgeTemplate",
    "PeopleJudge",
    "RewardJudge",
    "rank_many",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
