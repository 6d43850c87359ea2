"""Pictures of the widgets for README and docs, from a real JupyterLab.

    python -m tests.browser.screenshots [FOLDER]

The content is fixed, so a picture changes only when a widget does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser.jupyter import ROOT, Notebook, Theme, chromium, chromium_path, jupyter_server

CELLS = (
    "from rlhf_lab.widgets import RankingWidget\n"
    "from tests.browser.sample_items import sample_source\n"
    "RankingWidget(sample_source(done=2))",
)
SIZES = {"": (1280, 1400), "-narrow": (360, 2600)}


def main(folder: Path) -> None:
    """Write ranker-light.png and ranker-dark.png, and both at 360 px, into a folder."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no Chromium found: install one, or name it in RLHF_LAB_CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme in themes:
        with tempfile.TemporaryDirectory() as work:
            _shoot(path, theme, Path(work), folder)


def _shoot(path: str, theme: Theme, work: Path, folder: Path) -> None:
    options = {
        "viewport": {"width": 1280, "height": 1400},
        "device_scale_factor": 2,
        "reduced_motion": "reduce",
    }
    with jupyter_server(work, theme=theme) as server, chromium(path, **options) as browser:
        server.write_notebook("ranking.ipynb", *CELLS)
        notebook = Notebook(browser.context.new_page(), server, "ranking.ipynb")
        notebook.run_all()
        for suffix, (width, height) in SIZES.items():
            notebook.page.set_viewport_size({"width": width, "height": height})
            notebook.card("A").click()
            for key in "2132" if not suffix else "":
                notebook.page.keyboard.press(key)
            notebook.card("C").focus()
            notebook.widget.screenshot(path=folder / f"ranker-{theme}{suffix}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
