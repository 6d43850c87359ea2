"""Links that make accounts and set passwords, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.types import utc_now
from tests.dashboard.helpers import PASSWORD, QUICK

NEW = {"password": PASSWORD, "again": PASSWORD}
_guests = count(1)


@pytest.fixture
def invite(server, admin):
    """Makes links for names that no other test has."""

    def make(role="annotator", *, name=""):
        name = name or f"guest {next(_guests)}"
        return "/invite/" + server.accounts.invite(name, role, admin.name)

    return make


def test_a_link_makes_the_account_and_signs_in(server, invite):
    link, client = invite("researcher", name="Grace"), server.stranger()
    assert "You will be <strong>Grace</strong> here, a researcher." in client.get(link).text
    answer = client.submit(link, **NEW)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.is_signed_in()
    assert server.stranger().sign_in("Grace").status_code == 303


def test_looking_at_a_link_does_not_use_it_up(server, invite):
    link = invite()
    for _ in range(3):  # as programs do that preview what is in a message
        assert server.stranger().get(link).status_code == 200
    assert server.stranger().submit(link, **NEW).status_code == 303


def test_a_link_is_used_once(server, invite):
    link, late = invite(), server.stranger()
    form = late.get(link)
    assert server.stranger().submit(link, **NEW).status_code == 303
    token = form.text.split('name="_xsrf" value="')[1].split('"')[0]
    for answer in (late.post(link, data={"_xsrf": token, **NEW}), late.get(link)):
        assert answer.status_code == 410
        assert "used already" in answer.text
    assert late.secret is None


def test_an_expired_link_is_refused_with_when_it_expired(server, admin):
    ten_days_ago = utc_now() - timedelta(days=10)
    then = Accounts(server.store.database, lambda: ten_days_ago, passwords=QUICK)
    token = then.invite("too late", "annotator", admin.name, days=7)
    answer = server.stranger().get(f"/invite/{token}")
    assert answer.status_code == 410
    assert f"expired on {ten_days_ago + timedelta(days=7):%d %B %Y}" in answer.text
    assert server.accounts.get("too late") is None


def test_a_made_up_link_is_refused_and_says_nothing_of_others(server, invite):
    invite()
    answer = server.stranger().get("/invite/" + "A" * 43)
    assert answer.status_code == 410
    assert "not known" in answer.text


@pytest.mark.parametrize("token", ["x", "../../etc/passwd", "A" * 500, "%00", "<script>"])
def test_what_cannot_be_a_link_is_not_there(server, token):
    assert server.stranger().get(f"/invite/{token}").status_code == 404


def test_the_role_and_the_name_are_the_links_whatever_the_form_says(server, invite):
    client = server.stranger()
    client.submit(invite(name="Small"), **NEW, name="Root 2", role="admin")
    assert server.accounts.get("Small").role == "annotator"
    assert server.accounts.get("Root 2") is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "short", "again": "short"}, "use at least 10"),
        ({"again": "something else"}, "The two passwords differ"),
        ({"password": "aaaaaaaaaa", "again": "aaaaaaaaaa"}, "different characters"),
    ],
)
def test_a_refused_password_says_why_and_leaves_the_link_as_it_was(server, invite, fields, words):
    link, client = invite(), server.stranger()
    answer = client.submit(link, **{**NEW, **fields})
    assert answer.status_code == 400
    assert words in answer.text
    assert client.submit(link, **NEW).status_code == 303


def test_a_reset_link_signs_out_everywhere_else(server, person, admin):
    account = person("annotator")
    elsewhere, client = server.signed_in(account), server.stranger()
    link = "/invite/" + server.accounts.reset(account.name, admin.name)
    assert f"A new password for <strong>{account.name}</strong>" in client.get(link).text
    fields = {"password": "a brand new one", "again": "a brand new one"}
    assert client.submit(link, **fields).status_code == 303
    assert client.is_signed_in()
    assert not elsewhere.is_signed_in()


def test_the_address_of_a_link_is_told_to_no_other_site(server, invite):
    answer = server.stranger().get(invite())
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "http" not in answer.text.replace(server.url, "")  # nothing of another host is asked for


def test_the_secret_of_a_link_is_not_in_the_log(server, invite):
    link = invite()
    server.stranger().submit(link, **NEW)
    assert link.rpartition("/")[2] not in server.log.read_text()
    assert "/invite/" in server.log.read_text()
