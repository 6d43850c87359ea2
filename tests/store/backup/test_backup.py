"""Backups, and labs restored from them."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
import tarfile
import threading
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from rlhf_lab.cli import app
from rlhf_lab.errors import StoreError
from rlhf_lab.store import PreferenceStore, audit, backup_lab, open_store, restore_lab
from rlhf_lab.store.place import NOTE, open_or_make_store
from rlhf_lab.store.tables import SignInRow, TicketRow
from rlhf_lab.types import Version, utc_now
from tests.store.backup.checkpoints import checkpoint, files_of
from tests.store.everything import all_rows, as_multiset, fill_with_everything
from tests.store.helpers import NOON, fill, ranking


def test_a_restored_lab_is_the_one_that_was_backed_up(directory, tmp_path):
    with open_store(directory) as store:
        report = backup_lab(store, directory, tmp_path / "new" / "lab.tar", progress=True)
        before, head = all_rows(store), store.chain_head()
    assert (report.judgments, report.versions, report.warnings) == (6, 3, ())
    assert report.head == head
    assert str(report).startswith(f"{tmp_path}/new/lab.tar: 6 judgments, 3 versions, 0.")
    shutil.rmtree(directory)

    (tmp_path / "again").mkdir()
    restored = restore_lab(report.file, tmp_path / "again", progress=True)
    assert restored.audit.ok
    assert restored.audit.head == head
    assert restored.files == 1 + 3 * 3
    with open_store(tmp_path / "again") as store:
        assert all_rows(store) == before
        assert audit(store, expected=report.head).ok
        store.submit(ranking("r9", store.prompts()[1], annotator="dee"))
    found = files_of(tmp_path / "again")
    assert len(found) == 9
    assert found["checkpoints/policy@1/policy.safetensors"] == b"policy@1" * 1000
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == ["checkpoints", "lab.sqlite"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "new"]


@pytest.mark.postgres
def test_a_lab_in_postgresql_is_restored_into_a_file(tmp_path, postgres_url):
    with open_or_make_store(tmp_path / "lab", postgres_url) as store:
        fill_with_everything(store)
        report = backup_lab(store, tmp_path / "lab", tmp_path / "lab.tar")
        before = as_multiset(all_rows(store))
    assert len(report.warnings) == 3  # no checkpoints were made
    restored = restore_lab(report.file, tmp_path / "again")
    assert restored.audit.ok
    assert str(restored).count("warning when it was made") == 3
    assert not (tmp_path / "again" / NOTE).exists()
    with open_store(tmp_path / "again") as store:
        assert as_multiset(all_rows(store)) == before


def test_what_went_on_in_the_saved_lab_does_not_go_on_in_the_restored_one(directory, tmp_path):
    with open_store(directory) as store:
        running = store.jobs.ask("reward", {}, "ada", id="r")
        store.jobs.take("pid 7")
        waiting = store.jobs.ask("ppo", {"steps": 8}, "ada", id="p")
        tomorrow = utc_now() + timedelta(days=1)
        with store.database.write() as session:
            session.add(
                SignInRow(
                    id="s9", hash="h9", name="Ada", created_at=NOON, seen_at=NOON,
                    expires_at=tomorrow,
                )
            )  # fmt: skip
            session.add(
                TicketRow(
                    hash="t9", purpose="reset", name="Ada", role="admin", created_by="Ada",
                    created_at=NOON, expires_at=tomorrow,
                )
            )  # fmt: skip
        backup_lab(store, directory, tmp_path / "lab.tar")
    restore_lab(tmp_path / "lab.tar", tmp_path / "again")
    with open_store(tmp_path / "again") as store:
        assert store.jobs.open() == []
        for job in (running, waiting):
            found = store.jobs.get(job.id)
            assert (found.state, found.arguments) == ("cancelled", job.arguments)
            assert found.ended_at is not None
            assert "when the backup was made" in found.note
        with store.database.read() as session:
            signed_in = session.get(SignInRow, "s9")
            assert signed_in is not None
            assert signed_in.ended_at is not None
            assert session.get(SignInRow, "s1").ended_at == NOON
            assert session.get(TicketRow, "t9").expires_at <= utc_now()
    with open_store(directory) as store:  # the saved lab goes on
        assert [job.state for job in store.jobs.open()] == ["running", "queued"]


def test_a_backup_while_four_people_judge_holds_all_that_was_acknowledged(tmp_path):
    directory, acknowledged, stop = tmp_path / "lab", [], threading.Event()
    with PreferenceStore(directory / "lab.sqlite") as store:
        prompts = fill(store, *(f"p{n}" for n in range(40)))
        store.assignments.offer()

        def judge(name):
            for one in prompts:
                if stop.is_set():
                    return
                event = ranking(f"{name}-{one.text}", one, annotator=name)
                store.submit(event)
                acknowledged.append(event.id)

        people = [threading.Thread(target=judge, args=(f"ann{n}",)) for n in range(4)]
        for person in people:
            person.start()
        while len(acknowledged) < 4:
            people[0].join(0.01)
        before = set(acknowledged)
        report = backup_lab(store, directory, tmp_path / "lab.tar")
        stop.set()
        for person in people:
            person.join()
        assert audit(store, expected=report.head).ok
    restored = restore_lab(tmp_path / "lab.tar", tmp_path / "again")
    assert restored.audit.ok
    assert restored.audit.head == report.head
    with open_store(tmp_path / "again") as store:
        assert {judgment.id for judgment in store.judgments()} >= before


def test_an_existing_file_is_refused_and_stays(directory, tmp_path):
    (tmp_path / "lab.tar").write_text("mine")
    with open_store(directory) as store, pytest.raises(StoreError, match=r"exists, and a backup"):
        backup_lab(store, directory, tmp_path / "lab.tar")
    assert (tmp_path / "lab.tar").read_text() == "mine"


def test_a_full_disk_midway_leaves_nothing(directory, tmp_path, monkeypatch):
    written = []

    def fill_up(tar, member, file=None):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(member.name)

    monkeypatch.setattr(tarfile.TarFile, "addfile", fill_up)
    before = sorted(tmp_path.iterdir())
    with open_store(directory) as store, pytest.raises(StoreError, match=r"free some disk space"):
        backup_lab(store, directory, tmp_path / "lab.tar")
    assert written == ["lab.sqlite"]
    assert sorted(tmp_path.iterdir()) == before


def test_a_checkpoint_that_is_missing_or_damaged_is_told_and_the_rest_is_saved(directory, tmp_path):
    shutil.rmtree(directory / "checkpoints" / "policy@0")
    (directory / "checkpoints" / "reward@0" / "policy.safetensors").write_bytes(b"altered")
    (directory / "checkpoints" / "policy@1" / "state.json").unlink()
    with open_store(directory) as store:
        report = backup_lab(store, directory, tmp_path / "lab.tar")
    missing, damaged, broken = sorted(report.warnings, key=lambda w: w.split()[0] != "policy@0")
    assert "policy@0 has no checkpoint" in missing
    assert "checkpoints/reward@0/policy.safetensors is not what was written" in damaged
    assert "policy@1 is left out, its checkpoint is broken" in broken
    assert report.versions == 1
    assert "warning: policy@0 has no checkpoint" in str(report)
    assert restore_lab(report.file, tmp_path / "again").audit.ok


def test_a_checkpoint_that_training_thins_meanwhile_is_saved_as_it_is_then(
    directory, tmp_path, monkeypatch
):
    place = directory / "checkpoints" / "policy@1"
    shutil.rmtree(place)
    checkpoint(place, policy=b"weights", optimizer=b"moments")
    real = json.load

    def thin_after_listing(file):
        found = real(file)
        if "optimizer.safetensors" in found:
            kept = {name: of for name, of in found.items() if "optimizer" not in name}
            (place / "aside").write_text(json.dumps(kept))
            (place / "aside").replace(place / "manifest.json")
            (place / "optimizer.safetensors").unlink()
        return found

    monkeypatch.setattr(json, "load", thin_after_listing)
    with open_store(directory) as store:
        report = backup_lab(store, directory, tmp_path / "lab.tar")
    assert report.warnings == ()
    restore_lab(report.file, tmp_path / "again")
    found = sorted(p.name for p in (tmp_path / "again/checkpoints/policy@1").iterdir())
    assert found == ["manifest.json", "policy.safetensors", "state.json"]


def test_a_version_that_says_its_files_are_elsewhere_takes_none_from_there(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "manifest.json").write_text("{}")
    directory = tmp_path / "lab"
    with PreferenceStore(directory / "lab.sqlite") as store:
        store.add_version(Version(name="policy@0", parent=None, path="../secret"))
        report = backup_lab(store, directory, tmp_path / "lab.tar")
    assert "policy@0 has no checkpoint" in report.warnings[0]
    with pytest.raises(StoreError, match="version policy@0 in it is kept elsewhere"):
        restore_lab(report.file, tmp_path / "again")


def test_a_record_that_was_altered_before_the_backup_is_restored_and_told(directory, tmp_path):
    raw = sqlite3.connect(directory / "lab.sqlite", isolation_level=None)
    raw.execute("DROP TRIGGER judgments_no_update")
    raw.execute("UPDATE judgments SET comment = 'x' WHERE id = 's1'")
    raw.close()
    done = CliRunner().invoke(app, ["backup", str(directory), str(tmp_path / "lab.tar")])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "lab.tar"), str(tmp_path / "again")])
    assert done.exit_code == 1
    assert "NOT ok" in done.output
    assert "id 's1'" in done.output
    assert (tmp_path / "again" / "lab.sqlite").is_file()


def test_the_commands_say_what_they_did_and_what_is_wrong(directory, tmp_path):
    run = CliRunner().invoke
    file, again = str(tmp_path / "lab.tar"), str(tmp_path / "again")
    done = run(app, ["backup", str(directory), file])
    assert (done.exit_code, "6 judgments, 3 versions" in done.output) == (0, True)
    done = run(app, ["backup", str(directory), file])
    assert (done.exit_code, "exists, and a backup replaces nothing" in done.output) == (1, True)
    done = run(app, ["restore", file, again])
    assert (done.exit_code, "every sum is right" in done.output) == (0, True)
    done = run(app, ["audit", again])
    assert (done.exit_code, done.output.startswith("ok: 6 judgments")) == (0, True)
    done = run(app, ["audit", again, "--head", f"6:{'0' * 64}"])
    assert (done.exit_code, "the head to expect saw 6" in done.output) == (1, True)
    done = run(app, ["audit", str(tmp_path)])
    assert (done.exit_code, "is no lab" in done.output) == (1, True)
