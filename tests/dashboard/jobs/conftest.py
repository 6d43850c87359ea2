"""Labs with a tiny model, for workers to work in."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab import Lab
from tests.lab.labs import open_lab, teach


@pytest.fixture(scope="module", autouse=True)
def _as_it_was() -> Iterator[None]:
    """A worker thaws what `tiny_folder` froze, and every later test would pay for that."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def taught_folder(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    path = tmp_path_factory.mktemp("taught for jobs") / "lab"
    with open_lab(path, tiny_folder) as lab:
        teach(lab)
    return path


@pytest.fixture
def path(tmp_path: Path, taught_folder: Path) -> Path:
    """A lab with prompts, responses, rankings and a reward model."""
    shutil.copytree(taught_folder, tmp_path / "lab")
    return tmp_path / "lab"


@pytest.fixture
def lab(path: Path) -> Iterator[Lab]:
    """It, opened as a worker does."""
    with Lab(path, progress=False) as opened:
        yield opened
