"""The values that pass between the layers: frozen, torch-free, JSON-friendly."""

from rlhf_lab.types.annotators import (
    Annotator,
    ComparisonSource,
    Progress,
    RankingItem,
    RankingSource,
)
from rlhf_lab.types.clock import utc_now
from rlhf_lab.types.comparisons import ComparisonReport, ComparisonVerdict
from rlhf_lab.types.intervals import values_to_tell, wilson_interval
from rlhf_lab.types.judgments import (
    ALL_BAD,
    CRITERIA,
    FLAGS,
    HIGHEST_RATING,
    LOWEST_RATING,
    MOST_CANDIDATES,
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
from rlhf_lab.types.tables import (
    ColumnKind,
    TableColumn,
    TableDetail,
    TablePage,
    TableQuery,
    TableRow,
    TableSource,
    TableText,
)
from rlhf_lab.types.tokens import PieceKind, TokenPiece, TokenReport
from rlhf_lab.types.training import RunEnd, TrainingListener, TrainingSample
from rlhf_lab.types.versions import Evaluation, VersionRecord, VersionSource

__all__ = [
    "ALL_BAD",
    "CRITERIA",
    "DEFAULT_MODEL",
    "FLAGS",
    "HIGHEST_RATING",
    "IMPORTED",
    "LOWEST_RATING",
    "MOST_CANDIDATES",
    "REWARD_ALONE",
    "START",
    "VERSION_NAME",
    "Alarm",
    "Annotator",
    "ColumnKind",
    "ComparisonReport",
    "ComparisonSource",
    "ComparisonVerdict",
    "Demonstration",
    "EndReason",
    "Evaluation",
    "Interval",
    "Judgment",
    "JudgmentKind",
    "LoraSpec",
    "Message",
    "Occasion",
    "PieceKind",
    "Progress",
    "Prompt",
    "Purpose",
    "Ranking",
    "RankingItem",
    "RankingSource",
    "Response",
    "RunEnd",
    "Sampling",
    "Split",
    "Strength",
    "TableColumn",
    "TableDetail",
    "TablePage",
    "TableQuery",
    "TableRow",
    "TableSource",
    "TableText",
    "TokenPiece",
    "TokenReport",
    "TrainingListener",
    "TrainingSample",
    "Version",
    "VersionRecord",
    "VersionSource",
    "as_path",
    "utc_now",
    "values_to_tell",
    "wilson_interval",
]
