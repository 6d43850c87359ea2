"""The monitor in a Panel page, beside a run in another thread of the server."""

import pytest
from playwright.sync_api import expect

from tests.browser.cases import case_of
from tests.browser.hosts import Host

pytestmark = pytest.mark.browser

CODE = """
from rlhf_lab.widgets.panel import MonitorPane
from tests.browser.monitor_run import ongoing

shown = MonitorPane(ongoing().state)
"""


def step(page) -> int:
    text = page.locator(".mo-status").inner_text()
    return int(text.split()[1])


def test_a_run_is_watched_and_stopped_and_a_reload_shows_it_again(panel: Host):
    monitor = panel.show_code(case_of("monitor"), CODE)
    expect(monitor.locator(".mo-plot canvas")).to_have_count(6)
    expect(monitor.locator(".mo-reading").first).not_to_have_text("–")
    seen = step(panel.page)
    expect(monitor.locator(".mo-status")).not_to_contain_text(f"Step {seen} ")
    monitor.get_by_role("button", name="Stop after this step").click()
    expect(monitor.locator(".mo-status")).to_contain_text("Stopped early")
    expect(monitor.locator(".mo-outcome")).to_have_text("Kept as policy@1.")
    shown = monitor.locator(".mo-reading").all_inner_texts()
    panel.reload()
    expect(monitor.locator(".mo-status")).to_contain_text("Stopped early")
    expect(monitor.locator(".mo-reading").first).to_have_text(shown[0])
    # The style sheet came with the component, into its shadow root.
    assert monitor.locator(".mo-plot").first.evaluate("(e) => getComputedStyle(e).cursor") == (
        "crosshair"
    )
