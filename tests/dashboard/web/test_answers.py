"""What every answer has, and what none holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from bokeh.util.token import get_token_payload

from rlhf_lab.dashboard.accounts.names import name_key
from rlhf_lab.dashboard.pages import PAGES
from tests.widgets.xss_corpus import TAGS

PATHS = [
    "/login",
    "/account",
    "/invite/" + "A" * 43,
    "/nothing/here",
    "/assets/dashboard.css",
    "/static/js/bokeh.min.js",
    "/static/extensions/panel/panel.min.js",
    "/components/rlhf_lab.widgets.panel/RankingPane/_bundle_path/static/ranker.js",
    "/healthz",
    "/favicon.ico",
    "/rank",
    "/",
]


@pytest.mark.parametrize("who", ["stranger", "admin"])
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_guarded_against_framing_sniffing_and_foreign_scripts(
    server, clients, path, who
):
    client = server.stranger() if who == "stranger" else clients[who]
    headers = client.get(path).headers
    policy = directives(headers["Content-Security-Policy"])
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "'unsafe-inline'" not in policy["script-src"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Request-Id"]
    assert "Server" not in headers


def directives(policy: str) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in policy.split(";"))
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("path", ["/login", "/rank", "/account"])
def test_under_an_address_it_does_not_know_a_server_says_what_to_do(server, clients, path):
    answer = clients["admin"].get(path, headers={"Host": "rebound.evil.example"})
    assert answer.status_code == 400
    assert f"open {server.url}, or" in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_its_own_scripts_alone_and_asks_no_other_host(clients, page):
    answer = clients["admin"].get(f"/{page}")
    policy = directives(answer.headers["Content-Security-Policy"])
    nonce = re.search(r"'nonce-([\w-]{20,})'", policy["script-src"])[1]
    for tag in re.findall(r"<script[^>]*>", answer.text):
        assert f'nonce="{nonce}"' in tag or 'src="/' in tag
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)
    again = clients["admin"].get(f"/{page}")
    assert nonce not in again.headers["Content-Security-Policy"]


def test_nothing_that_signs_in_can_be_read_in_a_page(server, person):
    client = server.signed_in(person("annotator"))
    answer = client.get("/rank", headers={"X-Secret": "of a proxy"})
    assert answer.status_code == 200
    token = re.search(r'"token":"([^"]+)"', answer.text)[1]
    payload = get_token_payload(token)
    assert client.secret not in answer.text
    assert client.secret not in str(payload)
    assert payload["cookies"] == payload["headers"] == {}
    assert server.accounts.signed_in(payload["sign_in"]) is None  # it is public, and opens nothing


def test_pages_and_refusals_are_kept_by_no_cache(server, clients):
    for path in ("/rank", "/account", "/login", "/nothing/here"):
        assert clients["admin"].get(path).headers["Cache-Control"] == "no-store"
    assert server.stranger().get("/rank").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "antigravity/x/y/z",
        "torch/nn/__css__/x",
        "rlhf_lab.nowhere/X/_bundle_path/x.js",
        "rlhf_lab.widgets.panel/RankingPane/_bundle_path/../../../../etc/passwd",
        "rlhf_lab.widgets.panel/RankingPane/_bundle_path/static/comparer.js",
        "rlhf_lab.dashboard.key/lab_key/_css/x",
        "panel/nothing",
    ],
)
def test_no_module_and_no_file_is_opened_because_an_address_names_it(clients, path):
    assert clients["admin"].get(f"/components/{path}").status_code in (400, 403, 404)


def test_the_files_of_components_are_not_for_strangers(server, clients):
    path = "/components/rlhf_lab.widgets.panel/RankingPane/_bundle_path/static/ranker.js"
    clients["annotator"].get("/rank")
    assert clients["annotator"].get(path).status_code == 200
    assert server.stranger().get(path).status_code in (302, 401)


@pytest.mark.parametrize("path", ["../server.py", "..%2Fserver.py", "/etc/passwd"])
def test_no_file_outside_is_served(server, path):
    answer = server.stranger().get(f"/assets/{path}")
    assert answer.status_code in (400, 403, 404)


@pytest.mark.parametrize("tag", TAGS)
def test_a_name_that_was_typed_is_shown_as_text(server, tag):
    client = server.stranger()
    client.headers["X-Forwarded-For"] = "10.1.1.1"  # after some of them it is throttled, and shown
    assert built(client.sign_in(tag, "wrong").text) == built(client.sign_in("Al", "wrong").text)


def test_names_of_accounts_are_shown_as_text_on_every_plain_page(server, admin):
    hostile = {name_key(tag): tag for tag in TAGS if tag == " ".join(tag.split()) and len(tag) < 65}
    pages = [
        plain_pages(server, server.accounts.invite(name, "annotator", admin.name))
        for name in ("Al", *list(hostile.values())[::9][:4])
    ]
    assert all(page == pages[0] for page in pages)


def plain_pages(server, token: str) -> list[list[tuple[str, ...]]]:
    """How the pages are built that show the name of somebody who was invited."""
    client, link = server.stranger(), f"/invite/{token}"
    shown = [client.get(link)]
    password = {"password": "correct horse battery", "again": "correct horse battery"}
    assert client.submit(link, **password).status_code == 303
    return [built(page.text) for page in (*shown, client.get("/account"), client.get("/rank"))]


@pytest.mark.parametrize(
    "path", ["/login?next=/{}", "/login?ended={}", "/{}", "/account?changed={}"]
)
def test_what_stands_in_an_address_is_shown_as_text_or_not_at_all(server, clients, path):
    for client in (server.stranger(), clients["annotator"]):
        harmless = built(client.get(path.format("x")).text)
        for tag in TAGS[:8]:
            assert built(client.get(path.format(tag)).text) == harmless


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))


def built(html: str) -> list[tuple[str, ...]]:
    """Every tag of a page with its attributes' names: what a text must never change."""
    parser = _Tags()
    parser.feed(html)
    assert len(parser.found) > 5 or not html.startswith("<!doctype")
    return parser.found
