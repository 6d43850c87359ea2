from __future__ import annotations

import shutil

import pytest

from rlhf_lab.store import PreferenceStore, backup_lab, open_store
from tests.store.backup.checkpoints import checkpoint
from tests.store.everything import fill_with_everything


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    directory = tmp_path_factory.mktemp("backup") / "lab"
    with PreferenceStore(directory / "lab.sqlite") as store:
        fill_with_everything(store)
    for name in ("policy@0", "reward@0", "policy@1"):
        checkpoint(directory / "checkpoints" / name, policy=name.encode() * 1000)
    # Neither belongs to a version.
    checkpoint(directory / "checkpoints" / "policy@2.step4", policy=b"x")
    (directory / "checkpoints" / "policy@0" / "stray.tmp").write_bytes(b"x")
    return directory


@pytest.fixture
def directory(template, tmp_path):
    shutil.copytree(template, tmp_path / "lab")
    return tmp_path / "lab"


@pytest.fixture(scope="module")
def archive(template, tmp_path_factory):
    """A backup of that lab; never written to."""
    file = tmp_path_factory.mktemp("archive") / "lab.tar"
    with open_store(template) as store:
        backup_lab(store, template, file)
    return file
