"""What every test shares: no network, no screen, and reproducible examples."""

import os

# Before any import of these libraries, and inherited by kernels and child processes. The
# embedded model needs no hub; a test that reaches for one is wrong and has to fail.
os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    TOKENIZERS_PARALLELISM="false",
    MPLBACKEND="Agg",
    JUPYTER_PLATFORM_DIRS="1",
)

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Two shared cores make any deadline a coin toss. In CI the examples are the same every time.
hypothesis.settings.register_profile("home", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "home")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server of this test run alone."""
    from tests.postgres import find_program, running_server

    if find_program("postgres") is None and not os.environ.get("CI"):
        pytest.skip("no PostgreSQL server: install it (Debian: postgresql)")
    with running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database, dropped afterwards."""
    from tests.postgres import drop_database, new_database

    url = new_database(postgres_server)
    yield url
    drop_database(url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a lab can be made, on each database in turn."""
    if request.param == "sqlite":
        return tmp_path / "lab.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that loads in a moment; read it, never write into it."""
    import rlhf_lab.training
    from rlhf_lab.testing import tiny_model

    # Training collects garbage after every phase. What the libraries made on import is none, and
    # looking through it each time would take most of these tests' time.
    assert rlhf_lab.training
    gc.freeze()
    return tiny_model(tmp_path_factory.mktemp("tiny") / "model")
