"""Every action, tried over HTTP and websockets by nobody and by each role that is too low."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rlhf_lab.dashboard.access import ACTIONS, ROLES, Action, is_allowed
from tests.dashboard.helpers import PASSWORD, Client, handshake, xsrf_of

REFUSED = {302, 401, 403}


def by_page(page: str) -> Callable[[Client], set[int]]:
    """An act that is done on a page: neither it nor its connection opens."""

    def attempt(client: Client) -> set[int]:
        token = client.page_token("rank") if client.secret else "made up"
        return {client.get(f"/{page}").status_code, handshake(client, page, token)}

    return attempt


def by_form(path: str, **fields: str) -> Callable[[Client], set[int]]:
    """An act that is a form of its own: sent with a token that is right."""

    def attempt(client: Client) -> set[int]:
        token = xsrf_of(client.get("/account" if client.secret else "/login").text)
        sent = client.post(path, data={"_xsrf": token, **fields}, headers={"X-XSRFToken": token})
        return {sent.status_code}

    return attempt


def by_address(path: str) -> Callable[[Client], set[int]]:
    return lambda client: {client.get(path).status_code}


# Acts on pages that lower roles see as well are tried in `test_connections.py`.
# A new action is tried here as well, or this file fails.
ATTEMPTS: dict[Action, Callable[[Client], set[int]]] = {
    "rank": by_page("rank"),
    "compare": by_page("evaluate"),
    "calibrate": by_page("calibrate"),
    "change_own_password": by_form("/account", old=PASSWORD, password="x" * 9, again="x" * 9),
    "see_rounds": by_page("rounds"),
    "ask_job": by_page("rounds"),
    "cancel_job": by_page("rounds"),
    "see_agreement": by_page("agreement"),
    "set_plan": by_page("rounds"),
    "make_gold": by_page("agreement"),
    "see_data": by_page("data"),
    "import": by_form("/upload?name=x.jsonl"),
    "export": by_address("/download?what=judgments&format=trl"),
    "see_evaluation": by_page("data"),
    "see_people": by_page("people"),
    "invite": by_page("people"),
    "set_role": by_page("people"),
    "disable": by_page("people"),
    "reset_password": by_page("people"),
}


def test_no_action_is_left_out():
    assert set(ATTEMPTS) == set(ACTIONS)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_stranger_is_refused(server, action):
    assert ATTEMPTS[action](server.stranger()) <= REFUSED


@pytest.mark.parametrize(
    ("action", "role"),
    [(action, role) for action in ACTIONS for role in ROLES if not is_allowed(role, action)],
)
def test_a_role_that_is_too_low_is_refused(clients, action, role):
    assert ATTEMPTS[action](clients[role]) == {403}


@pytest.mark.parametrize("action", ["change_own_password", "import", "export"])
def test_what_is_refused_to_lower_roles_is_heard_from_higher_ones(clients, action):
    assert not ATTEMPTS[action](clients["researcher"]) & REFUSED
