"""Every widget, as the tests for all widgets and the screenshots need it. One entry for each.

`source` names a function `module:function`. Called with a folder, it gives what the widget's class
is made from, over a real store in that folder: the same store when it is called again. With
`hostile=True` every text in it, names included, is one of `xss_corpus`. It runs in the kernel, or
in the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Case:
    """A widget.

    Attributes:
        name: Of its bundle; its element is `.rlhf-<name>`.
        widget: Its class in `rlhf_lab.widgets`.
        pane: Its class in `rlhf_lab.widgets.panel`.
        source: What it is made from, as "module:function".
        ready: Selects something that is there once it shows its content.
        onward: Keys that show the next of what it has, until nothing is left; none if it shows all.
        picture: What it is made from for pictures, as "module:function" without a folder.
        pose: Elements to focus for the picture, and the keys to press in each.
    """

    name: str
    widget: str
    pane: str
    source: str
    ready: str
    onward: tuple[str, ...] = ()
    picture: str = ""
    pose: tuple[tuple[str, str], ...] = ()

    @property
    def selector(self) -> str:
        """Of its root element."""
        return f".rlhf-{self.name}"

    def code(self, host: str, folder: Path, *, hostile: bool = False) -> str:
        """Python that makes it, as `shown`, for a host."""
        return self._code(host, self.source, f"{str(folder)!r}, hostile={hostile}")

    def picture_code(self, host: str = "jupyterlab") -> str:
        """Python that makes it, as `shown`, with the content of the pictures."""
        return self._code(host, self.picture, "")

    def _code(self, host: str, source: str, arguments: str) -> str:
        module, _, function = source.partition(":")
        place, name = {
            "jupyterlab": ("rlhf_lab.widgets", self.widget),
            "panel": ("rlhf_lab.widgets.panel", self.pane),
        }[host]
        return (
            f"from {place} import {name}\n"
            f"from {module} import {function}\n"
            f"shown = {name}({function}({arguments}))"
        )


CASES = (
    Case(
        name="ranker",
        widget="RankingWidget",
        pane="RankingPane",
        source="tests.browser.lab_source:shown",
        ready=".rr-card",
        onward=("s",),
        picture="tests.browser.sample_items:picture",
        pose=((".rr-card", "2132"), (".rr-card:nth-child(3)", "")),
    ),
    Case(
        name="comparer",
        widget="ComparisonWidget",
        pane="ComparisonPane",
        source="tests.browser.compare_source:shown",
        ready=".rc-bar",
        onward=("s",),
        picture="tests.browser.compare_source:picture",
        pose=((".rc-bar", "1"),),
    ),
    Case(
        name="monitor",
        widget="MonitorWidget",
        pane="MonitorPane",
        source="tests.browser.monitor_run:shown",
        ready=".mo-chart canvas",
        picture="tests.browser.monitor_run:picture",
    ),
    Case(
        name="tokens",
        widget="TokenWidget",
        pane="TokenPane",
        source="tests.browser.token_reports:shown",
        ready=".tk-token",
        picture="tests.browser.token_reports:picture",
    ),
    Case(
        name="versions",
        widget="VersionTreeWidget",
        pane="VersionTreePane",
        source="tests.browser.versions_lab:shown",
        ready=".rv-row",
        picture="tests.browser.versions_lab:picture",
    ),
    Case(
        name="tables",
        widget="TableWidget",
        pane="TablePane",
        source="tests.browser.browse_lab:shown",
        ready="tr[data-key]",
        picture="tests.browser.browse_lab:picture",
    ),
)


def case_of(name: str) -> Case:
    """The widget of this bundle."""
    return next(case for case in CASES if case.name == name)
