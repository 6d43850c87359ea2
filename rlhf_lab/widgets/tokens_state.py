"""The token view without a widget: reports as a page needs them, and what was chosen to look at.

The page has all reports at once, so that a busy kernel keeps nobody from looking. It tells of each
choice with an event of the type "show",

    {"shown": 1, "figure": "advantage"}

so that a page that is loaded again shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypedDict, get_args

from rlhf_lab.errors import ConfigError
from rlhf_lab.types import TokenReport
from rlhf_lab.widgets import sendable
from rlhf_lab.widgets.state import Event, WidgetState
from rlhf_lab.widgets.turns import Turn, turns

Figure = Literal["log_ratio", "kl", "value", "advantage", "reward"]
FIGURES: Final[tuple[Figure, ...]] = get_args(Figure)

Phase = Literal["ready", "empty", "loading", "error"]

DIGITS: Final = 7
"""Significant digits sent: what a float32 holds."""

_FIELDS: Final = {
    "logp": "logp",
    "ref_logp": "ref_logp",
    "log_ratio": "log_ratio",
    "kl": "kl_k3",
    "value": "values",
    "reward": "rewards",
    "advantage": "advantages",
    "return": "returns",
}


class ReportView(TypedDict):
    """One response as the page needs it, in columns: one entry for each token.

    `texts` holds plain text, hostile as any model output: the page puts it in as text alone.
    """

    name: str
    written_by: str | None
    turns: list[Turn]
    ids: list[int]
    kinds: list[str]
    texts: list[str]
    wholes: list[str]
    figures: dict[str, list[float | None] | None]
    left_out: list[dict[str, Any]]
    ended: bool
    score: float | None
    settings: dict[str, float]
    policy: str
    reward: str | None


class TokenState(WidgetState):
    """Shows token reports, one at a time, by one figure at a time."""

    def __init__(
        self, reports: Sequence[TokenReport] | None = (), *, figure: Figure | None = None
    ) -> None:
        """Show some reports.

        Args:
            reports: One for each response; None while they are being computed.
            figure: Shown first; default: the advantage, or the log-ratio where there is none.

        Raises:
            ConfigError: there is no such figure.
        """
        super().__init__()
        if figure is not None and figure not in FIGURES:
            raise ConfigError(f"figure={figure!r}: use one of {', '.join(map(repr, FIGURES))}.")
        self._wanted = figure
        self.reports: tuple[TokenReport, ...] = ()
        self._fill(reports)

    @property
    def shown(self) -> int:
        """Number of the report that was chosen last, from 0."""
        return int(self.view["shown"])

    @property
    def figure(self) -> Figure:
        """The figure that was chosen last."""
        chosen: Figure = self.view["figure"]
        return chosen

    def show_reports(self, reports: Sequence[TokenReport] | None) -> None:
        """Show other reports; None: they are being computed."""
        self._fill(reports)
        self.changed()

    def show_error(self, text: str) -> None:
        """Say that there are no reports, and why."""
        self._fill((), phase="error")
        self.tell("error", text)
        self.changed()

    def handle(self, event: Event) -> None:
        """Note what is looked at; a choice that does not exist is refused."""
        shown, figure = event.fields.get("shown"), event.text("figure")
        if event.type != "show":
            raise ConfigError(f"event {event.type!r:.40}: this view only knows 'show'.")
        if type(shown) is not int or not 0 <= shown < len(self.reports):
            raise ConfigError(f"response {shown!r:.40} of {len(self.reports)}: there is none.")
        if figure not in FIGURES:
            raise ConfigError(f"figure {figure!r:.40}: use one of {', '.join(FIGURES)}.")
        self.view = {**self.view, "shown": shown, "figure": figure}

    def _fill(self, reports: Sequence[TokenReport] | None, phase: Phase | None = None) -> None:
        self.reports = tuple(reports or ())
        found: Phase = "ready" if self.reports else "loading" if reports is None else "empty"
        self.content = {"responses": [_report_view(report) for report in self.reports]}
        self.view = {"phase": phase or found, "shown": 0, "figure": self._start()}

    def _start(self) -> Figure:
        if self._wanted is not None:
            return self._wanted
        estimated = any(report.advantages is not None for report in self.reports)
        return "advantage" if estimated else "log_ratio"


def _report_view(report: TokenReport) -> ReportView:
    return ReportView(
        name=report.response_id or "your text",
        written_by=report.written_by,
        turns=turns(report.prompt),
        ids=[piece.id for piece in report.pieces],
        kinds=[piece.kind for piece in report.pieces],
        texts=[sendable.text(piece.text) for piece in report.pieces],
        wholes=[sendable.text(piece.whole) for piece in report.pieces],
        figures={name: _numbers(getattr(report, field)) for name, field in _FIELDS.items()},
        left_out=list(_left_out(report.left_out)),
        ended=report.ended,
        score=sendable.number(report.score, DIGITS) if report.score is not None else None,
        settings={
            "kl_coef": report.kl_coef,
            "temperature": report.temperature,
            "gamma": report.gamma,
            "lam": report.lam,
        },
        policy=report.policy,
        reward=report.reward,
    )


def _left_out(reasons: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each reason once, with the figures that it is about."""
    names = {field: name for name, field in _FIELDS.items()}
    for reason in dict.fromkeys(reasons.values()):
        figures = [names[field] for field, why in reasons.items() if why == reason]
        yield {"figures": figures, "reason": reason}


def _numbers(values: Sequence[float] | None) -> list[float | None] | None:
    return None if values is None else [sendable.number(value, DIGITS) for value in values]
