from __future__ import annotations

from pathlib import Path

import pytest

from rlhf_lab.models import RoleModel
from tests.tiny import load_tiny


@pytest.fixture
def model(tiny_folder: Path) -> RoleModel:
    """Unquantized fp32: what exactness is certified with."""
    return load_tiny(tiny_folder)
