"""Where a lab keeps what it must not lose; never imports torch.

`PreferenceStore` is the database, `TrainingLock` lets one process train at a time, and
`read_prompts` turns files, lists and datasets into prompts.
"""

from rlhf_lab.store.lock import TrainingLock
from rlhf_lab.store.preference_store import Counts, PreferenceStore
from rlhf_lab.store.prompt_files import read_prompts
from rlhf_lab.store.rows import MetricsRow

__all__ = ["Counts", "MetricsRow", "PreferenceStore", "TrainingLock", "read_prompts"]
