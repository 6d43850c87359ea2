"""Where a version comes from: its ancestors, and the start that it is measured from."""

from __future__ import annotations

from collections.abc import Iterator

from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import START, Version


def line_of(store: PreferenceStore, name: str) -> Iterator[Version]:
    """A version and its ancestors, up to the root of its tree.

    Raises:
        UnknownVersion: there is none of this name.
    """
    present: str | None = store.version(name).name
    versions = {version.name: version for version in store.versions()}
    while present is not None:
        yield versions[present]
        present = versions[present].parent


def start_of(store: PreferenceStore, name: str) -> Version:
    """The policy that this one is measured from: itself, or the nearest ancestor that is a start.

    Raises:
        UnknownVersion: there is none of this name.
    """
    return next(version for version in line_of(store, name) if version.is_start)


def baseline_of(store: PreferenceStore, name: str) -> str:
    """What a policy is compared with unless something else is asked for.

    Its start; of a start the one before it, and of the first of all itself.
    """
    if name not in {version.name for version in store.versions()}:
        return START  # a new lab, whose model was not loaded yet
    start = start_of(store, name)
    if start.name == name and start.parent is not None:
        start = start_of(store, start.parent)
    return start.name
