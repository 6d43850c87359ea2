"""Where a lab's model work is done: one model, at the present versions, in one place at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from weakref import WeakValueDictionary

from torch import Tensor

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.models import RoleModel, load_base
from rlhf_lab.models.memory import release_memory
from rlhf_lab.store import Identity, PreferenceStore, TrainingLock, settle_weights
from rlhf_lab.training.certify import Certificate, certify
from rlhf_lab.training.versions import VersionTree
from rlhf_lab.types import START, Version

_holders: WeakValueDictionary[str, Workbench] = WeakValueDictionary()


class Workbench:
    """The model of one lab, its tree of versions, and the lock on both."""

    def __init__(
        self,
        directory: Path,
        store: PreferenceStore,
        identity: Identity,
        *,
        device: str | None,
        checkpointing: bool = False,
        seed: int,
        keep_states: int | None = None,
    ) -> None:
        """Load and lock nothing yet.

        Args:
            directory: The lab's.
            store: The lab's.
            identity: Which model.
            device: Default: the best there is.
            checkpointing: Whether activations are computed again.
            seed: Of new adapters and heads.
            keep_states: As for `VersionTree`.
        """
        self.tree = VersionTree(directory, store, keep_states=keep_states)
        self._store = store
        self._directory = directory
        self._identity = identity
        self._device = device
        self._checkpointing = checkpointing
        self._seed = seed
        self._key = str(directory.resolve())
        self._lock = TrainingLock(directory, purpose="model work")
        self._certified: RoleModel | None = None

    @cached_property
    def model(self) -> RoleModel:
        """The base with its roles, at the present versions; loaded on first use.

        Raises:
            LabInUse: another process does model work in this lab; names it.
            LabMismatch: the base has other weights than the lab was made with.
        """
        self.take()
        identity = self._identity
        base = load_base(identity.model, quantize=identity.quantize, device=self._device)
        if base.weights is not None:
            settle_weights(self._store, self._directory, base.weights)
        model = RoleModel(base, identity.lora, seed=self._seed, checkpointing=self._checkpointing)
        self.tree.open_policy(model)
        return model

    def take(self, purpose: str | None = None) -> None:
        """Take the lab for model work; an earlier workbench in this process hands it over.

        A notebook cell that opens the lab may be run twice, and the output history keeps the
        first object alive.

        Args:
            purpose: What others are told who ask for it meanwhile.

        Raises:
            LabInUse: another process does model work in this lab; names it.
            StoreError: steps that a PPO run left cannot be made a version.
            TrainingError: a PPO loop is under way.
        """
        self.tree.refuse_while_ppo_runs()
        if not self._lock.held:
            if (earlier := _holders.get(self._key)) is not None:
                earlier.let_go()
            self._lock.acquire(purpose)
            _holders[self._key] = self
        # What a PPO run left that was killed, or found no room to keep its steps, becomes a version
        # before anything asks for the present one.
        if self.tree.finish_steps() is not None and "model" in self.__dict__:
            self.tree.open_policy(self.model)

    def ready_model(self) -> RoleModel:
        """The model, at the present versions and not in the middle of a PPO loop."""
        self.take()
        return self.model

    def certify(self, *, compare_gradients: bool = True) -> Certificate:
        """Compare what must agree; if it does, the first update of this session need not ask again.

        Args:
            compare_gradients: As in `certify`.
        """
        model = self.ready_model()
        found = certify(model, compare_gradients=compare_gradients)
        if found.passed:
            self._certified = model
        return found

    def model_to_train(self) -> RoleModel:
        """The ready model, which is certified before its first update in this session.

        Raises:
            CertificateError: it computes something else than it should; nothing was trained.
        """
        model = self.ready_model()
        if self._certified is not model:
            self.certify(compare_gradients=False).require()
        return model

    def let_go(self) -> None:
        """Give back the lock and the model."""
        self._certified = None
        if self.__dict__.pop("model", None) is not None:
            release_memory()
        if self._lock.held:  # last: whoever takes it next may need the memory
            self._lock.release()

    def export(self, target: Path) -> Path:
        """Write the present policy as an adapter in peft's own format.

        Raises:
            ConfigError: the folder exists and is not empty.
        """
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise ConfigError(f"{target} is a file or a folder with files: choose a new folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.ready_model().save_adapter("policy", target)
        return target

    def baseline(self, name: str) -> Mapping[str, Tensor]:
        """Weights of another policy than the present one, to compare it with.

        Raises:
            ConfigError: it is the present one, or none of a policy.
            UnknownVersion: no such version.
            CheckpointError: its files are missing or altered.
        """
        present = self.tree.head("policy")
        if name == (present.name if present else START):
            raise ConfigError(
                f"baseline={name!r} is the present policy, and a policy only ties with itself: "
                "take PPO steps first (lab.ppo), or choose another baseline from lab.versions."
            )
        version = self._store.version(name)
        if version.role != "policy":
            raise ConfigError(
                f"baseline={name!r} is a {version.role} model, which writes no responses: choose "
                "a policy from lab.versions."
            )
        return self.tree.load(version).tensors["policy"]

    def reward_of_policy(self) -> tuple[str | None, Mapping[str, Tensor] | None]:
        """Name and weights of the reward the present policy was trained with, else the present one.

        Raises:
            CheckpointError: its files are missing or altered.
        """
        policy, reward = self.tree.head("policy"), self.tree.head("reward")
        trained_with = [
            n for n in (policy.trained_with if policy else ()) if n.startswith("reward@")
        ]
        version = self._store.version(trained_with[0]) if trained_with else reward
        return (
            (version.name, self.tree.load(version).tensors["reward"]) if version else (None, None)
        )

    def checkout(self, name: str, *, with_reward: bool) -> Version:
        """Make a version the present one, and with a policy the reward it was trained with.

        Raises:
            UnknownVersion: no such version.
            CheckpointError: its files are missing or altered; nothing changed.
        """
        self.take()
        version = self._store.version(name)
        self.tree.load(version)
        others = [self._store.version(n) for n in (version.trained_with if with_reward else ())]
        for other in others:
            self.tree.load(other)  # damage is found before anything is changed
        if version.role == "policy" and "model" in self.__dict__:
            self.tree.put_policy(self.model, version)
        for other in others:
            self.tree.set_head(other)
        self.tree.set_head(version)
        return version

    def undo(self) -> Version:
        """Check out the parent of the present policy; the reward model stays as it is.

        Raises:
            NotEnoughData: the present policy is the start.
        """
        self.take()
        present = self.tree.head("policy")
        if present is None or present.parent is None:
            name = present.name if present else START
            raise NotEnoughData(f"{name} is the start: there is nothing to undo.")
        return self.checkout(present.parent, with_reward=False)
