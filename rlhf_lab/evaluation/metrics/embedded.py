"""BERTScore and MoverScore: how near the words of two texts are as vectors, in their context."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from rlhf_lab.evaluation.metrics.inputs import References, checked, needs
from rlhf_lab.evaluation.metrics.results import BertScore, Match, MoverScore

if TYPE_CHECKING:
    from torch import Tensor

    from rlhf_lab.models.embedding import Embedder, EncodedText

# So many pairs of texts have their vectors in memory at once: 300 tokens of 384 numbers are 0.5 MB.
_PAIRS: Final = 64

Floats = npt.NDArray[np.float64]


class _Pair(NamedTuple):
    """A text against one of its references, and which text that is."""

    number: int
    text: str
    reference: str


def bert_score(
    texts: Sequence[str],
    references: References,
    *,
    model: str | Path | Embedder | None = None,
    num_layers: int | None = None,
    idf: bool = False,
    device: str | None = None,
    progress: bool = True,
) -> BertScore:
    """BERTScore of each text against its references; of several, the best of each figure.

    Each token of the one is matched with the most similar token of the other, by cosine. Not
    rescaled: figures of unrelated texts are well above 0, and only comparisons with the same model
    mean something. Against an empty reference, and for an empty text, all figures are 0.

    Args:
        texts: What to score.
        references: One per text, or several.
        model: Hub id or local folder of a text encoder, or a loaded one; default: the small one
            that comes from PyPI, `rlhf_lab.models.embedding.DEFAULT_EMBEDDING`.
        num_layers: The layer whose output is compared; default: the one that its authors found
            best for a model they tried, else the last.
        idf: Weigh tokens by how few of the references they are in.
        device: Default: CUDA when there is one, else the CPU.
        progress: Show a bar when it takes more than a second.

    Raises:
        ConfigError: other numbers of texts and references, or no such layer.
        NotEnoughData: no texts, or one without references.
        UnknownModel: no such model.
        ModelDownloadError: it has to be fetched and cannot be.

    Source: Zhang et al. (2020), "BERTScore: Evaluating Text Generation with BERT", by the package
    bert-score.
    """
    found, against = checked(texts, references)
    with needs("bert-score"):
        from bert_score.utils import get_idf_dict, model2layers
    embedder = _embedder(model, device)
    layer = embedder.check_layer(
        model2layers.get(embedder.name) if num_layers is None else num_layers
    )
    prefix = _prefix(embedder)
    every = [one for of_text in against for one in of_text]
    weights = get_idf_dict(every, _Ids(embedder, prefix), nthreads=0) if idf else None
    matches: list[list[Match]] = [[] for _ in found]
    for part in _parts(found, against, "BERTScore", progress):
        references_read = _tokens(embedder, layer, [p.reference for p in part], prefix, weights)
        texts_read = _tokens(embedder, layer, [p.text for p in part], prefix, weights)
        for pair, reference, text in zip(part, references_read, texts_read, strict=True):
            matches[pair.number].append(_match(reference, text))
    scores = tuple(map(_best, matches))
    return BertScore(
        scores=scores,
        mean=Match.mean(scores),
        model=embedder.name,
        num_layers=layer,
        cut=_cut(embedder, found, against),
    )


class _Tokens(NamedTuple):
    """The tokens of a text, special ones included: what they weigh, and their vectors."""

    weights: Tensor
    vectors: Tensor


def _tokens(
    embedder: Embedder,
    layer: int,
    texts: Sequence[str],
    prefix: str,
    idf: Mapping[int, float] | None,
) -> list[_Tokens | None]:
    """None for a text without tokens of its own."""
    encoded = embedder.encode([prefix + text.strip() for text in texts])
    vectors = embedder.token_vectors(encoded, layer=layer)
    return [
        None if all(text.is_special) else _Tokens(_weights(text, idf), of_text)
        for text, of_text in zip(encoded, vectors, strict=True)
    ]


def _weights(text: EncodedText, idf: Mapping[int, float] | None) -> Tensor:
    """All the same where none is above 0, as when there is one reference alone."""
    import torch

    alike = 1 - torch.tensor(text.is_special, dtype=torch.float32)
    weights = alike if idf is None else torch.tensor([idf[i] for i in text.ids])
    return weights if weights.any() else alike


def _match(reference: _Tokens | None, text: _Tokens | None) -> Match:
    """By the package, one pair at a time.

    Of pairs side by side it takes padding for a token of similarity 0, which is more than those
    below 0.
    """
    from bert_score.utils import greedy_cos_idf

    if reference is None or text is None:
        return Match(precision=0.0, recall=0.0, f1=0.0)
    figures = greedy_cos_idf(*_row(reference), *_row(text))
    precision, recall, f1 = (_at_most_1(float(figure)) for figure in figures)
    return Match(precision=precision, recall=recall, f1=f1)


def _row(tokens: _Tokens) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, mask and weights as the package takes them, and may write into."""
    import torch

    weights, vectors = tokens
    if len(weights) == 2:
        # It takes two tokens for the start and end of an empty text. A copy of the first one that
        # weighs nothing changes nothing else.
        weights = torch.cat([weights, torch.zeros(1)])
        vectors = torch.cat([vectors, vectors[:1]])
    is_token = torch.ones(1, len(weights), dtype=torch.long)
    return vectors.clone().unsqueeze(0), is_token, weights.clone().unsqueeze(0)


