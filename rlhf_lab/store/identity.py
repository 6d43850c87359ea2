"""What a lab was made with: the settings its adapters cannot do without."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from rlhf_lab.errors import ConfigError, LabMismatch
from rlhf_lab.store.preference_store import PreferenceStore
from rlhf_lab.types import DEFAULT_MODEL, LoraSpec

SETTING, WEIGHTS = "identity", "weights"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Model (hub id or absolute path of a folder), quantization and adapter shape of one lab."""

    model: str
    quantize: Literal["nf4", "none"]
    lora: LoraSpec


def settle_identity(
    store: PreferenceStore,
    directory: Path,
    *,
    model: str | None,
    quantize: str | None,
    lora: LoraSpec | None,
) -> Identity:
    """Read what the lab was made with, or note what it is made with now.

    Args:
        store: The lab's.
        directory: The lab's, to be named in errors.
        model: What is asked for; None for whatever the lab has, like the next two.
        quantize: "nf4" or "none".
        lora: Shape of the adapters.

    Raises:
        ConfigError: quantize is neither "nf4" nor "none".
        LabMismatch: something else is asked for than the lab was made with.
    """
    if quantize not in (None, "nf4", "none"):
        raise ConfigError(f"quantize={quantize!r}: use 'nf4' (4-bit) or 'none'.")
    asked = {
        "model": model and _place(model),
        "quantize": quantize,
        "lora": lora and _plain(lora),
    }
    asked = {key: value for key, value in asked.items() if value is not None}
    made: dict[str, Any] | None = store.get_setting(SETTING)
    if made is None or not store.versions():
        # Before the first version nothing depends on these: a mistyped name can be corrected.
        default = {"model": DEFAULT_MODEL, "quantize": "nf4", "lora": _plain(LoraSpec())}
        made = {**default, **(made or {}), **asked}
        store.set_setting(SETTING, made)
    for key, value in asked.items():
        if value != made[key]:
            raise LabMismatch(
                f"{directory} was made with {key}={made[key]!r}, not {value!r}: its adapters fit "
                f"no other. Leave {key}= out to continue, or choose a new directory."
            )
    return Identity(model=made["model"], quantize=made["quantize"], lora=_lora(made["lora"]))


def settle_weights(store: PreferenceStore, directory: Path, found: str) -> None:
    """Note which numbers the base has, or refuse others than the lab was made with.

    One model may come from two places, rounded differently, under one name. A lab of an older
    release takes on what it is given.

    Args:
        store: The lab's, with its identity settled.
        directory: The lab's, to be named in errors.
        found: Fingerprint of the base that was loaded.

    Raises:
        LabMismatch: the lab was made with other weights.
    """
    made = store.get_setting(SETTING)
    known = made.get(WEIGHTS)
    if known is not None and known != found and store.versions():
        raise LabMismatch(
            f"{directory} was made with weights of {made['model']!r} whose fingerprint is {known}; "
            f"those found under that name now have {found}: adapters fit only the numbers they "
            "were trained on. Put the former files back (a folder's own, the hub's cache, or for "
            "the default model RLHF_LAB_CACHE), or choose a new directory."
        )
    if known != found:
        store.set_setting(SETTING, {**made, WEIGHTS: found})


def _place(model: str) -> str:
    """A folder's absolute path, so that the lab finds it from any working directory."""
    folder = os.path.abspath(os.path.expanduser(model))
    return folder if os.path.isdir(folder) else model


def _plain(lora: LoraSpec) -> dict[str, Any]:
    """As JSON gives it back."""
    targets = lora.target_modules
    return {
        **asdict(lora),
        "target_modules": targets if isinstance(targets, str) else list(targets),
    }


def _lora(plain: dict[str, Any]) -> LoraSpec:
    targets = cast("str | list[str]", plain["target_modules"])
    return LoraSpec(
        **{**plain, "target_modules": targets if isinstance(targets, str) else tuple(targets)}
    )
