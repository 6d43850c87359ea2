"""`python -m rlhf_lab.models.convert_gguf FILE.gguf FOLDER`: GGUF to a safetensors folder."""

from __future__ import annotations

import sys
from pathlib import Path


def convert(gguf: Path, target: Path) -> None:
    """Read a GGUF file with transformers and write what `from_pretrained` reads fastest."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, file = str(gguf.parent), gguf.name
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.bfloat16)
    # The weights are plain bf16 by now; left in place, this note would stop them being saved.
    del model.config.quantization_config
    model.__dict__["hf_quantizer"] = None
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(source, gguf_file=file).save_pretrained(target)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