class _Ids:
    """Token ids of a text, with as much of a tokenizer's face as the package asks for."""

    def __init__(self, embedder: Embedder, prefix: str) -> None:
        self._embedder = embedder
        self._prefix = prefix
        self.model_max_length = embedder.max_tokens

    def encode(self, text: str, **_: Any) -> tuple[int, ...]:  # noqa: ANN401
        return self._embedder.encode([self._prefix + text])[0].ids

    def build_inputs_with_special_tokens(self, _: list[int]) -> tuple[int, ...]:
        return self._embedder.encode([self._prefix])[0].ids


def _prefix(embedder: Embedder) -> str:
    """What a text begins with, as in the package: these tokenizers know words after a space."""
    from transformers import GPT2Tokenizer, RobertaTokenizer

    return " " if isinstance(embedder.tokenizer, (GPT2Tokenizer, RobertaTokenizer)) else ""


def _at_most_1(value: float) -> float:
    """Cosines in float32 may be a little above 1, as those of a text with itself are."""
    return min(value, 1.0)


def _best(matches: Sequence[Match]) -> Match:
    """Of several references, each figure's best, as in the package."""
    return Match(
        precision=max(m.precision for m in matches),
        recall=max(m.recall for m in matches),
        f1=max(m.f1 for m in matches),
    )


def mover_score(
    texts: Sequence[str],
    references: References,
    *,
    model: str | Path | Embedder | None = None,
    num_layers: int | None = None,
    documents: Sequence[str] | None = None,
    device: str | None = None,
    progress: bool = True,
) -> MoverScore:
    """MoverScore of each text against its references, of single words; of several, the mean.

    One less the least cost of moving the words of the one to the words of the other:

        score = 1 - min over F of the sum over i, j of F[i, j] * |r[i] - t[j]|

    with r and t the vectors of the reference's and the text's words, of length 1 each, and F all
    flows of 0 or more whose rows add up to the reference's weights, and columns to the text's.
    From 1 for the same to -1.

    A word's weight is its inverse document frequency, log((documents + 1) / (documents with it +
    1)), divided by the sum over the text. It stands for its first piece; later pieces, ASCII
    punctuation and special tokens weigh nothing. Where all weights are 0 (a single text, say, all
    of whose words are in every document), all words weigh the same. A text without words against a
    reference with some scores -1, as little as there is.

    Args:
        texts: What to score.
        references: One per text, or several.
        model: As for `bert_score`.
        num_layers: The layer whose output is compared; default: the last.
        documents: To count words in. Default: the references for the words of references, and the
            texts for those of texts, each distinct one once.
        device: Default: CUDA when there is one, else the CPU.
        progress: Show a bar when it takes more than a second.

    Raises:
        ConfigError: other numbers of texts and references, or no such layer.
        NotEnoughData: no texts, or one without references.
        UnknownModel: no such model.
        ModelDownloadError: it has to be fetched and cannot be.

    Source: Zhao et al. (2019), "MoverScore: Text Generation Evaluating with Contextualized
    Embeddings and Earth Mover Distance", in the form of its authors' second implementation; the
    transport by POT, exactly.
    """
    found, against = checked(texts, references)
    with needs("POT"):
        import ot  # noqa: F401 - before a model is loaded
    embedder = _embedder(model, device)
    layer = embedder.check_layer(num_layers)
    every = [one for of_text in against for one in of_text]
    text_weights = _idf(embedder, found if documents is None else documents)
    reference_weights = _idf(embedder, every) if documents is None else text_weights
    moved: list[list[float]] = [[] for _ in found]
    for part in _parts(found, against, "MoverScore", progress):
        words = {
            True: _bags(embedder, layer, [pair.reference for pair in part], reference_weights),
            False: _bags(embedder, layer, [pair.text for pair in part], text_weights),
        }
        for pair, reference, text in zip(part, words[True], words[False], strict=True):
            moved[pair.number].append(_moved(reference, text))
    scores = tuple(map(fmean, moved))
    return MoverScore(
        scores=scores,
        mean=fmean(scores),
        model=embedder.name,
        num_layers=layer,
        cut=_cut(embedder, found, against),
    )


