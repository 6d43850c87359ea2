"""The values that pass between the layers: frozen, torch-free, JSON-friendly."""

from rlhf_lab.types.annotators import Annotator, Progress, RankingItem, RankingSource
from rlhf_lab.types.clock import utc_now
from rlhf_lab.types.judgments import (
    ALL_BAD,
    CRITERIA,
    FLAGS,
    HIGHEST_RATING,
    LOWEST_RATING,
    Demonstration,
    Judgment,
    JudgmentKind,
    Occasion,
    Ranking,
    Strength,
)
from rlhf_lab.types.models import (
    DEFAULT_MODEL,
    REWARD_ALONE,
    START,
    VERSION_NAME,
    Alarm,
    Interval,
    LoraSpec,
    Version,
)
from rlhf_lab.types.paths import as_path
from rlhf_lab.types.prompts import Message, Prompt, Split
from rlhf_lab.types.responses import IMPORTED, EndReason, Purpose, Response, Sampling

__all__ = [
    "ALL_BAD",
    "CRITERIA",
    "DEFAULT_MODEL",
    "FLAGS",
    "HIGHEST_RATING",
    "IMPORTED",
    "LOWEST_RATING",
    "REWARD_ALONE",
    "START",
    "VERSION_NAME",
    "Alarm",
    "Annotator",
    "Demonstration",
    "EndReason",
    "Interval",
    "Judgment",
    "JudgmentKind",
    "LoraSpec",
    "Message",
    "Occasion",
    "Progress",
    "Prompt",
    "Purpose",
    "Ranking",
    "RankingItem",
    "RankingSource",
    "Response",
    "Sampling",
    "Split",
    "Strength",
    "Version",
    "as_path",
    "utc_now",
]
