from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import threading

import pytest
from typer.testing import CliRunner

from rlhf_lab.cli import app
from rlhf_lab.errors import StoreError
from rlhf_lab.store import PreferenceStore, audit, backup_lab, open_store, restore_lab
from rlhf_lab.store.place import NOTE, open_or_make_store
from rlhf_lab.types import Version
from tests.store.everything import all_rows, as_multiset, fill_with_everything
from tests.store.helpers import fill, ranking


def checkpoint(folder, **files):
    """As training lays it out: files, and a listing of their sums."""
    folder.mkdir(parents=True)
    contents = {"state.json": b"{}", **{f"{k}.safetensors": v for k, v in files.items()}}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    (folder / "manifest.json").write_text(json.dumps(sums))


def files_of(folder):
    return {
        str(f.relative_to(folder)): f.read_bytes()
        for f in (folder / "checkpoints").rglob("*")
        if f.is_file()
    }


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


# -- what a backup refuses, and what it tells


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


# -- what a restore refuses


def remade(archive, place, change):
    """A copy of a backup with other members: a function gets and gives (TarInfo, bytes) pairs."""
    with tarfile.open(archive) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]
    with tarfile.open(place, "w") as tar:
        for member, content in change(members):
            if member.isreg():
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return place


def refuse(file, tmp_path, says):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StoreError, match=says) as caught:
        restore_lab(file, tmp_path / "again")
    assert sorted(tmp_path.iterdir()) == before
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "checkpoints/../../evil", "a//b", "a\\b"])
def test_a_member_that_would_be_written_elsewhere_is_refused(archive, tmp_path, name):
    def add(members):
        return [(tarfile.TarInfo(name), b"evil"), *members]

    refuse(remade(archive, tmp_path / "evil.tar", add), tmp_path, "written outside the lab")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_what_is_no_plain_file_is_refused(archive, tmp_path, kind):
    def add(members):
        link = tarfile.TarInfo("checkpoints/link")
        link.type, link.linkname = kind, "/etc/passwd"
        return [(link, b""), *members]

    refuse(remade(archive, tmp_path / "evil.tar", add), tmp_path, "is no plain file")


def altered(members):
    return [(m, c.replace(b"policy@1", b"policy@9")) for m, c in members]


def without_a_file(members):
    return [pair for pair in members if "reward@0/policy" not in pair[0].name]


def with_another(members):
    return [(tarfile.TarInfo("checkpoints/more"), b"more"), *members]


def twice(members):
    return [members[1], *members]


def without_manifest(members):
    return members[:-1]


def of_another_format(members):
    manifest, content = members[-1]
    return [*members[:-1], (manifest, content.replace(b'"format": 1', b'"format": 7'))]


def with_a_bad_manifest(members):
    return [*members[:-1], (members[-1][0], b"[1]")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (altered, "is not what was written|differ in"),
        (without_a_file, "differ in checkpoints/reward@0/policy.safetensors"),
        (with_another, "differ in checkpoints/more"),
        (twice, "is in it twice"),
        (without_manifest, "has no manifest.json at its end"),
        (of_another_format, "has format 7, this RLHF Lab knows 1: update with"),
        (with_a_bad_manifest, "its manifest.json cannot be read"),
    ],
)
def test_an_altered_archive_is_refused(archive, tmp_path, change, says):
    refuse(remade(archive, tmp_path / "bad.tar", change), tmp_path, says)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_truncated_archive_is_refused(archive, tmp_path, share):
    with tarfile.open(archive) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + last.size  # only padding follows
    (tmp_path / "cut.tar").write_bytes(archive.read_bytes()[: int(end * share)])
    refuse(tmp_path / "cut.tar", tmp_path, "cut short|cannot be read")


def test_a_flipped_bit_is_found(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / "bad.tar").write_bytes(data)
    refuse(tmp_path / "bad.tar", tmp_path, "lab.sqlite in it is not what was written")


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b\x08" + b"x" * 2000])
def test_something_else_is_refused(tmp_path, content):
    (tmp_path / "else.tar").write_bytes(content)
    refuse(tmp_path / "else.tar", tmp_path, "is no backup of a lab")


def test_a_file_that_is_not_there_and_a_directory_with_something_are_refused(archive, tmp_path):
    with pytest.raises(StoreError, match=r"cannot be restored into .*No such file"):
        restore_lab(tmp_path / "absent.tar", tmp_path / "again")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty: restore into a new directory"):
        restore_lab(archive, tmp_path / "mine")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine"]


def test_a_full_disk_while_restoring_leaves_nothing(archive, tmp_path, monkeypatch):
    real = tarfile.TarFile.extractfile

    def fill_up(tar, member):
        if "policy@1" in member.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(tar, member)

    monkeypatch.setattr(tarfile.TarFile, "extractfile", fill_up)
    with pytest.raises(StoreError, match=r"no room left for .*Nothing was left behind"):
        restore_lab(archive, tmp_path / "again")
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "name", ["database.url", "lab.sqlite-wal", ".profile", "checkpoints/of-nobody/file"]
)
def test_a_file_that_no_version_has_is_refused_though_the_manifest_names_it(
    archive, tmp_path, name
):
    def add(members):
        (*rest, (last, content)) = members
        manifest = json.loads(content)
        digest = hashlib.sha256(b"evil").hexdigest()
        manifest["files"][name] = {"sha256": digest, "bytes": 4}
        stray = (tarfile.TarInfo(name), b"evil")
        return [*rest, stray, (last, json.dumps(manifest).encode())]

    says = "is no part of a lab|belongs to no version"
    refuse(remade(archive, tmp_path / "evil.tar", add), tmp_path, says)
