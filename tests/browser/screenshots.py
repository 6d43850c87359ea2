"""Pictures of the widgets for README and docs, from a real JupyterLab.

    python -m tests.browser.screenshots [--folder FOLDER] [WIDGET ...]

Each widget of `cases` that has a picture is taken in light and in dark, and both at 360 px. The
content is fixed, so a picture changes only when a widget does.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.cases import CASES, Case
from tests.browser.hosts import JupyterLabHost
from tests.browser.jupyter import ROOT, Notebook, Theme, chromium, chromium_path, jupyter_server

THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTHS = {"": 1280, "-narrow": 360}
HEIGHT = 2600
"""High enough that no picture scrolls."""


def main(folder: Path, cases: Sequence[Case]) -> list[Path]:
    """Write NAME-THEME.png and NAME-THEME-narrow.png for each widget; returns the files."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no Chromium found: install one, or name it in RLHF_LAB_CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "viewport": {"width": 1280, "height": HEIGHT},
        "device_scale_factor": 2,
        "reduced_motion": "reduce",
    }
    with (
        tempfile.TemporaryDirectory() as work,
        jupyter_server(Path(work)) as server,
        chromium(path, **options) as browser,
    ):
        server.write_notebook("pictures.ipynb", "")
        notebook = Notebook(browser.context.new_page(), server, "pictures.ipynb")
        host = JupyterLabHost(notebook, server.folder)
        return [
            _shoot(host, case, theme, suffix, folder)
            for theme in THEMES
            for case in cases
            for suffix in WIDTHS
        ]


def _shoot(host: JupyterLabHost, case: Case, theme: Theme, suffix: str, folder: Path) -> Path:
    host.use_theme(theme)
    host.page.set_viewport_size({"width": WIDTHS[suffix], "height": HEIGHT})
    root = host.show_code(case, case.picture_code())
    _pose(root, case)
    file = folder / f"{case.name}-{theme}{suffix}.png"
    root.screenshot(path=file, animations="disabled")
    return file


def _pose(root: Locator, case: Case) -> None:
    for selector, keys in case.pose:
        root.locator(selector).first.focus()
        for key in keys:
            root.page.keyboard.press(key)


if __name__ == "__main__":
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    pictured = {case.name: case for case in CASES if case.picture}
    arg.add_argument("widgets", nargs="*", help=f"some of {', '.join(pictured)}; all if none")
    arg.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    given = arg.parse_args()
    if unknown := set(given.widgets) - set(pictured):
        arg.error(f"{sorted(unknown)} unknown: there are {', '.join(pictured)}")
    main(given.folder, [pictured[name] for name in given.widgets or pictured])
