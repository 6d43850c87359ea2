"""What the demo tells on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rlhf_lab.demo.run import DemoResult
    from rlhf_lab.evaluation.win_rate import Verdict
    from rlhf_lab.models import Base

SHOWN = 3
# "Did it get better?", here and in the report.
ANSWERS: dict[Verdict, str] = {
    "better": "Yes. The taught model is preferred.",
    "unclear": "No clear difference at this size.",
    "worse": "No. The taught model is worse.",
}


def describe_device(base: Base) -> str:
    """As in "cpu (bf16)" or "NVIDIA H100 (bf16)"."""
    import torch

    name = (
        torch.cuda.get_device_name(base.device) if base.device.type == "cuda" else base.device.type
    )
    kind = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}[base.dtype]
    return f"{name} ({kind})"


def conclude(console: Console, result: DemoResult, path: Path) -> None:
    """Samples before and after, and the answer to "did it get better?"."""
    console.print(_samples(result))
    evaluation = result.evaluation
    console.print(
        f"\n{ANSWERS[evaluation.verdict]} Win rate {evaluation.win_rate} against the start, by "
        "the annotator's rubric on held-out prompts.\n"
        f"{result.seconds:.0f} s, peak memory {result.peak_rss_mb:.0f} MB. "
        f"The whole account: {path / 'report.html'}"
    )


def _samples(result: DemoResult) -> Table:
    table = Table(title="Held-out prompts, before and after", show_lines=True)
    for column in ("prompt", "before", "after"):
        table.add_column(column, ratio=1)
    for sample in result.evaluation.samples[:SHOWN]:
        # Text, not markup: a model may print square brackets.
        table.add_row(
            *(Text(t) for t in (sample.prompt.text, sample.before.text, sample.after.text))
        )
    return table
