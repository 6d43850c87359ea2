from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.errors import ConfigError, LabError, NotAllowed, TicketError, WrongPassword
from rlhf_lab.store import PreferenceStore
from rlhf_lab.store.tables import TicketRow
from tests.dashboard.helpers import PASSWORD, QUICK

HERE = "192.0.2.7"


def test_an_invite_makes_the_account_it_names(accounts):
    token = accounts.invite("Bo", "annotator", "rosa")
    assert accounts.ticket(token).name == "Bo"
    made = accounts.redeem(token, PASSWORD, name="somebody else")
    assert (made.name, made.role, made.created_by) == ("Bo", "annotator", "rosa")
    assert accounts.sign_in("bo", PASSWORD, HERE)


def test_the_secret_of_a_link_is_kept_nowhere(accounts):
    token = accounts.invite("Bo", "annotator", "rosa")
    assert len(token) == 43
    with accounts._database.read() as session:
        assert all(token not in str(row.__dict__) for row in session.query(TicketRow))


def test_a_link_is_used_once(accounts):
    token = accounts.invite("Bo", "annotator", "rosa")
    accounts.redeem(token, PASSWORD)
    for use in (lambda: accounts.ticket(token), lambda: accounts.redeem(token, "another one!")):
        with pytest.raises(TicketError, match="used already"):
            use()


def test_of_many_who_use_a_link_at_once_one_does(database):
    with PreferenceStore(database) as store:
        accounts = Accounts(store.database, passwords=QUICK)
        token = accounts.invite_admin()

        def use(number):
            try:
                return accounts.redeem(token, PASSWORD, name=f"admin {number}").name
            except LabError as error:
                return type(error)

        with ThreadPoolExecutor(8) as threads:
            came_of_it = list(threads.map(use, range(8)))
        assert came_of_it.count(TicketError) == 7
        assert len(accounts.all()) == 1


def test_a_link_expires(accounts, clock):
    token = accounts.invite("Bo", "annotator", "rosa", days=2)
    clock.tick(days=2)
    with pytest.raises(TicketError, match="expired on 03 March 2025 at 12:00 UTC"):
        accounts.redeem(token, PASSWORD)
    assert accounts.open_tickets() == []


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "\ud800", "'; drop table tickets; --"])
def test_a_made_up_link_is_unknown(accounts, token):
    accounts.invite("Bo", "annotator", "rosa")
    with pytest.raises(TicketError, match="not known"):
        accounts.ticket(token)


def test_a_second_link_for_somebody_takes_the_place_of_the_first(accounts):
    first, second = (accounts.invite("Bo", "annotator", "rosa") for _ in range(2))
    with pytest.raises(TicketError, match="not known"):
        accounts.ticket(first)
    assert accounts.ticket(second)


def test_a_link_may_be_withdrawn_by_whoever_may_make_it(accounts):
    token = accounts.invite("Boss", "admin", "ada")
    with pytest.raises(NotAllowed):
        accounts.withdraw("Boss", "rosa")
    assert accounts.ticket(token)
    accounts.withdraw("Boss", "ada")
    with pytest.raises(TicketError):
        accounts.ticket(token)


def test_open_links_are_listed_without_their_secrets(accounts):
    accounts.invite("Bo", "annotator", "rosa")
    accounts.reset("ann", "ron")
    assert [(t.name, t.purpose, t.created_by) for t in accounts.open_tickets()] == [
        ("Bo", "invite", "rosa"),
        ("ann", "reset", "ron"),
    ]


def test_a_refused_password_leaves_the_link_as_it_was(accounts):
    token = accounts.invite("Bo", "annotator", "rosa")
    with pytest.raises(ConfigError, match="characters"):
        accounts.redeem(token, "short")
    assert accounts.redeem(token, PASSWORD)


def test_a_reset_keeps_the_old_password_until_it_is_used_and_then_ends_every_sign_in(accounts):
    secret = accounts.sign_in("ann", PASSWORD, HERE)
    token = accounts.reset("ann", "rosa")
    assert accounts.signed_in(secret)
    accounts.redeem(token, "a brand new one")
    assert accounts.signed_in(secret) is None
    with pytest.raises(WrongPassword):
        accounts.sign_in("ann", PASSWORD, HERE)
    assert accounts.sign_in("ann", "a brand new one", HERE)


def test_links_of_and_for_a_disabled_account_are_of_no_use(accounts):
    made, given = accounts.invite("Bo", "annotator", "rosa"), accounts.reset("rosa", "ada")
    accounts.disable("rosa", "ada")
    for token in (made, given):
        with pytest.raises(TicketError):
            accounts.ticket(token)
    with pytest.raises(NotAllowed, match="enable"):
        accounts.reset("rosa", "ada")


def test_a_new_password_makes_a_reset_link_useless(accounts):
    token = accounts.reset("ann", "rosa")
    accounts.change_password("ann", PASSWORD, "a brand new one", HERE)
    with pytest.raises(TicketError):
        accounts.ticket(token)


def test_who_loses_a_role_loses_the_links_they_made_and_who_gains_one_does_not(accounts):
    kept = accounts.invite("Bo", "annotator", "ron")
    lost = accounts.invite("Cy", "annotator", "rosa")
    accounts.set_role("ron", "admin", "ada")
    accounts.set_role("rosa", "annotator", "ada")
    assert accounts.ticket(kept)
    with pytest.raises(TicketError):
        accounts.ticket(lost)


def test_the_admins_link_leaves_the_name_to_whoever_uses_it_and_is_one_at_a_time(accounts):
    first, second = accounts.invite_admin(), accounts.invite_admin()
    with pytest.raises(TicketError):
        accounts.ticket(first)
    with pytest.raises(ConfigError, match="1 to 64 characters"):
        accounts.redeem(second, PASSWORD)
    made = accounts.redeem(second, PASSWORD, name="Cleo")
    assert (made.name, made.role) == ("Cleo", "admin")
    assert accounts.open_tickets() == []


def test_there_is_an_admin_once_the_link_is_used(tmp_path):
    with PreferenceStore(tmp_path / "lab.db") as store:
        accounts = Accounts(store.database, passwords=QUICK)
        assert not accounts.has_admin()
        token = accounts.invite_admin()
        assert not accounts.has_admin()
        accounts.redeem(token, PASSWORD, name="ada")
        assert accounts.has_admin()


@pytest.mark.parametrize("days", [0, -1, 91, float("nan")])
def test_days_outside_the_range_are_refused(accounts, days):
    with pytest.raises(ConfigError, match="days="):
        accounts.invite("Bo", "annotator", "rosa", days=days)


def test_no_two_accounts_of_a_provider_are_one_person(accounts):
    accounts.redeem_with(accounts.invite("Bo", "annotator", "rosa"), "github:bo")
    token = accounts.invite("Cy", "annotator", "rosa")
    with pytest.raises(ConfigError, match="github:bo signs in as Bo already"):
        accounts.redeem_with(token, "github:bo")
    assert accounts.ticket(token)
