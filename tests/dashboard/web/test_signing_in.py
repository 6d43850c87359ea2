"""Signing in and out over HTTP, as a browser does it and as an attacker would."""

from __future__ import annotations

import pytest

from rlhf_lab.errors import WrongPassword
from tests.dashboard.helpers import PASSWORD, Client, xsrf_of

WRONG = "The name or the password is wrong: check both and try again."


def cookie_of(answer, client: Client):
    cookies = answer.raw.headers.getlist("Set-Cookie")
    return next(cookie for cookie in cookies if cookie.startswith(client.cookie_name))


def test_the_right_password_signs_in_and_leads_to_the_lab(server, person):
    client = server.stranger()
    answer = client.sign_in(person("annotator").name)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.is_signed_in()
    assert client.get("/").headers["Location"] == "/rank"


def test_the_cookie_is_for_this_server_alone_and_no_script_reads_it(server, person):
    client = server.stranger()
    cookie = cookie_of(client.sign_in(person("annotator").name), client)
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"httponly", "path=/", "samesite=lax"}  # "secure" behind TLS, see below


def test_a_sign_in_is_a_new_one_whatever_cookie_the_browser_came_with(server, person):
    victim, attacker = person("annotator"), server.signed_in(person("annotator"))
    client = server.stranger()
    client.secret = attacker.secret
    client.post("/logout")  # without a form's token it is refused, and the cookie stays
    page = server.stranger().get("/login")
    client.cookies.set("_xsrf", xsrf_of(page.text), domain="127.0.0.1", path="/")
    fields = {"_xsrf": xsrf_of(page.text), "name": victim.name, "password": PASSWORD}
    assert client.post("/login", data=fields).status_code == 303
    assert client.secret not in (None, attacker.secret)
    assert server.accounts.signed_in(client.secret).account == victim
    assert server.accounts.signed_in(attacker.secret).account.name != victim.name


@pytest.mark.parametrize("planted", ["A" * 43, "", "made up", "\\x00"])
def test_a_made_up_cookie_is_nobody_and_is_not_taken_over(server, person, planted):
    client = server.stranger()
    client.secret = planted
    assert client.get("/account").status_code == 302
    client.sign_in(person("annotator").name)
    assert client.secret != planted


