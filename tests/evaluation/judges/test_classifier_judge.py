from __future__ import annotations

import pytest
import torch

from rlhf_lab.errors import ConfigError, UnknownModel
from rlhf_lab.evaluation.judges import ClassifierJudge, rank_many
from rlhf_lab.models.quiet import quiet
from rlhf_lab.types import Message, Prompt
from tests.evaluation.judges.endpoints import answers
from tests.tiny import TEXTS, prompt

SAID = ("It scatters light.", "Yes!", "I do not know, and that for many reasons.", "No")


def save(folder, tokenizer, *, kind="llama", labels=1, pad=None, seed=0):
    """A sequence classification model of random weights."""
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        LlamaConfig,
        LlamaForSequenceClassification,
    )

    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "num_labels": labels,
        "pad_token_id": pad,
        "initializer_range": 0.5,
    }
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        if kind == "llama":
            model = LlamaForSequenceClassification(LlamaConfig(**shape))
        else:
            model = BertForSequenceClassification(BertConfig(**shape))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tiny_folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_folder)


def items():
    return [(p, answers(p, *SAID[: 2 + n])) for n, p in enumerate(map(prompt, TEXTS))]


def turns(question, answer):
    return [
        *({"role": m.role, "content": m.content} for m in question.messages),
        {"role": "assistant", "content": answer.text},
    ]


def alone(folder, encode, index=0):
    """The logit of each text by itself, without any padding."""
    from transformers import AutoModelForSequenceClassification

    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return [
            model(**encode(p, c).convert_to_tensors("pt", prepend_batch_axis=True))
            .logits[0, index]
            .item()
            for p, found in items()
            for c in found
        ]


def chat(tokenizer):
    return lambda p, c: tokenizer.apply_chat_template(turns(p, c), return_dict=True, tokenize=True)


@pytest.mark.parametrize("kind", ["llama", "bert"])
@pytest.mark.parametrize("pad", ["the end token", "another", "none"])
def test_scores_in_batches_are_those_of_each_alone(tmp_path, tokenizer, kind, pad):
    ids = {"the end token": tokenizer.eos_token_id, "another": 7, "none": None}
    folder = save(tmp_path / "model", tokenizer, kind=kind, pad=ids[pad])
    expected = alone(folder, chat(tokenizer))
    judge = ClassifierJudge(str(folder), batch_size=4, device="cpu")
    assert len({round(x, 4) for x in expected}) == len(expected)
    scores = torch.tensor(judge.scores(items()))
    torch.testing.assert_close(scores, torch.tensor(expected), rtol=1e-4, atol=1e-4)
    assert judge.truncated == 0


def test_it_ranks_by_the_logit(tmp_path, tokenizer):
    folder = save(tmp_path / "model", tokenizer)
    judge = ClassifierJudge(str(folder), name="mine", device="cpu")
    asked = items()
    scores = iter(judge.scores(asked))
    for ranking, (_, found) in zip(rank_many(judge, asked), asked, strict=True):
        by_score = {c.id: next(scores) for c in found}
        assert ranking.response_ids == tuple(sorted(by_score, key=lambda i: -by_score[i]))
    assert judge.name == "mine"


def test_a_model_with_several_logits_has_to_be_told_which(tmp_path, tokenizer):
    folder = save(tmp_path / "model", tokenizer, labels=2)
    with pytest.raises(ConfigError, match=r"2 logits.*LABEL_1.*index="):
        ClassifierJudge(str(folder), device="cpu")
    with pytest.raises(ConfigError, match="index=2"):
        ClassifierJudge(str(folder), index=2, device="cpu")
    scores = ClassifierJudge(str(folder), index=1, device="cpu").scores(items())
    assert scores == pytest.approx(alone(folder, chat(tokenizer), index=1), rel=1e-3, abs=1e-4)


def test_a_language_model_without_a_score_head_is_refused(tiny_folder):
    with pytest.raises(UnknownModel, match=r"no weights for score\.weight"):
        ClassifierJudge(str(tiny_folder), device="cpu")


def test_weights_that_are_no_safetensors_are_not_read(tmp_path, tokenizer):
    folder = save(tmp_path / "model", tokenizer)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnknownModel, match="safetensors"):
        ClassifierJudge(str(folder), device="cpu")


def test_without_a_chat_template_the_format_has_to_be_named(tmp_path, tokenizer):
    folder = save(tmp_path / "model", tokenizer, kind="bert")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UnknownModel, match=r"no chat template.*'pair'.*'dialogue'"):
        ClassifierJudge(str(folder), device="cpu")
    pair = ClassifierJudge(str(folder), text="pair", device="cpu", batch_size=3)
    expected = alone(folder, lambda p, c: tokenizer(p.text, c.text))
    assert pair.scores(items()) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    written = ClassifierJudge(str(folder), text="dialogue", device="cpu", batch_size=3)
    expected = alone(folder, lambda p, c: tokenizer(f"Human: {p.text}\n\nAssistant: {c.text}"))
    assert written.scores(items()) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_what_is_too_long_loses_its_beginning_and_that_is_told(tmp_path, tokenizer):
    folder = save(tmp_path / "model", tokenizer)
    judge = ClassifierJudge(str(folder), max_tokens=20, device="cpu")
    asked = Prompt(messages=(Message(role="user", content="x" * 60),))
    with pytest.warns(UserWarning, match="2 of 2 texts are longer than the 20 tokens"):
        scores = judge.scores([(asked, answers(asked, "One.", "Two!"))])
    assert judge.truncated == 2
    assert scores[0] != scores[1]  # cut at the end, the answers would be gone
