"""The page itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_lab.evaluation.report.naming import is_rubric
from rlhf_lab.evaluation.report.pages import page_environment
from rlhf_lab.evaluation.report.pictures import place
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.showing import as_html, in_frame
from rlhf_lab.types import Alarm, Annotator

if TYPE_CHECKING:
    from rlhf_lab.evaluation.trust import TrustReport
    from rlhf_lab.evaluation.win_rate import EvalReport


@dataclass(frozen=True, kw_only=True)
class LabReport:
    """Where a report lies, and what it says first.

    Attributes:
        path: Of the HTML file, which needs no other.
        answer: The verdict in words.
        limits: What was not measured, a sentence each.
    """

    path: Path
    answer: str
    limits: tuple[str, ...]

    def __fspath__(self) -> str:
        """So that it can be opened as the file that it is."""
        return os.fspath(self.path)

    def __str__(self) -> str:
        """The verdict, and where to read on."""
        return f"{self.answer} {self.path}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_frame(f"<p><b>{as_html(self.answer)}</b><br>{as_html(str(self.path))}</p>")


# What a response shows before it scrolls, in lines and in letters of the widest kind.
_LINES, _LETTERS = 10, 24


def is_long(text: str) -> bool:
    """Whether a response may have to scroll, so that it must be reached by keyboard."""
    lines = text.splitlines() or [""]
    return sum(max(1, -(-len(line) // _LETTERS)) for line in lines) > _LINES


def write_report(
    store: PreferenceStore,
    path: Path | str,
    *,
    title: str,
    folder: Path | None = None,
    evaluations: Sequence[EvalReport] = (),
    judge: Annotator | None = None,
    scores: Mapping[str, float] | None = None,
    reward: str = "",
    trust: TrustReport | None = None,
    alarms: Sequence[Alarm] = (),
    settings: Sequence[tuple[str, str]] = (),
    names: bool = False,
    date: datetime | None = None,
    seed: int = 0,
) -> LabReport:
    """Write the report of a lab; equal labs give equal bytes.

    Args:
        store: The lab's.
        path: Of the HTML file; replaced if it exists.
        title: What the lab is called.
        folder: The lab's, for what its checkpoints say; None for a store alone.
        evaluations: What `lab.evaluate` returned; those of the present policy against its start
            are shown with their judge's name.
        judge: Compares the stored answers of an evaluation; default: the rubric, where no
            evaluation is handed in.
        scores: Rewards by response id, in deviations of the start's.
        reward: The version that gave them.
        trust: Metrics and judges against people, as from `lab.trust`; default: what needs no
            model.
        alarms: What was raised beside what is stored.
        settings: More that the reader should know, by name.
        names: Whether annotators are called by their names; otherwise they are numbered.
        date: Default: of the newest thing in the lab.
        seed: Of the intervals.

    Raises:
        JudgmentError: the judge did not rank the two responses it was shown.
        OSError: the file cannot be written.
    """
    from rlhf_lab.evaluation.report.gathering import gather

    found = gather(
        store,
        title=title,
        folder=folder,
        evaluations=evaluations,
        judge=judge,
        scores=scores,
        reward=reward,
        trust=trust,
        alarms=alarms,
        settings=settings,
        names=names,
        date=date,
        seed=seed,
    )
    environment = page_environment()
    environment.filters["place"] = place
    environment.tests |= {"long": is_long, "rubric": is_rubric}
    page = environment.get_template("lab.html.jinja").render(page=found)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside and then in its place: whoever has the page open never reads half of one.
    aside = target.with_name(f".{target.name}.writing")
    aside.write_text(page, "utf-8", newline="\n")
    aside.replace(target)
    return LabReport(path=target, answer=found.answer, limits=found.limits)
