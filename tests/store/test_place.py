from __future__ import annotations

import stat

import pytest

from rlhf_lab import Lab
from rlhf_lab.errors import LabMismatch, StoreError
from rlhf_lab.store import PreferenceStore, open_or_make_store, open_store
from rlhf_lab.store.place import NOTE
from tests.store.helpers import fill


def test_a_directory_that_is_no_lab_is_refused_and_stays_as_it_was(tmp_path):
    with pytest.raises(
        StoreError,
        match=r"is no lab \(it holds neither lab.sqlite nor database.url\): name .*Lab\(",
    ):
        open_store(tmp_path)
    with pytest.raises(StoreError, match="is no lab"):
        open_store(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def test_a_lab_is_opened_by_its_directory(tmp_path):
    with Lab(tmp_path / "lab") as lab:
        lab.add_prompts(["Why?"])
    assert not (tmp_path / "lab" / NOTE).exists()
    with open_store(tmp_path / "lab") as store:
        assert [p.text for p in store.prompts()] == ["Why?"]


def test_a_lab_remembers_a_file_elsewhere(tmp_path):
    with Lab(tmp_path / "lab", database=tmp_path / "data.db") as lab:
        lab.add_prompts(["Why?"])
    assert not (tmp_path / "lab" / "lab.sqlite").exists()
    with Lab(tmp_path / "lab") as lab:
        assert lab.store.counts().prompts == 1
    with Lab(tmp_path / "lab", database=tmp_path / "data.db") as lab:
        assert lab.store.counts().prompts == 1


def test_a_file_inside_the_lab_moves_with_its_directory(tmp_path):
    with open_or_make_store(tmp_path / "lab", tmp_path / "lab" / "mine.db") as store:
        fill(store, "one")
    (tmp_path / "lab").rename(tmp_path / "other")
    with open_store(tmp_path / "other") as store:
        assert len(store.prompts()) == 1


def test_a_lab_with_data_elsewhere_is_refused_with_what_to_do(tmp_path):
    Lab(tmp_path / "lab").close()
    with pytest.raises(
        LabMismatch, match=r"keeps its data in .*lab\.sqlite, not in .*rlhf-lab move"
    ):
        Lab(tmp_path / "lab", database="postgresql+psycopg://me@localhost/lab")
    Lab(tmp_path / "lab", database=tmp_path / "lab" / "lab.sqlite").close()


@pytest.mark.parametrize("text", ["", "one\ntwo\n"])
def test_a_note_that_says_no_place_is_refused(tmp_path, text):
    (tmp_path / NOTE).write_text(text)
    with pytest.raises(StoreError, match=r"which is no place: write the URL"):
        open_store(tmp_path)


@pytest.mark.postgres
def test_a_url_is_remembered_without_its_password_and_for_its_owner_alone(tmp_path, postgres_url):
    with_password = postgres_url.replace("tester@", "tester:secret@")
    with Lab(tmp_path / "lab", database=with_password) as lab:
        lab.add_prompts(["Why?"])
        assert "secret" not in repr(lab.store)
    note = tmp_path / "lab" / NOTE
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert note.read_text() == postgres_url + "\n"
    assert [f.name for f in (tmp_path / "lab").iterdir()] == [NOTE]
    with open_store(tmp_path / "lab") as store:
        assert store.counts().prompts == 1
    with Lab(tmp_path / "lab", database=f"{postgres_url}?password=other") as lab:
        assert lab.store.counts().prompts == 1
    assert "other" not in note.read_text()
    with pytest.raises(LabMismatch, match="keeps its data in") as caught:
        Lab(tmp_path / "lab", database=with_password + "2")
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_missing_password_is_said_with_the_places_for_it(tmp_path, postgres_url, monkeypatch):
    import psycopg

    def ask(*rest, **options):
        raise psycopg.OperationalError("connection failed: fe_sendauth: no password supplied")

    monkeypatch.setattr(psycopg, "connect", ask)
    with pytest.raises(
        StoreError, match=r"no password supplied.*~/\.pgpass.*PGSERVICE.*PGPASSWORD"
    ):
        PreferenceStore(postgres_url)


def test_a_relative_place_is_the_same_wherever_the_lab_is_opened_from(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    for place in ("data.sqlite", "sqlite:///more.sqlite"):
        lab = tmp_path / f"lab of {place[:4]}"
        with open_or_make_store(lab, place) as store:
            fill(store, "one")
        monkeypatch.chdir(tmp_path / "elsewhere")
        with open_store(lab) as store:
            assert store.counts().prompts == 1
        monkeypatch.chdir(tmp_path)


def test_a_note_of_a_file_that_is_gone_makes_no_empty_lab(tmp_path):
    with open_or_make_store(tmp_path / "lab", tmp_path / "data.sqlite"):
        pass
    (tmp_path / "data.sqlite").unlink()
    with pytest.raises(StoreError, match="there is no such file"):
        open_store(tmp_path / "lab")
    assert not (tmp_path / "data.sqlite").exists()
