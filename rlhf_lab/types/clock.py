"""The default clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The default clock: the current time in UTC."""
    return datetime.now(UTC)
