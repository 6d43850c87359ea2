"""Moves that are killed, and what people do to the lab and its copy then."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import StoreError
from rlhf_lab.store import PreferenceStore, open_store, unfinished
from rlhf_lab.types import Demonstration
from tests.store.everything import all_rows, as_multiset
from tests.store.helpers import NOON, ranking, start

KILLED = """
    import os, sys
    from rlhf_lab.store import moving
    directory, target, step = sys.argv[1:]
    setattr(moving, step, lambda *rest, **named: os._exit(9))
    moving.move_lab(directory, target)
"""


def kill(directory, target, before):
    """Move the lab in another process, which ends when it comes to this step."""
    process = start(KILLED, str(directory), target, before)
    process.communicate(timeout=60)
    assert process.returncode == 9


def read(directory):
    with open_store(directory) as store:
        return as_multiset(all_rows(store))


def unmarked(rows):
    return {**rows, "settings": [row for row in rows["settings"] if unfinished.SETTING not in row]}


def a_demonstration(store, name="theirs"):
    return Demonstration(
        id=name, prompt_id=store.prompts()[0].id, text="So.", annotator="dee", created_at=NOON
    )


def judge(directory, submission):
    with open_store(directory) as store:
        store.submit(ranking(submission, store.prompts()[1], annotator=f"by {submission}"))


def refuses_writes(directory, place):
    with PreferenceStore(place) as store, pytest.raises(StoreError, match="has moved"):
        store.submit(ranking("late", store.prompts()[1], annotator="late"))
