"""The card of an exported dataset: what is in it, and how it is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import get_args

from rlhf_lab.store.exchange.reports import ExportReport
from rlhf_lab.store.showing import counted
from rlhf_lab.types import Strength

_KINDS = {
    "text": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "texts": "list of texts",
    "tiers": "list of lists of places in `responses`, best first",
    "messages": "list of messages with role and content",
    "responses": "list of answers with text, source, id and ratings (JSON)",
    "json": "JSON text",
}
_MEANING = {
    "tie": "the two answers are equally good; there is a row each way",
    "chosen_rank": "tier of the chosen answer in the whole ranking, 1 is best",
    "rejected_rank": "tier of the rejected one",
    "chosen_place": "where it was shown, from 0",
    "rejected_place": "where it was shown, from 0",
    "prompt_messages": "the prompt's messages where its text alone does not say them",
    "prompt_chars": "how many characters of chosen and rejected are the prompt",
    "judgment_id": "rows with one id are one ranking",
    "strength": f"how much better each tier is than the next: {', '.join(get_args(Strength))}",
    "seconds": "time spent",
    "occasion": "why it was shown; gold, repeat and calibration are about people",
    "random_share": "of the fifth of all items that is handed out at random alone: these and those "
    "of held-out prompts are no choice of what teaches most",
}


def card(
    name: str, report: ExportReport, columns: Mapping[str, str], files: Mapping[str, str]
) -> str:
    """The text of a README.md.

    Args:
        name: Of the dataset.
        report: What was exported.
        columns: Names and kinds.
        files: Path in the folder of each split.
    """
    data_files = "".join(f"  - split: {split}\n    path: {file}\n" for split, file in files.items())
    fields = "\n".join(
        f"| `{column}` | {_KINDS[kind]} | {_MEANING.get(column, '')} |"
        for column, kind in columns.items()
    )
    counts = "\n".join(f"| {split} | {n:,} |" for split, n in sorted(report.splits.items()))
    people = counted(report.annotators, "annotators")
    return f"""---
# Fill in the licence under which you may share this, such as cc-by-4.0.
license: other
pretty_name: {json.dumps(name)}
tags:
- rlhf
- preference
configs:
- config_name: default
  data_files:
{data_files}---

# {name}

{counted(report.records, report.what)} in {counted(report.rows, "rows")}, by {people}, in the format
`{report.format}`. Exported by RLHF Lab.

| split of the lab | rows |
|---|---|
{counts}

Rows of the split `heldout` are the dataset's `test`.

## Fields

| field | holds | meaning |
|---|---|---|
{fields}

## Loading it

```python
from datasets import load_dataset

dataset = load_dataset("path/to/{name}")
```

Back into a lab, with nothing lost: `lab.import_("path/to/{name}")`.

## Before you share it

Say here where the prompts come from, which models wrote the answers, who the annotators are and
how they were instructed. `annotator`, `comment` and `created_at` may say more about people than
they agreed to.
"""
