"""Pictures of the dashboard's pages for README and docs, from a real server and browser.

    python -m tests.browser.dashboard_screenshots [--folder FOLDER] [PAGE ...]

Each page is taken in light and in dark, and in light on a phone, as somebody of a sample lab sees
it. The content is fixed but for what a server makes anew each time, such as links.
"""

from __future__ import annotations

import json
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.dashboard_lab import fill
from tests.browser.jupyter import ROOT, Theme, chromium, chromium_path
from tests.dashboard.helpers import Served, served

SHOTS: tuple[tuple[str, Theme, int], ...] = (
    ("light", "light", 1280),
    ("dark", "dark", 1280),
    ("light-narrow", "light", 390),
)
HEIGHT = 900
SECONDS = 30
COLOURS = 256


def _rank(page: Page) -> None:
    _ranked(page, "2314")


def _rounds(page: Page) -> None:
    """One more step is asked for: the server has no worker, but needs a while to notice."""
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.locator(".rounds-jobs li").first).to_contain_text("next")


def _data(page: Page) -> None:
    page.locator(".bk-tab", has_text="Responses").click()
    rows = page.get_by_role("grid", name="Responses").locator("tr[data-key]")
    expect(rows.first).to_be_visible()


def _calibrate(page: Page) -> None:
    """One more answer, so that the known one is told."""
    _ranked(page, "4321")
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 of 5")).to_be_visible()


def _ranked(page: Page, keys: str) -> None:
    card = page.locator(".rlhf-ranker .rr-card")
    card.first.focus()
    for key in keys:
        page.keyboard.press(key)


def _people(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Farah")
    page.get_by_role("button", name="Make an invitation link").click()
    expect(page.get_by_label("One-time link")).to_be_visible()
    page.locator(".lab-told").get_by_role("button", name="Close").click()


def _as_it_is(page: Page) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A page as it is taken.

    Attributes:
        name: Of the page.
        ready: Selects something that is there once it shows its content.
        by: Whose it is; None before signing in.
        act: What they do first.
        most: What is further down than this is cut off.
    """

    name: str
    ready: str
    by: str | None = "Ada"
    act: Callable[[Page], None] = _as_it_is
    most: int = 1600


POSES = (
    Pose(name="login", ready="form.lab-form", by=None),
    Pose(name="rank", ready=".rlhf-ranker .rr-card", act=_rank),
    Pose(name="rounds", ready=".rlhf-monitor .mo-chart canvas", act=_rounds, most=2552),
    Pose(name="agreement", ready=".agree-meaning"),
    Pose(name="data", ready=".rlhf-tables tr[data-key]", act=_data),
    Pose(name="evaluate", ready=".rlhf-comparer .rc-bar"),
    Pose(name="calibrate", ready=".rlhf-ranker .rr-card", by="Ben", act=_calibrate),
    Pose(name="people", ready="text=Invite somebody", act=_people),
)


# Charts are drawn anew a while after what they stand in was given another width.
CHARTS_FIT = """() => {
    const within = (root) => [...root.querySelectorAll("*")].filter((e) => e.shadowRoot);
    const charts = (root) => [
        ...root.querySelectorAll("canvas"),
        ...within(root).flatMap((e) => charts(e.shadowRoot)),
    ];
    return charts(document).every(
        (chart) => Math.abs(chart.clientWidth * devicePixelRatio - chart.width) < 2
            && chart.parentElement.getBoundingClientRect().right <= innerWidth
    );
}"""


def main(folder: Path, poses: Sequence[Pose]) -> list[Path]:
    """Write dashboard-PAGE-THEME.png for each page, and one on a phone; returns the files."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no Chromium found: install one, or name it in RLHF_LAB_CHROMIUM.")
    folder.mkdir(parents=True, exist_ok=True)
    options = {"device_scale_factor": 1.5, "reduced_motion": "reduce", "color_scheme": "light"}
    with _server() as server, chromium(path, **options) as browser:
        browser.context.set_default_timeout(SECONDS * 1000)
        return [file for pose in poses for file in _shoot(browser.context, server, pose, folder)]


@contextmanager
def _server() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as work:
        lab = Path(work) / "household"
        fill(lab)
        with served(lab, "--no-worker") as server:
            yield server


def _shoot(context: BrowserContext, server: Served, pose: Pose, folder: Path) -> Iterator[Path]:
    """One visit: what was done on the page stays while its theme and width change."""
    page = _open(context, server, pose)
    for name, theme, width in SHOTS:
        file = folder / f"dashboard-{pose.name}-{name}.png"
        _show_in(page, theme, width)
        height = min(page.evaluate("document.documentElement.scrollHeight"), pose.most)
        # As on a screen so high: what sticks to the foot of a lower one would cover something.
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(CHARTS_FIT)
        taken = page.screenshot(animations="disabled")
        # Few colours: no difference to the eye, and a third of the bytes.
        Image.open(BytesIO(taken)).convert("RGB").quantize(
            COLOURS, Image.Quantize.MAXCOVERAGE
        ).save(file, optimize=True)
        yield file
    page.close()


def _open(context: BrowserContext, server: Served, pose: Pose) -> Page:
    context.clear_cookies()
    if pose.by is not None:
        client = server.signed_in(pose.by)
        cookie = {"name": client.cookie_name, "value": client.secret, "url": server.url}
        context.add_cookies([cookie])
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": HEIGHT})
    page.goto(f"{server.url}/{pose.name}")
    page.locator(pose.ready).first.wait_for()
    pose.act(page)
    return page


def _show_in(page: Page, theme: Theme, width: int) -> None:
    """As if the theme was chosen in another window of this browser."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.evaluate(
        f"""() => {{
            localStorage.setItem("rlhf-lab.theme", {json.dumps(theme)});
            dispatchEvent(new StorageEvent("storage", {{key: "rlhf-lab.theme"}}));
            document.documentElement.dataset.theme = {json.dumps(theme)};
            scrollTo(0, 0);
        }}"""
    )
    expect(page.locator(f".rlhf-widget[data-theme]:not([data-theme={theme}])")).to_have_count(0)


if __name__ == "__main__":
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arg.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    pages = [pose.name for pose in POSES]
    arg.add_argument("pages", nargs="*", help=f"some of {', '.join(pages)}; all if none")
    given = arg.parse_args()
    if unknown := set(given.pages) - set(pages):
        arg.error(f"{sorted(unknown)} unknown: there are {', '.join(pages)}")
    main(given.folder, [pose for pose in POSES if pose.name in (given.pages or pages)])
