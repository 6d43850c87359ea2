"""Features of whole responses: what the reward head would read, by the model that stays as it is.

Computed once per response and kept beside the lab's checkpoints: the reference never changes
between two starts. Losing the files costs the time to compute them again, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tqdm.auto import tqdm

from rlhf_lab.models import RoleModel
from rlhf_lab.models.memory import Parts
from rlhf_lab.training.batching import as_tokens, divided, most_parts, response_groups
from rlhf_lab.types import Prompt, Response

Features = dict[str, NDArray[np.float32]]

_TOKENS = 2048
_PER_FILE = 256


class FeatureCache:
    """Features by response, in a folder of safetensors files that are only ever added to."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet; the folder need not exist."""
        self._folder = folder
        self._known: Features = {}
        self._read: set[str] = set()

    def missing(self, responses: Iterable[Response]) -> list[Response]:
        """Those whose features are not there, each once."""
        self._look()
        return list({r.id: r for r in responses if r.id not in self._known}.values())

    def of(
        self,
        responses: Sequence[Response],
        prompts: Mapping[str, Prompt],
        model: Callable[[], RoleModel],
        *,
        progress: bool = False,
    ) -> Features:
        """Features of each response by its id, (dim,) each.

        Args:
            responses: Any.
            prompts: Theirs, by id.
            model: Gives the model, at the start the cache is of; asked if something is missing.
            progress: Show a bar.

        Raises:
            PromptError: a prompt and an answer exceed the model's context together.
            OutOfMemory: not even one response at a time fits.
        """
        missing = self.missing(responses)
        # Neighbours share a row with their prompt.
        missing.sort(key=lambda r: r.prompt_id)
        with tqdm(
            total=len(missing), desc="Reading", disable=not progress or not missing, leave=False
        ) as bar:
            for start in range(0, len(missing), _PER_FILE):
                part = missing[start : start + _PER_FILE]
                found = last_token_features(model(), part, prompts)
                self._known |= found
                self._write(found)
                bar.update(len(part))
        return {r.id: self._known[r.id] for r in responses}

    def _look(self) -> None:
        for file in sorted(self._folder.glob("*.safetensors")):
            if file.name in self._read:
                continue
            self._read.add(file.name)
            # Half a file, or one of another program: computed again.
            with (
                contextlib.suppress(SafetensorError, OSError, ValueError, KeyError, TypeError),
                safe_open(file, framework="np") as kept,
            ):
                ids = json.loads(kept.metadata()["ids"])
                self._known |= dict(zip(ids, kept.get_tensor("features"), strict=True))

    def _write(self, found: Features) -> None:
        ids = json.dumps(sorted(found))
        name = hashlib.sha256(ids.encode()).hexdigest()[:24] + ".safetensors"
        rows = np.stack([found[i] for i in sorted(found)])
        # No room for it is no reason to stop: it is in memory, and computed again next time.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            aside = self._folder / f".{name}.{os.getpid()}"
            aside.write_bytes(save({"features": rows}, metadata={"ids": ids}))
            os.replace(aside, self._folder / name)
        self._read.add(name)


def last_token_features(
    model: RoleModel, responses: Sequence[Response], prompts: Mapping[str, Prompt]
) -> Features:
    """The reference's final hidden state at the last token of each response, by its id.

    Raises:
        PromptError: a prompt and an answer exceed the model's context together.
        OutOfMemory: not even one response at a time fits.
    """
    answers = [r.token_ids or model.chat.encode_answer(r.text) for r in responses]
    asked = [
        model.chat.encode(prompts[r.prompt_id], room=len(answer))
        for r, answer in zip(responses, answers, strict=True)
    ]
    groups = response_groups(model, asked, answers, tokens=_TOKENS)
    parts = Parts("feature batches", remedy="Sample shorter responses.")
    found: Features = {}
    with model.role("reference") as role, model.dense.base():

        def read(rows: list[list[int]], count: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
            for part in divided(rows, count):
                batch = as_tokens(model, asked, answers, part)
                states = role.last_states(batch.tokens).to("cpu", torch.float32).numpy()
                yield from zip(batch.responses, states, strict=True)

        for rows in groups:

            def states(count: int, rows: list[list[int]] = rows) -> Features:
                return {responses[n].id: state.copy() for n, state in read(rows, count)}

            found |= parts.until_they_fit(states, most=most_parts([rows]))
    return found
