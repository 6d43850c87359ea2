"""Loading the one frozen base: NF4 by default, on the best device there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import torch

from rlhf_lab.errors import ConfigError, ModelError, QuantizationUnsupported, UnknownModel
from rlhf_lab.models.attention import use_short_attention
from rlhf_lab.models.fingerprint import weights_fingerprint
from rlhf_lab.models.quiet import quiet
from rlhf_lab.models.sources import resolve_model
from rlhf_lab.types import DEFAULT_MODEL

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Quantization = Literal["nf4", "none"]


@dataclass(frozen=True, kw_only=True)
class Base:
    """A frozen causal language model with its tokenizer.

    Attributes:
        model: transformers model, frozen, in eval mode, on `device`.
        tokenizer: Has a chat template and a pad token.
        name: What the user asked for.
        quantization: "nf4" (double-quantized) or "none".
        device: Where the weights are.
        dtype: Type of activations: bf16 where the processor has it in hardware, else fp32.
        weights: Fingerprint of the numbers in the files; None for a model that came from none.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    quantization: Quantization
    device: torch.device
    dtype: torch.dtype
    weights: str | None = None


def best_device() -> torch.device:
    """CUDA when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """bf16 only where it runs in hardware: emulated, it is several times slower than fp32.

    Never fp16: without loss scaling its small gradients vanish.
    """
    if device.type == "cuda":
        in_hardware = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        in_hardware = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if in_hardware else torch.float32


def load_base(
    name: str = DEFAULT_MODEL,
    *,
    quantize: Quantization = "nf4",
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Base:
    """Load a frozen base model and its tokenizer.

    Args:
        name: Hub id or local folder.
        quantize: "nf4" for 4-bit with double quantization, "none" for plain weights.
        device: Default: CUDA when there is one, else the CPU.
        dtype: Default: bf16 where the hardware has it, else fp32. fp32 with quantize="none" is
            what exactness is certified with.

    Raises:
        UnknownModel: no such model, or not a causal language model with a chat template.
        ModelDownloadError: it has to be fetched and cannot be.
        QuantizationUnsupported: bitsandbytes has no 4-bit kernels for this device.
    """
    if quantize not in ("nf4", "none"):
        raise ConfigError(f"quantize={quantize!r}: use 'nf4' (4-bit) or 'none'.")
    device = torch.device(device) if device else best_device()
    dtype = dtype or compute_dtype(device)
    folder = resolve_model(name)
    with quiet():
        model = _load_model(str(folder), name, quantize, device, dtype)
        tokenizer = _load_tokenizer(str(folder), name)
    _compute_plainly(model)
    use_short_attention(model)
    model.requires_grad_(False)
    model.eval()
    return Base(
        model=model,
        tokenizer=tokenizer,
        name=name,
        quantization=quantize,
        device=device,
        dtype=dtype,
        weights=weights_fingerprint(folder),
    )


def _load_model(
    folder: str, name: str, quantize: Quantization, device: torch.device, dtype: torch.dtype
) -> PreTrainedModel:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    options: dict[str, Any] = {}
    if quantize == "nf4":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": device},
            use_safetensors=True,
            trust_remote_code=False,
            attention_dropout=0.0,  # any dropout would make the ratio differ from 1
            **options,
        )
    except (ImportError, NotImplementedError, AttributeError) as error:
        if quantize == "none":
            raise ModelError(f"{name!r} could not be loaded: {error}") from error
        raise QuantizationUnsupported(
            f"bitsandbytes has no 4-bit kernels for {device} here ({error}): pass quantize='none', "
            "or install a bitsandbytes build for this device."
        ) from error
    except (ValueError, OSError, KeyError, SafetensorError) as error:
        raise UnknownModel(
            f"{name!r} is not a causal language model that transformers can read: {error}"
        ) from error
    return cast("PreTrainedModel", model)


def _compute_plainly(model: PreTrainedModel) -> None:
    """Switch off what would make the computation differ between sampling and learning."""
    from transformers import GenerationConfig

    # A repetition penalty from the model's own settings would bend the samples, but no
    # log-probability. Only its end tokens are of use here.
    ends = getattr(model.generation_config, "eos_token_id", None)
    model.generation_config = GenerationConfig(eos_token_id=ends)
    for layer in model.modules():
        # bitsandbytes 0.50 repacks weights at the first forward without gradients on CPUs with
        # AVX512-BF16: that kernel has no backward pass, and unpacking no longer finds the weights.
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def _load_tokenizer(folder: str, name: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError, KeyError) as error:
        raise UnknownModel(
            f"{name!r} has no tokenizer that transformers can read ({error}): save the model's "
            "tokenizer into its folder."
        ) from error
    if not tokenizer.chat_template:
        raise UnknownModel(
            f"{name!r} has no chat template, so prompts cannot be put to it: use an instruct or "
            "chat "
            "model, or save a template into its tokenizer."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return cast("PreTrainedTokenizerBase", tokenizer)
