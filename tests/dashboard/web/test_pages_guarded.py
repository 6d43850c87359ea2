"""Every page over HTTP and over its connection, tried by whoever may not see it."""

from __future__ import annotations

import pytest

from rlhf_lab.dashboard.access import ROLES, is_allowed
from rlhf_lab.dashboard.pages import PAGES
from tests.dashboard.helpers import handshake

LOWER = [
    (page, role) for page in PAGES for role in ROLES if not is_allowed(role, PAGES[page].action)
]


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_sent_to_sign_in_and_comes_back(server, page):
    answer = server.stranger().get(f"/{page}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login?next=/{page}"


@pytest.mark.parametrize(("page", "role"), LOWER)
def test_a_page_is_refused_to_lower_roles_before_anything_is_made(clients, page, role):
    answer = clients[role].get(f"/{page}")
    assert answer.status_code == 403
    assert "token" not in answer.text


@pytest.mark.parametrize("page", PAGES)
def test_an_admin_gets_every_page(clients, page):
    answer = clients["admin"].get(f"/{page}")
    assert answer.status_code == 200
    assert handshake(clients["admin"], page, clients["admin"].page_token(page)) == 101
