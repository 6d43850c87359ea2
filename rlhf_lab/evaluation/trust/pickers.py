"""What may pick among candidates: metrics, judges, and two that know nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, runtime_checkable

from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.judges.batch import JudgeItem, rank_many
from rlhf_lab.evaluation.trust.items import TrustItem
from rlhf_lab.types import Annotator, Ranking

if TYPE_CHECKING:
    from rlhf_lab.models.embedding import Embedder

Scores = Sequence[float]
# Texts and references to one score per text, and whether to show a bar.
Metric = Callable[[Sequence[str], Sequence[Sequence[str]], bool], Scores]

METRICS: Final = ("rouge1", "rouge2", "rougeL", "bleu", "bert_score", "mover_score")


class Picker(Protocol):
    """Anything that says how good candidates are."""

    name: str

    def scores(self, item: TrustItem) -> Scores | None:
        """One per candidate, higher is better; None if it cannot or may not judge this item."""


@runtime_checkable
class BatchPicker(Protocol):
    """A picker that is quicker, or only makes sense, with all items at once."""

    name: str

    def score_all(self, items: Sequence[TrustItem], *, progress: bool) -> Sequence[Scores | None]:
        """As `Picker.scores`, for each item."""


class MetricPicker:
    """A metric that compares each candidate with the item's references."""

    def __init__(self, name: str, metric: Metric) -> None:
        """Make one of a function of texts and references; items without any are not judged."""
        self.name = name
        self._metric = metric

    def scores(self, item: TrustItem) -> Scores | None:
        """Of one item alone; word weights that come from all texts are then of these few."""
        return self.score_all([item], progress=False)[0]

    def score_all(self, items: Sequence[TrustItem], *, progress: bool) -> Sequence[Scores | None]:
        """Of all together, as its word weights need it."""
        known = [item for item in items if item.references]
        texts = [one.text for item in known for one in item.candidates]
        references = [item.references for item in known for _ in item.candidates]
        found = iter(self._metric(texts, references, progress) if texts else ())
        return [
            [next(found) for _ in item.candidates] if item.references else None for item in items
        ]


def metric_pickers(
    names: Sequence[str] = METRICS, *, embedding: str | Path | Embedder | None = None
) -> list[MetricPicker]:
    """Pickers by the F1 of ROUGE and BERTScore, by sentence BLEU, and by MoverScore.

    Args:
        names: Of `METRICS`.
        embedding: For the last two: hub id, local folder or a loaded model; default: the small one
            that comes from PyPI. It is loaded once, when it is first needed.

    Raises:
        ConfigError: an unknown name.
    """
    if unknown := [name for name in names if name not in METRICS]:
        raise ConfigError(f"metrics {unknown}: known ones are {', '.join(METRICS)}.")
    encoder = _Encoder(embedding)
    known: dict[str, Metric] = {
        **{kind: partial(_rouge, kind) for kind in ("rouge1", "rouge2", "rougeL")},
        "bleu": _bleu,
        "bert_score": partial(_bert_score, encoder),
        "mover_score": partial(_mover_score, encoder),
    }
    return [MetricPicker(name, known[name]) for name in dict.fromkeys(names)]


class _Encoder:
    """Loaded when it is first asked for."""

    def __init__(self, name: str | Path | Embedder | None) -> None:
        self._name = name
        self._loaded: Embedder | None = None

    def __call__(self) -> Embedder:
        from rlhf_lab.models.embedding import DEFAULT_EMBEDDING, load_embedder

        if self._loaded is None:
            self._loaded = load_embedder(DEFAULT_EMBEDDING if self._name is None else self._name)
        return self._loaded


def _rouge(
    kind: Any,  # noqa: ANN401 - one of the kinds
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
    progress: bool,
) -> Scores:
    from rlhf_lab.evaluation.metrics import rouge

    found = rouge(texts, references, kinds=[kind], progress=progress)
    return [getattr(one, kind).f1 for one in found.scores]


def _bleu(texts: Sequence[str], references: Sequence[Sequence[str]], progress: bool) -> Scores:
    from rlhf_lab.evaluation.metrics import bleu

    return [one.score for one in bleu(texts, references, progress=progress).scores]


