from __future__ import annotations

from typing import get_args

import pytest

from rlhf_lab.dashboard.access import ACTIONS, ROLES, Action, Actor, is_allowed, is_manager_of
from rlhf_lab.dashboard.accounts import Accounts
from rlhf_lab.errors import NotAllowed, SignedOut
from rlhf_lab.store import PreferenceStore
from tests.dashboard.helpers import PASSWORD, QUICK

# Written down a second time on purpose: a change of what a role may do is a change of this.
ENDS = ("signs out", "is disabled", "has a new password", "is reset")
ANNOTATORS_MAY = {"rank", "compare", "calibrate", "change_own_password"}


@pytest.fixture(scope="module")
def accounts(tmp_path_factory):
    with PreferenceStore(tmp_path_factory.mktemp("access") / "lab.db") as store:
        made = Accounts(store.database, passwords=QUICK)
        made.redeem(made.invite_admin(), PASSWORD, name="admin")
        for name in ("researcher", "annotator", "demoted", *ENDS):
            role = name if name in ROLES else "researcher"
            made.redeem(made.invite(name, role, "admin"), PASSWORD)
        yield made


@pytest.fixture(scope="module")
def actors(accounts) -> dict[str, Actor]:
    """Somebody of each role."""
    return {role: actor(accounts, role) for role in ROLES}


def actor(accounts, name) -> Actor:
    return Actor(accounts, accounts.signed_in(accounts.begin_sign_in(name)).id)


def test_every_action_has_a_least_role():
    assert set(ACTIONS) == set(get_args(Action))
    assert set(ACTIONS.values()) <= set(ROLES)


def test_annotators_may_judge_and_nothing_else():
    assert {action for action in ACTIONS if is_allowed("annotator", action)} == ANNOTATORS_MAY


def test_a_higher_role_may_what_a_lower_one_may():
    for action in ACTIONS:
        allowed = [is_allowed(role, action) for role in ROLES]
        assert allowed == sorted(allowed)
        assert allowed[-1]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("role", ROLES)
def test_an_actor_may_what_their_role_may(actors, role, action):
    who = actors[role]
    assert who.may(action) == is_allowed(role, action)
    if is_allowed(role, action):
        assert who.require(action).name == role
    else:
        with pytest.raises(NotAllowed, match=f"needs the role {ACTIONS[action]}, and {role} is"):
            who.require(action)


def test_a_role_counts_as_it_is_at_the_time_of_the_act(accounts):
    who = actor(accounts, "demoted")
    who.require("invite")
    accounts.set_role("demoted", "annotator", "admin")
    with pytest.raises(NotAllowed):
        who.require("invite")
    assert who.require("rank").role == "annotator"


@pytest.mark.parametrize("end", ENDS)
def test_whoever_is_signed_out_may_nothing(accounts, end):
    who = actor(accounts, end)
    assert who.name == end
    match end:
        case "signs out":
            accounts.sign_out(who.sign_in_id)
        case "is disabled":
            accounts.disable(end, "admin")
        case "has a new password":
            accounts.change_password(end, PASSWORD, "a brand new one", "192.0.2.7")
        case "is reset":
            accounts.redeem(accounts.reset(end, "admin"), "a brand new one")
    for ask in (who.account, lambda: who.may("rank"), lambda: who.require("rank")):
        with pytest.raises(SignedOut, match="sign in again"):
            ask()
    assert who.name == end  # what they judged is still theirs


def test_a_made_up_sign_in_is_nobody(accounts):
    with pytest.raises(SignedOut):
        Actor(accounts, "made up").account()


@pytest.mark.parametrize(
    ("manager", "managed"),
    [
        ("annotator", []),
        ("researcher", ["annotator", "researcher"]),
        ("admin", ["annotator", "researcher", "admin"]),
    ],
)
def test_who_manages_whom(manager, managed):
    assert [role for role in ROLES if is_manager_of(manager, role)] == managed
