"""For your own tests: a chat model so small that a whole lab runs on it in a second, offline.

```python
def test_my_annotator(tmp_path):
    folder = tiny_model(tmp_path / "model")
    with Lab(tmp_path / "lab", model=str(folder), quantize="none") as lab:
        ...
```
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

START_OF_TURN, END_OF_TURN, BLANK = "<|im_start|>", "<|im_end|>", "<|blank|>"
CONTEXT = 512

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def tiny_model(folder: Path, *, seed: int = 0) -> Path:
    """Write a Llama of some 100,000 random weights, with a tokenizer and a chat template.

    It knows nothing, but what it writes is short, printable and differs from answer to answer, so
    that everything downstream has something to do. As in many real models, the padding token is
    the end token: masks made from ids would be wrong here.

    Args:
        folder: Made if absent.
        seed: Of the weights.

    Returns:
        The folder, for `Lab(path, model=str(folder))`.
    """
    from rlhf_lab.models.quiet import quiet

    tokenizer = _tokenizer()
    with quiet():
        _model(tokenizer, seed).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    special = [AddedToken(t, special=True) for t in (START_OF_TURN, END_OF_TURN, BLANK)]
    tokens.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        chat_template=CHAT_TEMPLATE,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TURN,
        additional_special_tokens=[START_OF_TURN, BLANK],
        model_max_length=CONTEXT,
    )


def _model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        # The 4-bit kernels take blocks of 64 inputs and 32 outputs.
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.15,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        # The first hidden number starts the same for every token and no layer adds to it, so a
        # row's first weight in the output head acts as the bias that Llama lacks.
        cast("Tensor", model.get_input_embeddings().weight)[:, 0] = 3.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        cast("Tensor", model.get_output_embeddings().weight)[:, 0] = torch.tensor(
            _biases(tokenizer)
        )
    return model


def _biases(tokenizer: PreTrainedTokenizerFast) -> list[float]:
    """Printable text, with spaces and full stops, that ends after a dozen tokens or so."""
    wanted = {END_OF_TURN: 0.6, START_OF_TURN: -4.0, BLANK: -4.0, "Ġ": 1.5, ".": 1.0}
    letters = set("abcdefghijklmnopqrstuvwxyz,!?")
    return [
        wanted.get(token, 0.1 if token in letters else -4.0)
        for token in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    ]
