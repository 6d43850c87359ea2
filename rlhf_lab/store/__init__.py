"""Where a lab keeps what it must not lose; never imports torch.

`PreferenceStore` is the database, `TrainingLock` lets one process train at a time, and
`read_prompts` turns files, lists and datasets into prompts.
"""

from rlhf_lab.store.identity import Identity, settle_identity, settle_weights
from rlhf_lab.store.lock import TrainingLock
from rlhf_lab.store.preference_store import Counts, PreferenceStore
from rlhf_lab.store.prompt_choice import choose_prompts, heldout_prompts
from rlhf_lab.store.prompt_files import read_prompts
from rlhf_lab.store.rows import MetricsRow
from rlhf_lab.store.version_table import VersionTable

__all__ = [
    "Counts",
    "Identity",
    "MetricsRow",
    "PreferenceStore",
    "TrainingLock",
    "VersionTable",
    "choose_prompts",
    "heldout_prompts",
    "read_prompts",
    "settle_identity",
    "settle_weights",
]
