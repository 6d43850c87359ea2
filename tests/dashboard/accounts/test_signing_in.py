from __future__ import annotations

import statistics
import time

import pytest

from rlhf_lab.dashboard.accounts import Accounts, Passwords
from rlhf_lab.errors import NotAllowed, Throttled, WrongPassword
from rlhf_lab.store.tables import SignInRow
from tests.dashboard.helpers import PASSWORD, QUICK

HERE = "192.0.2.7"


def rows(accounts, table):
    with accounts._database.read() as session:
        return [dict(row.__dict__) for row in session.query(table)]


def test_the_right_password_signs_in_however_the_name_is_written(accounts):
    secret = accounts.sign_in("ANN", PASSWORD, HERE)
    assert accounts.signed_in(secret).account.name == "ann"


def test_the_secret_is_random_and_kept_nowhere(accounts):
    one, other = (accounts.sign_in("ann", PASSWORD, HERE) for _ in range(2))
    assert one != other
    assert len(one) == 43  # 256 bits
    stored = rows(accounts, SignInRow)
    assert one not in str(stored)
    assert accounts.signed_in(one).id in str(stored)
    assert accounts.signed_in(accounts.signed_in(one).id) is None  # the public id opens nothing


def test_every_refusal_has_the_same_words(accounts):
    accounts.disable("ron", "ada")
    words = set()
    for name, password in (("ann", "wrong"), ("nobody", PASSWORD), ("", ""), ("ron", PASSWORD)):
        with pytest.raises(WrongPassword) as caught:
            accounts.sign_in(name, password, HERE)
        words.add(str(caught.value))
    assert words == {"the name or the password is wrong: check both and try again."}


def test_an_unknown_name_takes_as_long_as_a_wrong_password(accounts):
    slow = Accounts(accounts._database, passwords=Passwords())
    slow.redeem(slow.invite("tim", "annotator", "ada"), PASSWORD)

    def seconds(name: str, number: int) -> float:
        began = time.perf_counter()
        with pytest.raises(WrongPassword):
            slow.sign_in(name, "wrong", f"192.0.2.{number}", browser=f"{name}{number}")
        return time.perf_counter() - began

    known = statistics.median(seconds("tim", n) for n in range(3))
    unknown = statistics.median(seconds("nobody", n) for n in range(3))
    hashing = statistics.median(_hashing(slow._passwords) for _ in range(3))
    assert min(known, unknown) > 0.5 * hashing  # neither skips it


def _hashing(passwords):
    began = time.perf_counter()
    passwords.hash("wrong")
    return time.perf_counter() - began


def test_a_sign_in_ends_when_it_is_idle(accounts, clock):
    secret = accounts.sign_in("ann", PASSWORD, HERE)
    clock.tick(hours=11.9)
    sign_in = accounts.signed_in(secret)
    accounts.note_seen(sign_in)
    clock.tick(hours=11.9)
    assert accounts.signed_in(secret)
    clock.tick(hours=0.2)
    assert accounts.signed_in(secret) is None
    assert accounts.sign_in_by_id(sign_in.id) is None


def test_a_sign_in_ends_after_a_week_however_busy(accounts, clock):
    secret = accounts.sign_in("ann", PASSWORD, HERE)
    for _ in range(14):
        accounts.note_seen(accounts.signed_in(secret))
        clock.tick(hours=11.99)
    assert accounts.signed_in(secret)
    clock.tick(hours=0.2)
    assert accounts.signed_in(secret) is None


def test_a_sign_of_life_is_written_once_a_minute(accounts, clock):
    secret = accounts.sign_in("ann", PASSWORD, HERE)
    began = clock.now
    clock.tick(seconds=59)
    accounts.note_seen(accounts.signed_in(secret))
    assert accounts.signed_in(secret).seen_at == began
    clock.tick(seconds=1)
    accounts.note_seen(accounts.signed_in(secret))
    assert accounts.signed_in(secret).seen_at == clock.now


def test_signing_out_ends_that_sign_in_alone(accounts):
    one, other = (accounts.sign_in("ann", PASSWORD, HERE) for _ in range(2))
    accounts.sign_out(accounts.signed_in(one).id)
    assert accounts.signed_in(one) is None
    assert accounts.signed_in(other)


def test_a_new_password_ends_every_sign_in_and_begins_one(accounts):
    old = [accounts.sign_in("ann", PASSWORD, HERE) for _ in range(2)]
    new = accounts.change_password("ann", PASSWORD, "a brand new one", HERE)
    assert [accounts.signed_in(secret) for secret in old] == [None, None]
    assert accounts.signed_in(new).account.name == "ann"
    with pytest.raises(WrongPassword):
        accounts.sign_in("ann", PASSWORD, HERE)
    assert accounts.sign_in("ann", "a brand new one", HERE)


def test_a_new_password_takes_the_old_one_and_its_guesses_are_throttled(accounts):
    for _ in range(5):
        with pytest.raises(WrongPassword):
            accounts.change_password("ann", "wrong", "a brand new one", HERE)
    with pytest.raises(Throttled):
        accounts.change_password("ann", PASSWORD, "a brand new one", HERE)


def test_a_disabled_account_is_signed_out_and_cannot_sign_in_until_it_is_enabled(accounts):
    secret = accounts.sign_in("ann", PASSWORD, HERE)
    accounts.disable("ann", "rosa")
    assert accounts.signed_in(secret) is None
    with pytest.raises(WrongPassword):
        accounts.sign_in("ann", PASSWORD, HERE)
    with pytest.raises(NotAllowed, match="disabled"):
        accounts.begin_sign_in("ann")
    accounts.enable("ann", "rosa")
    assert accounts.signed_in(secret) is None  # what was ended stays so
    assert accounts.sign_in("ann", PASSWORD, HERE)


def test_hashes_are_renewed_when_the_parameters_change(accounts):
    newer = Accounts(accounts._database, passwords=Passwords(time_cost=2, memory_cost=32))
    newer.sign_in("ann", PASSWORD, HERE)
    assert accounts._passwords is QUICK
    assert not newer._passwords.is_outdated(stored_hash(newer, "ann"))
    assert newer.sign_in("ann", PASSWORD, HERE)


def stored_hash(accounts, name):
    from rlhf_lab.store.tables import AccountRow

    return next(row["password"] for row in rows(accounts, AccountRow) if row["name"] == name)


def test_a_password_that_was_reset_while_the_old_one_was_verified_does_not_sign_in(accounts):
    class Meanwhile(Passwords):
        def verify(self, stored, password):
            token = accounts.reset("ann", "ada")
            accounts.redeem(token, "set by the link")
            return super().verify(stored, password)

    slow = Accounts(
        accounts._database, accounts._clock, passwords=Meanwhile(time_cost=1, memory_cost=32)
    )
    with pytest.raises(WrongPassword):
        slow.sign_in("ann", PASSWORD, HERE)
    with pytest.raises(WrongPassword):
        slow.change_password("ann", "set by the link", "a brand new one", HERE)


def test_somebody_from_a_provider_signs_in_by_subject_alone(accounts):
    made = accounts.redeem_with(accounts.invite("pat", "annotator", "ada"), "github:pat")
    assert not made.has_password
    assert accounts.signed_in(accounts.sign_in_with("github:pat")).account.name == "pat"
    with pytest.raises(NotAllowed, match="github:eve: nobody was invited"):
        accounts.sign_in_with("github:eve")
    with pytest.raises(WrongPassword):
        accounts.sign_in("pat", "", HERE)
    accounts.disable("pat", "ada")
    with pytest.raises(NotAllowed):
        accounts.sign_in_with("github:pat")
