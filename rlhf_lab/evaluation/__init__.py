"""Did it get better, and do people agree on what better is?

Names are loaded when they are first used: agreement needs no torch, and loads none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlhf_lab.evaluation.agreement import AgreementReport, measure_agreement
    from rlhf_lab.evaluation.decline import stored_alarm
    from rlhf_lab.evaluation.evaluate import evaluate_policy
    from rlhf_lab.evaluation.honest import (
        HonestReport,
        OverOptimisation,
        compare_win_rates,
        describe_responses,
        describe_version,
        distinct_n,
        honest_table,
        length_controlled_win_rate,
        over_optimisation,
        refusal_rates,
        reward_length_correlation,
        stored_curve,
    )
    from rlhf_lab.evaluation.judges import (
        ChatJudge,
        ChatReport,
        ClassifierJudge,
        JudgeTemplate,
        PeopleJudge,
        RewardJudge,
        rank_many,
    )
    from rlhf_lab.evaluation.metrics import bert_score, bleu, mover_score, rouge
    from rlhf_lab.evaluation.report import LabReport, write_report
    from rlhf_lab.evaluation.trust import (
        AnnotatorPicker,
        TrustItem,
        TrustReport,
        measure_trust,
        stored_items,
    )
    from rlhf_lab.evaluation.win_rate import EvalReport, Sample, compare_versions

_HOMES = {
    "agreement": "AgreementReport measure_agreement",
    "evaluate": "evaluate_policy",
    "decline": "stored_alarm",
    "honest": (
        "HonestReport OverOptimisation compare_win_rates describe_responses describe_version "
        "distinct_n honest_table length_controlled_win_rate over_optimisation refusal_rates "
        "reward_length_correlation stored_curve"
    ),
    "judges": (
        "ChatJudge ChatReport ClassifierJudge JudgeTemplate PeopleJudge RewardJudge rank_many"
    ),
    "metrics": "bert_score bleu mover_score rouge",
    "report": "LabReport write_report",
    "trust": "AnnotatorPicker TrustItem TrustReport measure_trust stored_items",
    "win_rate": "EvalReport Sample compare_versions",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AgreementReport",
    "AnnotatorPicker",
    "ChatJudge",
    "ChatReport",
    "ClassifierJudge",
    "EvalReport",
    "HonestReport",
    "JudgeTemplate",
    "LabReport",
    "OverOptimisation",
    "PeopleJudge",
    "RewardJudge",
    "Sample",
    "TrustItem",
    "TrustReport",
    "bert_score",
    "bleu",
    "compare_versions",
    "compare_win_rates",
    "describe_responses",
    "describe_version",
    "distinct_n",
    "evaluate_policy",
    "honest_table",
    "length_controlled_win_rate",
    "measure_agreement",
    "measure_trust",
    "mover_score",
    "over_optimisation",
    "rank_many",
    "refusal_rates",
    "reward_length_correlation",
    "rouge",
    "stored_alarm",
    "stored_curve",
    "stored_items",
    "write_report",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
