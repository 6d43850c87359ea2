from __future__ import annotations

import pytest

from rlhf_lab.dashboard.accounts import Passwords
from rlhf_lab.dashboard.accounts.passwords import checked_password
from rlhf_lab.errors import ConfigError
from tests.dashboard.helpers import QUICK


def test_a_password_is_stored_as_an_argon2id_hash_with_a_salt_of_its_own():
    one, other = QUICK.hash("correct horse"), QUICK.hash("correct horse")
    assert one.startswith("$argon2id$v=19$m=32,t=1,p=4$")
    assert one != other
    assert QUICK.verify(one, "correct horse")
    assert not QUICK.verify(one, "correct horsf")


def test_what_the_server_uses_is_at_least_what_owasp_asks_for():
    # 19 MiB with 2 passes, or more of either.
    assert "$m=65536,t=3," in Passwords().hash("correct horse")


def test_without_an_account_nothing_matches():
    assert not QUICK.verify(None, "correct horse")


def test_what_is_no_hash_matches_nothing():
    assert not QUICK.verify("plain", "plain")


def test_a_password_is_the_same_on_every_keyboard():
    assert QUICK.verify(QUICK.hash("cafe\u0301 noir noir"), "caf\xe9 noir noir")


def test_a_hash_with_other_parameters_is_outdated():
    assert Passwords(time_cost=2, memory_cost=32).is_outdated(QUICK.hash("correct horse"))
    assert not QUICK.is_outdated(QUICK.hash("correct horse"))


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "has 0 characters: use at least 10"),
        ("nine char", "has 9 characters: use at least 10"),
        ("x" * 1001, "at most 1000"),
        ("ababababab", "has 2 different characters: use at least 4"),
        ("Ada Lovelace", "is the name"),
        ("ADA LOVELACE", "is the name"),
    ],
)
def test_weak_passwords_are_refused_with_the_rule_and_without_repeating_them(password, why):
    with pytest.raises(ConfigError, match=why) as caught:
        checked_password(password, "Ada Lovelace")
    assert not password or password not in str(caught.value)


def test_ten_characters_suffice():
    assert checked_password("ten chars!", "ada") == "ten chars!"
