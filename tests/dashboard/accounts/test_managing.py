"""Who may change whose account."""

from __future__ import annotations

from itertools import product

import pytest

from rlhf_lab.dashboard.access import ROLES
from rlhf_lab.errors import ConfigError, NotAllowed
from tests.dashboard.helpers import PASSWORD

# By the role of who asks: the roles of those whose accounts they may make and change.
MANAGED = {
    "annotator": (),
    "researcher": ("annotator", "researcher"),
    "admin": ("annotator", "researcher", "admin"),
}
BY = {"annotator": "ann", "researcher": "rosa", "admin": "ada"}
REFUSED = [(by, role) for by, role in product(ROLES, ROLES) if role not in MANAGED[by]]
ALLOWED = [(by, role) for by in ROLES for role in MANAGED[by]]


@pytest.fixture
def target(accounts):
    """Makes an account of a role, which is nobody's own."""

    def make(role):
        return accounts.redeem(accounts.invite(f"the {role}", role, "ada"), PASSWORD).name

    return make


@pytest.mark.parametrize(("by", "role"), REFUSED)
def test_what_a_role_may_not_manage_it_cannot_touch_in_any_way(accounts, target, by, role):
    name, before = target(role), accounts.all()
    for act in (
        lambda: accounts.invite("new", role, BY[by]),
        lambda: accounts.reset(name, BY[by]),
        lambda: accounts.disable(name, BY[by]),
        lambda: accounts.enable(name, BY[by]),
        lambda: accounts.set_role(name, "annotator", BY[by]),
    ):
        with pytest.raises(NotAllowed, match=f"{BY[by]} is {by}"):
            act()
    assert accounts.all() == before
    assert accounts.open_tickets() == []


@pytest.mark.parametrize(("by", "role"), ALLOWED)
def test_what_a_role_may_manage_it_can_change(accounts, target, by, role):
    name = target(role)
    assert accounts.invite("new", role, BY[by])
    assert accounts.reset(name, BY[by])
    assert accounts.disable(name, BY[by]).disabled
    assert not accounts.enable(name, BY[by]).disabled
    assert accounts.set_role(name, "annotator", BY[by]).role == "annotator"


def test_a_researcher_makes_nobody_an_admin(accounts):
    with pytest.raises(NotAllowed, match="takes the role admin"):
        accounts.set_role("ann", "admin", "rosa")
    assert accounts.get("ann").role == "annotator"


@pytest.mark.parametrize("name", ["ada", "ADA"])
def test_nobody_changes_their_own_account_so_there_is_always_an_admin(accounts, name):
    for act in (
        lambda: accounts.set_role(name, "annotator", "ada"),
        lambda: accounts.disable(name, "ada"),
        lambda: accounts.reset(name, "ada"),
    ):
        with pytest.raises(NotAllowed, match="own account"):
            act()
    assert accounts.has_admin()


def test_of_two_admins_who_demote_each_other_one_remains(accounts):
    accounts.set_role("rosa", "admin", "ada")
    accounts.set_role("ada", "annotator", "rosa")
    with pytest.raises(NotAllowed):
        accounts.set_role("rosa", "annotator", "ada")
    assert accounts.has_admin()


@pytest.mark.parametrize("by", ["nobody", "", "rlhf-lab serve"])
def test_who_has_no_account_changes_nothing(accounts, by):
    with pytest.raises(NotAllowed, match="no account here"):
        accounts.disable("ann", by)


def test_a_disabled_researcher_changes_nothing(accounts):
    accounts.disable("rosa", "ada")
    with pytest.raises(NotAllowed, match="no account here"):
        accounts.disable("ann", "rosa")


def test_a_name_is_taken_however_its_case_is_written(accounts):
    with pytest.raises(ConfigError, match="of the name ann exists"):
        accounts.invite("ANN", "annotator", "rosa")
    accounts.disable("ann", "rosa")
    with pytest.raises(ConfigError, match="is disabled: enable it"):
        accounts.invite("Ann", "annotator", "rosa")


def test_of_two_invites_for_one_name_the_second_to_be_used_is_refused(accounts):
    one, other = (accounts.invite(name, "annotator", "rosa") for name in ("Bo", "BO"))
    accounts.redeem(one, PASSWORD)
    with pytest.raises(ConfigError, match="of the name Bo exists"):
        accounts.redeem(other, PASSWORD)


def test_unknown_accounts_and_roles_are_named(accounts):
    with pytest.raises(ConfigError, match="'nobody': nobody has this name"):
        accounts.disable("nobody", "ada")
    with pytest.raises(ConfigError, match="role='owner': use one of annotator, researcher, admin"):
        accounts.set_role("ann", "owner", "ada")


def test_everybody_is_listed_by_name_and_found_however_it_is_written(accounts):
    assert [account.name for account in accounts.all()] == ["ada", "ann", "ron", "rosa"]
    assert accounts.get("ROSA").name == "rosa"
    assert accounts.get("nobody") is None
