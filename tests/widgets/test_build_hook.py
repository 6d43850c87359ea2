"""When the build hook bundles the front end, and what it says where it cannot."""

import os
from pathlib import Path

import pytest

import hatch_build

OLD, NEW = 1_000_000_000, 2_000_000_000


def touch(path: Path, when: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    os.utime(path, (when, when))


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A tree whose bundle is newer than its sources."""
    for name in ("src/ranker.ts", *hatch_build.SOURCES[1:]):
        touch(tmp_path / "widgets" / name, OLD)
    for name in hatch_build.BUNDLE:
        touch(tmp_path / "rlhf_lab/widgets/static" / name, NEW)
    return tmp_path


def test_a_bundle_newer_than_its_sources_is_left_alone(checkout):
    assert not hatch_build.needs_build(checkout)


@pytest.mark.parametrize("name", hatch_build.BUNDLE)
def test_a_missing_file_of_the_bundle_is_built(checkout, name):
    (checkout / "rlhf_lab/widgets/static" / name).unlink()
    assert hatch_build.needs_build(checkout)


@pytest.mark.parametrize("name", ["src/ranker.ts", "src/deep/new.ts", "package-lock.json"])
def test_a_newer_source_is_bundled(checkout, name):
    touch(checkout / "widgets" / name, NEW + 1)
    assert hatch_build.needs_build(checkout)


def test_an_unpacked_sdist_needs_no_node_whatever_its_times(checkout):
    touch(checkout / "PKG-INFO", OLD)
    touch(checkout / "widgets/src/ranker.ts", NEW + 1)
    assert not hatch_build.needs_build(checkout)


def test_a_tree_without_the_sources_uses_its_bundle(checkout):
    (checkout / "widgets/src/ranker.ts").unlink()
    (checkout / "widgets/src").rmdir()
    assert not hatch_build.needs_build(checkout)


def test_without_node_the_error_says_what_to_install(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    with pytest.raises(RuntimeError, match="install Node 20 or newer"):
        hatch_build.build(checkout)


def test_every_source_that_the_hook_watches_exists():
    widgets = Path(hatch_build.__file__).parent / "widgets"
    assert hatch_build.newest_source(widgets) > 0
