"""Passwords: what they must be, and their argon2id hashes."""

from __future__ import annotations

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rlhf_lab.dashboard.accounts.names import name_key
from rlhf_lab.errors import ConfigError

SHORTEST = 10
# Nobody types more, and each character is hashed.
LONGEST = 1000
FEWEST_DIFFERENT = 4
RULES = (
    f"At least {SHORTEST} characters, {FEWEST_DIFFERENT} of them different, and not your name. "
    "Several words are easy to remember and hard to guess."
)


class Passwords:
    """Hashes and verifies; about 50 ms each, so never on the server's event loop.

    Args:
        time_cost: Passes over the memory.
        memory_cost: In KiB. The defaults are those of RFC 9106 for when memory is scarce.
    """

    def __init__(self, *, time_cost: int = 3, memory_cost: int = 65536) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_cost)
        # What is verified where there is no account, so that it takes as long as where there is.
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """With a salt of its own."""
        return self._hasher.hash(_normal(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether this is the password; takes the same time where there is none, and is False."""
        try:
            self._hasher.verify(stored or self._nobody, _normal(password)[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(stored)


def checked_password(password: str, name: str) -> str:
    """The password itself, if it may be one for this name.

    Raises:
        ConfigError: it breaks one of the rules; the message does not repeat it.
    """
    length = len(_normal(password))
    if not SHORTEST <= length <= LONGEST:
        raise ConfigError(
            f"this password has {length} characters: use at least {SHORTEST} and at most "
            f"{LONGEST}. Several words are easy to remember and hard to guess."
        )
    if len(set(password)) < FEWEST_DIFFERENT:
        raise ConfigError(
            f"this password has {len(set(password))} different characters: use at least "
            f"{FEWEST_DIFFERENT}."
        )
    if name_key(password) == name_key(name):
        raise ConfigError("this password is the name of the account: choose another.")
    return password


def _normal(password: str) -> str:
    """The same whichever keyboard it was typed on: accents may come as one character or two."""
    return unicodedata.normalize("NFKC", password)
