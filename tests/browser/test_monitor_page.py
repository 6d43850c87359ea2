"""The monitor on a bare page in a real browser: curves, layout, colours, names, frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.bare_page import as_json, open_widget
from tests.browser.jupyter import ROOT
from tests.browser.monitor_frames import measure
from tests.browser.monitor_run import PretendedRun

pytestmark = pytest.mark.browser
AXE = ROOT / "widgets" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture
def page(session_browser) -> Iterator[Page]:
    page = session_browser.context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def running(steps: int = 24) -> PretendedRun:
    """A run in the middle, with all that it told in its values."""
    run = PretendedRun(40).run(until=steps)
    run.state.ended("stopped", "")
    run.state.started(done=run.done, total=run.steps)
    return run


def dark_pixels(page: Page) -> list[int]:
    """How many pixels of each chart are not blank."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".mo-plot canvas")].map((canvas) => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
            return count;
        })"""
    )


def test_curves_are_drawn_and_grow(page):
    run = running()
    open_widget(page, "monitor", run.state)
    page.wait_for_function("() => document.querySelectorAll('.mo-plot canvas').length === 6")
    expect(page.locator(".mo-reading").first).to_have_text("+1.01")
    assert min(dark_pixels(page)) > 1000
    run.step()
    run.state._publish()
    page.evaluate("(values) => globalThis.receive(values)", as_json(run.state.values()))
    expect(page.locator(".mo-status")).to_have_text("Step 26 of 40: learning")
    expect(page.locator(".mo-looking")).to_have_text("step 25, the latest")


def test_one_cursor_for_all_curves_by_pointer_and_by_keys(page):
    open_widget(page, "monitor", running().state)
    page.wait_for_function("() => document.querySelectorAll('.mo-plot canvas').length === 6")
    plot = page.locator(".mo-plot").nth(2)
    box = plot.bounding_box()
    assert box is not None
    plot.hover(position={"x": 60, "y": 60})
    expect(page.locator(".mo-looking")).to_have_text("step 2")
    lefts = page.evaluate(
        """() => [...document.querySelectorAll(".u-cursor-x")].map(
            (line) => Math.round(line.getBoundingClientRect().left
                - line.parentElement.getBoundingClientRect().left))"""
    )
    assert len(lefts) == 6
    assert max(lefts) - min(lefts) <= 1
    assert min(lefts) > 0
    page.mouse.move(5, 5)
    expect(page.locator(".mo-looking")).to_have_text("step 24, the latest")
    slider = page.get_by_role("slider", name="Values at")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    expect(page.locator(".mo-looking")).to_have_text("step 2")
    spoken = slider.get_attribute("aria-valuetext")
    assert spoken is not None
    assert spoken.startswith("step 2: Reward score +")
    assert "Seconds by phase, learning" in spoken


def in_curve_colour(page: Page) -> int:
    """Pixels of the first chart in the colour that its heading has now."""
    return page.evaluate(
        """() => {
            const heading = document.querySelector(".mo-reading");
            const [red, green, blue] = getComputedStyle(heading).color.match(/\\d+/g).map(Number);
            const canvas = document.querySelector(".mo-plot canvas");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
                count += data[i] === red && data[i + 1] === green && data[i + 2] === blue;
            }
            return count;
        }"""
    )


@pytest.mark.parametrize("dark", [False, True])
def test_it_follows_light_and_dark_while_it_is_shown(page, dark):
    open_widget(page, "monitor", running().state, dark=dark)
    expect(page.locator(".rlhf-monitor")).to_have_attribute(
        "data-theme", "dark" if dark else "light"
    )
    page.wait_for_function("() => document.querySelectorAll('.mo-plot canvas').length === 6")

    page.wait_for_timeout(300)
    assert in_curve_colour(page) > 100
    page.evaluate(
        "(dark) => { document.body.style.background = dark ? '#fff' : '#111';"
        "for (const [name, value] of Object.entries(dark"
        "  ? {'--jp-layout-color1': '#fff', '--jp-content-font-color1': '#111'}"
        "  : {'--jp-layout-color1': '#111', '--jp-content-font-color1': '#eee'}))"
        "  document.body.style.setProperty(name, value); }",
        dark,
    )
    expect(page.locator(".rlhf-monitor")).to_have_attribute(
        "data-theme", "light" if dark else "dark"
    )
    page.wait_for_timeout(300)
    assert in_curve_colour(page) > 100


@pytest.mark.parametrize(("width", "columns"), [(360, 1), (760, 2), (1240, 3)])
def test_it_fits_its_width_and_resizes_without_jumps(page, width, columns):
    page.set_viewport_size({"width": 1240, "height": 900})
    open_widget(page, "monitor", running().state)
    page.wait_for_function("() => document.querySelectorAll('.mo-plot canvas').length === 6")
    heights = page.evaluate(
        "() => [...document.querySelectorAll('.mo-plot')].map((plot) => plot.offsetHeight)"
    )
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(
        "() => Math.abs(document.querySelector('.uplot').offsetWidth"
        " - document.querySelector('.mo-plot').clientWidth) < 1"
    )
    found = page.locator(".mo-grid").evaluate(
        "(grid) => getComputedStyle(grid).gridTemplateColumns.split(' ').length"
    )
    assert found == columns
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert heights == page.evaluate(
        "() => [...document.querySelectorAll('.mo-plot')].map((plot) => plot.offsetHeight)"
    )


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_out_of_reach(page, dark, table):
    if not Path(AXE).is_file():
        pytest.skip("axe-core is not installed: npm --prefix widgets ci")
    open_widget(page, "monitor", running().state, dark=dark)
    if table:
        page.get_by_role("button", name="Table").click()
        expect(page.locator("tbody tr")).to_have_count(24)
        expect(page.locator(".mo-grid")).to_be_hidden()
    page.add_script_tag(path=str(AXE))
    found = page.evaluate(
        """async () => (await axe.run("main", {rules: {region: {enabled: false}}})).violations
            .map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)"""
    )
    assert found == []


def test_what_a_model_said_runs_nothing(page):
    open_widget(page, "monitor", running().state)
    expect(page.locator(".mo-samples")).to_contain_text("<img src=x")
    assert page.locator("main img, main script, main iframe, main a").count() == 0
    assert page.title() == "monitor"


def test_long_runs_leave_the_page_free(page, capsys):
    """5,000 points, ten updates a second.

    The bound is for processor time, which other programs do not change: an update is drawn over
    three frames, each of which has 16 ms.
    """
    found = measure(page, 5000, 5.0)
    with capsys.disabled():
        print(f"\n{found}")  # noqa: T201 - the figure is half of what this is for
    assert found["cpu_ms_an_update"] < 3 * 16
