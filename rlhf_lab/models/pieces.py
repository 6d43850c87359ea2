"""Single tokens as something to look at: text, special tokens, and parts of characters.

`tokenizer.decode([id])` would do for most of them, but it hides what matters here: it strips the
space before a word in some vocabularies, and gives the same replacement character for every part
of a character. So the bytes of each token are read from the vocabulary itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from rlhf_lab.types import TokenPiece

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"^<0x([0-9A-Fa-f]{2})>$")
LONGEST_CHARACTER = 4
"""Bytes of one character in UTF-8 at most; so no character is made of more tokens."""


def token_pieces(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[TokenPiece, ...]:
    """Each token by itself; parts of a character also say what it is.

    Args:
        tokenizer: Of any kind: bytes as GPT-2 writes them, SentencePiece, or another.
        ids: Of a response.
    """
    special = set(tokenizer.all_special_ids) | _added_special(tokenizer)
    spelling = _spelling(tokenizer)
    data = [None if i in special else _bytes_of(tokenizer, i, spelling) for i in ids]
    wholes = _characters(data)
    return tuple(
        _piece(tokenizer, i, own, whole) for i, own, whole in zip(ids, data, wholes, strict=True)
    )


def _piece(
    tokenizer: PreTrainedTokenizerBase, token_id: int, own: bytes | None, whole: str
) -> TokenPiece:
    if own is None:
        name = str(tokenizer.convert_ids_to_tokens(token_id))
        return TokenPiece(id=token_id, kind="special", text=name)
    text = _text(own)
    if text is None:
        return TokenPiece(id=token_id, kind="bytes", text=own.hex(" ").upper(), whole=whole)
    return TokenPiece(id=token_id, kind="text", text=text)


def _characters(data: Sequence[bytes | None]) -> list[str]:
    """For tokens that are no text alone, what the shortest run of tokens makes that is."""
    wholes = [""] * len(data)
    at = 0
    while at < len(data):
        end = _end_of_character(data, at)
        if end is None:
            at += 1
            continue
        run = b"".join(part or b"" for part in data[at:end])
        wholes[at:end] = [run.decode("utf-8")] * (end - at)
        at = end
    return wholes


def _end_of_character(data: Sequence[bytes | None], start: int) -> int | None:
    """Where the run from `start` on becomes text, if that takes more than one token."""
    run = b""
    for end in range(start, min(start + LONGEST_CHARACTER, len(data))):
        own = data[end]
        if own is None:
            return None
        run += own
        if _text(run) is not None:
            return end + 1 if end > start else None
    return None


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _bytes_of(tokenizer: PreTrainedTokenizerBase, token_id: int, spelling: str) -> bytes:
    # A place in the vocabulary that no token took has none.
    token = str(tokenizer.convert_ids_to_tokens(token_id) or "")
    if spelling == "bytes":
        table = _bytes_by_character()
        if all(character in table for character in token):
            return bytes(table[character] for character in token)
    elif spelling == "sentencepiece":
        match = _BYTE.match(token)
        return bytes([int(match[1], 16)]) if match else _encoded(token.replace("▁", " "))
    return _encoded(str(tokenizer.decode([token_id], clean_up_tokenization_spaces=False)))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _spelling(tokenizer: PreTrainedTokenizerBase) -> str:
    """How the vocabulary writes bytes: as the decoder says that turns tokens into text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = repr(backend.decoder) if backend is not None else ""
    if "ByteLevel" in decoder:
        return "bytes"
    return "sentencepiece" if "ByteFallback" in decoder or "▁" in decoder else "other"


def _added_special(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {token_id for token_id, token in added.items() if token.special}


@lru_cache(maxsize=1)
def _bytes_by_character() -> dict[str, int]:
    """The alphabet of byte-level vocabularies: printable bytes are themselves, others moved up."""
    return dict(_byte_alphabet())


def _byte_alphabet() -> Iterator[tuple[str, int]]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = 0x100
    for byte in range(0x100):
        if byte in printable:
            yield chr(byte), byte
        else:
            yield chr(moved), byte
            moved += 1
