"""What a restore refuses."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import tarfile

import pytest

from rlhf_lab.errors import StoreError
from rlhf_lab.store import restore_lab


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
