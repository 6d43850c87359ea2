"""Tokens one by one: whole characters, parts of characters and special tokens."""

from __future__ import annotations

import pytest
from tokenizers import AddedToken, Tokenizer, decoders
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from rlhf_lab.models.pieces import token_pieces
from rlhf_lab.testing import END_OF_TURN, _tokenizer


def shown(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> list[tuple[str, str, str]]:
    return [(p.kind, p.text, p.whole) for p in token_pieces(tokenizer, ids)]


@pytest.fixture(scope="module")
def by_byte() -> PreTrainedTokenizerFast:
    """One token per byte, as GPT-2 writes them."""
    return _tokenizer()


def test_text_keeps_its_spaces_and_newlines(by_byte):
    ids = by_byte.encode(" a\n\t<", add_special_tokens=False)
    assert shown(by_byte, ids) == [("text", c, "") for c in " a\n\t<"]


def test_parts_of_a_character_say_their_bytes_and_what_they_make(by_byte):
    ids = by_byte.encode("a🙂é", add_special_tokens=False)
    assert shown(by_byte, ids) == [
        ("text", "a", ""),
        *(("bytes", byte, "🙂") for byte in ("F0", "9F", "99", "82")),
        *(("bytes", byte, "é") for byte in ("C3", "A9")),
    ]


def test_bytes_that_make_no_character_say_so(by_byte):
    # The first three bytes of 🙂, then a letter; and a byte that continues nothing.
    ids = by_byte.encode("🙂", add_special_tokens=False)
    letter = by_byte.encode("x", add_special_tokens=False)
    assert shown(by_byte, [*ids[:3], *letter]) == [
        ("bytes", "F0", ""),
        ("bytes", "9F", ""),
        ("bytes", "99", ""),
        ("text", "x", ""),
    ]
    assert shown(by_byte, [ids[0], by_byte.eos_token_id, *ids[1:]])[0] == ("bytes", "F0", "")


def test_special_tokens_are_told_from_text_that_looks_like_them(by_byte):
    (special,) = shown(by_byte, [by_byte.eos_token_id])
    assert special == ("special", END_OF_TURN, "")
    written = by_byte.encode("<|", add_special_tokens=False)
    assert shown(by_byte, written) == [("text", "<", ""), ("text", "|", "")]


def test_every_byte_is_read_back(by_byte):
    pieces = token_pieces(by_byte, list(range(256)))
    hexes = [p.text if p.kind == "bytes" else p.text.encode().hex().upper() for p in pieces]
    assert sorted(hexes) == sorted(f"{byte:02X}" for byte in range(256))


@pytest.fixture(scope="module")
def sentencepiece() -> PreTrainedTokenizerFast:
    """A vocabulary as Llama 2 writes it: ▁ for a space, <0x..> for a byte."""
    names = ["<unk>", "</s>", "▁the", "cat", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>", "<0x0A>"]
    tokens = Tokenizer(BPE(vocab={t: n for n, t in enumerate(names)}, merges=[], unk_token="<unk>"))
    tokens.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokens.add_special_tokens([AddedToken("</s>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=tokens, eos_token="</s>", unk_token="<unk>")


def test_sentencepiece_keeps_the_space_before_a_word_and_bytes(sentencepiece):
    assert shown(sentencepiece, [2, 3, 4, 5, 6, 7, 8, 1]) == [
        ("text", " the", ""),
        ("text", "cat", ""),
        *(("bytes", byte, "🙂") for byte in ("F0", "9F", "99", "82")),
        ("text", "\n", ""),
        ("special", "</s>", ""),
    ]
