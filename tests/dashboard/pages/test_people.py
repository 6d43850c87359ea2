"""The page People: who is shown whom, and who may do what to whom."""

import re
from datetime import UTC, datetime

import pytest

from rlhf_lab.dashboard.pages.people import PeoplePage
from rlhf_lab.dashboard.pages.people_figures import read_figures
from rlhf_lab.dashboard.shell import messages
from rlhf_lab.errors import NotAllowed, TicketError
from rlhf_lab.types import Judgment, Ranking
from tests.dashboard.pages.html_of import elements, fragments, text_of
from tests.dashboard.pages.lab_items import act, offer
from tests.widgets.xss_corpus import PAYLOADS

PASSWORD = "another nine herons"


@pytest.fixture
def page(context):
    return PeoplePage(context)


@pytest.fixture
def ben(context_of):
    return context_of("ben", "annotator")


def html_of(page) -> str:
    return "".join(f.html for f in fragments(page.view) if f.visible)


def shown(page) -> str:
    return text_of(html_of(page))


def told(context) -> str:
    return text_of(messages(context).html)


def do(page, name, key="", /, **values):
    # The list, which stands last, and the link of an invitation have the same acts.
    fragments(page.view)[-1].act(act(name, key, **values))


def token_on(page) -> str:
    [token] = re.findall(r'value="http://lab\.example/invite/([\w-]+)"', html_of(page))
    return token


def buttons_about(page, name: str) -> set[str]:
    return set(re.findall(rf'data-act="([\w-]+)"\s+data-key="{name}"', html_of(page)))


# -- links


def test_an_invitation_is_a_link_that_is_shown_once_and_works(accounts, context, page):
    do(page, "invite", name="emil", role="annotator")
    assert told(context) == "emil is invited as annotator. Close"
    token = token_on(page)
    assert "emil makes an account: annotator ada" in shown(page)

    do(page, "put-away")
    assert token not in html_of(page)
    assert token not in html_of(PeoplePage(context))
    made = accounts.redeem(token, PASSWORD)
    assert (made.name, made.role, made.created_by) == ("emil", "annotator", "ada")
    page.follow()
    assert "makes an account" not in shown(page)


def test_an_invitation_that_cannot_be_is_told(accounts, context, ben, page):
    for name, role, words in (
        ("", "annotator", "a name has 1 to 64 characters"),
        ("ben", "annotator", "ben"),
        ("emil", "owner", "Role 'owner': use one of annotator, researcher, admin."),
        ("emil", "admin", "this takes the role admin"),
    ):
        do(page, "invite", name=name, role=role)
        assert words in told(context)
        assert "/invite/" not in html_of(page)
        assert accounts.open_tickets() == []


def test_a_new_password_comes_by_a_link_too(accounts, context, ben, page):
    do(page, "reset", "ben")
    accounts.redeem(token_on(page), PASSWORD)
    assert accounts.signed_in(accounts.sign_in("ben", PASSWORD, "127.0.0.1")) is not None
    assert accounts.sign_in_by_id(ben.actor.sign_in_id) is None


def test_a_link_that_is_withdrawn_opens_nothing(accounts, context, page):
    do(page, "invite", name="emil", role="annotator")
    token = token_on(page)
    do(page, "withdraw", "emil")
    assert told(context) == "The link for emil opens nothing any more. Close"
    with pytest.raises(TicketError):
        accounts.redeem(token, PASSWORD)


# -- accounts


def test_a_role_is_changed_and_told(accounts, context, ben, page):
    do(page, "role", "ben", value="researcher")
    assert told(context) == "ben is researcher now. Close"
    assert accounts.get("ben").role == "researcher"


def test_who_is_disabled_is_out_at_once_and_comes_back(accounts, context, ben, page):
    do(page, "disable", "ben")
    assert "signed out everywhere" in told(context)
    assert accounts.sign_in_by_id(ben.actor.sign_in_id) is None
    assert buttons_about(page, "ben") == {"role", "enable"}
    do(page, "enable", "ben")
    assert accounts.get("ben").disabled is False
    assert buttons_about(page, "ben") == {"role", "reset", "disable"}


def test_a_researcher_has_no_button_about_an_admin_or_themself(ben, page):
    assert buttons_about(page, "ben") == {"role", "reset", "disable"}
    assert buttons_about(page, "root") == set()
    assert buttons_about(page, "ada") == set()
    assert '<option value="admin"' not in html_of(page)


