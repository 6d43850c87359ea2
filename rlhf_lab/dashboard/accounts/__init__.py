"""Who may sign in: accounts, the links that make them, and the browsers that are signed in."""

from rlhf_lab.dashboard.accounts.accounts import Accounts
from rlhf_lab.dashboard.accounts.passwords import Passwords
from rlhf_lab.dashboard.accounts.records import Account, SignIn, Ticket

__all__ = ["Account", "Accounts", "Passwords", "SignIn", "Ticket"]
