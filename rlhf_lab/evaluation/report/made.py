"""How it was made: model, settings, how much there is, and of which software."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rlhf_lab.evaluation.report.naming import model_name
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.showing import counted
from rlhf_lab.types import Sampling

PACKAGES = (
    "rlhf-lab", "torch", "transformers", "peft", "bitsandbytes", "numpy", "rouge-score",
    "sacrebleu",
)  # fmt: skip


def byline(store: PreferenceStore, when: datetime | None) -> str:
    """Model, numbers and day in one line."""
    identity: dict[str, Any] = store.get_setting("identity") or {}
    counts = store.counts()
    parts = [
        model_name(str(identity["model"])) if "model" in identity else "",
        counted(counts.prompts, "prompts"),
        f"{counted(counts.rankings, 'rankings')} by {counted(counts.annotators, 'annotators')}",
        f"{when.astimezone(UTC):%Y-%m-%d}" if when else "",
    ]
    return " · ".join(part for part in parts if part)


def facts(
    store: PreferenceStore, sampling: Sampling | None, *, settings: Sequence[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """What was used, by name.

    Args:
        store: The lab's.
        sampling: Of the answers that were judged.
        settings: Others that the caller knows of.
    """
    identity: dict[str, Any] = store.get_setting("identity") or {}
    if "model" in identity:
        yield "Model", model_name(str(identity["model"]))
    if "quantize" in identity:
        yield "Weights", {"nf4": "NF4, 4 bits"}.get(identity["quantize"], "not quantized")
    if isinstance(lora := identity.get("lora"), dict):
        yield "LoRA", f"rank {lora.get('rank')}, alpha {lora.get('alpha')}"
    counts = store.counts()
    yield "Prompts", f"{counts.prompts:,}, {counts.heldout_prompts:,} of them held out"
    yield "Responses", f"{counts.responses:,}"
    yield "Rankings", f"{counts.rankings:,}, and {counts.skips:,} skipped"
    yield "Annotators", f"{counts.annotators:,}"
    if written := len(store.demonstrations()):
        yield "Demonstrations", f"{written:,}"
    if sampling is not None:
        yield "Sampling", _sampling(sampling)
        yield "Seed", str(sampling.seed)
    yield from settings


def _sampling(one: Sampling) -> str:
    told = f"temperature {one.temperature:g}, at most {one.max_new_tokens} tokens"
    told += f", top k {one.top_k}" if one.top_k else ""
    return told + (f", top p {one.top_p:g}" if one.top_p < 1 else "")


def packages() -> tuple[tuple[str, str], ...]:
    """Python and the packages that figures depend on, as they are installed."""
    found = [("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def newest(store: PreferenceStore) -> datetime | None:
    """When the newest thing in the lab was made; None for a lab with prompts alone."""
    moments = [
        one.created_at
        for some in (store.responses(), store.judgments(), store.versions(), store.metrics())
        for one in some
    ]
    return max(moments, default=None)
