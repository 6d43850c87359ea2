"""The secret that signs what pages and cookies carry; one for each lab, in a file of its own."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from rlhf_lab.errors import StoreError

NAME = "dashboard.key"


def lab_key(directory: Path) -> bytes:
    """The lab's secret, made when it is first asked for.

    Kept, so that pages find their server again after a restart. It is no part of backups: who has
    it could forge the token of a page, yet not sign in.

    Raises:
        StoreError: the file can be neither read nor written, or others may read it.
    """
    path = directory / NAME
    try:
        _make(path)
        if path.stat().st_mode & 0o077:
            raise StoreError(
                f"{path} may be read by others: chmod 600 {path}, or remove it, and everybody's "
                "open pages load anew."
            )
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror}. Make the lab directory writable for whoever serves it."
        ) from error
    if len(key) < 32:
        raise StoreError(f"{path} holds no key: remove it, and a new one is made.")
    return key


def derived(key: bytes, purpose: str) -> str:
    """A secret for one purpose, from which neither the key nor other secrets can be found."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    """Write a new key, unless there is one; whole or not at all."""
    if path.exists():
        return
    aside = path.with_name(f".{NAME}.{secrets.token_hex(4)}")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(aside, path)  # unlike a rename, never in the place of another's
    except FileExistsError:
        pass
    finally:
        aside.unlink()
