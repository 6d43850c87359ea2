from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from rlhf_lab.dashboard.key import NAME, derived, lab_key
from rlhf_lab.errors import StoreError


def test_a_lab_keeps_its_key_for_its_owner_alone(tmp_path):
    key = lab_key(tmp_path)
    assert len(key) == 32
    assert lab_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_two_labs_have_two_keys(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    assert lab_key(tmp_path / "one") != lab_key(tmp_path / "other")


def test_servers_that_start_at_once_agree_on_the_key(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lab_key, [tmp_path] * 8))) == 1


def test_a_key_that_others_may_read_is_refused(tmp_path):
    lab_key(tmp_path)
    (tmp_path / NAME).chmod(0o640)
    with pytest.raises(StoreError, match="may be read by others: chmod 600"):
        lab_key(tmp_path)


def test_what_is_no_key_is_refused(tmp_path):
    (tmp_path / NAME).touch(0o600)
    with pytest.raises(StoreError, match="holds no key: remove it"):
        lab_key(tmp_path)


def test_secrets_for_two_purposes_differ_and_stay():
    assert derived(b"k" * 32, "pages") != derived(b"k" * 32, "cookies")
    assert derived(b"k" * 32, "pages") == derived(b"k" * 32, "pages")
