"""The token view in both hosts: keys walk, and Python hears which figure is looked at."""

import pytest
from playwright.sync_api import expect

from tests.browser.cases import case_of
from tests.browser.hosts import Host

pytestmark = pytest.mark.browser


def test_keys_walk_and_change_figure_and_response(host: Host, tmp_path):
    widget = host.show(case_of("tokens"), tmp_path)
    options = widget.get_by_role("option")
    expect(widget).to_have_attribute("data-theme", "light")
    options.first.focus()
    press = host.page.keyboard.press
    press("ArrowRight")
    expect(options.nth(1)).to_be_focused()
    press("ArrowDown")
    expect(options.nth(1)).not_to_be_focused()
    for key in ("5", "2", "n"):
        press(key)
    expect(widget.locator(".tk-about")).to_contain_text("response-2")
    # An acknowledgement makes nothing anew: the focus is still in the tokens.
    expect(widget).to_have_attribute("aria-busy", "false")
    expect(widget.locator(".tk-text [role=option]:focus")).to_have_count(1)
    expect(widget.locator(".rw-message")).to_have_text("")
    assert host.page.title() != "owned"
    assert widget.locator("img, script, iframe, a").count() == 0
    assert widget.evaluate("(e) => e.scrollWidth <= e.clientWidth")


def test_python_knows_what_is_looked_at(panel: Host):
    code = """
import panel as pn
from rlhf_lab.widgets.panel import TokenPane
from tests.browser.token_reports import sample_reports

pane = TokenPane(sample_reports())
told = pn.pane.Str("")
def tell(*_):
    is_acknowledged = pane.acked_seq == pane.events[-1]["seq"]
    told.object = f"{pane.state.shown} {pane.state.figure} {is_acknowledged}"
pane.param.watch(tell, "view")
shown = pn.Column(pane, told)
"""
    widget = panel.show_code(case_of("tokens"), code)
    widget.get_by_role("option").first.focus()
    for key in ("5", "2"):
        panel.page.keyboard.press(key)
    expect(panel.page.get_by_text("0 kl True", exact=True)).to_be_visible()
    panel.page.keyboard.press("n")
    expect(panel.page.get_by_text("1 kl True", exact=True)).to_be_visible()
