"""A tiny encoder with random weights, in the form of BERT, and texts that it can read."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["tea", "rain", "is", "the", "a", "warm", "cold", "cup", "of", "falls", "drink"]
PIECES = ["##s", "##ed", "##er", "##ly"]
MARKS = [".", ",", "!"]
MAX_TOKENS = 24


def tiny_encoder(folder: Path) -> Path:
    vocabulary = {token: n for n, token in enumerate(SPECIAL + WORDS + PIECES + MARKS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=512,  # more than the model has positions for
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def random_texts(count: int, seed: int, longest: int = 12) -> list[str]:
    """Words, some with an ending, and marks; never without a word."""
    draw = random.Random(seed)

    def word() -> str:
        end = draw.choice(["", "", "", *PIECES]).removeprefix("##")
        return draw.choice(WORDS) + end + draw.choice(["", "", "", *MARKS])

    return [" ".join(word() for _ in range(draw.randint(1, longest))) for _ in range(count)]
