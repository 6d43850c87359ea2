"""Labs to start from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf_lab import Lab
from tests.lab.labs import SAMPLING, open_lab, teach


@pytest.fixture(scope="session")
def taught_folder(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    path = tmp_path_factory.mktemp("taught") / "lab"
    with open_lab(path, tiny_folder) as lab:
        teach(lab)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def new(path: Path, tiny_folder: Path) -> Iterator[Lab]:
    """An empty lab."""
    with open_lab(path, tiny_folder) as lab:
        yield lab


@pytest.fixture
def taught(path: Path, taught_folder: Path) -> Iterator[Lab]:
    """A lab with prompts, responses, rankings and a reward model, opened as it was left."""
    shutil.copytree(taught_folder, path)
    with Lab(path, sampling=SAMPLING, progress=False) as lab:
        yield lab