@pytest.mark.parametrize("name", ["root", "ada"])
def test_what_has_no_button_is_refused_all_the_same(accounts, context, page, name):
    before = accounts.get(name)
    for what in ("role", "disable", "reset", "enable"):
        do(page, what, name, value="annotator")
        assert 'role="alert"' in messages(context).html
        messages(context).act(act("close"))
        assert accounts.get(name) == before
        assert "/invite/" not in html_of(page)


def test_a_researcher_makes_no_admin(accounts, context, ben, page):
    do(page, "role", "ben", value="admin")
    assert "this takes the role admin" in told(context)
    assert accounts.get("ben").role == "annotator"


def test_an_admin_makes_admins(accounts, context_of, ben):
    boss = context_of("boss", "admin")
    do(PeoplePage(boss), "role", "ben", value="admin")
    assert accounts.get("ben").role == "admin"


def test_an_annotator_does_not_see_the_page(ben):
    with pytest.raises(NotAllowed, match="see_people: this needs the role researcher"):
        PeoplePage(ben)


def test_who_is_no_researcher_any_more_is_refused_at_the_next_act(accounts, context, ben, page):
    accounts.set_role("ada", "annotator", by="root")
    for what, key, values in (
        ("invite", "", {"name": "emil", "role": "annotator"}),
        ("reset", "ben", {}),
        ("role", "ben", {"value": "researcher"}),
        ("disable", "ben", {}),
        ("enable", "ben", {}),
        ("withdraw", "ben", {}),
    ):
        do(page, what, key, **values)
        assert "this needs the role researcher" in told(context)
        messages(context).act(act("close"))
    assert accounts.open_tickets() == []
    assert (accounts.get("ben").role, accounts.get("ben").disabled) == ("annotator", False)


def test_who_is_signed_out_is_led_to_sign_in(accounts, context, ben, page):
    accounts.sign_out(context.actor.sign_in_id)
    do(page, "disable", "ben")
    assert messages(context).address == "/login?ended=1"
    assert accounts.get("ben").disabled is False


# -- what is shown


def test_hostile_names_are_texts_in_the_list(accounts, context, page):
    do(page, "invite", name="emil", role="annotator")
    accounts.redeem(token_on(page), PASSWORD)
    do(page, "invite", name="fritz", role="annotator")
    harmless = elements(html_of(page))
    names = {" ".join(payload.split())[:64].strip() for payload in PAYLOADS}
    hostile = sorted(n for n in names if n.isprintable() and any(c.isalnum() for c in n))
    for name in hostile[::25]:
        do(page, "invite", name=name, role="annotator")
        assert elements(html_of(page)) == harmless, name
        accounts.redeem(token_on(page), PASSWORD)
    page.follow()
    assert elements(html_of(page)) == harmless
    assert all(name in shown(page) for name in hostile[::25] if "  " not in name)


def test_everybodys_figures_are_those_of_what_counts(lab, accounts, context, ben):
    for number, prompt in enumerate(offer(lab, ["Tea?", "Rain?", "Bread?"])):
        shown_order = tuple(r.id for r in lab.store.responses(prompt_id=prompt.id))
        for annotator, seconds in (("ben", 10.0 * (number + 1)), ("rubric", 0.0)):
            lab.store.submit(
                Judgment(
                    id=f"{annotator}-{number}",
                    prompt_id=prompt.id,
                    annotator=annotator,
                    shown_order=shown_order,
                    ranking=Ranking(tiers=(shown_order,)),
                    seconds=seconds,
                )
            )
    lab.store.assignments.undo("ben", "policy@0")
    figures = read_figures(lab.store.database, ["ben", "rubric", "ada", "root"])
    assert (figures["ben"].judgments, figures["ben"].pace) == (2, 15.0)  # of 10 and 20
    assert (figures["rubric"].judgments, figures["rubric"].pace) == (3, None)
    assert figures["ada"].judgments == 0
    assert figures["root"].seen_at is None  # made by a link, never signed in
    assert figures["ben"].seen_at is not None
    assert abs((datetime.now(UTC) - figures["ben"].seen_at).total_seconds()) < 60
    assert re.search(r"ben annotator researcher .* UTC 2 15 s", shown(PeoplePage(context)))
