"""Filling the store with responses, batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tqdm.auto import tqdm

from rlhf_lab.models.generation import BATCH_SIZE, generate_in_parts, sampling_parts
from rlhf_lab.models.roles import RoleModel
from rlhf_lab.models.watching import Watch
from rlhf_lab.types import Prompt, Purpose, Response, Sampling


class ResponseStore(Protocol):
    """The part of the preference store that collecting needs."""

    def responses(self, prompt_id: str | None = None, version: str | None = None) -> list[Response]:
        """Responses, in order."""

    def add_responses(self, responses: Sequence[Response]) -> int:
        """Store responses durably."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What `lab.generate` made sure of: so many responses to each of these prompts.

    Attributes:
        version: The policy that wrote them.
        prompts: In the order asked for.
        responses: All of them, new and already stored, grouped by prompt.
        new: How many were sampled just now.
    """

    version: str
    prompts: tuple[Prompt, ...]
    responses: tuple[Response, ...]
    new: int

    def __str__(self) -> str:
        """One line."""
        return (
            f"{len(self.responses)} responses to {len(self.prompts)} prompts by {self.version} "
            f"({self.new} new)"
        )

    __repr__ = __str__


class _Wanted(NamedTuple):
    prompt: Prompt
    token_ids: list[int]
    seed: int
    id: str


def collect_responses(
    model: RoleModel,
    store: ResponseStore,
    prompts: Sequence[Prompt],
    *,
    k: int,
    version: str,
    sampling: Sampling,
    purpose: Purpose = "candidate",
    spare: bool = False,
    progress: bool = True,
    watch: Watch | None = None,
) -> Batch:
    """Make sure that each prompt has `k` responses by the present policy, sampling what is missing.

    Running it twice samples nothing the second time; interrupted, it keeps every finished batch.

    With `spare` the very same responses are stored without being offered, for who chooses
    candidates among them; the batch has those that are candidates already.

    Raises:
        Stopped: the watch said so; finished batches are kept.
        PromptError: a prompt leaves no room for an answer; nothing was sampled.
        OutOfMemory: even one response at a time does not fit; finished batches are kept.
    """
    stored = {r.id for r in store.responses(version=version)}
    wanted = [
        w for w in _all_wanted(model, prompts, k, version, sampling, purpose) if w.id not in stored
    ]
    # Prompts of like length together: the batch is padded to its longest.
    wanted.sort(key=lambda w: len(w.token_ids))
    watch = watch or Watch()
    watch.count(len(prompts) * k - len(wanted))
    parts = sampling_parts(sampling)
    with (
        model.role("policy") as policy,
        model.dense.merged("policy"),
        tqdm(
            total=len(wanted),
            desc="Generating",
            unit="response",
            disable=not progress or not wanted,
        ) as bar,
    ):
        for start in range(0, len(wanted), BATCH_SIZE):
            watch.go_on()
            part = wanted[start : start + BATCH_SIZE]
            ids, seeds = [w.token_ids for w in part], [w.seed for w in part]
            texts = generate_in_parts(policy, ids, seeds, sampling, parts)
            store.add_responses(
                [
                    Response(
                        id=w.id,
                        prompt_id=w.prompt.id,
                        text=model.chat.decode(found.token_ids),
                        token_ids=tuple(found.token_ids),
                        version=version,
                        sampling=sampling,
                        seed=w.seed,
                        end_reason=found.end_reason,
                        purpose="spare" if spare else purpose,
                    )
                    for w, found in zip(part, texts, strict=True)
                ]
            )
            bar.update(len(part))
            watch.count(len(part))
    return _batch(store, prompts, version, purpose, len(wanted))


def _all_wanted(
    model: RoleModel,
    prompts: Sequence[Prompt],
    k: int,
    version: str,
    sampling: Sampling,
    purpose: Purpose,
) -> Iterator[_Wanted]:
    for prompt in prompts:
        ids = model.chat.encode(prompt, room=sampling.max_new_tokens)
        for index in range(k):
            key = f"{sampling}/{version}/{prompt.id}/{purpose}/{index}"
            digest = hashlib.sha256(key.encode()).hexdigest()
            yield _Wanted(prompt, ids, int(digest[:12], 16), digest[12:28])


def _batch(
    store: ResponseStore, prompts: Sequence[Prompt], version: str, purpose: Purpose, new: int
) -> Batch:
    place = {p.id: n for n, p in enumerate(prompts)}
    found = [
        r for r in store.responses(version=version) if r.prompt_id in place and r.purpose == purpose
    ]
    found.sort(key=lambda r: place[r.prompt_id])
    return Batch(version=version, prompts=tuple(prompts), responses=tuple(found), new=new)
