"""Against the definitions, written out in float64 and one text at a time."""

from __future__ import annotations

import copy
import math
import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from transformers import GPT2Tokenizer

from rlhf_lab.errors import ConfigError, NotEnoughData, UnknownModel
from rlhf_lab.evaluation.metrics import bert_score, embedded, mover_score
from rlhf_lab.models.embedding import Embedder, load_embedder
from tests.evaluation.metrics.encoders import MAX_TOKENS, random_texts

TEXTS, REFERENCES = random_texts(20, seed=1), random_texts(20, seed=2)


class Plain:
    """The encoder in float64, one text at a time, without padding."""

    def __init__(self, encoder: Embedder, layer: int) -> None:
        self.tokenizer = encoder.tokenizer
        self.model = copy.deepcopy(encoder.model).double()
        self.layer = layer

    def ids(self, text: str) -> list[int]:
        body = self.tokenizer.encode(text, add_special_tokens=False)[: MAX_TOKENS - 2]
        return [self.tokenizer.cls_token_id, *body, self.tokenizer.sep_token_id]

    def vectors(self, text: str) -> np.ndarray:
        with torch.no_grad():
            found = self.model(torch.tensor([self.ids(text)]), output_hidden_states=True)
        rows = found.hidden_states[self.layer][0].numpy()
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def words(self, text: str) -> list[int]:
        tokens = self.tokenizer.convert_ids_to_tokens(self.ids(text))
        return [
            place
            for place, token in enumerate(tokens)
            if token not in ("[CLS]", "[SEP]")
            and not token.startswith("##")
            and token not in string.punctuation
        ]

    def idf(self, documents: Sequence[str]) -> dict[int, float]:
        seen = [set(self.ids(one)) for one in documents]
        return {
            token: math.log((len(seen) + 1) / (sum(token in one for one in seen) + 1))
            for token in range(len(self.tokenizer))
        }


def bert_by_definition(plain: Plain, text: str, reference: str, weight) -> tuple[float, ...]:
    """Greedy matching, Zhang et al. (2020), equations 1 to 3 of section 3."""
    candidate, wanted = plain.vectors(text), plain.vectors(reference)

    def mean_best(rows: np.ndarray, of: np.ndarray, ids: list[int]) -> float:
        weights = [weight(i) for i in ids]
        best = [max(float(row @ other) for other in of) for row in rows]
        return sum(w * b for w, b in zip(weights, best, strict=True)) / sum(weights)

    precision = mean_best(candidate, wanted, plain.ids(text))
    recall = mean_best(wanted, candidate, plain.ids(reference))
    return precision, recall, 2 * precision * recall / (precision + recall)


