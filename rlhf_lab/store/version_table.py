"""Versions of a lab as a person reads them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Self

from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import Version


class VersionTable(tuple[Version, ...]):
    """Versions of a lab, shown as a tree."""

    heads: frozenset[str]

    def __new__(cls, versions: Sequence[Version], heads: set[str | None]) -> Self:
        """Versions in the order they were made, and the names of the present ones."""
        table = super().__new__(cls, versions)
        table.heads = frozenset(h for h in heads if h)
        return table

    @classmethod
    def of(cls, store: PreferenceStore) -> Self:
        """Those of a lab as they are now."""
        heads = {store.get_setting(f"head.{role}") for role in ("policy", "reward")}
        return cls(store.versions(), heads)

    def __repr__(self) -> str:
        return (
            "\n".join(self._lines(None, 0)) or "no versions yet: the first is made with the model"
        )

    def _lines(self, parent: str | None, depth: int) -> Iterator[str]:
        for version in self:
            if version.parent == parent:
                mark = "*" if version.name in self.heads else " "
                figures = ", ".join(f"{k} {v:.3g}" for k, v in version.metrics.items())
                with_ = f" with {', '.join(version.trained_with)}" if version.trained_with else ""
                yield f"{mark} {'  ' * depth}{version.name}{with_}  {figures}".rstrip()
                yield from self._lines(version.name, depth + 1)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
