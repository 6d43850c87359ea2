"""The hash chain over the record of judgments: what makes an alteration show.

Each judgment is stored with the SHA-256 of the hash before it and of what was said: every field,
and the texts of the responses shown. Whoever changes, removes, inserts or reorders one has to
recompute every hash after it, and the head, which the lab also notes beside the table; versions
keep the head they were trained at. `rlhf_lab.store.audit` checks all of it.

A field that is empty is left out, so that a column added later does not change the hashes of rows
made before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, text, update
from sqlalchemy.orm import Session

from rlhf_lab.store.tables import SettingRow

SETTING = "chain"
# What the first judgment follows.
GENESIS = "0" * 64
FIELDS = (
    "id",
    "prompt_id",
    "annotator",
    "kind",
    "shown_order",
    "tiers",
    "strength",
    "criteria",
    "comment",
    "flags",
    "occasion",
    "seconds",
    "supersedes",
    "created_at",
)


@dataclass(frozen=True)
class Head:
    """Where the chain ends: how many judgments it has, and the hash of the last one."""

    length: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        """As versions keep it."""
        return f"{self.length}:{self.hash}"

    def as_setting(self) -> dict[str, int | str]:
        """As the lab notes it beside the table."""
        return {"length": self.length, "hash": self.hash}


def write_head(session: Session, head: Head) -> None:
    """Note where the chain ends now."""
    noted = update(SettingRow).where(SettingRow.key == SETTING).values(value=head.as_setting())
    if not session.connection().execute(noted).rowcount:
        session.add(SettingRow(key=SETTING, value=head.as_setting()))


def response_digest(version: str, text: str) -> str:
    """Thirty-two hex digits of the SHA-256 of a response as it was shown."""
    return hashlib.sha256(_canonical([version, text])).hexdigest()[:32]


def link(previous: str, values: Mapping[str, Any], digests: Iterable[tuple[str, str]]) -> str:
    """The hash of a judgment.

    Args:
        previous: The hash of the judgment before it, or `GENESIS`.
        values: Its row.
        digests: Id and digest of each stored response that it showed, in any order.
    """
    said = {name: values[name] for name in FIELDS if values.get(name)}
    said["created_at"] = values["created_at"].astimezone(UTC).isoformat(timespec="microseconds")
    if said.get("occasion") == "regular":
        del said["occasion"]
    record = _canonical({**said, "responses": sorted(digests)})
    return hashlib.sha256(previous.encode() + b"\n" + record).hexdigest()


def read_head(session: Session | Connection) -> Head:
    """The head as the lab notes it."""
    found = session.execute(
        text("SELECT value FROM settings WHERE key = :key"), {"key": SETTING}
    ).scalar()
    if found is None:
        return Head()
    value = json.loads(found) if isinstance(found, str) else found
    return Head(length=value["length"], hash=value["hash"])


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
