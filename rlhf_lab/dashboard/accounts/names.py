"""Names of accounts: what they may be, and which of them are the same to people."""

from __future__ import annotations

import unicodedata

from rlhf_lab.errors import ConfigError

LONGEST = 64


def checked_name(name: str) -> str:
    """The name in its one normal form (NFC).

    Raises:
        ConfigError: it is empty, too long, or holds what cannot be seen: control characters, marks
            that turn the direction of writing, spaces at an end or two in a row.
    """
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= LONGEST:
        raise ConfigError(f"{name!r:.80}: a name has 1 to {LONGEST} characters. Choose another.")
    if not name.isprintable():  # neither are bidirectional marks and half surrogates
        raise ConfigError(f"{name!r:.80}: a name holds only what can be seen. Type it anew.")
    if name != " ".join(name.split()):
        raise ConfigError(
            f"{name!r:.80}: a name neither begins nor ends with a space, nor has two in a row. "
            f"Use {' '.join(name.split())!r}."
        )
    if not any(c.isalnum() for c in name):
        raise ConfigError(f"{name!r:.80}: a name has at least one letter or digit. Add one.")
    return name


def name_key(name: str) -> str:
    """The same for names that people do not tell apart: case, width and ligatures do not count."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()
