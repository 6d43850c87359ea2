"""A lab whose every text is hostile, for notebooks that show its tables; runs in the kernel."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import rlhf_lab as rl
from rlhf_lab.store.exchange import ImportReport
from rlhf_lab.types import Judgment, Message, Prompt, Ranking
from tests.browser.sample_items import response

TEXTS = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "It costs $5 and then $6, or $$\\frac{a}{b}$$ \\(x^2\\)",
    "w" * 10_000,
    "# שלום \u202eemoclew\u202c \x1b[31m\0 [link](javascript:alert(1))",
    "</td></tr></table></div><style>body{display:none}</style>",
)


def open_lab(folder: str) -> rl.Lab:
    """The lab, made if it is not there."""
    lab = rl.Lab(folder, progress=False)
    if lab.prompts:
        return lab
    prompts = [
        Prompt(messages=(Message(role="user", content=text),), source=text, tags=(text,))
        for text in TEXTS
    ]
    lab.store.add_prompts(prompts)
    for n, prompt in enumerate(prompts):
        shown = [replace(response(prompt, k, TEXTS[n]), version=TEXTS[n]) for k in range(2)]
        order = tuple(one.id for one in shown)
        lab.store.add_responses(shown)
        lab.store.submit(
            Judgment(
                id=f"j{n}",
                prompt_id=prompt.id,
                annotator=TEXTS[n],
                kind="ranking",
                shown_order=order,
                ranking=Ranking(tiers=(order,)),
                comment=TEXTS[n],
            )
        )
    return lab


def import_badly(lab: rl.Lab) -> ImportReport:
    """Import a file with a hostile name, of whose rows one is bad."""
    path = Path(lab.path) / "$1 <b> $2.jsonl"
    pair = {"prompt": "q", "chosen": "a", "rejected": "b"}
    path.write_text("\n".join(map(json.dumps, (pair, {**pair, "chosen": [TEXTS[0]]}))))
    return lab.import_(path, skip_bad=True)
