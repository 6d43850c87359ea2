"""The built front end: one module and one style sheet for each widget."""

from __future__ import annotations

from pathlib import Path

from rlhf_lab.errors import LabError

STATIC = Path(__file__).parent / "static"


def bundle(name: str) -> str:
    """The text of a bundled file, as in "ranker.js".

    Raises:
        LabError: it has not been built (only in a checkout that was not installed).
    """
    path = STATIC / name
    if not path.is_file():
        raise LabError(
            f"{path} is missing: the widgets' front end is not built. In a checkout run "
            "`pip install -e .`, or `npm ci && npm run build` in widgets/."
        )
    return path.read_text(encoding="utf-8")