def _bert_score(
    encoder: _Encoder, texts: Sequence[str], references: Sequence[Sequence[str]], progress: bool
) -> Scores:
    from rlhf_lab.evaluation.metrics import bert_score

    found = bert_score(texts, references, model=encoder(), progress=progress)
    return [one.f1 for one in found.scores]


def _mover_score(
    encoder: _Encoder, texts: Sequence[str], references: Sequence[Sequence[str]], progress: bool
) -> Scores:
    from rlhf_lab.evaluation.metrics import mover_score

    return mover_score(texts, references, model=encoder(), progress=progress).scores


class AnnotatorPicker:
    """A judge: whatever ranks candidates."""

    def __init__(self, annotator: Annotator, *, heldout_only: bool | None = None) -> None:
        """Make a picker of a judge.

        Args:
            annotator: Ranks all candidates of an item.
            heldout_only: Ask it about held-out prompts alone, as one has to ask who learned from
                the judgments of the others. Default: what the judge's own `heldout_only` says,
                and no where it has none.
        """
        self.name = annotator.name
        self._annotator = annotator
        own = bool(getattr(annotator, "heldout_only", False))
        self._heldout_only = own if heldout_only is None else heldout_only

    def scores(self, item: TrustItem) -> Scores | None:
        """Better places score higher, one tier the same.

        Raises:
            JudgmentError: it did not rank the candidates it was shown.
        """
        return self.score_all([item], progress=False)[0]

    def score_all(self, items: Sequence[TrustItem], *, progress: bool) -> Sequence[Scores | None]:
        """Of all items, at once if the judge can do that.

        Raises:
            JudgmentError: it did not rank the candidates it was shown.
        """
        asked = [one for one in items if not self._heldout_only or one.prompt.split == "heldout"]
        found = iter(self._rankings([(one.prompt, one.candidates) for one in asked], progress))
        wanted = {id(one) for one in asked}
        return [_places(one, next(found)) if id(one) in wanted else None for one in items]

    def _rankings(self, items: Sequence[JudgeItem], progress: bool) -> list[Ranking]:
        if hasattr(self._annotator, "rank_many"):
            return rank_many(self._annotator, items)
        bar = tqdm(items, desc=self.name, disable=not progress, leave=False, delay=1)
        return [ranking for item in bar for ranking in rank_many(self._annotator, [item])]


def _places(item: TrustItem, ranking: Ranking) -> Scores:
    ranks = ranking.ranks()
    return [-float(ranks[one.id]) for one in item.candidates]


def as_picker(judge: Annotator | Picker | BatchPicker) -> Picker | BatchPicker:
    """A picker of whatever ranks; what is one already as it is."""
    if hasattr(judge, "rank"):  # a judge that also has scores has those of other things
        return AnnotatorPicker(cast("Annotator", judge))
    return cast("Picker", judge)


class ScoresPicker:
    """Scores that are known already."""

    def __init__(self, name: str, by_response: Mapping[str, float]) -> None:
        """Make a picker of scores by response id; items with one that has none are not judged."""
        self.name = name
        self._by_response = by_response

    def scores(self, item: TrustItem) -> Scores | None:
        """Those of the candidates."""
        found = [self._by_response.get(one.id) for one in item.candidates]
        known = [score for score in found if score is not None]
        return known if len(known) == len(found) else None


class LengthPicker:
    """Longer is better: what a number has to beat that is to be about more than length."""

    name = "length"

    def scores(self, item: TrustItem) -> Scores:
        """Numbers of words."""
        return [float(len(one.text.split())) for one in item.candidates]


class CoinPicker:
    """By chance, the same each time."""

    name = "coin"

    def __init__(self, seed: int = 0) -> None:
        """Make one of the coins."""
        self._seed = seed

    def scores(self, item: TrustItem) -> Scores:
        """From the seed and the ids: neither order nor company changes them."""
        keys = (f"{self._seed}\0{item.prompt.id}\0{one.id}" for one in item.candidates)
        return [int.from_bytes(hashlib.sha256(key.encode()).digest()[:6]) / 2**48 for key in keys]
