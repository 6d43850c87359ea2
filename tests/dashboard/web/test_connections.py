"""A page's connection: who may open it, and for how long it is looked at."""

from __future__ import annotations

import json
import time

import pytest
from bokeh.util.token import generate_jwt_token, generate_session_id, get_session_id

from rlhf_lab.dashboard.key import derived, lab_key
from rlhf_lab.dashboard.web.bokeh_pages import SIGN_IN
from tests.dashboard.helpers import Page, handshake
from tests.dashboard.waiting import until


@pytest.fixture
def rosa(server, person):
    """Browser of a researcher of this test alone."""
    return server.signed_in(person("researcher"))


def test_a_page_opens_its_own_connection(rosa):
    assert handshake(rosa, "people", rosa.page_token("people")) == 101


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1", "http://127.0.0.1.evil.example"],
)
def test_a_page_of_another_site_opens_none(rosa, origin):
    token = rosa.page_token("people")
    assert handshake(rosa, "people", token, origin=origin) == 403
    assert handshake(rosa, "people", token) == 101


def test_without_its_cookie_a_token_opens_none(rosa):
    assert handshake(rosa, "people", rosa.page_token("people"), cookie="") == 403


def test_with_the_cookie_of_somebody_else_a_token_opens_none(server, person, rosa):
    other = server.signed_in(person("admin"))
    token = rosa.page_token("people")
    assert handshake(other, "people", token) == 403
    assert handshake(rosa, "people", token) == 101


def test_another_browser_of_the_same_person_opens_none(server, person):
    account = person("researcher")
    one, other = server.signed_in(account), server.signed_in(account)
    assert handshake(other, "people", one.page_token("people")) == 403


def test_an_annotator_opens_none_of_a_researchers_page_with_a_token_of_their_own_page(clients):
    token = clients["annotator"].page_token("rank")
    assert handshake(clients["annotator"], "people", token) == 403
    assert handshake(clients["annotator"], "rank", token) == 101


def test_a_token_opens_its_own_page_alone(rosa):
    assert handshake(rosa, "data", rosa.page_token("people")) == 403


@pytest.mark.parametrize("token", ["", "x", "e30", "a.b", "e30.e30", "A" * 4000])
def test_a_made_up_token_opens_none(rosa, token):
    assert handshake(rosa, "people", token) == 403


def forged(rosa, *, key: bytes, page: str = "people", expiration: int = 300) -> str:
    """The token of an open page, made anew."""
    sign_in = rosa.served.accounts.signed_in(rosa.secret)
    return generate_jwt_token(
        get_session_id(rosa.page_token(page)),
        secret_key=key,
        signed=True,
        expiration=expiration,
        extra_payload={SIGN_IN: sign_in.id},
    )


def test_a_token_counts_only_with_the_labs_signature_and_in_its_time(server, rosa):
    key = derived(lab_key(server.lab), "pages").encode()
    assert handshake(rosa, "people", forged(rosa, key=key)) == 101
    assert handshake(rosa, "people", forged(rosa, key=key, expiration=-1)) == 403
    assert handshake(rosa, "people", forged(rosa, key=b"a key of somebody else's")) == 403


def test_a_session_that_no_page_began_is_not_made(server, rosa):
    key = derived(lab_key(server.lab), "pages").encode()
    token = generate_jwt_token(
        generate_session_id(key, signed=True),
        secret_key=key,
        signed=True,
        extra_payload={SIGN_IN: server.accounts.signed_in(rosa.secret).id},
    )
    assert handshake(rosa, "people", token) == 403


@pytest.mark.parametrize("how", ["bokeh-token", "bokeh-session-id", "Bokeh-Session-Id"])
def test_a_page_is_never_shown_for_a_session_that_the_request_names(rosa, clients, how):
    token = clients["admin"].page_token("people")
    value = token if how == "bokeh-token" else get_session_id(token)
    answer = (
        rosa.get("/rounds", headers={how: value})
        if how.istitle()
        else rosa.get("/rounds", params={how: value})
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("what", ["autoload.js?bokeh-autoload-element=x", "metadata"])
def test_what_embeds_pages_elsewhere_is_closed_to_everybody(clients, what):
    for client in clients.values():
        assert client.get(f"/rank/{what}").status_code == 404


@pytest.mark.parametrize("end", ["signed out", "disabled", "new password"])
def test_a_connection_ends_soon_after_its_sign_in_and_the_page_cannot_open_another(
    server, person, admin, end
):
    account = person("researcher")
    rosa = server.signed_in(account)
    token = rosa.page_token("people")
    with Page(rosa, "people") as page:
        match end:
            case "signed out":
                server.accounts.sign_out(server.accounts.signed_in(rosa.secret).id)
            case "disabled":
                server.accounts.disable(account.name, admin.name)
            case "new password":
                link = server.accounts.reset(account.name, admin.name)
                server.accounts.redeem(link, "a brand new one")
        began = time.monotonic()
        assert page.closed() == 4401
    assert time.monotonic() - began < 10
    assert handshake(rosa, "people", token) == 403


def test_an_act_on_an_open_page_counts_while_the_role_suffices_and_not_a_moment_longer(
    server, person, admin
):
    account = person("researcher")

    def invited() -> set[str]:
        return {ticket.name for ticket in server.accounts.open_tickets()}

    with Page(server.signed_in(account), "people") as page:
        page.act("invite", name="in time", role="annotator")
        until(lambda: "in time" in invited())
        server.accounts.set_role(account.name, "annotator", admin.name)
        page.act("invite", name="too late", role="annotator")
        assert page.closed() == 4401
    assert "too late" not in invited()


def test_on_a_page_that_stays_open_to_them_a_demoted_researchers_act_is_refused(
    server, person, admin
):
    account = person("researcher")
    items = {"enabled": "off", "items": "7"}

    def planned() -> int:
        return server.store.assignments.calibration.items

    with Page(server.signed_in(account), "calibrate") as page:
        page.act("settings", **items)
        until(lambda: planned() == 7)
        server.accounts.set_role(account.name, "annotator", admin.name)
        page.act("settings", **{**items, "items": "8"})
        page.await_told("needs the role researcher")
    assert planned() == 7


def test_an_annotators_page_offers_no_act_of_a_researcher(server, person):
    with Page(server.signed_in(person("annotator")), "calibrate") as page:
        assert "make_gold" not in str(page.document())
        assert 'data-act="settings"' not in json.dumps(page.document()).replace("\\", "")


def test_a_message_that_is_too_long_ends_the_connection_and_not_the_server(rosa):
    with Page(rosa, "people") as page:
        try:
            page.connection.send("x" * (3 * 1024 * 1024))
            assert page.closed() == 1009
        except ConnectionError:
            pass  # it was closed before all of it was sent
    assert rosa.get("/people").status_code == 200
