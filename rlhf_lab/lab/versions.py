"""A lab's versions, as the tree widget takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlhf_lab.store import evaluation_between, version_records
from rlhf_lab.types import Version, VersionRecord

if TYPE_CHECKING:
    from rlhf_lab.lab.holding import LabModel


class LabVersions:
    """A `VersionSource` over a lab."""

    def __init__(self, lab: LabModel) -> None:
        """Look at nothing yet."""
        self._lab = lab

    def versions(self) -> list[VersionRecord]:
        """Every version, in the order they were made."""
        return version_records(self._lab.store)

    def checkout(self, name: str) -> Version:
        """As `Lab.checkout`."""
        return self._lab.checkout(name)

    def undo(self) -> Version:
        """As `Lab.undo`."""
        return self._lab.undo()

    def compare(self, first: str, second: str) -> str:
        """What is known of two policies side by side, and which cell shows more."""
        if not first.startswith("policy"):
            return f"The figures of {first} and {second} are all there is: they write nothing."
        records = {record.version.name: record for record in self.versions()}
        found = evaluation_between(records, first, second)
        if found:
            known = f"{second} won {found.win_rate} against {first}."
        else:
            cell = f'lab.evaluate(baseline="{first}")'
            if not records[second].is_present:
                cell = f'lab.checkout("{second}"), then {cell}'
            known = f"{second} was not evaluated against {first}: run {cell}."
        return f'{known} To read what both write, run lab.compare("{first}", "{second}").'
