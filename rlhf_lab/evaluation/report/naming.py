"""Who is named how on a page that is sent around."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final

# As a rubric calls itself unless it is told otherwise: code, whose name gives nobody away.
_RUBRIC: Final = re.compile(r"rubric(-noise[\d.e+-]+-seed\d+)?")


def is_rubric(name: str) -> bool:
    """Whether this is the built-in rubric and no person."""
    return _RUBRIC.fullmatch(name) is not None


def shown_names(annotators: Iterable[str], *, names: bool) -> Mapping[str, str]:
    """How each annotator is called.

    Args:
        annotators: In the order in which they first said something.
        names: By their own; otherwise people are numbered in that order. The rubric keeps its name.
    """
    found: dict[str, str] = {}
    people = 0
    for name in annotators:
        if name in found:
            continue
        if names or is_rubric(name):
            found[name] = name
        else:
            people += 1
            found[name] = f"annotator {people}"
    return found


def model_name(name: str) -> str:
    """A hub id as it is; of a folder the last part alone: paths tell of whoever owns them."""
    windows = PureWindowsPath(name)
    if PurePosixPath(name).is_absolute() or windows.is_absolute() or windows.drive:
        return windows.name or name
    return name
