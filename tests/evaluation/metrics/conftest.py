from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab.models.embedding import Embedder, load_embedder
from tests.evaluation.metrics.encoders import tiny_encoder


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "model")


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Embedder:
    return load_embedder(encoder_folder, device="cpu")
