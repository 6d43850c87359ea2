"""The items that people disagree on most."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from rlhf_lab.evaluation.agreement.report import DisputedItem
from rlhf_lab.evaluation.agreement.tables import FIRST, SECOND, TIED, WORK, Floats, Rankings
from rlhf_lab.store import checks, rows
from rlhf_lab.store.tables import JudgmentRow, PromptRow
from rlhf_lab.types import Judgment


def disputed_items(
    session: Session, table: Rankings, most: int, known: Container[str] = ()
) -> tuple[DisputedItem, ...]:
    """Up to so many, the most disputed first; of equals those with more people.

    Args:
        session: To read texts.
        table: Of what was said.
        most: How many.
        known: Ids of the items whose answer is known.
    """
    found = disagreement(table)
    work = table.rows(WORK)
    people = np.bincount(table.item[work], minlength=len(found))
    order = np.lexsort((np.arange(len(found)), -people, -found))
    chosen = [int(i) for i in order[: max(most, 0)] if found[i] > 0]
    seqs = {i: table.seq[work[table.item[work] == i]].tolist() for i in chosen}
    judgments = _judgments(session, [seq for of in seqs.values() for seq in of])
    said = {i: [judgments[seq] for seq in of] for i, of in seqs.items()}
    return tuple(
        _item(session, table.items[i], float(found[i]), of, table.items[i] in known)
        for i, of in said.items()
    )


def disagreement(table: Rankings) -> Floats:
    """By item, how far two people who ranked it are apart on average; 0 where nobody is.

    0 for the same order, 1 for the opposite one; a pair that one of the two ties counts one half.
    It is Kendall's distance, as a share of the pairs of candidates.
    """
    counts = table.pairs(table.rows(WORK)).counts()
    item_of = table.item_of_pair()
    counts = np.pad(counts, ((0, len(item_of) - len(counts)), (0, 0)))
    people = counts.sum(axis=1)
    first, tied, second = (counts[:, order] for order in (FIRST, TIED, SECOND))
    apart = first * second + tied * (first + second) / 2
    share = np.divide(2 * apart, people * (people - 1), out=np.zeros(len(apart)), where=people > 1)
    items = len(table.items)
    pairs = np.bincount(item_of, minlength=items)
    return np.bincount(item_of, share, minlength=items) / np.maximum(pairs, 1)


def _judgments(session: Session, seqs: Sequence[int]) -> dict[int, Judgment]:
    found = checks.in_chunks(session, select(JudgmentRow), JudgmentRow.seq, seqs)
    return {row.seq: rows.to_judgment(row) for (row,) in found}


def _item(
    session: Session, item: str, share: float, said: Sequence[Judgment], is_known: bool
) -> DisputedItem:
    prompt = session.scalars(select(PromptRow).where(PromptRow.id == said[0].prompt_id)).one()
    candidates = sorted(said[0].shown_order)
    texts = {response.id: response for response in checks.by_ids(session, candidates)}
    return DisputedItem(
        id=item,
        prompt=rows.to_prompt(prompt),
        candidates=tuple(texts[i] for i in candidates),
        judgments=tuple(said),
        disagreement=share,
        is_known=is_known,
    )
