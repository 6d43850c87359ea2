from __future__ import annotations

import shutil

import pytest

from rlhf_lab.store import PreferenceStore
from tests.store.audit.tampering import fill_lab


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    place = tmp_path_factory.mktemp("audit") / "lab.sqlite"
    with PreferenceStore(place) as store:
        fill_lab(store)
    return place


@pytest.fixture
def lab(template, tmp_path):
    shutil.copy(template, tmp_path / "lab.sqlite")
    with PreferenceStore(tmp_path / "lab.sqlite") as store:
        yield store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request):
    """The same lab, in each database in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("lab")
        return
    with PreferenceStore(request.getfixturevalue("postgres_url")) as store:
        fill_lab(store)
        yield store
