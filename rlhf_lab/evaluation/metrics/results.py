"""What the reference metrics return: one score per text, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from statistics import fmean
from typing import Self

from rlhf_lab.store.showing import as_html, counted


@dataclass(frozen=True, kw_only=True)
class Match:
    """How much of a text is in its reference, and the other way round; each from 0 to 1.

    BERTScore, made of cosines, may be below 0.

    Attributes:
        precision: Share of the text that the reference has, too.
        recall: Share of the reference that the text has, too.
        f1: Their harmonic mean.
    """

    precision: float
    recall: float
    f1: float

    @classmethod
    def mean(cls, matches: Sequence[Match]) -> Self:
        """The mean of each figure; its F1 is the mean of F1, as in the literature."""
        return cls(
            precision=fmean(m.precision for m in matches),
            recall=fmean(m.recall for m in matches),
            f1=fmean(m.f1 for m in matches),
        )

    def __str__(self) -> str:
        """As in "F1 0.41 (precision 0.38, recall 0.45)"."""
        return f"F1 {self.f1:.3f} (precision {self.precision:.3f}, recall {self.recall:.3f})"


@dataclass(frozen=True, kw_only=True)
class RougeScore:
    """One text's ROUGE; None for a kind that was not asked for.

    Attributes:
        rouge1: Of words.
        rouge2: Of pairs of words in a row.
        rougeL: Of the longest common subsequence of the whole texts.
        rougeLsum: Of the union of those of the lines, as for summaries of several lines.
    """

    rouge1: Match | None = None
    rouge2: Match | None = None
    rougeL: Match | None = None
    rougeLsum: Match | None = None

    def __str__(self) -> str:
        """F1 of each kind."""
        found = ((f.name, getattr(self, f.name)) for f in fields(self))
        return ", ".join(f"{name} {match.f1:.3f}" for name, match in found if match)


class _Shown:
    """One line, in a notebook as elsewhere: the texts are the user's own."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<p>{as_html(str(self))}</p>"


@dataclass(frozen=True, kw_only=True)
class Rouge(_Shown):
    """ROUGE of texts, in their order, and the mean of each figure."""

    scores: tuple[RougeScore, ...] = field(repr=False)
    mean: RougeScore

    def __str__(self) -> str:
        """Mean F1 of each kind."""
        return f"ROUGE, mean F1 of {counted(len(self.scores), 'texts')}: {self.mean}"


@dataclass(frozen=True, kw_only=True)
class BleuScore:
    """BLEU from 0 to 100.

    Attributes:
        score: Geometric mean of the precisions, times the brevity penalty.
        precisions: Of runs of 1 to 4 words, in percent.
        brevity_penalty: 1, or below for texts shorter than their references.
        length: Words of what was scored.
        reference_length: Words of the references that are nearest in length.
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    length: int
    reference_length: int

    def __str__(self) -> str:
        """The score, and what it is made of."""
        told = "/".join(f"{p:.1f}" for p in self.precisions)
        return f"{self.score:.1f} ({told}, brevity penalty {self.brevity_penalty:.3f})"


@dataclass(frozen=True, kw_only=True)
class Bleu(_Shown):
    """BLEU of texts.

    Attributes:
        scores: Of each text alone, with effective order: runs longer than the text do not count.
        corpus: Of all texts together, which is not the mean of theirs: the figure to report.
        signature: How the corpus was scored, for a paper.
    """

    scores: tuple[BleuScore, ...] = field(repr=False)
    corpus: BleuScore
    signature: str

    def __str__(self) -> str:
        """Of the corpus, with the signature."""
        many = counted(len(self.scores), "texts")
        return f"BLEU of {many}: {self.corpus}, {self.signature}"


@dataclass(frozen=True, kw_only=True)
class BertScore(_Shown):
    """BERTScore of texts, in their order.

    Attributes:
        mean: Of each figure.
        model: The embedding model's name.
        num_layers: Whose output was compared.
        cut: Texts and references longer than the model can read; their ends were left out.
    """

    scores: tuple[Match, ...] = field(repr=False)
    mean: Match
    model: str
    num_layers: int
    cut: int

    def __str__(self) -> str:
        """The mean, by which model, and what was not read."""
        return (
            f"BERTScore of {counted(len(self.scores), 'texts')}: {self.mean}, "
            f"{self.model} layer {self.num_layers}{_told_of_cut(self.cut)}"
        )


@dataclass(frozen=True, kw_only=True)
class MoverScore(_Shown):
    """MoverScore of texts, in their order: 1 for the same, -1 at the least.

    Attributes and the rest as for `BertScore`.
    """

    scores: tuple[float, ...] = field(repr=False)
    mean: float
    model: str
    num_layers: int
    cut: int

    def __str__(self) -> str:
        """The mean, by which model, and what was not read."""
        return (
            f"MoverScore of {counted(len(self.scores), 'texts')}: {self.mean:.3f}, "
            f"{self.model} layer {self.num_layers}{_told_of_cut(self.cut)}"
        )


def _told_of_cut(cut: int) -> str:
    return f"; {counted(cut, 'texts')} longer than the model reads, without their ends" * (cut > 0)
