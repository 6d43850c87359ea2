"""Signing in through a provider: a real one, as far as the protocol goes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from urllib.parse import parse_qs, urlsplit

import panel.auth
import pytest
import requests

from rlhf_lab.dashboard.access import Role
from rlhf_lab.dashboard.providers import PROVIDERS, OAuthSettings
from rlhf_lab.dashboard.web.oauth import provider_of, provider_routes
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab import Lab
from tests.dashboard.helpers import PASSWORD, Client, Served, served
from tests.dashboard.web.identity_provider import KEY, SECRET, TOKEN, Identity, identity_provider

_number = count(1)


@pytest.fixture(scope="module")
def at_provider() -> Iterator[Identity]:
    with identity_provider() as running:
        yield running


@pytest.fixture
def provider(at_provider: Identity) -> Identity:
    """The provider, where somebody is signed in whom nobody here knows."""
    at_provider.claims = {"sub": f"subject-{next(_number)}", "email": "ada@example.org"}
    at_provider.changes, at_provider.broken, at_provider.has_id_token = {}, None, True
    return at_provider


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, at_provider: Identity) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("oauth") / "lab"
    Lab(folder, progress=False).close()
    with served(folder, "--no-worker", "--log-level=debug", *at_provider.options) as running:
        accounts = running.accounts
        accounts.redeem(accounts.invite_admin(), PASSWORD, name="Root")
        yield running


def invite(place: Served, role: Role = "annotator", name: str = "") -> str:
    return place.accounts.invite(name or f"{role} {next(_number)}", role, "Root")


def set_out(client: Client, **asked: str) -> str:
    """Where the provider sends the browser back to."""
    away = client.get("/oauth", params=asked)
    assert away.status_code == 302, away.text
    back = requests.get(away.headers["Location"], allow_redirects=False, timeout=60)
    return back.headers["Location"]


def through(client: Client, **asked: str) -> requests.Response:
    """To the provider and back."""
    return client.get(set_out(client, **asked))


def bound(place: Served, provider: Identity, **asked: str) -> str:
    """The name of an account that signs in as whoever is at the provider."""
    name = f"bound {next(_number)}"
    assert through(place.stranger(), invite=invite(place, name=name)).status_code == 302
    return name


# -- who gets in


def test_an_invitation_used_through_the_provider_makes_the_account(place, provider):
    client = place.stranger()
    answer = through(client, invite=invite(place, "researcher", "Ada"))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.is_signed_in()
    account = place.accounts.get("Ada")
    assert account.subject == f"generic:{provider.claims['sub']}"
    assert (account.role, account.has_password) == ("researcher", False)


def test_afterwards_the_provider_is_enough(place, provider):
    name = bound(place, provider)
    client = place.stranger()
    assert through(client, next="/account").headers["Location"] == "/account"
    assert name in client.get("/account").text
    assert client.submit("/account", to="/logout").status_code == 303
    assert not client.is_signed_in()


def test_a_provider_without_id_tokens_is_asked_who_it_is(place, provider):
    provider.has_id_token = False
    name = bound(place, provider)
    client = place.stranger()
    assert through(client).status_code == 302
    assert name in client.get("/account").text


def test_an_admin_link_takes_the_name_from_the_provider(place, provider):
    provider.claims["preferred_username"] = "Grace"
    assert through(place.stranger(), invite=place.accounts.invite_admin()).status_code == 302
    assert place.accounts.get("Grace").role == "admin"


def test_a_reset_link_moves_an_account_to_the_provider(place, provider):
    account = place.accounts.redeem(invite(place, name="Mover"), PASSWORD)
    before = place.signed_in(account)
    assert (
        through(place.stranger(), invite=place.accounts.reset("Mover", "Root")).status_code == 302
    )
    assert not before.is_signed_in()
    assert place.stranger().sign_in("Mover").status_code == 401
    assert through(place.stranger()).status_code == 302


def test_nobody_gets_in_uninvited(place, provider):
    client = place.stranger()
    answer = through(client)
    assert answer.status_code == 403
    assert "nobody was invited" in answer.text
    assert not client.is_signed_in()


def test_a_disabled_account_stays_out(place, provider):
    name = bound(place, provider)
    place.accounts.disable(name, "Root")
    client = place.stranger()
    assert through(client).status_code == 403
    assert not client.is_signed_in()


def test_an_invitation_is_used_once_and_no_person_has_two_accounts(place, provider):
    token = invite(place)
    assert through(place.stranger(), invite=token).status_code == 302
    again = through(place.stranger(), invite=token)
    assert (again.status_code, "used already" in again.text) == (403, True)
    second = invite(place)
    assert through(place.stranger(), invite=second).status_code == 400
    assert place.accounts.ticket(second).name  # and the link is still good for somebody else


# -- whose answer it is


def test_an_answer_for_another_browser_is_refused(place, provider):
    bound(place, provider)
    victim = place.stranger()
    set_out(victim)
    stolen = set_out(place.stranger())
    answer = victim.get(stolen)
    assert answer.status_code == 403
    assert not victim.is_signed_in()


def test_without_having_set_out_nothing_is_taken(place, provider):
    bound(place, provider)
    code = parse_qs(urlsplit(set_out(place.stranger())).query)["code"][0]
    for state in ("", "&state=", "&state=x"):
        client = place.stranger()
        assert client.get(f"/oauth?code={code}{state}").status_code == 403
        assert not client.is_signed_in()


def test_an_answer_is_taken_once(place, provider):
    bound(place, provider)
    client = place.stranger()
    back = set_out(client)
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 403


@pytest.mark.parametrize("wrong", [{"aud": "another"}, {"aud": ["a", "b"]}, {"nonce": "old"}])
def test_what_was_said_to_somebody_else_or_before_is_refused(place, provider, wrong):
    bound(place, provider)
    provider.changes = wrong
    client = place.stranger()
    assert through(client).status_code == 403
    assert not client.is_signed_in()


@pytest.mark.parametrize(
    "broken",
    ['{"error": "invalid_client"}', "<html>", "", "[]", '"text"', "{}"],
    ids=["error", "html", "empty", "list", "text", "nothing"],
)
def test_a_broken_provider_is_said_in_words(place, provider, broken):
    provider.broken = broken
    client = place.stranger()
    answer = through(client)
    assert answer.status_code == 403
    assert "does not say who you are" in answer.text
    assert not client.is_signed_in()


def test_a_refusal_by_the_provider_is_said_without_its_words(place, provider):
    client = place.stranger()
    words = {"error": "access_denied", "error_description": "<script>alert(1)</script>"}
    answer = client.get("/oauth", params=words)
    assert answer.status_code == 403
    assert "did not let you in" in answer.text
    assert "alert(1)" not in answer.text


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_elsewhere(place, provider, wanted):
    bound(place, provider)
    assert through(place.stranger(), next=wanted).headers["Location"] == "/"


def test_the_browser_keeps_no_token_and_the_log_no_secret(place, provider):
    client = place.stranger()
    token = invite(place)
    back = set_out(client, invite=token)
    answer = client.get(back)
    assert {cookie.name for cookie in client.cookies} == {client.cookie_name}
    (kept,) = [c for c in answer.headers["Set-Cookie"].split(", ") if client.cookie_name in c]
    assert "HttpOnly" in kept
    assert "SameSite=Lax" in kept
    provider.broken = f'{{"error": "x", "id_token": "{TOKEN}"}}'
    through(place.stranger())
    code = parse_qs(urlsplit(back).query)["code"][0]
    log = place.log.read_text()
    for secret in (token, TOKEN, SECRET, code):
        assert secret not in log


def test_pages_offer_it(place):
    assert 'href="/oauth?next=' in place.stranger().get("/login").text
    token = invite(place)
    assert f'href="/oauth?invite={token}"' in place.stranger().get(f"/invite/{token}").text


def test_the_provider_is_asked_for_an_identity_and_nothing_more(place, provider):
    asked = parse_qs(urlsplit(place.stranger().get("/oauth").headers["Location"]).query)
    assert asked["scope"] == ["openid email profile"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{place.url}/oauth"]
    assert "client_secret" not in asked


# -- settings


GOOD = {"AUTHORIZE_URL": "https://id.example.org/a", "TOKEN_URL": "https://id.example.org/t"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"provider": "myspace"}, "'myspace': use one of generic, auth0"),
        ({"provider": "password"}, "use one of generic"),
        ({"secret": ""}, "RLHF_LAB_OAUTH_SECRET"),
        ({"key": ""}, "--oauth-key"),
        ({"options": {}}, "AUTHORIZE_URL="),
        ({"options": {**GOOD, "colour": "red"}}, "--oauth-option colour"),
        ({"options": {**GOOD, "TOKEN_URL": "http://id.example.org/t"}}, "begins with https://"),
        ({"options": {**GOOD, "USER_URL": "ftp://id.example.org"}}, "begins with https://"),
        ({"provider": "okta", "options": {}}, "url="),
    ],
)
def test_settings_that_cannot_work_are_refused(changes, words):
    good = {"provider": "generic", "key": KEY, "secret": SECRET, "options": GOOD}
    assert SECRET not in repr(OAuthSettings(**good))
    with pytest.raises(ConfigError, match=words) as refused:
        OAuthSettings(**{**good, **changes})
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", PROVIDERS)
def test_panel_knows_every_provider_that_is_offered(name, monkeypatch):
    options = {**GOOD, "tenant": "t", "subdomain": "lab", "url": "id.example.org"}
    before = panel.auth.config.oauth_extra_params
    settings = OAuthSettings(provider=name, key=KEY, secret=SECRET, options=options)
    try:
        ((_, handler),) = provider_routes(settings)
        # Without a request: only what it knows of the provider is read.
        made = handler.__new__(handler)
        assert made._OAUTH_AUTHORIZE_URL.startswith("https://")
        assert made._OAUTH_ACCESS_TOKEN_URL.startswith("https://")
        assert list(made._SCOPE) == settings.scope
        assert settings.kind.subject == made._USER_KEY
    finally:
        panel.auth.config.oauth_extra_params = before
    assert provider_of(settings).title == PROVIDERS[name].title
    assert provider_of(None) is None
