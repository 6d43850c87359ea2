"""Where a lab keeps what it must not lose; never imports torch.

`PreferenceStore` is the database, `TrainingLock` lets one process train at a time, and
`read_prompts` turns files, lists and datasets into prompts.
"""

from rlhf_lab.store.audit import AuditReport, audit
from rlhf_lab.store.backup import BackupReport, backup_lab
from rlhf_lab.store.browsing import TableBrowser
from rlhf_lab.store.calibrating import CalibrationPlan
from rlhf_lab.store.evaluations import (
    Evaluated,
    evaluations,
    log_evaluation,
    log_scores,
    response_scores,
)
from rlhf_lab.store.identity import Identity, settle_identity, settle_weights
from rlhf_lab.store.lines import baseline_of, line_of, start_of
from rlhf_lab.store.listing import JudgmentTable, Table, prompt_table, response_table
from rlhf_lab.store.lock import TrainingLock
from rlhf_lab.store.moving import MoveReport, move_lab
from rlhf_lab.store.place import open_or_make_store, open_store
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.store.prompt_choice import choose_prompts, heldout_prompts
from rlhf_lab.store.prompt_files import read_prompts
from rlhf_lab.store.restoring import RestoreReport, restore_lab
from rlhf_lab.store.rows import Counts, MetricsRow
from rlhf_lab.store.trace import Trace
from rlhf_lab.store.version_records import evaluation_between, version_records
from rlhf_lab.store.version_table import VersionTable

__all__ = [
    "AssignmentPlan",
    "AuditReport",
    "BackupReport",
    "CalibrationPlan",
    "Counts",
    "Evaluated",
    "Identity",
    "JudgmentTable",
    "MetricsRow",
    "MoveReport",
    "PreferenceStore",
    "RestoreReport",
    "Table",
    "TableBrowser",
    "Trace",
    "TrainingLock",
    "VersionTable",
    "audit",
    "backup_lab",
    "baseline_of",
    "choose_prompts",
    "evaluation_between",
    "evaluations",
    "heldout_prompts",
    "line_of",
    "log_evaluation",
    "log_scores",
    "move_lab",
    "open_or_make_store",
    "open_store",
    "prompt_table",
    "read_prompts",
    "response_scores",
    "response_table",
    "restore_lab",
    "settle_identity",
    "settle_weights",
    "start_of",
    "version_records",
]
