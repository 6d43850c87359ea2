"""The monitor in a real JupyterLab: live while the kernel is busy, stopped, saved, reopened."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SETUP = (
    "from rlhf_lab.widgets import MonitorWidget\n"
    "from tests.browser.monitor_run import PretendedRun\n"
    "run = PretendedRun(500)\n"
    "widget = MonitorWidget(run.state)"
)
SHOW = "display(widget)"


@pytest.fixture
def monitor(lab):
    return lab.page.locator(".rlhf-monitor")


def interrupt(lab) -> None:
    lab.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"
    )


def wait_for_step(lab, step: int) -> None:
    lab.page.wait_for_function(
        "(step) => Number(document.querySelector('.mo-status')?.textContent"
        ".match(/Step (\\d+)/)?.[1]) > step",
        arg=step,
    )


def test_a_busy_kernel_is_watched_and_stopped_by_the_button(lab, open_cells, monitor):
    open_cells(
        SETUP, f"{SHOW}\n_ = run.run(0.6)", "print('after', run.done, run.stopped)", wait=False
    )
    wait_for_step(lab, 2)
    expect(monitor.locator(".mo-plot canvas")).to_have_count(6)
    # The answer may be on the page for less than a second: the run ends with its step.
    lab.page.evaluate(
        """() => {
            const message = document.querySelector(".rw-message");
            window.said = [];
            new MutationObserver(() => window.said.push(message.textContent))
                .observe(message, {childList: true});
        }"""
    )
    monitor.get_by_role("button", name="Stop after this step").click()
    # The cell ends by itself, and the next one runs; the picture takes the monitor's place.
    after = lab.page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output")
    expect(after).to_contain_text("True")
    assert int(after.inner_text().split()[1]) < 500
    expect(monitor).to_have_count(0)
    assert any("The run has heard it." in text for text in lab.page.evaluate("() => window.said"))
    expect(lab.page.locator(".jp-OutputArea svg[role=img]")).to_have_count(6)
    expect(lab.page.locator(".jp-OutputArea-output").first).to_contain_text("stopped early")


def test_the_notebooks_own_stop_button_works_as_well(lab, open_cells, monitor):
    open_cells(
        SETUP,
        f"{SHOW}\ntry:\n    run.run(0.6)\nexcept KeyboardInterrupt:\n"
        "    run.state.ended('stopped', 'Kept as policy@1.')",
        wait=False,
    )
    wait_for_step(lab, 1)
    interrupt(lab)
    expect(lab.page.locator(".jp-OutputArea-output").first).to_contain_text("stopped early")


def test_a_saved_notebook_shows_the_curves_without_the_kernel(lab, server, open_cells, monitor):
    open_cells(SETUP, f"{SHOW}\nrun.steps = 24\n_ = run.run()")
    figures = lab.page.locator(".jp-OutputArea svg[role=img]")
    expect(figures).to_have_count(6)
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    lab.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    book = json.loads((server.folder / "test.ipynb").read_text())
    (output,) = book["cells"][1]["outputs"]
    assert sorted(output["data"]) == ["text/html", "text/plain"]
    text = "".join(output["data"]["text/plain"])
    assert "PPO from policy@0: finished, 24 of 24 steps" in text
    assert "Alarm: length drift (step 18)" in text
    lab.reload()
    expect(figures).to_have_count(6)
    output = lab.page.locator(".jp-OutputArea-output").first
    expect(output).to_contain_text("length drift")
    expect(output).not_to_contain_text("Error displaying widget")
    expect(lab.page.locator(".jp-RenderedHTMLCommon svg text").first).to_be_visible()


def test_a_monitor_shown_again_is_one_to_work_with(lab, open_cells, monitor):
    open_cells(SETUP, "run.steps = 24\n_ = run.run()", SHOW)
    expect(monitor.locator(".mo-status")).to_have_text("Finished, 24 of 24 steps")
    monitor.get_by_role("button", name="Table").click()
    expect(monitor.locator("tbody tr")).to_have_count(24)


def test_every_cell_that_showed_a_run_in_parts_is_saved_as_a_picture(lab, server, open_cells):
    open_cells(
        SETUP,
        f"{SHOW}\nrun.steps = 12\n_ = run.run()",
        f"{SHOW}\nrun.steps = 24\n_ = run.run()",
        SHOW,
        "print('after')",
    )
    expect(lab.page.locator(".jp-OutputArea svg[role=img]")).to_have_count(18)
    lab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    book = json.loads((server.folder / "test.ipynb").read_text())
    for cell in book["cells"][1:4]:
        (output,) = cell["outputs"]
        assert sorted(output["data"]) == ["text/html", "text/plain"]
        assert "finished, 24 of 24 steps" in "".join(output["data"]["text/plain"])
