from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rlhf_lab import Lab
from rlhf_lab.cli import app
from rlhf_lab.errors import ConfigError, StoreError
from rlhf_lab.store import PreferenceStore, backup_lab, move_lab, open_store, restore_lab
from rlhf_lab.store.engine import parse_location
from rlhf_lab.store.paths import as_file, as_folder
from rlhf_lab.types import as_path
from tests.store.helpers import fill

NO_PATHS = {
    "~nobody-of-that-name/x": r"that user has no home folder here; write the path in full",
    "a/b\0c": r"no path has a NUL character in it; take it out",
    f"a/{'ü' * 130}/b": r"a name of 260 bytes, and at most 255 are possible",
    "half \ud800": r"holds half a character, which no path has; correct it",
    "": r"^'' \(str\) is no path: name a place",
}
on_each = pytest.mark.parametrize(("text", "says"), NO_PATHS.items(), ids=range(len(NO_PATHS)))


@pytest.fixture
def directory(tmp_path):
    with PreferenceStore(tmp_path / "lab" / "lab.sqlite") as store:
        fill(store, "one")
    return tmp_path / "lab"


@on_each
def test_what_is_no_path_is_said_wherever_one_is_given(directory, tmp_path, text, says):
    before = sorted(tmp_path.rglob("*"))
    with open_store(directory) as store:
        for give in (
            lambda: as_path(text),
            lambda: open_store(text),
            lambda: Lab(text),
            lambda: Lab(tmp_path / "new", database=text),
            lambda: move_lab(text, "sqlite"),
            lambda: backup_lab(store, directory, text),
            lambda: restore_lab(text, tmp_path / "again"),
            lambda: restore_lab(tmp_path / "lab.tar", text),
        ):
            with pytest.raises(ConfigError, match=says):
                give()
    assert sorted(p for p in tmp_path.rglob("*") if "lab.sqlite-" not in p.name) == before


@pytest.mark.parametrize("text", ["~nobody-of-that-name/x.db", "/a/b\0c", f"/{'a' * 256}"])
def test_a_lab_is_not_moved_to_what_is_no_path(directory, text):
    for target in (text, f"sqlite:///{text}"):
        with pytest.raises(ConfigError):
            move_lab(directory, target)


@pytest.mark.parametrize("text", [None, 5, b"lab"])
def test_what_is_no_text_is_no_path(text):
    with pytest.raises(ConfigError, match=r"\) is no path: name a place"):
        as_path(text)


def test_a_home_folder_is_looked_up(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert as_path("~/lab") == Path("/home/ann/lab")
    assert as_path(Path("~") / "lab") == Path("/home/ann/lab")
    assert as_path("lab") == Path("lab")
    assert parse_location("~/lab.db").database == "/home/ann/lab.db"


def test_a_name_may_start_with_what_means_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    for text in ("./~root/lab", "./~", ".//~nobody-of-that-name"):
        meant = tmp_path / text.replace("./", "").lstrip("/")
        assert as_path(text) == as_path(as_path(text)) == as_path(meant) == meant
        assert parse_location(text).database == str(meant)


def test_a_file_where_a_folder_is_needed_is_said(directory, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    with open_store(directory) as store:
        for give in (
            lambda: open_store(file),
            lambda: Lab(file),
            lambda: open_store(file / "lab"),
            lambda: move_lab(file, "sqlite"),
            lambda: backup_lab(store, directory, file / "lab.tar"),
            lambda: restore_lab(tmp_path / "lab.tar", file),
            lambda: restore_lab(tmp_path / "lab.tar", file / "lab"),
        ):
            with pytest.raises(ConfigError, match=r"notes\.txt is a file, and a folder is needed"):
                give()
        with pytest.raises(ConfigError, match="lab is a folder, and a file is needed"):
            backup_lab(store, directory, directory)
    with pytest.raises(ConfigError, match="lab is a folder, and a file is needed"):
        restore_lab(directory, tmp_path / "again")
    assert file.read_text() == "mine"


def test_a_path_that_is_not_there_yet_is_fine(tmp_path):
    assert as_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert as_file(tmp_path / "a" / "b.tar") == tmp_path / "a" / "b.tar"
    assert list(tmp_path.iterdir()) == []


def test_the_longest_names_are_backed_up_and_restored(directory, tmp_path):
    """What is written aside is not longer than what is asked for."""
    name = "x" * 255
    with open_store(directory) as store:
        backup_lab(store, directory, tmp_path / "backup" / name)
    assert restore_lab(tmp_path / "backup" / name, tmp_path / "again" / name).audit.ok


@pytest.mark.parametrize("command", ["audit", "import", "move", "backup", "restore"])
def test_the_commands_say_it_in_words(command):
    done = CliRunner().invoke(
        app, [command, "~nobody-of-that-name/x", "sqlite"][: 3 - (command == "audit")]
    )
    assert done.exit_code == 1
    assert "ConfigError: '~nobody-of-that-name/x': that user has no home folder here" in done.output


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (
            "mysql://host/lab",
            r"mysql: .* Use sqlite:///PATH or postgresql\+psycopg://USER@HOST/NAME",
        ),
        ("postgres://host/lab", r"postgres: .* postgresql\+psycopg://USER@HOST/NAME"),
        (
            "postgresql+asyncpg://ann:secret@host:5433/lab?password=secret&sslmode=require",
            r"^postgresql\+asyncpg: a lab opens postgresql with a driver of its own choice. "
            r"Use postgresql\+psycopg://ann:\*\*\*@host:5433/lab\?sslmode=require\.$",
        ),
        ("postgresql+psycopg2://host/lab", r"psycopg2: .* Use postgresql\+psycopg://host/lab"),
        ("postgresql+psycopg_async://host/lab", r"Use postgresql\+psycopg://host/lab"),
        (
            "sqlite+aiosqlite:////tmp/lab.db",
            r"^sqlite\+aiosqlite: .* Use sqlite:////tmp/lab\.db\.$",
        ),
    ],
)
def test_another_database_or_driver_is_refused_with_the_url_to_use(url, says):
    with pytest.raises(StoreError, match=says) as caught:
        PreferenceStore(url)
    assert "secret" not in str(caught.value)


def test_a_driver_that_is_the_labs_own_may_be_named(tmp_path):
    named = parse_location(f"sqlite+pysqlite:///{tmp_path / 'lab.db'}")
    assert named == parse_location(tmp_path / "lab.db")
