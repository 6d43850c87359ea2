"""What a page of the dashboard does by itself in a browser: its frame, and HTML that acts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from rlhf_lab.lab import Lab
from tests.browser.accessibility import violations
from tests.dashboard.helpers import PASSWORD, Served, served
from tests.dashboard.pages.lab_items import offer

pytestmark = pytest.mark.browser

NAMES = {"ada": "researcher", "ben": "annotator"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shell") / "lab"
    with Lab(folder, progress=False) as lab:
        offer(lab, ["Tea?", "Rain?", "Bread?"])
    with served(folder, "--no-worker") as running:
        running.accounts.redeem(running.accounts.invite_admin(), PASSWORD, name="root")
        for name, role in NAMES.items():
            running.accounts.redeem(running.accounts.invite(name, role, "root"), PASSWORD)
        yield running


def new_context(session_browser, **options) -> BrowserContext:
    browser = session_browser.context.browser
    assert browser is not None
    context = browser.new_context(reduced_motion="reduce", **options)
    context.set_default_timeout(60_000)
    return context


def sign_in(context: BrowserContext, server: Served, name: str) -> Page:
    client = server.signed_in(name)
    context.add_cookies([{"name": client.cookie_name, "value": client.secret, "url": server.url}])
    return context.new_page()


@pytest.fixture
def page(session_browser, server) -> Iterator[Page]:
    """Of a researcher; no script may fail on it."""
    context = new_context(session_browser, viewport={"width": 1280, "height": 900})
    errors: list[str] = []
    page = sign_in(context, server, "ada")
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def open_page(page: Page, server: Served, name: str, shows: str) -> None:
    page.goto(f"{server.url}/{name}")
    expect(page.get_by_text(shows).first).to_be_visible()


def test_what_is_half_typed_stays_when_the_list_changes(page, server):
    open_page(page, server, "people", "Invite somebody")
    field = page.get_by_label("Name", exact=True)
    field.press_sequentially("Zo")
    server.accounts.invite("emil", "annotator", "root")
    expect(page.get_by_text("makes an account: annotator")).to_be_visible()
    expect(field).to_have_value("Zo")
    expect(field).to_be_focused()

    field.press_sequentially("e")
    field.press("Enter")
    expect(page.get_by_text("Zoe is invited as annotator.")).to_be_visible()
    expect(field).to_have_value("")
    link = page.get_by_label("One-time link").input_value()
    assert server.accounts.ticket(link.rpartition("/")[2]).name == "Zoe"
    server.accounts.withdraw("emil", "root")
    server.accounts.withdraw("Zoe", "root")


def test_what_cannot_simply_be_taken_back_is_asked_first(page, server):
    open_page(page, server, "people", "Invite somebody")
    role = page.get_by_label("Role of ben")
    role.select_option("researcher")
    expect(page.get_by_role("dialog")).to_contain_text("Give ben the role researcher?")
    page.get_by_role("button", name="Cancel").click()
    expect(role).to_have_value("annotator")
    expect(role).to_be_focused()
    assert server.accounts.get("ben").role == "annotator"

    role.select_option("researcher")
    page.get_by_role("dialog").get_by_role("button", name="Change the role").click()
    expect(page.get_by_text("ben is researcher now.")).to_be_visible()
    expect(role).to_have_value("researcher")
    assert server.accounts.get("ben").role == "researcher"
    server.accounts.set_role("ben", "annotator", "root")
    expect(role).to_have_value("annotator")


def test_the_chosen_theme_is_there_before_anything_else_is(page, server):
    open_page(page, server, "rank", "Rank the responses")
    widget = page.locator(".rlhf-widget")
    expect(widget).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="account, appearance, sign out").click()
    page.get_by_text("Dark", exact=True).click()
    expect(widget).to_have_attribute("data-theme", "dark")

    # At the moment when the page's own style is read, before its body is.
    page.add_init_script(
        """new MutationObserver(() => {
            if (document.body && !window.themeAtFirst)
                window.themeAtFirst = document.documentElement.dataset.theme;
        }).observe(document, {childList: true, subtree: true});"""
    )
    page.reload()
    expect(widget).to_have_attribute("data-theme", "dark")
    assert page.evaluate("window.themeAtFirst") == "dark"
    page.get_by_role("button", name="account, appearance, sign out").click()
    page.get_by_text("System", exact=True).click()
    expect(widget).to_have_attribute("data-theme", "light")


def test_a_page_that_lost_its_connection_says_so_and_comes_back(page, server):
    connections = []
    page.route_web_socket("**/ws*", lambda ws: connections.append((ws, ws.connect_to_server())))
    healthy = []
    page.route("**/healthz", lambda route: route.continue_() if healthy else route.abort())
    open_page(page, server, "rank", "Rank the responses")
    page.evaluate("window.before = true")
    connections[-1][0].close()
    expect(page.get_by_text("Connection lost, trying again")).to_be_visible()

    healthy.append(True)
    page.wait_for_function("!window.before")
    expect(page.get_by_text("Rank the responses")).to_be_visible()
    expect(page.get_by_text("Connection lost")).to_be_hidden()


@pytest.mark.parametrize(
    "file", ["assets/dashboard.js", "assets/frame.css", "static/js/bokeh.min.js"]
)
def test_a_page_that_came_without_some_file_is_loaded_again(session_browser, server, file):
    context = new_context(session_browser, viewport={"width": 1280, "height": 900})
    failed = []

    def fail_once(route) -> None:
        if failed:
            route.continue_()
        else:
            failed.append(route.request.url)
            route.abort()

    context.route(f"**/{file}*", fail_once)
    page = sign_in(context, server, "ada")
    page.goto(f"{server.url}/rank")
    # The page may show itself before it is loaded again; what is asked holds of the second only.
    # Nothing is counted any more once it is connected: the next time is a first time again.
    page.wait_for_function(
        """performance.getEntriesByType("navigation")[0].type === "reload"
            && sessionStorage.length === 0"""
    )
    expect(page.get_by_text("Rank the responses").first).to_be_visible()
    assert len(failed) == 1
    context.close()


def test_who_is_signed_out_elsewhere_is_led_to_sign_in_and_back(page, server):
    open_page(page, server, "people", "Invite somebody")
    server.accounts.change_password(
        "ada", PASSWORD, PASSWORD + " 2", "127.0.0.1"
    )  # ends other sign-ins
    expect(page.get_by_text("You were signed out.")).to_be_visible()
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD + " 2")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Invite somebody")).to_be_visible()
    assert page.url == f"{server.url}/people"


def test_on_a_phone_the_pages_are_a_menu_and_nothing_is_wider_than_the_screen(
    session_browser, server
):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    context = new_context(session_browser, **phone)
    page = sign_in(context, server, "ada")
    open_page(page, server, "rank", "Rank the responses")
    link = page.get_by_role("link", name="People")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Pages", exact=True).click()
    link.click()
    expect(page.get_by_text("Invite somebody")).to_be_visible()
    expect(page.get_by_role("button", name="Disable ben")).to_be_visible()
    for name, shows in (("people", "Invite somebody"), ("rank", "Rank the responses")):
        open_page(page, server, name, shows)
        assert page.evaluate("document.documentElement.scrollWidth") == 360, name
    context.close()


def test_a_widget_has_its_style_from_the_start(session_browser, server):
    context = new_context(session_browser, viewport={"width": 360, "height": 740})
    context.route("**/components/**/*.css", lambda route: route.abort())
    page = sign_in(context, server, "ada")
    open_page(page, server, "rank", "Rank the responses")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    context.close()


def test_a_card_that_is_hidden_takes_no_room(page, server):
    # The monitor's card on Rounds, before any job.
    open_page(page, server, "rounds", "Nothing was asked for yet")
    hidden = page.locator(".lab-tool").evaluate_all(
        "cards => cards.filter((card) => !card.getClientRects().length).length"
    )
    assert hidden == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_accessibility_violations(session_browser, server, theme):
    # axe-core is put into the page, which its policy would refuse.
    context = new_context(session_browser, color_scheme=theme, bypass_csp=True)
    page = sign_in(context, server, "ada")
    for name, shows in (("people", "Invite somebody"), ("rank", "Rank the responses")):
        open_page(page, server, name, shows)
        assert violations(page, "html") == [], name
    context.close()