class _Bag(NamedTuple):
    """The words of a text that weigh something: weights that add up to 1, and unit vectors."""

    weights: Floats
    vectors: Floats


def _idf(embedder: Embedder, documents: Sequence[str]) -> Mapping[int, float]:
    """Weight by token id; of a token in no document as if in 0 of them."""
    distinct = embedder.encode(list(dict.fromkeys(documents)))
    seen = Counter(token for text in distinct for token in set(text.ids))
    count = len(distinct)
    unseen: defaultdict[int, float] = defaultdict(lambda: math.log(count + 1))
    return unseen | {token: math.log((count + 1) / (n + 1)) for token, n in seen.items()}


def _bags(
    embedder: Embedder, layer: int, texts: Sequence[str], idf: Mapping[int, float]
) -> list[_Bag]:
    encoded = embedder.encode(texts)
    vectors = embedder.token_vectors(encoded, layer=layer)
    return [_bag(text, found, idf) for text, found in zip(encoded, vectors, strict=True)]


def _bag(text: EncodedText, vectors: Tensor, idf: Mapping[int, float]) -> _Bag:
    words = np.flatnonzero(text.is_word)
    weights = np.array([idf[text.ids[word]] for word in words], dtype=np.float64)
    if not weights.any():
        weights = np.ones(len(words))
    words, weights = words[weights > 0], weights[weights > 0]
    chosen = vectors.numpy().astype(np.float64)[words]
    norms = np.linalg.norm(chosen, axis=1, keepdims=True)
    return _Bag(weights / max(weights.sum(), 1e-300), chosen / np.maximum(norms, 1e-300))


def _moved(reference: _Bag, text: _Bag) -> float:
    import ot

    if not len(reference.weights) or not len(text.weights):
        return 1.0 if len(reference.weights) == len(text.weights) else -1.0
    distances = _distances(reference.vectors, text.vectors)
    cost = ot.emd2(reference.weights, text.weights, distances, numItermax=10_000_000)
    return max(-1.0, 1.0 - float(cost))


def _distances(first: Floats, second: Floats) -> Floats:
    """Euclidean, of unit vectors; exactly 0 between equal ones."""
    squared = 2.0 - 2.0 * (first @ second.T)
    # Near 0 the difference above is nothing but rounding, which the root would make large.
    near = np.argwhere(squared < 1e-6)
    apart = first[near[:, 0]] - second[near[:, 1]]
    squared[near[:, 0], near[:, 1]] = (apart**2).sum(axis=1)
    return np.sqrt(squared)


def _embedder(model: str | Path | Embedder | None, device: str | None) -> Embedder:
    from rlhf_lab.models.embedding import DEFAULT_EMBEDDING, load_embedder

    return load_embedder(DEFAULT_EMBEDDING if model is None else model, device=device)


def _parts(
    texts: Sequence[str], references: Sequence[Sequence[str]], what: str, progress: bool
) -> Iterator[list[_Pair]]:
    """All pairs, some at a time; those of one length together, so that little is padding."""
    pairs = [
        _Pair(number, text, one)
        for number, (text, of_text) in enumerate(zip(texts, references, strict=True))
        for one in of_text
    ]
    pairs.sort(key=lambda pair: (len(pair.reference), pair.reference, pair.number))
    with tqdm(total=len(pairs), desc=what, disable=not progress, leave=False, delay=1) as bar:
        for _, part in groupby(enumerate(pairs), key=lambda place: place[0] // _PAIRS):
            some = [pair for _, pair in part]
            yield some
            bar.update(len(some))


def _cut(embedder: Embedder, texts: Sequence[str], references: Sequence[Sequence[str]]) -> int:
    every = {*texts, *(one for of_text in references for one in of_text)}
    return sum(map(embedder.is_too_long, every))
