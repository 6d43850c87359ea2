"""Who may do what, asked of the database at the time of the act.

Hiding a button is a courtesy; what counts is `Actor.require`, which every write calls, whichever
way it came: a widget's event, a button's callback or a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from rlhf_lab.errors import NotAllowed, SignedOut

if TYPE_CHECKING:
    from rlhf_lab.dashboard.accounts import Account, Accounts, SignIn

Role = Literal["annotator", "researcher", "admin"]
# Each may do what those before it may.
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Action = Literal[
    "rank",
    "compare",
    "calibrate",
    "change_own_password",
    "see_rounds",
    "ask_job",
    "cancel_job",
    "see_agreement",
    "set_plan",
    "make_gold",
    "see_data",
    "import",
    "export",
    "see_evaluation",
    "see_people",
    "invite",
    "set_role",
    "disable",
    "reset_password",
]

# The least role for each action.
ACTIONS: Final[Mapping[Action, Role]] = MappingProxyType(
    {
        "rank": "annotator",
        "compare": "annotator",
        "calibrate": "annotator",
        "change_own_password": "annotator",
        "see_rounds": "researcher",
        "ask_job": "researcher",
        "cancel_job": "researcher",
        "see_agreement": "researcher",
        "set_plan": "researcher",
        "make_gold": "researcher",
        "see_data": "researcher",
        "import": "researcher",
        "export": "researcher",
        "see_evaluation": "researcher",
        "see_people": "researcher",
        "invite": "researcher",
        "set_role": "researcher",
        "disable": "researcher",
        "reset_password": "researcher",
    }
)


def is_allowed(role: Role, action: Action) -> bool:
    """Whether accounts of this role may do this."""
    return ROLES.index(role) >= ROLES.index(ACTIONS[action])


def is_manager_of(manager: Role, role: Role) -> bool:
    """Whether accounts of one role may invite, change and disable those of another.

    Researchers manage each other and annotators; only an admin makes, changes or ends an admin.
    """
    return ROLES.index(manager) >= ROLES.index("researcher") and (
        ROLES.index(manager) >= ROLES.index(role)
    )


class Actor:
    """Whoever is signed in behind a page or a request.

    Holds nothing but the sign-in's public id: roles change and sign-ins end while a page is open,
    so each question is put to the database.

    Args:
        accounts: Of the lab.
        sign_in_id: Its public id, from the page's token or from the request's cookie.
    """

    def __init__(self, accounts: Accounts, sign_in_id: str) -> None:
        self._accounts = accounts
        self.sign_in_id = sign_in_id

    @cached_property
    def name(self) -> str:
        """Their name, which judgments carry; an account never changes it.

        Raises:
            SignedOut: the sign-in ended before the name was asked for.
        """
        return self.account().name

    def account(self) -> Account:
        """Their account as it is now; asking is no sign of life, so a page may ask every second.

        Raises:
            SignedOut: the sign-in ended or expired, or the account is disabled.
        """
        return self._sign_in().account

    def may(self, action: Action) -> bool:
        """Whether they may do this now, for what a page shows; a write calls `require`.

        Raises:
            SignedOut: as for `account`.
        """
        return is_allowed(self.account().role, action)

    def require(self, action: Action) -> Account:
        """Their account, if they may do this now.

        Raises:
            NotAllowed: their role is too low.
            SignedOut: as for `account`.
        """
        sign_in = self._sign_in()
        account = sign_in.account
        if not is_allowed(account.role, action):
            raise NotAllowed(
                f"{action}: this needs the role {ACTIONS[action]}, and {account.name} is "
                f"{account.role}. Ask somebody who is."
            )
        self._accounts.note_seen(sign_in)
        return account

    def _sign_in(self) -> SignIn:
        sign_in = self._accounts.sign_in_by_id(self.sign_in_id)
        if sign_in is None:
            raise SignedOut("you are signed out: sign in again to go on.")
        return sign_in
