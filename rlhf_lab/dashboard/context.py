"""What a page is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlhf_lab.dashboard.access import Actor

if TYPE_CHECKING:
    from rlhf_lab.dashboard.accounts import Accounts
    from rlhf_lab.lab import Lab
    from rlhf_lab.store import PreferenceStore
    from rlhf_lab.store.jobs import Jobs


@dataclass(frozen=True, kw_only=True)
class Context:
    """One page of one person: the lab, who they are and what they may ask of it.

    Attributes:
        lab: For its data alone; model work is asked of `jobs`.
        actor: Asked before every write.
        base_url: The public address of the dashboard, without a slash at its end; links that are
            handed to people begin with it.
    """

    lab: Lab
    actor: Actor
    jobs: Jobs
    accounts: Accounts
    base_url: str

    @property
    def store(self) -> PreferenceStore:
        """The lab's."""
        return self.lab.store
