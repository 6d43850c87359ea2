"""Tables of `listing` in Arrow, batch by batch. Slow to import, so nobody else does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa

from rlhf_lab.store.listing_specs import JUDGMENTS, PROMPTS, RESPONSES, Spec
from rlhf_lab.store.showing import whole

T = TypeVar("T")
_BATCH = 1000
_TEXTS = pa.list_(pa.string())
_WHEN = pa.timestamp("us", tz="UTC")
_RATING = pa.struct({"response": pa.string(), "criterion": pa.string(), "rating": pa.int64()})
_SAMPLING = pa.struct(
    {
        "temperature": pa.float64(),
        "max_new_tokens": pa.int64(),
        "top_k": pa.int64(),
        "top_p": pa.float64(),
        "seed": pa.string(),
    }
)
# Every other field is a text.
_TYPES: dict[str, dict[str, pa.DataType]] = {
    PROMPTS.name: {
        "messages": pa.list_(pa.struct({"role": pa.string(), "content": pa.string()})),
        "tags": _TEXTS,
    },
    RESPONSES.name: {
        "token_ids": pa.list_(pa.int64()),
        "sampling": _SAMPLING,
        "created_at": _WHEN,
    },
    JUDGMENTS.name: {
        "shown_order": _TEXTS,
        "tiers": pa.list_(_TEXTS),
        "criteria": pa.list_(_RATING),
        "flags": _TEXTS,
        "seconds": pa.float64(),
        "created_at": _WHEN,
    },
}


def to_arrow(spec: Spec[T], values: Iterable[T]) -> pa.Table:
    """All values as one table, made in batches."""
    types = _TYPES[spec.name]
    schema = pa.schema({name: types.get(name, pa.string()) for name in spec.fields})
    return pa.Table.from_batches(_batches(spec, values, schema), schema=schema)


def _batches(spec: Spec[T], values: Iterable[T], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    left = iter(values)
    while batch := list(islice(left, _BATCH)):
        yield pa.RecordBatch.from_pylist([_plain(spec.record(v)) for v in batch], schema=schema)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    if "criteria" in record:
        record["criteria"] = [
            {"response": response, "criterion": name, "rating": rating}
            for response, ratings in record["criteria"].items()
            for name, rating in ratings.items()
        ]
    if record.get("seed") is not None:
        record["seed"] = str(record["seed"])
    if record.get("sampling") is not None:
        record["sampling"] = {**record["sampling"], "seed": str(record["sampling"]["seed"])}
    return {name: whole(value) for name, value in record.items()}
