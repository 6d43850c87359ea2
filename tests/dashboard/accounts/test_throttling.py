from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from rlhf_lab.errors import Throttled, WrongPassword
from tests.dashboard.helpers import PASSWORD

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.9"


def fail(accounts, times, *, name="ann", address=HERE, **options):
    for _ in range(times):
        with pytest.raises(WrongPassword):
            accounts.sign_in(name, "wrong", address, **options)


def wait(accounts, password="wrong", *, name="ann", address=HERE, **options) -> int:
    with pytest.raises(Throttled, match="too many wrong passwords in a row") as caught:
        accounts.sign_in(name, password, address, **options)
    return caught.value.wait


def test_the_sixth_wrong_password_in_a_row_is_not_looked_at_nor_is_the_right_one(accounts):
    fail(accounts, 5)
    assert wait(accounts) == 30
    assert wait(accounts, PASSWORD) == 30


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(accounts, clock):
    fail(accounts, 5)
    waits = []
    for _ in range(8):
        waits.append(wait(accounts))
        clock.tick(seconds=waits[-1])
        fail(accounts, 1)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_being_refused_does_not_make_the_wait_longer(accounts, clock):
    fail(accounts, 5)
    clock.tick(seconds=20)
    for _ in range(50):
        assert wait(accounts) == 10
    clock.tick(seconds=10)
    assert accounts.sign_in("ann", PASSWORD, HERE)


def test_a_success_forgets_the_failures(accounts):
    fail(accounts, 4)
    accounts.sign_in("ann", PASSWORD, HERE)
    fail(accounts, 5)
    assert wait(accounts)


def test_an_account_is_guarded_from_all_addresses_together(accounts):
    for number in range(5):
        fail(accounts, 1, address=f"192.0.2.{number}")
    assert wait(accounts, address=ELSEWHERE)


def test_an_unknown_name_is_throttled_in_the_same_way(accounts):
    fail(accounts, 5, name="nobody")
    assert wait(accounts, name="NOBODY") == 30


def test_an_address_is_guarded_over_all_accounts_together(accounts):
    for number in range(20):
        fail(accounts, 1, name=f"guess {number}")
    assert wait(accounts, PASSWORD, name="rosa") == 30
    assert accounts.sign_in("rosa", PASSWORD, ELSEWHERE)


def test_an_account_of_ones_own_does_not_clear_the_address(accounts):
    for number in range(19):
        fail(accounts, 1, name=f"guess {number}")
    accounts.sign_in("ron", PASSWORD, HERE)
    fail(accounts, 1, name="guess 20")
    assert wait(accounts, PASSWORD, name="rosa")


def test_who_guesses_in_the_office_does_not_keep_out_those_whose_browsers_are_known(accounts):
    for number in range(20):
        fail(accounts, 1, name=f"guess {number}")
    wait(accounts, PASSWORD)
    assert accounts.sign_in("ann", PASSWORD, HERE, browser="ann's own")


def test_a_known_browser_has_no_more_tries_than_another(accounts):
    fail(accounts, 5, browser="ann's own")
    assert wait(accounts, PASSWORD, browser="ann's own") == 30
    assert accounts.sign_in("ann", PASSWORD, HERE)


def test_an_address_is_free_again_after_an_hour(accounts, clock):
    for number in range(20):
        fail(accounts, 1, name=f"guess {number}")
    clock.tick(hours=1, seconds=1)
    fail(accounts, 1, name="rosa")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),  # one customer's
        ("::ffff:192.0.2.7", "192.0.2.7"),  # the same in the other notation
    ],
)
def test_addresses_of_one_client_count_as_one(accounts, one, other):
    for number in range(20):
        fail(accounts, 1, name=f"guess {number}", address=one)
    assert wait(accounts, PASSWORD, name="rosa", address=other)


def test_what_is_no_address_is_counted_as_it_is(accounts):
    for number in range(20):
        fail(accounts, 1, name=f"guess {number}", address="a socket")
    assert wait(accounts, name="rosa", address="a socket")


def test_many_tries_at_once_are_no_way_around_the_count(accounts):
    looked_at = []

    def guess(number):
        with contextlib.suppress(Throttled):
            try:
                accounts.sign_in("ann", "wrong", f"192.0.2.{number}")
            except WrongPassword:
                looked_at.append(number)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(guess, range(24)))
    assert len(looked_at) == 5


def test_a_link_that_sets_a_new_password_ends_the_wait(accounts):
    fail(accounts, 5)
    accounts.redeem(accounts.reset("ann", "rosa"), "a brand new one")
    assert accounts.sign_in("ann", "a brand new one", ELSEWHERE)
