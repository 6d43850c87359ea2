"""What a lab asks next: items by what their ranking teaches, and candidates among samples."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from rlhf_lab.errors import ConfigError, LabInUse, NotEnoughData
from rlhf_lab.lab.holding import LabModel
from rlhf_lab.types import START, Judgment, Prompt, Response, Sampling

if TYPE_CHECKING:
    from rlhf_lab.models.collection import Batch
    from rlhf_lab.models.watching import Watch
    from rlhf_lab.training.features import FeatureCache, Features
    from rlhf_lab.training.teaching import RewardEnsemble


class LabChoices(LabModel):
    """The part of a lab that chooses what is shown."""

    _told_why_random = False

    def prioritise(self, version: str | None = None) -> int:
        """Reckon how much each open item would teach, for `strategy="informative"` to go by.

        Small reward heads, each on another sample of the judgments so far, predict what people
        would say; where they differ, a ranking teaches. Done by `lab.rank`, `lab.queue` and
        `lab.annotate` with that strategy; the dashboard hands out by what was reckoned last.

        Args:
            version: Whose items; default: the present policy's.

        Returns:
            How many items have a priority now; 0 as long as there are fewer than 8 rankings on
            training prompts: items then come at random.

        Raises:
            LabInUse: there are new responses, and another process does model work in this lab.
        """
        from rlhf_lab.training.teaching import LEAST_RANKINGS, Asked

        of = version or self.version
        judgments = self._teaching_judgments()
        if len(judgments) < LEAST_RANKINGS:
            self._tell_why_random(len(judgments), LEAST_RANKINGS)
            self.store.assignments.prioritise(of, {})
            return 0
        items = [i for i in self.store.assignments.open_items(of) if not i.is_kept]
        asked = [Asked(i.id, i.candidates, i.rankings) for i in items]
        try:
            ensemble, features = self._ensemble(judgments, [a.candidates for a in asked])
        except NotEnoughData:  # every response is like every other
            priorities: dict[str, float] = {}
        else:
            priorities = ensemble.priorities(asked, features)
        self.store.assignments.prioritise(of, priorities)
        return len(priorities)

    def _refresh_priorities(self, version: str) -> None:
        try:
            self.prioritise(version)
        except LabInUse:
            return  # who has the model reckons; what was reckoned last is in the store

    def _tell_why_random(self, found: int, least: int) -> None:
        if not self._told_why_random:
            self._told_why_random = True
            warnings.warn(
                f"{found} rankings on training prompts, and telling what teaches most takes "
                f"{least}: until then items come at random.",
                stacklevel=4,
            )

    def _teaching_judgments(self) -> list[Judgment]:
        """Rankings that the reward model learns from."""
        from rlhf_lab.training.reward_examples import ABOUT_PEOPLE

        train = {p.id for p in self.store.prompts(split="train")}
        return [
            j
            for j in self.store.judgments()
            if j.prompt_id in train and j.occasion not in ABOUT_PEOPLE and j.ranking is not None
        ]

    def _ensemble(
        self, judgments: Sequence[Judgment], groups: Sequence[Sequence[str]]
    ) -> tuple[RewardEnsemble, Features]:
        from rlhf_lab.training.teaching import RewardEnsemble

        wanted = {i for j in judgments for i in j.shown_order} | {i for g in groups for i in g}
        responses = [r for r in self.store.responses() if r.id in wanted]
        features = self._features.of(
            responses, self._prompts_by_id(), self._bench.ready_model, progress=self.progress
        )
        ensemble = RewardEnsemble.fit(judgments, features, groups, seed=self.seed)
        return ensemble, features

    def _choose_among(
        self, prompts: Sequence[Prompt], k: int, version: str
    ) -> tuple[list[str], list[str]]:
        """Ids of spare samples to offer: on training prompts by what they teach, else the first."""
        from rlhf_lab.training.teaching import choose_candidates

        samples: defaultdict[str, list[Response]] = defaultdict(list)
        wanted = {p.id: p for p in prompts}
        for response in self.store.responses(version=version):
            if response.prompt_id in wanted and response.purpose in ("candidate", "spare"):
                samples[response.prompt_id].append(response)
        waiting = {
            prompt_id: found
            for prompt_id, found in samples.items()
            if sum(r.purpose == "candidate" for r in found) < min(k, len(found))
        }
        # Held-out prompts measure: what is shown of them is a sample of what the policy says.
        held = {i: r for i, r in waiting.items() if wanted[i].split == "heldout"}
        train = {i: r for i, r in waiting.items() if i not in held}
        first = choose_candidates(held, k, _the_first)
        if not train:
            return first, []
        groups = [[r.id for r in found] for found in train.values()]
        try:
            ensemble, features = self._ensemble(self._teaching_judgments(), groups)
        except NotEnoughData:  # every response is like every other
            return [*first, *choose_candidates(train, k, _the_first)], []

        def teaching(found: Sequence[Response], count: int, chosen: Sequence[str]) -> list[str]:
            return ensemble.candidates(found, features, count, chosen)

        return first, choose_candidates(train, k, teaching)

    def _prompts_by_id(self) -> dict[str, Prompt]:
        return {p.id: p for p in self.store.prompts()}

    @property
    def _features(self) -> FeatureCache:
        """Of the start that the present policy grew from, whose weights the reference has."""
        head = self._bench.tree.head("policy")
        start = self._bench.tree.start_of(head).name if head else START
        return self._feature_caches[start]

    @cached_property
    def _feature_caches(self) -> dict[str, FeatureCache]:
        from rlhf_lab.training.features import FeatureCache

        folder = self.path / "features"

        class Caches(dict[str, FeatureCache]):
            def __missing__(self, start: str) -> FeatureCache:
                self[start] = FeatureCache(folder / start)
                return self[start]

        return Caches()

    def _collect(
        self,
        prompts: Sequence[Prompt],
        *,
        k: int,
        sample: int | None,
        sampling: Sampling,
        watch: Watch,
    ) -> Batch:
        """Make sure that each prompt has k candidates, chosen among `sample` responses.

        What `generate` does once it knows the prompts. Candidates stay candidates; a run that was
        interrupted between sampling and choosing chooses when it is started again.
        """
        from rlhf_lab.models.collection import collect_responses

        batch = collect_responses(
            self._bench.ready_model(),
            self.store,
            prompts,
            k=sample or k,
            version=self.version,
            sampling=sampling,
            spare=sample is not None and sample > k,
            progress=self.progress,
            watch=watch,
        )
        first, teaching = self._choose_among(prompts, k, self.version)
        if not first and not teaching:
            return batch
        self.store.assignments.make_candidates([*first, *teaching])
        place = {p.id: n for n, p in enumerate(prompts)}
        found = [
            r
            for r in self.store.responses(version=self.version)
            if r.prompt_id in place and r.purpose == "candidate"
        ]
        found.sort(key=lambda r: place[r.prompt_id])
        return replace(batch, responses=tuple(found))


def check_sample(k: int, sample: int | None) -> None:
    """Refuse to choose k of fewer.

    Raises:
        ConfigError: sample is below k.
    """
    if sample is not None and sample < k:
        raise ConfigError(
            f"sample={sample}, k={k}: k of the samples are shown, so sample at least as many. Use "
            f"{3 * k}."
        )


def _the_first(samples: Sequence[Response], count: int, chosen: Sequence[str]) -> list[str]:
    others = [r.id for r in samples if r.id not in set(chosen)]
    return [*chosen, *others][:count]
