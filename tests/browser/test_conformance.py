"""What holds for every widget in every host."""

import os

import pytest
from playwright.sync_api import expect

from tests.browser import checks
from tests.browser.cases import CASES, Case
from tests.browser.hosts import Host
from tests.widgets.xss_corpus import CLOBBERED, PROBE

pytestmark = pytest.mark.browser

MOST_STEPS = 20


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


def test_no_key_typed_in_a_widget_reaches_its_host(host: Host, case: Case, tmp_path):
    root = host.show(case, tmp_path)
    checks.focusable(root).first.focus()
    host.record()
    typed = checks.type_keymap(root)
    assert host.recorded() == []
    assert 0 < typed.elements <= typed.sent + 2
    assert 0 < typed.kinds <= typed.typed + 1
    assert host.page.locator(case.selector).count() == 1


@pytest.mark.parametrize("how", ["typed", "sent"])
def test_a_host_does_hear_keys_outside_a_widget(host: Host, how, tmp_path):
    """Shows that the test above could fail."""
    root = host.show(CASES[0], tmp_path)
    root.evaluate("(e) => e.getRootNode().activeElement?.blur()")
    host.record()
    outside = host.page.locator("body")
    if host.name == "jupyterlab":
        outside = host.page.locator(".jp-InputPrompt").first
        outside.click()
    if how == "typed":
        host.page.keyboard.press("b")
    else:
        checks.send_keymap(outside)
    host.page.wait_for_function("() => (window.ranCommands ?? window.heardKeys).length > 0")
    assert host.recorded() != []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_widget_can_be_read_by_all(host: Host, case: Case, theme, tmp_path):
    if not checks.AXE.is_file():
        assert not os.environ.get("CI"), "axe-core is missing: run `npm ci` in widgets/."
        pytest.skip("axe-core is missing: run `npm ci` in widgets/")
    host.use_theme(theme)
    root = host.show(case, tmp_path)
    expect(root).to_have_attribute("data-theme", theme)
    expect(root).to_have_css("color-scheme", theme)
    assert checks.violations(root) == []
    host.use_theme("light")


def test_axe_finds_what_is_wrong(host: Host, tmp_path):
    """Shows that the test above could fail, also within a shadow root."""
    if not checks.AXE.is_file():
        pytest.skip("axe-core is missing: run `npm ci` in widgets/")
    root = host.show(CASES[0], tmp_path)
    root.evaluate("(e) => { e.insertAdjacentHTML('beforeend', '<button></button>'); }")
    assert any("button-name" in found for found in checks.violations(root))


def test_a_widget_fits_a_phone(host: Host, case: Case, tmp_path):
    root = host.show(case, tmp_path)
    host.narrow(root, 360)
    host.page.wait_for_function(
        "([e]) => e.getBoundingClientRect().width <= 360", arg=[root.element_handle()]
    )
    assert checks.overflowing(root) == []
    assert root.evaluate("(e) => e.scrollWidth <= e.clientWidth")


def test_a_reloaded_page_shows_a_widget_again(host: Host, case: Case, tmp_path):
    host.show(case, tmp_path)
    host.reload()
    host.wait_for(case)


def test_nothing_that_was_written_by_others_runs_loads_or_takes_a_name(
    host: Host, case: Case, tmp_path
):
    asked: list[str] = []
    opened: list[str] = []

    def note(request) -> None:
        if PROBE in request.url or "evil.example" in request.url:
            asked.append(request.url)

    def close(dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    host.page.on("request", note)
    host.page.on("dialog", close)
    before = host.page.evaluate(GLOBALS)
    root = host.show(case, tmp_path, hostile=True)
    steps = 0
    while root.locator(case.ready).count() and steps < MOST_STEPS:
        assert checks.foreign(root) == []
        if not case.onward:
            break
        checks.focusable(root).first.focus()
        for key in case.onward:
            host.page.keyboard.press(key)
        steps += 1
    host.page.remove_listener("request", note)
    host.page.remove_listener("dialog", close)
    assert steps < MOST_STEPS
    assert (asked, opened) == ([], [])
    assert host.page.evaluate("() => window.hits") == 0
    if host.name == "jupyterlab":  # Panel's page is another one than before
        assert host.page.evaluate(GLOBALS) == before
    assert host.page.evaluate(f"() => window.{CLOBBERED} === undefined")


def test_a_hostile_text_that_ran_would_be_seen(host: Host, tmp_path):
    """Shows that the test above could fail: put in as it is, a text runs, loads and clobbers."""
    root = host.show(CASES[0], tmp_path)
    asked: list[str] = []

    def note(request) -> None:
        asked.append(request.url)

    host.page.on("request", note)
    text = "<img src=/xss-probe/seen onerror=HIT()><form id=clobbered></form>"
    root.evaluate("(e, text) => e.insertAdjacentHTML('beforeend', text)", text)
    host.page.wait_for_function("() => window.hits > 0")
    host.page.evaluate("() => { window.hits = 0; }")
    host.page.remove_listener("request", note)
    assert any(PROBE in url for url in asked)
    if host.name == "jupyterlab":  # a shadow root gives no names away
        assert not host.page.evaluate(f"() => window.{CLOBBERED} === undefined")


# What names and ids of elements would hide, as a page's own scripts see it.
GLOBALS = """() => ['getElementById', 'querySelector', 'body', 'cookie', 'defaultView', 'forms']
    .map((name) => [name, typeof document[name], document[name] instanceof Element])
    .concat(['jupyterapp', 'Bokeh', 'name', 'constructor']
        .map((name) => [name, typeof window[name], window[name] instanceof Element]))"""
