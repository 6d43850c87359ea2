"""RLHF Lab: teach a language model what people prefer, in one notebook on one GPU.

```python
import rlhf_lab as rl

lab = rl.Lab("runs/first")
```

Names are loaded when they are first used: `import rlhf_lab` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlhf_lab.annotators import ComparisonQueue, RankingQueue, RubricAnnotator
    from rlhf_lab.data import load_prompts
    from rlhf_lab.errors import LabError
    from rlhf_lab.evaluation import (
        ChatJudge,
        ClassifierJudge,
        EvalReport,
        PeopleJudge,
        RewardJudge,
        TrustReport,
    )
    from rlhf_lab.lab import Lab
    from rlhf_lab.models import RoleModel
    from rlhf_lab.store import AssignmentPlan, PreferenceStore
    from rlhf_lab.training import (
        DPOConfig,
        DPOReport,
        DPOTrainer,
        PPOConfig,
        PPOStats,
        PPOTrainer,
        Preflight,
        RewardConfig,
        RewardReport,
        RewardTrainer,
        SFTConfig,
        SFTReport,
        SFTTrainer,
        preflight,
    )
    from rlhf_lab.types import (
        ComparisonReport,
        Demonstration,
        Interval,
        Judgment,
        LoraSpec,
        Message,
        Prompt,
        Ranking,
        Response,
        Sampling,
        TokenReport,
        Version,
    )
    from rlhf_lab.widgets import (
        ComparisonWidget,
        MonitorWidget,
        RankingWidget,
        TableWidget,
        TokenWidget,
        VersionTreeWidget,
    )

_HOMES = {
    "annotators": "ComparisonQueue RankingQueue RubricAnnotator",
    "data": "load_prompts",
    "errors": "LabError",
    "evaluation": "ChatJudge ClassifierJudge EvalReport PeopleJudge RewardJudge TrustReport",
    "lab": "Lab",
    "models": "RoleModel",
    "store": "AssignmentPlan PreferenceStore",
    "training": (
        "DPOConfig DPOReport DPOTrainer PPOConfig PPOStats PPOTrainer Preflight RewardConfig "
        "RewardReport RewardTrainer SFTConfig SFTReport SFTTrainer preflight"
    ),
    "types": (
        "ComparisonReport Demonstration Interval Judgment LoraSpec Message Prompt Ranking Response "
        "Sampling TokenReport Version"
    ),
    "widgets": (
        "ComparisonWidget MonitorWidget RankingWidget TableWidget TokenWidget VersionTreeWidget"
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AssignmentPlan",
    "ChatJudge",
    "ClassifierJudge",
    "ComparisonQueue",
    "ComparisonReport",
    "ComparisonWidget",
    "DPOConfig",
    "DPOReport",
    "DPOTrainer",
    "Demonstration",
    "EvalReport",
    "Interval",
    "Judgment",
    "Lab",
    "LabError",
    "LoraSpec",
    "Message",
    "MonitorWidget",
    "PPOConfig",
    "PPOStats",
    "PPOTrainer",
    "PeopleJudge",
    "PreferenceStore",
    "Preflight",
    "Prompt",
    "Ranking",
    "RankingQueue",
    "RankingWidget",
    "Response",
    "RewardConfig",
    "RewardJudge",
    "RewardReport",
    "RewardTrainer",
    "RoleModel",
    "RubricAnnotator",
    "SFTConfig",
    "SFTReport",
    "SFTTrainer",
    "Sampling",
    "TableWidget",
    "TokenReport",
    "TokenWidget",
    "TrustReport",
    "Version",
    "VersionTreeWidget",
    "load_prompts",
    "preflight",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name == "__version__":
        from importlib.metadata import version

        return version("rlhf-lab")
    if name in _HOME_OF:
        return getattr(import_module(f"rlhf_lab.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'rlhf_lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
