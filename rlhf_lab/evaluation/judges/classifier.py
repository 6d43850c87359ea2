"""Any sequence classification model that scores a conversation, as a judge."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError, UnknownModel
from rlhf_lab.evaluation.judges.batch import (
    JudgeItem,
    batches_of_like_length,
    check_tie_width,
    rankings_from_scores,
)
from rlhf_lab.models.loading import best_device, compute_dtype
from rlhf_lab.models.quiet import quiet
from rlhf_lab.models.sources import resolve_model
from rlhf_lab.types import Prompt, Ranking, Response

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# How a conversation becomes one text: the tokenizer's chat template; question and answer as the
# tokenizer's two segments; or turns named "Human:" and "Assistant:", as in Bai et al. (2022).
TextFormat = Literal["chat", "pair", "dialogue"]
FORMATS: tuple[TextFormat, ...] = ("chat", "pair", "dialogue")
# Tokenizers without a limit of their own carry a number beyond this.
_NO_LIMIT = 10**9

# Token ids by the name of the model's input: "input_ids", perhaps "token_type_ids".
Encoded = Mapping[str, Sequence[int]]


class ClassifierJudge:
    """Ranks by one logit of a Hugging Face sequence classification model.

    ```python
    ClassifierJudge("Skywork/Skywork-Reward-V2-Qwen3-0.6B")
    ClassifierJudge("OpenAssistant/reward-model-deberta-v3-large-v2", text="pair")
    ```

    Attributes:
        name: As reports call it.
        truncated: How many texts so far were longer than the model reads and lost their beginning.
    """

    def __init__(
        self,
        model: str,
        *,
        text: TextFormat | None = None,
        index: int | None = None,
        tie_width: float = 0.0,
        max_tokens: int | None = None,
        batch_size: int = 8,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        name: str = "",
        progress: bool = False,
    ) -> None:
        """Load a model.

        Args:
            model: Local folder or hub id. Its weights are read from safetensors alone, and no code
                that comes with it is run.
            text: "chat", "pair" (question and answer as two segments) or "dialogue" ("Human: ...");
                None for the tokenizer's chat template, which it then must have. Use what the model
                was trained with.
            index: Which logit is the score; None for the only one.
            tie_width: Logits that differ by at most this are tied.
            max_tokens: Longest text; default: what model and tokenizer allow.
            batch_size: Texts that are scored at once.
            device: Default: CUDA when there is one, else the CPU.
            dtype: Default: fp32 on a CPU, else bf16 where the device has it. In bf16 scores have
                three digits, and close answers are tied.
            name: Default: the model's.
            progress: Show a bar.

        Raises:
            UnknownModel: no such model, no trained score head, no tokenizer, or no chat template.
            ModelDownloadError: it has to be fetched and cannot be.
            ConfigError: it has several logits and `index` names none of them, or a setting is
                outside its range.
        """
        check_tie_width(tie_width)
        if batch_size < 1 or (max_tokens is not None and max_tokens < 2):
            raise ConfigError(
                f"batch_size={batch_size}, max_tokens={max_tokens}: at least 1 and 2."
            )
        self.name = name or model
        self.tie_width = tie_width
        self.truncated = 0
        self._device = torch.device(device) if device else best_device()
        dtype = dtype or _default_dtype(self._device)
        folder = str(resolve_model(model))
        with quiet():
            self._model = _load(folder, model, dtype).to(self._device)  # type: ignore[arg-type]
            self._tokenizer = _load_tokenizer(folder, model)
        self._index = _score_index(self._model, model, index)
        self._text = _text_format(self._tokenizer, model, text)
        self._max_tokens = max_tokens or _longest(self._model, self._tokenizer)
        self._batch_size = batch_size
        self._progress = progress

    def __repr__(self) -> str:
        """Name, format and width."""
        return f"ClassifierJudge({self.name!r}, text={self._text!r}, tie_width={self.tie_width:g})"

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first.

        Raises:
            NonFiniteError: a score is NaN or infinite.
        """
        return self.rank_many([(prompt, candidates)])[0]

    def rank_many(self, items: Sequence[JudgeItem]) -> list[Ranking]:
        """The same of many items, scored in batches of like lengths."""
        return rankings_from_scores(items, self.scores(items), self.tie_width)

    def scores(self, items: Sequence[JudgeItem]) -> list[float]:
        """The logit of every candidate, items one after the other."""
        texts = self._fitting([self._encode(p, c) for p, found in items for c in found])
        scores = [0.0] * len(texts)
        lengths = [len(text["input_ids"]) for text in texts]
        batches = batches_of_like_length(lengths, self._batch_size)
        for batch in tqdm(batches, desc=self.name, disable=not self._progress, leave=False):
            for place, score in zip(batch, self._score([texts[n] for n in batch]), strict=True):
                scores[place] = score
        return scores

    def _encode(self, prompt: Prompt, response: Response) -> Encoded:
        if self._text == "pair":
            encoded = self._tokenizer(prompt.text, response.text)
        elif self._text == "dialogue":
            encoded = self._tokenizer(_dialogue(prompt, response))
        else:
            encoded = self._tokenizer.apply_chat_template(
                _turns(prompt, response), tokenize=True, return_dict=True
            )
        return {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}

    def _fitting(self, texts: Sequence[Encoded]) -> list[Encoded]:
        """Shorten what is too long, and say so."""
        long = sum(len(text["input_ids"]) > self._max_tokens for text in texts)
        if long:
            self.truncated += long
            warnings.warn(
                f"{self.name}: {long} of {len(texts)} texts are longer than the {self._max_tokens} "
                "tokens it reads. They lost their beginning: their scores are of the end alone.",
                stacklevel=4,
            )
        return [{n: _end_of(ids, self._max_tokens) for n, ids in t.items()} for t in texts]

    @torch.no_grad()
    def _score(self, texts: Sequence[Encoded]) -> list[float]:
        longest = max(len(text["input_ids"]) for text in texts)
        lengths = [len(text["input_ids"]) for text in texts]
        with self._padding(texts) as pad_id:
            inputs = {
                name: self._tensor(
                    [_padded(t[name], longest, pad_id * (name == "input_ids")) for t in texts]
                )
                for name in texts[0]
            }
            is_token = self._tensor([_padded([1] * n, longest, 0) for n in lengths])
            logits = cast("Tensor", self._model(**inputs, attention_mask=is_token).logits)
        scores: list[float] = logits[:, self._index].float().tolist()
        return scores

    def _tensor(self, rows: Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor(rows, device=self._device)

    @contextmanager
    def _padding(self, texts: Sequence[Encoded]) -> Iterator[int]:
        """The token that the model takes for padding.

        Models that read the last token find it by this id, not by the attention mask. One that has
        none reads whatever stands last; so that it does in a batch too, padding is then a token
        that none of the texts ends with.
        """
        config = self._model.config.get_text_config()
        known = getattr(config, "pad_token_id", None)
        if known is not None:
            yield int(known)
            return
        ends = {text["input_ids"][-1] for text in texts}
        config.pad_token_id = next(n for n in range(len(ends) + 1) if n not in ends)
        try:
            yield config.pad_token_id
        finally:
            config.pad_token_id = None


def _end_of(ids: Sequence[int], length: int) -> Sequence[int]:
    """The first token, which many models read the score from, and as many of the last as fit.

    The answer comes last: cut there, long prompts would have all their answers score alike.
    """
    return ids if len(ids) <= length else [ids[0], *ids[len(ids) - length + 1 :]]


def _padded(ids: Sequence[int], length: int, filler: int) -> list[int]:
    """On the right: places of tokens stay as they are without padding."""
    return [*ids, *[filler] * (length - len(ids))]


def _turns(prompt: Prompt, response: Response) -> list[dict[str, str]]:
    turns = [{"role": m.role, "content": m.content} for m in prompt.messages]
    return [*turns, {"role": "assistant", "content": response.text}]


def _dialogue(prompt: Prompt, response: Response) -> str:
    names = {"user": "Human: ", "assistant": "Assistant: ", "system": ""}
    return "\n\n".join(names[t["role"]] + t["content"] for t in _turns(prompt, response))


def _default_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "cpu" else compute_dtype(device)


def _load(folder: str, name: str, dtype: torch.dtype) -> PreTrainedModel:
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    try:
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (ValueError, OSError, KeyError, SafetensorError) as error:
        raise UnknownModel(
            f"{name!r} is no sequence classification model that transformers can read: {error}"
        ) from error
    if missing := sorted(loaded["missing_keys"]):
        raise UnknownModel(
            f"{name!r} has no weights for {', '.join(missing[:3])}: it was not trained to score "
            "texts, and would score them at random. Choose a reward model, one that was saved as "
            "ForSequenceClassification."
        )
    model.requires_grad_(False)
    return cast("PreTrainedModel", model.eval())


def _load_tokenizer(folder: str, name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return cast(
            "PreTrainedTokenizerBase",
            AutoTokenizer.from_pretrained(folder, trust_remote_code=False),
        )
    except (ValueError, OSError, KeyError) as error:
        raise UnknownModel(
            f"{name!r} has no tokenizer that transformers can read ({error}): save the model's "
            "tokenizer into its folder."
        ) from error


def _score_index(model: PreTrainedModel, name: str, index: int | None) -> int:
    labels, count = model.config.id2label, int(model.config.num_labels or 0)
    if index is None and count == 1:
        return 0
    if index is None:
        raise ConfigError(
            f"{name!r} gives {count} logits ({labels}): pass index= with the one that is the "
            "score, or choose a model with a single one."
        )
    if not 0 <= index < count:
        raise ConfigError(
            f"index={index}: {name!r} gives {count} logits ({labels}), numbered from 0."
        )
    return index


def _text_format(
    tokenizer: PreTrainedTokenizerBase, name: str, text: TextFormat | None
) -> TextFormat:
    if text is not None and text not in FORMATS:
        raise ConfigError(f"text={text!r}: use one of {', '.join(map(repr, FORMATS))}.")
    if text in (None, "chat") and not tokenizer.chat_template:
        raise UnknownModel(
            f"{name!r} has no chat template: say what it was trained with, text='pair' (question "
            "and answer as two segments) or text='dialogue' ('Human: ... Assistant: ...')."
        )
    return text or "chat"


def _longest(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    config: Any = model.config.get_text_config()
    limits = [
        tokenizer.model_max_length,
        getattr(config, "max_position_embeddings", None) or _NO_LIMIT,
    ]
    return int(min(*limits, _NO_LIMIT))
