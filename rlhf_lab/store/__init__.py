"""Where a lab keeps what it must not lose; never imports torch.

`PreferenceStore` is the database, `TrainingLock` lets one process train at a time, and
`read_prompts` turns files, lists and datasets into prompts.
"""

from rlhf_lab.store.audit import AuditReport, audit
from rlhf_lab.store.identity import Identity, settle_identity, settle_weights
from rlhf_lab.store.lock import TrainingLock
from rlhf_lab.store.plan import AssignmentPlan
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.store.prompt_choice import choose_prompts, heldout_prompts
from rlhf_lab.store.prompt_files import read_prompts
from rlhf_lab.store.rows import Counts, MetricsRow
from rlhf_lab.store.trace import Trace
from rlhf_lab.store.version_table import VersionTable

__all__ = [
    "AssignmentPlan",
    "AuditReport",
    "Counts",
    "Identity",
    "MetricsRow",
    "PreferenceStore",
    "Trace",
    "TrainingLock",
    "VersionTable",
    "audit",
    "choose_prompts",
    "heldout_prompts",
    "read_prompts",
    "settle_identity",
    "settle_weights",
]
