"""People: who may sign in and as what, invitations, and how much everybody has judged."""

from __future__ import annotations

from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.access import ROLES, Role, is_manager_of
from rlhf_lab.dashboard.accounts import Account, Ticket
from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.people_figures import Figures, read_figures
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    badge,
    button,
    choice,
    data_table,
    each,
    field,
    form,
    heading,
    html,
    join,
    link,
    live,
    page_of,
    section,
    time,
)
from rlhf_lab.errors import ConfigError

SECONDS = 5.0
DAYS = 7

_ABOUT: dict[Role, str] = {
    "annotator": "Annotators rank, compare and calibrate.",
    "researcher": "Researchers also train, see data and agreement, and invite people.",
    "admin": "Admins also make other admins.",
}


def page(context: Context) -> Viewable:
    """Build the page."""
    return PeoplePage(context).view


class PeoplePage:
    """The list of accounts with what the person who looks may do to each.

    What they may not do has no button; the accounts themselves refuse it all the same.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        context.actor.require("see_people")
        self._invited = 0
        acts = each(
            invite=self._invite,
            reset=self._reset,
            role=self._set_role,
            disable=self._disable,
            enable=self._enable,
            withdraw=self._withdraw,
            put_away=self._put_away,
        )
        self._link = Fragment(on_act=acting(context, acts))
        self._body = Fragment(on_act=acting(context, acts))
        self.view = page_of(self._link, self._body)
        self.follow()
        live(context, self.follow, seconds=SECONDS)

    def follow(self) -> None:
        """Show everybody as they are now."""
        me = self._context.actor.require("see_people")
        accounts = self._context.accounts.all()
        figures = read_figures(self._context.store.database, (one.name for one in accounts))
        tickets = self._context.accounts.open_tickets()
        self._body.put(
            join(
                heading("People", _how_many(accounts)),
                section("Invite somebody", self._invite_form(me)),
                section("Accounts", _accounts_table(me, accounts, figures)),
                section("Open links", _tickets_table(me, tickets)) if tickets else "",
            )
        )

    def _invite_form(self, me: Account) -> Markup:
        roles = [role for role in ROLES if is_manager_of(me.role, role)]
        return form(
            "invite",
            field(
                "Name",
                "name",
                required=True,
                maxlength=64,
                autocomplete="off",
                help="What they are called here. Their judgments carry it, and it never changes.",
            ),
            choice(
                "Role",
                "role",
                dict(zip(roles, roles, strict=True)),
                "annotator",
                help=" ".join(_ABOUT[role] for role in roles),
            ),
            submit="Make an invitation link",
            key=str(self._invited),
        )

    # -- acts; each checks for itself, since what the page sends is anybody's word

    def _invite(self, act: Act) -> str:
        me = self._context.actor.require("invite")
        name, role = act.value("name"), _role(act.value("role"))
        token = self._context.accounts.invite(name, role, me.name, days=DAYS)
        self._invited += 1
        self._show_link(token, f"Invitation for {name}", f"Send it to {name}: it makes the account")
        self.follow()
        return f"{name} is invited as {role}."

    def _reset(self, act: Act) -> str:
        me = self._context.actor.require("reset_password")
        token = self._context.accounts.reset(act.key, me.name, days=DAYS)
        what = f"Send it to {act.key}: it sets a new password and ends their sign-ins"
        self._show_link(token, f"New password for {act.key}", what)
        self.follow()
        return f"{act.key} can set a new password with the link. The present one works until then."

    def _set_role(self, act: Act) -> str:
        me = self._context.actor.require("set_role")
        try:
            account = self._context.accounts.set_role(act.key, _role(act.value()), me.name)
        finally:
            self.follow()  # where it was refused, the list says again what is so
        return f"{account.name} is {account.role} now."

    def _disable(self, act: Act) -> str:
        me = self._context.actor.require("disable")
        account = self._context.accounts.disable(act.key, me.name)
        self.follow()
        return f"{account.name} is signed out everywhere and cannot sign in. Judgments stay."

    def _enable(self, act: Act) -> str:
        me = self._context.actor.require("disable")
        account = self._context.accounts.enable(act.key, me.name)
        self.follow()
        return f"{account.name} can sign in again."

    def _withdraw(self, act: Act) -> str:
        me = self._context.actor.require("invite")
        self._context.accounts.withdraw(act.key, me.name)
        self.follow()
        return f"The link for {act.key} opens nothing any more."

    def _put_away(self, _: Act) -> None:
        self._link.put("")

    def _show_link(self, token: str, title: str, what: str) -> None:
        address = f"{self._context.base_url}/invite/{token}"
        self._link.put(section(title, _link(address, what)))


def _link(address: str, what: str) -> Markup:
    return html(
        """
        <p>{{ what }}. It works once, within {{ days }} days, and is shown here this once.</p>
        <div class="lab-copy"><input class="lab-input" id="one-time-link" readonly
        aria-label="One-time link" value="{{ address }}">
        <button type="button" class="lab-button" data-tone="primary" data-copy="one-time-link">
        Copy</button>{{ close }}</div>
        """,
        what=what,
        days=DAYS,
        address=address,
        close=button("Close", "put-away"),
    )


def _how_many(accounts: list[Account]) -> str:
    return "1 account" if len(accounts) == 1 else f"{len(accounts)} accounts"


def _accounts_table(me: Account, accounts: list[Account], figures: dict[str, Figures]) -> Markup:
    return data_table(
        ["Name", "Role", "Last seen", "Judgments", "Pace", ""],
        [_row(me, account, figures[account.name]) for account in accounts],
        figures={3, 4},
        label="Accounts",
        keys=[f"account-{account.name}" for account in accounts],
        is_stacked=True,
    )


def _row(me: Account, account: Account, figures: Figures) -> list[Markup | str]:
    is_mine = account.name == me.name
    can_change = not is_mine and is_manager_of(me.role, account.role)
    return [
        _name(account, is_mine=is_mine),
        _role_of(me, account) if can_change else account.role,
        time(figures.seen_at, never="not lately"),
        f"{figures.judgments:,}",
        "\N{EN DASH}" if figures.pace is None else f"{figures.pace:.0f} s",
        _actions(account) if can_change else _own(account) if is_mine else "",
    ]


def _name(account: Account, *, is_mine: bool) -> Markup:
    marks = [badge("you", "info")] if is_mine else []
    marks += [badge("disabled", "error")] if account.disabled else []
    return html(
        '<span class="lab-row lab-baseline"><span class="lab-wrap">{{ n }}</span>{{ m }}</span>',
        n=account.name,
        m=join(*marks),
    )


def _role_of(me: Account, account: Account) -> Markup:
    return html(
        """
        <select class="lab-input" data-size="small" data-act="role" data-key="{{ name }}"
        aria-label="Role of {{ name }}" data-confirmed="Change the role"
        data-confirm="Give {{ name }} the role %s? It counts from their next click on.">
        {% for role in roles %}
        <option value="{{ role }}"{% if role == own %} selected{% endif %}>{{ role }}</option>
        {% endfor %}</select>
        """,
        name=account.name,
        roles=[role for role in ROLES if is_manager_of(me.role, role)],
        own=account.role,
    )


def _actions(account: Account) -> Markup:
    name = account.name
    if account.disabled:
        enable = button("Enable", "enable", key=name, label=f"Enable {name}", small=True)
        return html('<span class="lab-row lab-end">{{ enable }}</span>', enable=enable)
    return html(
        '<span class="lab-row lab-end lab-tight">{{ reset }}{{ disable }}</span>',
        reset=button(
            "Reset password", "reset", key=name, label=f"Reset password of {name}", small=True
        ),
        disable=button(
            "Disable",
            "disable",
            key=name,
            tone="danger",
            label=f"Disable {name}",
            confirm=f"Disable {name}? They are signed out at once and cannot sign in until they "
            "are enabled again. What they judged stays.",
            small=True,
        ),
    )


def _own(account: Account) -> Markup:
    return html(
        '<span class="lab-row lab-end">{{ a }}</span>',
        a=link("Your account", "/account", small=True),
    )


def _tickets_table(me: Account, tickets: list[Ticket]) -> Markup:
    return data_table(
        ["For", "What it does", "Made by", "Expires", ""],
        [
            [
                ticket.name,
                f"makes an account: {ticket.role}"
                if ticket.purpose == "invite"
                else "new password",
                ticket.created_by,
                time(ticket.expires_at),
                _withdrawal(ticket) if is_manager_of(me.role, ticket.role) else "",
            ]
            for ticket in tickets
        ],
        label="Open links",
        keys=[f"link-{ticket.name}" for ticket in tickets],
        is_stacked=True,
    )


def _withdrawal(ticket: Ticket) -> Markup:
    withdraw = button(
        "Withdraw",
        "withdraw",
        key=ticket.name,
        tone="danger",
        label=f"Withdraw the link for {ticket.name}",
        confirm=f"Withdraw the link for {ticket.name}? Whoever has it can do nothing with it then.",
        small=True,
    )
    return html('<span class="lab-row lab-end">{{ withdraw }}</span>', withdraw=withdraw)


def _role(text: str) -> Role:
    if text not in ROLES:
        raise ConfigError(f"role {text!r:.40}: use one of {', '.join(ROLES)}.")
    return text
