"""Builds the widgets' front end with Node before a wheel, sdist or editable install.

The bundle is git-ignored but shipped, so whoever installs a wheel, or builds one from an sdist,
needs no Node. In a checkout the bundle is rebuilt when one of its sources is newer.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WIDGETS = ("ranker", "comparer", "monitor", "tokens", "versions", "tables")
SOURCES = ("src", "package.json", "package-lock.json", "build.mjs", "tsconfig.json")
BUNDLE = tuple(f"{widget}.{kind}" for widget in WIDGETS for kind in ("js", "css"))


def newest_source(widgets: Path) -> float:
    """Modification time of the source changed last."""
    return max(path.stat().st_mtime for path in _files(widgets))


def _files(widgets: Path) -> Iterator[Path]:
    for name in SOURCES:
        path = widgets / name
        yield from (p for p in path.rglob("*") if p.is_file()) if path.is_dir() else (path,)


def needs_build(root: Path) -> bool:
    """Whether the bundle is missing, or older than its sources.

    In an unpacked sdist (PKG-INFO beside pyproject.toml) a bundle that is there is always good:
    the sources came with it, and what unpacked them may have set any modification time.
    """
    bundle = [root / "rlhf_lab" / "widgets" / "static" / name for name in BUNDLE]
    if not all(path.is_file() for path in bundle):
        return True
    if (root / "PKG-INFO").is_file() or not (root / "widgets" / "src").is_dir():
        return False
    return newest_source(root / "widgets") > min(path.stat().st_mtime for path in bundle)


def build(root: Path) -> None:
    """Install the locked Node packages if they changed, then bundle.

    Raises:
        RuntimeError: Node is missing, or one of the two npm commands failed.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise RuntimeError(
            "the widgets' front end must be built and Node is not here: install Node 20 or newer "
            "with npm, or install RLHF Lab from a wheel, which has it built."
        )
    widgets = root / "widgets"
    installed = widgets / "node_modules" / ".package-lock.json"
    lock = widgets / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        _run([npm, "ci"], widgets)
    _run([npm, "run", "build"], widgets)


def _run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"`npm {' '.join(command[1:])}` in {cwd} ended with {done.returncode}; "
            f"run it there to look closer. It said:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )


class FrontEndBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Brings the bundle up to date before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build, also of an editable install."""
        root = Path(self.root)
        if not needs_build(root):
            return
        self.app.display_info("Building the widgets' front end with Node ...")
        build(root)

    def clean(self, versions: list[str]) -> None:
        """Remove the bundle, so that the next build makes it anew."""
        for name in BUNDLE:
            (Path(self.root) / "rlhf_lab" / "widgets" / "static" / name).unlink(missing_ok=True)
