"""The tree of versions: immutable checkpoints on disk, their rows in the store, and the heads.

A checkpoint folder is written whole before its row; the row makes it a version. A PPO run
writes one folder after every step and keeps the one before, to which an alarm may go back. A
killed process leaves at most these two without a row, and so does a run whose row could not be
written; whatever comes next adopts the last.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rlhf_lab.errors import CheckpointError, TrainingError, UnknownVersion
from rlhf_lab.models import RoleModel
from rlhf_lab.store import PreferenceStore, line_of, start_of
from rlhf_lab.training.checkpoints import (
    Checkpoint,
    read_checkpoint,
    read_state,
    thin_checkpoint,
    write_checkpoint,
)
from rlhf_lab.training.stepwise import KeptSteps
from rlhf_lab.types import Version

STEP_FOLDER = re.compile(r"^(policy@\d+)\.step(\d+)$")


@dataclass(frozen=True, kw_only=True)
class VersionNote:
    """What a checkpoint says of itself, so that it can become a version later.

    Attributes:
        run: Name of the run that made it, if that has one.
        run_steps: How many steps that run had made by then, over all its versions.
    """

    parent: str | None
    trained_with: Sequence[str] = ()
    metrics: Mapping[str, float] | None = None
    run: str = ""
    run_steps: int = 0

    def as_state(self) -> dict[str, Any]:
        """JSON form, kept inside the checkpoint."""
        return {
            "parent": self.parent,
            "trained_with": list(self.trained_with),
            "metrics": dict(self.metrics or {}),
            **({"run": self.run, "run_steps": self.run_steps} if self.run else {}),
        }


class RunSoFar(NamedTuple):
    """What a run of PPO steps came to: its last version, and its steps by then."""

    version: Version
    steps: int


class VersionTree:
    """Versions of one lab."""

    def __init__(
        self, directory: Path, store: PreferenceStore, *, keep_states: int | None = None
    ) -> None:
        """Use `directory`/checkpoints for the files.

        Args:
            directory: The lab's.
            store: The lab's.
            keep_states: How many of the newest versions of each role keep what only going on from
                them needs: optimizer and value role. Older ones keep their weights. None: all.
        """
        self._keep_states = keep_states
        self._directory = directory
        self._store = store
        self._folder = directory / "checkpoints"
        self.ppo_is_running = False

    def refuse_while_ppo_runs(self) -> None:
        """Between the steps of a PPO loop the weights are no version's.

        Raises:
            TrainingError: a PPO loop is under way.
        """
        if self.ppo_is_running:
            raise TrainingError(
                "a PPO loop is under way, and between its steps the weights belong to no version: "
                "leave the loop first (break, or let it end), then try again."
            )

    def all(self) -> list[Version]:
        """Every version, oldest first."""
        return self._store.versions()

    def head(self, role: str) -> Version | None:
        """The version of a role that the next step starts from; None before the first."""
        name = self._store.get_setting(f"head.{role}")
        return self._store.version(name) if name else None

    def set_head(self, version: Version) -> None:
        """Continue from this version."""
        self._store.set_setting(f"head.{version.role}", version.name)

    def get(self, name: str) -> Version:
        """The version of this name.

        Raises:
            UnknownVersion: there is none; the message names similar ones.
        """
        return self._store.version(name)

    def load(self, version: Version) -> Checkpoint:
        """Read a version's checkpoint, checking every file.

        Raises:
            CheckpointError: a file is missing or altered.
        """
        return read_checkpoint(self._directory / version.path)

    def next_name(self, role: str) -> str:
        """Name of the version that will be made next."""
        numbers = [v.number for v in self.all() if v.role == role]
        return f"{role}@{max(numbers, default=-1) + 1}"

    def save(self, role: str, checkpoint: Checkpoint, note: VersionNote) -> Version:
        """Write a checkpoint, make it a version and the head of its role."""
        name = self.next_name(role)
        self._clear_orphan(self._folder / name)
        self._write(self._folder / name, checkpoint, note)
        return self._register(name, self._folder / name, note)

    def step_folder(self, step: int) -> Path:
        """Where a PPO step of the run that is under way goes."""
        return self._folder / f"{self.next_name('policy')}.step{step}"

    def save_step(self, step: int, checkpoint: Checkpoint, note: VersionNote) -> Path:
        """Write the state after a whole PPO step; of those before, the last one is kept."""
        folder = self.step_folder(step)
        self._clear_orphan(folder)
        self._write(folder, checkpoint, note)
        for other in self._steps()[2:]:
            shutil.rmtree(other)
        return folder

    def steps(self) -> list[Path]:
        """Whole steps of the run that is under way, the last first; at most two are kept."""
        name = self.next_name("policy")
        return [f for f in self._steps() if f.name.startswith(f"{name}.step")]

    def drop_last_step(self) -> None:
        """Go back by a step, for a run that does not want its last one."""
        shutil.rmtree(self.steps()[0])

    def open_policy(self, model: RoleModel) -> Version:
        """Put the present policy into the model; in a new lab, make the start from the model.

        A PPO run that a crash cut short becomes a version first.
        """
        self.finish_steps()
        head = self.head("policy")
        if head is None:
            start = Checkpoint(tensors={"policy": model.state("policy")})
            return self.save("policy", start, VersionNote(parent=None))
        self.put_policy(model, head)
        return head

    def put_policy(self, model: RoleModel, version: Version) -> Checkpoint:
        """Put a policy into the model, and as its reference the start of its line.

        Raises:
            CheckpointError: files of one of them are missing or altered; nothing changed.
        """
        checkpoint = self.load(version)
        start = self.start_of(version)
        # The root of a tree is the bare base.
        reference = None if start.parent is None else self.load(start).tensors["policy"]
        model.load_state("policy", checkpoint.tensors["policy"])
        model.set_reference(reference)
        return checkpoint

    def start_of(self, version: Version) -> Version:
        """The policy that this one is measured from."""
        return start_of(self._store, version.name)

    def line(self, version: Version) -> Iterator[Version]:
        """A version and its ancestors."""
        return line_of(self._store, version.name)

    def kept_steps(self, kind: str, key: str) -> KeptSteps:
        """Where an update keeps its state until it becomes a version."""
        return KeptSteps(folder=self._folder, kind=kind, key=key)

    def state_of(self, version: Version) -> dict[str, Any]:
        """The JSON state of a version, without its tensors.

        Raises:
            CheckpointError: it is missing, altered or unreadable.
        """
        return read_state(self._directory / version.path)

    def finish_steps(self) -> Version | None:
        """Make the last whole step a version and the head; None if there is none.

        Called when a PPO run ends, and before other model work for what a run left behind that was
        killed or could not be kept.
        """
        for half in self._folder.glob(".policy@*.writing"):
            shutil.rmtree(half)
        for folder in self._steps():
            match = STEP_FOLDER.match(folder.name)
            assert match
            try:
                state = read_checkpoint(folder).state
            except CheckpointError:
                # Only whole folders are renamed into place; this one was damaged afterwards.
                continue
            note = VersionNote(**state["version"])
            if match[1] != self.next_name("policy") or not self._exists(str(note.parent)):
                continue
            self._log_figures(match[1], int(match[2]), state.get("figures"))
            version = self._register(match[1], folder, note)
            for other in self._steps():
                shutil.rmtree(other)
            return version
        return None

    def newest_of(self, folders: Collection[Path]) -> Version | None:
        """The version that was made last of these steps; None if none of them became one."""
        paths = {str(folder.relative_to(self._directory)) for folder in folders}
        return next((v for v in reversed(self.all()) if v.path in paths), None)

    def run_so_far(self, run: str) -> RunSoFar | None:
        """What the run of this name came to; None before it made anything.

        What a killed process left is a version once `finish_steps` has made it one.
        """
        for version in reversed(self.all()):
            if version.role != "policy":
                continue
            try:
                note = read_state(self._directory / version.path).get("version", {})
            except CheckpointError:
                continue
            if note.get("run") == run:
                return RunSoFar(version, int(note["run_steps"]))
        return None

    def _log_figures(self, name: str, step: int, figures: Mapping[str, float] | None) -> None:
        """Of a step whose process was killed when it was on disk, and before they were logged."""
        logged = {row.step for row in self._store.metrics("ppo", name)}
        if figures is not None and step not in logged:
            self._store.log_metrics("ppo", name, step, figures)

    def _exists(self, name: str) -> bool:
        try:
            self._store.version(name)
        except UnknownVersion:
            return False
        return True

    def _write(self, folder: Path, checkpoint: Checkpoint, note: VersionNote) -> None:
        state = {**checkpoint.state, "version": note.as_state()}
        write_checkpoint(folder, Checkpoint(tensors=checkpoint.tensors, state=state))

    def _register(self, name: str, folder: Path, note: VersionNote) -> Version:
        version = Version(
            name=name,
            parent=note.parent,
            path=str(folder.relative_to(self._directory)),
            trained_with=tuple(note.trained_with),
            metrics=dict(note.metrics or {}),
        )
        self._store.add_version(version, present=True)
        version = self._store.version(name)  # with what the store noted of the judgments
        self._thin(version.role)
        return version

    def _thin(self, role: str) -> None:
        """Bound the disk use: of a policy its adapter is a sixth of what going on from it takes."""
        if self._keep_states is None:
            return
        versions = [v for v in self.all() if v.role == role]
        for version in versions[: -self._keep_states]:
            folder = self._directory / version.path
            if (folder / "optimizer.safetensors").exists():
                thin_checkpoint(folder, [role])

    def _steps(self) -> list[Path]:
        """Folders of steps that are no version, the last step first."""
        registered = {v.path for v in self.all()}
        found = [
            folder
            for folder in self._folder.glob("policy@*.step*")
            if STEP_FOLDER.match(folder.name)
            and str(folder.relative_to(self._directory)) not in registered
        ]
        return sorted(found, key=_step_of, reverse=True)

    def _clear_orphan(self, folder: Path) -> None:
        """Remove a folder of this name that never became a version (killed between the two)."""
        if folder.exists() and str(folder.relative_to(self._directory)) not in {
            v.path for v in self.all()
        }:
            shutil.rmtree(folder)


def _step_of(folder: Path) -> int:
    match = STEP_FOLDER.match(folder.name)
    return int(match[2]) if match else -1