def mover_by_definition(plain: Plain, text: str, reference: str, idf) -> float:
    """The transport as a linear program, Zhao et al. (2019), section 3.1."""

    def bag(of: str, weight: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
        places = plain.words(of)
        weights = np.array([weight[plain.ids(of)[place]] for place in places])
        weights = weights if weights.sum() else np.ones(len(places))
        return weights / weights.sum(), plain.vectors(of)[places]

    (supply, rows), (demand, columns) = bag(reference, idf[0]), bag(text, idf[1])
    cost = np.array([[math.dist(row, column) for column in columns] for row in rows])
    flows = np.eye(cost.size).reshape(cost.size, *cost.shape)
    sums = np.vstack([flows.sum(axis=2).T, flows.sum(axis=1).T])
    found = linprog(cost.ravel(), A_eq=sums, b_eq=np.concatenate([supply, demand]))
    assert found.success
    return 1 - found.fun


@pytest.mark.parametrize("layer", [1, 3])
def test_bert_score_is_what_its_paper_defines(encoder: Embedder, layer: int):
    plain = Plain(encoder, layer)
    special = {plain.tokenizer.cls_token_id, plain.tokenizer.sep_token_id}
    found = bert_score(TEXTS, REFERENCES, model=encoder, num_layers=layer)
    for text, reference, one in zip(TEXTS, REFERENCES, found.scores, strict=True):
        expected = bert_by_definition(plain, text, reference, lambda i: float(i not in special))
        assert (one.precision, one.recall, one.f1) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert found.mean.f1 == pytest.approx(np.mean([one.f1 for one in found.scores]))


def test_bert_score_with_rare_tokens_weighing_more(encoder: Embedder):
    plain = Plain(encoder, 3)
    idf = plain.idf(REFERENCES)
    found = bert_score(TEXTS, REFERENCES, model=encoder, idf=True)
    for text, reference, one in zip(TEXTS, REFERENCES, found.scores, strict=True):
        expected = bert_by_definition(plain, text, reference, idf.__getitem__)
        assert (one.precision, one.recall, one.f1) == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("idf", [False, True])
def test_bert_score_is_what_the_package_gives_for_a_folder(
    encoder: Embedder, encoder_folder: Path, idf: bool
):
    from bert_score import score

    def fits(text: str) -> bool:
        return not encoder.is_too_long(text)

    texts, references = (list(filter(fits, some))[:12] for some in (TEXTS, REFERENCES))
    expected = score(
        texts,
        references,
        model_type=str(encoder_folder),
        num_layers=2,
        idf=idf,
        nthreads=0,
        batch_size=1,  # without padding, see `embedded._match`
        device="cpu",
    )
    found = bert_score(texts, references, model=encoder_folder, num_layers=2, idf=idf)
    for name, figures in zip(("precision", "recall", "f1"), expected, strict=True):
        got = [getattr(one, name) for one in found.scores]
        assert got == pytest.approx(figures.tolist(), abs=1e-5)


def test_texts_begin_as_the_package_begins_them(encoder: Embedder):
    vocabulary = {token: n for n, token in enumerate(["t", "Ġ", "<|endoftext|>"])}
    gpt2 = replace(encoder, tokenizer=GPT2Tokenizer(vocab=vocabulary, merges=[]))
    assert embedded._prefix(gpt2) == " "
    assert embedded._prefix(encoder) == ""


def test_one_reference_alone_weighs_all_its_tokens_alike(encoder: Embedder):
    pair = ["warm tea"], ["a cup of tea"]
    weighed, alike = (bert_score(*pair, model=encoder, idf=idf).mean for idf in (True, False))
    assert weighed.recall == alike.recall
    assert weighed.precision != alike.precision  # "warm" is in no reference


def test_two_tokens_are_no_empty_text(tiny_folder: Path):
    encoder = load_embedder(tiny_folder, device="cpu")
    text, other = (encoder.tokenizer.decode(ids) for ids in ([70, 71], [72, 73, 74]))
    assert [len(one.ids) for one in encoder.encode([text, other])] == [2, 3]
    (forth,) = bert_score([text], [other], model=encoder).scores
    assert forth.f1 != 0
    (back,) = bert_score([other], [text], model=encoder).scores
    assert (back.precision, back.recall) == pytest.approx((forth.recall, forth.precision))


@pytest.mark.parametrize("seed", range(3))
def test_mover_score_is_what_its_paper_defines(encoder: Embedder, seed: int):
    texts, references = (random_texts(8, seed=10 * seed + n) for n in (3, 4))
    plain = Plain(encoder, 2)
    idf = plain.idf(references), plain.idf(texts)
    found = mover_score(texts, references, model=encoder, num_layers=2)
    expected = [
        mover_by_definition(plain, text, reference, idf)
        for text, reference in zip(texts, references, strict=True)
    ]
    assert found.scores == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert found.mean == pytest.approx(np.mean(expected), rel=1e-4)


def test_words_may_be_counted_in_other_documents(encoder: Embedder):
    plain = Plain(encoder, 3)
    idf = plain.idf(REFERENCES)
    (found,) = mover_score(
        ["a cup of tea"], ["the rain falls"], model=encoder, documents=REFERENCES
    ).scores
    expected = mover_by_definition(plain, "a cup of tea", "the rain falls", (idf, idf))
    assert found == pytest.approx(expected, rel=1e-4)


def test_where_no_word_is_rare_all_weigh_the_same(encoder: Embedder):
    plain = Plain(encoder, 3)
    same = dict.fromkeys(range(len(plain.tokenizer)), 1.0)
    (found,) = mover_score(["warm tea, drinks!"], ["cold rain."], model=encoder).scores
    expected = mover_by_definition(plain, "warm tea, drinks!", "cold rain.", (same, same))
    assert found == pytest.approx(expected, rel=1e-4)


def test_one_word_against_another_is_one_less_their_distance(encoder: Embedder):
    plain = Plain(encoder, 3)
    apart = math.dist(plain.vectors("tea")[1], plain.vectors("rain")[1])
    assert mover_score(["tea"], ["rain"], model=encoder).scores == (
        pytest.approx((1 - apart,), rel=1e-4)
    )


def test_a_doubled_document_is_counted_once(encoder: Embedder):
    once = mover_score(TEXTS, REFERENCES, model=encoder).scores
    twice = mover_score([*TEXTS, *TEXTS], [*REFERENCES, *REFERENCES], model=encoder).scores
    assert twice == pytest.approx((*once, *once))


def test_the_same_text_scores_1(encoder: Embedder):
    long = " ".join(["tea"] * 50)
    found = bert_score([*TEXTS, long], [*TEXTS, long], model=encoder)
    assert [one.f1 for one in found.scores] == pytest.approx([1.0] * 21, abs=1e-6)
    assert max(one.precision for one in found.scores) <= 1
    assert mover_score([*TEXTS, long], [*TEXTS, long], model=encoder).scores == pytest.approx(
        [1.0] * 21, abs=1e-6
    )


def test_of_several_references_bert_score_takes_the_best_and_mover_score_the_mean(
    encoder: Embedder,
):
    pair = ["a cup of tea", "rain falls"]
    alone = [bert_score(["warm tea"], [one], model=encoder).scores[0] for one in pair]
    (both,) = bert_score(["warm tea"], [pair], model=encoder).scores
    for name in ("precision", "recall", "f1"):
        assert getattr(both, name) == pytest.approx(max(getattr(one, name) for one in alone))
    documents = TEXTS
    moved = [
        mover_score(["warm tea"], [one], model=encoder, documents=documents).mean for one in pair
    ]
    assert mover_score(["warm tea"], [pair], model=encoder, documents=documents).mean == (
        pytest.approx(sum(moved) / 2)
    )


@pytest.mark.parametrize(("text", "reference"), [("", "tea"), ("tea", ""), ("", "  ")])
def test_nothing_is_like_an_empty_text(encoder: Embedder, text: str, reference: str):
    (found,) = bert_score([text], [reference], model=encoder).scores
    assert (found.precision, found.recall, found.f1) == (0, 0, 0)


def test_a_text_without_words_is_further_from_words_than_anything(encoder: Embedder):
    texts, references = ["", "!", "tea", "!"], ["tea", "rain", ".", "."]
    found = mover_score(texts, references, model=encoder)
    assert found.scores == (-1.0, -1.0, -1.0, 1.0)
    (unlike,) = mover_score(["cold rain"], ["a cup"], model=encoder).scores
    assert unlike > -1


def test_what_the_model_cannot_read_is_left_out_and_told(encoder: Embedder):
    long = " ".join(["tea"] * (MAX_TOKENS - 2))
    for metric in (bert_score, mover_score):
        whole = metric([long], ["rain falls"], model=encoder)
        assert whole.cut == 0
        longer = metric([f"{long} and more", "tea"], ["rain falls", "tea"], model=encoder)
        assert longer.cut == 1
        assert str(longer).endswith("; 1 text longer than the model reads, without their ends")
    score = bert_score([long, f"{long} rain rain"], ["rain"] * 2, model=encoder).scores
    assert score[0] == score[1]


def test_the_order_of_the_texts_and_what_stands_beside_them_changes_nothing(encoder: Embedder):
    found = bert_score(TEXTS, REFERENCES, model=encoder).scores
    turned = bert_score(TEXTS[::-1], REFERENCES[::-1], model=encoder).scores
    for one, other in zip(found, turned[::-1], strict=True):
        assert one.f1 == pytest.approx(other.f1, abs=1e-6)
    assert bert_score(TEXTS, REFERENCES, model=encoder).scores == found
    assert mover_score(TEXTS, REFERENCES, model=encoder).scores == (
        mover_score(TEXTS, REFERENCES, model=encoder).scores
    )


@pytest.mark.parametrize("metric", [bert_score, mover_score])
def test_what_cannot_be_measured_is_refused(metric, encoder: Embedder, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"num_layers=4: .* has 3 layers"):
        metric(["tea"], ["tea"], model=encoder, num_layers=4)
    with pytest.raises(ConfigError, match="1 texts and 2 references"):
        metric(["tea"], ["tea", "rain"], model=encoder)
    with pytest.raises(NotEnoughData, match="text 0 has no reference"):
        metric(["tea"], [[]], model=encoder)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(UnknownModel, match=r"pickled weights \(\.bin, \.pt\) can run code"):
        metric(["tea"], ["tea"], model=tmp_path)


def test_a_result_is_one_line_that_says_by_what(encoder: Embedder, encoder_folder: Path):
    found = mover_score(["tea", "rain"], ["tea", "rain"], model=encoder)
    assert str(found) == f"MoverScore of 2 texts: 1.000, {encoder_folder} layer 3"
    assert found._repr_html_() == f"<p>{found}</p>"
    assert "scores" not in repr(found)


@pytest.mark.model
def test_the_default_model_prefers_the_same_said_otherwise():
    texts = ["A cat is sleeping on the sofa.", "Stocks fell sharply on Monday."]
    reference = "On the couch, a kitten takes a nap."
    for scores in (
        [one.f1 for one in bert_score(texts, [reference] * 2).scores],
        list(mover_score(texts, [reference] * 2).scores),
    ):
        assert scores[0] > scores[1] + 0.1