def test_signing_out_ends_the_sign_in_and_not_only_the_cookie(server, person):
    client = server.signed_in(person("annotator"))
    stolen = client.secret
    answer = client.submit("/account", to="/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert client.secret is None
    client.secret = stolen
    assert not client.is_signed_in()


def test_a_cookie_is_of_no_use_after_a_new_password_and_the_browser_gets_another(server, person):
    account = person("annotator")
    client, elsewhere = server.stranger(), server.signed_in(account)
    client.sign_in(account.name)
    stolen = client.secret
    fields = {"old": PASSWORD, "password": "a brand new one", "again": "a brand new one"}
    answer = client.submit("/account", **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account?changed=1")
    assert client.is_signed_in()
    assert not elsewhere.is_signed_in()
    client.secret = stolen
    assert not client.is_signed_in()
    assert server.stranger().sign_in(account.name).status_code == 401
    assert server.stranger().sign_in(account.name, "a brand new one").status_code == 303


def test_a_cookie_is_of_no_use_once_the_account_is_disabled(server, person, admin):
    account = person("annotator")
    client = server.signed_in(account)
    assert client.is_signed_in()
    server.accounts.disable(account.name, admin.name)
    assert not client.is_signed_in()
    assert server.stranger().sign_in(account.name).status_code == 401


def test_the_sixth_wrong_password_in_a_row_is_throttled(server, person):
    account, client = person("annotator"), server.stranger()
    answers = [client.sign_in(account.name, "wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert WRONG in answers[0].text
    assert 25 <= int(answers[-1].headers["Retry-After"]) <= 30
    assert "Too many wrong passwords in a row" in answers[-1].text
    refused = client.sign_in(account.name)  # nor is the right one looked at
    assert refused.status_code == 429
    assert client.secret is None


def test_a_browser_that_the_account_has_signed_in_with_is_not_kept_out_by_others(server, person):
    account, own, attacker = person("annotator"), server.stranger(), server.stranger()
    own.sign_in(account.name)
    own.submit("/account", to="/logout")
    assert [attacker.sign_in(account.name, "wrong").status_code for _ in range(6)][-1] == 429
    assert own.sign_in(account.name).status_code == 303


def test_what_makes_a_browser_known_is_signed(server, person):
    account, attacker = person("annotator"), server.stranger()
    forged = f'"2|1:0|10:1795823102|{account.name}:made-up|0123456789abcdef"'
    attacker.cookies.set(f"lab_browser_{server.port}", forged, domain="127.0.0.1", path="/")
    assert [attacker.sign_in(account.name, "wrong").status_code for _ in range(6)][-1] == 429


def test_wrong_passwords_are_counted_for_the_address_that_a_trusted_proxy_tells(server, person):
    attacker = server.stranger()
    address = attacker.headers["X-Forwarded-For"]
    for number in range(19):  # hashing as the server does it would take long
        with pytest.raises(WrongPassword):
            server.accounts.sign_in(f"guess {number}", "wrong", address)
    assert attacker.sign_in("guess 20", "wrong").status_code == 401
    account = person("annotator")
    assert attacker.sign_in(account.name).status_code == 429
    # What a client itself wrote stands further left, and is no way around it.
    attacker.headers["X-Forwarded-For"] = "203.0.113.5, " + attacker.headers["X-Forwarded-For"]
    assert attacker.sign_in(account.name).status_code == 429
    assert server.stranger().sign_in(account.name).status_code == 303


def test_an_unknown_name_is_refused_in_the_same_words(server, person):
    known = server.stranger().sign_in(person("annotator").name, "wrong")
    unknown = server.stranger().sign_in("nobody at all", "wrong")
    assert known.status_code == unknown.status_code == 401
    for answer in (known, unknown):
        assert WRONG in answer.text


@pytest.mark.parametrize("path", ["/login", "/logout", "/account"])
def test_a_post_without_the_forms_token_is_refused(server, person, path):
    client = server.signed_in(person("annotator"))
    fields = {"old": PASSWORD, "password": "a brand new one", "again": "a brand new one"}
    client.get("/account")  # it has the token's cookie
    for token in ({}, {"_xsrf": ""}, {"_xsrf": "2|00000000|" + "0" * 32 + "|1795823102"}):
        assert client.post(path, data={**token, **fields}).status_code == 403
    assert client.is_signed_in()


def test_a_token_of_another_browser_is_refused(server):
    client = server.stranger()
    client.get("/login")
    token = xsrf_of(server.stranger().get("/login").text)
    assert client.post("/login", data={"_xsrf": token, "name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1.evil.example"]
)
def test_a_post_from_a_page_of_another_site_is_refused_though_its_token_is_right(
    server, person, origin
):
    client = server.signed_in(person("annotator"))
    token = xsrf_of(client.get("/account").text)
    answer = client.post("/logout", data={"_xsrf": token}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert client.is_signed_in()


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "evil.example",
        "/ /evil.example\r\nSet-Cookie: x=y",
    ],
)
def test_signing_in_leads_to_no_other_site(server, person, target):
    answer = server.stranger().sign_in(person("annotator").name, next=target)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    client = server.stranger()
    assert 'name="next" value="/"' in client.get("/login", params={"next": target}).text


def test_signing_in_leads_back_to_the_page_that_was_asked_for(server, person):
    answer = server.stranger().sign_in(person("annotator").name, next="/data?version=policy@1")
    assert answer.headers["Location"] == "/data?version=policy@1"


def test_whoever_was_signed_out_comes_back_to_the_page_they_were_on(server):
    client = server.stranger()
    page = client.get("/login?ended=1", headers={"Referer": f"{server.url}/people"})
    assert "You were signed out" in page.text
    assert 'name="next" value="/people"' in page.text
    foreign = client.get("/login?ended=1", headers={"Referer": "http://evil.example/people"})
    assert 'name="next" value="/"' in foreign.text


def test_whoever_is_signed_in_need_not_do_it_again(clients):
    answer = clients["annotator"].get("/login", params={"next": "/calibrate"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/calibrate")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"old": "wrong"}, 401, "The present password is wrong"),
        ({"again": "another one!"}, 400, "The two new passwords differ"),
        ({"password": "short", "again": "short"}, 400, "use at least 10"),
    ],
)
def test_a_new_password_that_is_refused_changes_nothing(server, person, fields, status, words):
    account = person("annotator")
    client = server.signed_in(account)
    right = {"old": PASSWORD, "password": "a brand new one", "again": "a brand new one"}
    answer = client.submit("/account", **{**right, **fields})
    assert (answer.status_code, words in answer.text) == (status, True)
    assert client.is_signed_in()
    assert server.accounts.sign_in(account.name, PASSWORD, "192.0.2.1")


@pytest.mark.parametrize("path", ["/login", "/invite/" + "A" * 43, "/account"])
def test_a_body_that_is_too_large_is_refused_and_the_server_goes_on(server, person, path):
    client = server.signed_in(person("annotator"))
    token = xsrf_of(client.get("/account").text)
    try:
        answer = client.post(path, data={"_xsrf": token, "password": "x" * 2_000_000})
        assert answer.status_code == 400
    except OSError:
        pass  # the connection was closed before all of it was sent
    assert client.is_signed_in()
