"""What people write for a file or a folder, as a path."""

from __future__ import annotations

import os
from pathlib import Path

from rlhf_lab.errors import ConfigError

# What file systems allow for one name: bytes, not characters.
_LONGEST_NAME = 255


def as_path(place: object) -> Path:
    """The path that is meant, with the home folder in the place of a leading "~".

    A text that starts with "./~" means a name, and its path is absolute: as any other, a `Path`
    would forget the "./", and the next one who asks what is meant would go home.

    Nothing is looked up but home folders. Whoever asks the system about such a path gets an
    `OSError` at worst, and no `ValueError` or `RuntimeError`.

    Args:
        place: Text or a path; whatever else users pass is refused.

    Raises:
        ConfigError: no file can have such a name.
    """
    if not isinstance(place, (str, os.PathLike)) or not str(place).strip():
        raise ConfigError(f"{place!r:.80} ({type(place).__name__}) is no path: name a place.")
    if "\0" in str(place):
        raise ConfigError(f"{place!r:.80}: no path has a NUL character in it; take it out.")
    try:
        path = _path(os.fspath(place))
        longest = max(map(os.fsencode, path.parts), key=len, default=b"")
    except RuntimeError as error:
        raise ConfigError(
            f"{str(place)!r:.80}: that user has no home folder here; write the path in full."
        ) from error
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{str(place)!r:.80}: holds half a character, which no path has; correct it."
        ) from error
    if len(longest) > _LONGEST_NAME:
        raise ConfigError(
            f"{os.fsdecode(longest)!r:.40}...: a name of {len(longest)} bytes, and at most "
            f"{_LONGEST_NAME} are possible; choose a shorter one."
        )
    return path


def _path(text: str) -> Path:
    path = Path(text)
    if text.startswith("~"):
        return path.expanduser()
    return path.absolute() if str(path).startswith("~") else path
