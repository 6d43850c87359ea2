"""The Agreement page over a real store: what it shows, what it lets people do, and to whom."""

from __future__ import annotations

import threading
import time

import pytest

from rlhf_lab.dashboard.pages import agreement_counting
from rlhf_lab.dashboard.pages.agreement import AgreementView, page
from rlhf_lab.dashboard.pages.agreement_counting import Counting, counting_of
from rlhf_lab.dashboard.pages.agreement_items import items_card
from rlhf_lab.dashboard.pages.agreement_people import annotators_card, pairs_card
from rlhf_lab.dashboard.shell import Act, messages
from rlhf_lab.errors import NotAllowed
from rlhf_lab.evaluation.agreement import measure_agreement
from rlhf_lab.lab import Lab
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.showing import whole
from rlhf_lab.types import ALL_BAD
from tests.dashboard.pages.html_of import elements, text_of
from tests.evaluation.agreement.saying import Team
from tests.widgets.xss_corpus import HIT, PAYLOADS


@pytest.fixture
def team(lab: Lab) -> Team:
    return Team(lab.store)


@pytest.fixture
def ranked(team: Team) -> Team:
    """Three people on four items; one of them is the researcher who looks."""
    for word, theirs in (("tea", "A > B > C"), ("rain", "A > C > B"), ("snow", "C > B > A")):
        team.say("ada", word, "A > B > C", minutes=1)
        team.say("ben", word, theirs, minutes=2)
        team.say("cleo", word, "B > A > C", minutes=3)
    team.say("ben", "ice", "A > B")
    return team


def shown(context) -> AgreementView:
    """The page, once everything is counted."""
    view = AgreementView(context)
    counting_of(context.store).wait()
    view.update()
    return view


def count_again(view: AgreementView, context) -> None:
    counting = counting_of(context.store)
    counting._next = float("-inf")  # it has rested
    view.update()
    counting.wait()
    view.update()


def press(view: AgreementView, name: str, key: str = "") -> None:
    view.items.act(Act(name=name, key=key, values={}))


def test_it_says_how_far_people_agree(context, ranked):
    view = shown(context)
    assert "10 rankings by 3 annotators" in text_of(view.title.html)
    told = text_of(view.figures.html)
    assert "Shared items 3 of 4 items" in told
    report = counting_of(context.store).report
    assert f"Alpha of pairs {report.nominal.estimate:.2f}".replace("-", "−") in told
    assert report.meaning in told


def test_each_annotator_has_a_row_with_agreement_beside_the_published_band(context, ranked):
    view = shown(context)
    told = text_of(view.figures.html)
    # Ben is as Ada in 3, 2 and 0 of 3 pairs; Cleo in 2 of 3 each time.
    assert "ben 4 rankings 56%" in told
    assert "cleo 3 rankings 67%" in told
    assert "ada researcher" in told
    assert "63% to 77%" in told
    assert view.figures.html.count('class="agree-band"') == 1 + 2 + 3  # scale, researchers, others
    assert 'aria-label="As researchers: 56%' in view.figures.html


def test_every_two_people_have_a_kappa_with_its_pairs(context, ranked):
    html = shown(context).figures.html
    assert "agree-matrix" in html
    assert html.count("<td data-level=") == 6
    assert html.count("<small>9</small>") == 6


def test_two_people_alone_need_no_matrix(context, team):
    team.say("ada", "tea", "A > B")
    team.say("ben", "tea", "A > B")
    assert "agree-matrix" not in shown(context).figures.html


def test_the_most_disputed_come_first_with_who_ranked_what(context, ranked):
    html = shown(context).items.html
    told = text_of(html)
    assert told.index("snow") < told.index("tea")
    assert "A to snow" in told
    # Best on average first: B has places 2, 2 and 1 in snow.
    assert "67% apart" in told
    assert told.count("3 people") == 3


def test_five_are_shown_and_more_when_asked_for(context, team):
    for number in range(7):
        team.say("ada", f"word {number}", "A > B")
        team.say("ben", f"word {number}", "B > A")
    view = shown(context)
    assert view.items.html.count("<details") == 5
    assert "Show 2 more" in view.items.html
    press(view, "show-more")
    assert view.items.html.count("<details") == 7
    assert "more</button>" not in view.items.html


def test_a_researchers_ranking_becomes_a_known_answer(context, lab, ranked):
    lab.store.assignments.offer()
    view = shown(context)
    ada = {j.id for j in lab.store.judgments(annotator="ada")}
    offered = {i for i in ada if f'data-key="{i}"' in view.items.html}
    assert offered == ada
    assert view.items.html.count('data-act="make-gold"') == 3  # of no annotator's rankings
    press(view, "make-gold", sorted(ada)[0])
    assert "is a known answer now" in text_of(messages(context).html)
    count_again(view, context)
    assert "known answer" in text_of(view.items.html)
    assert view.items.html.count('data-act="make-gold"') == 2


def test_what_cannot_be_a_known_answer_is_refused_in_words(context, ranked):
    view = shown(context)
    press(view, "make-gold", "no such judgment")
    assert "is not a ranking that counts" in text_of(messages(context).html)


def test_whoever_lost_the_role_makes_no_known_answers(context, accounts, lab, ranked):
    lab.store.assignments.offer()
    view = shown(context)
    accounts.set_role("ada", "annotator", "root")
    press(view, "make-gold", lab.store.judgments(annotator="ada")[0].id)
    press(view, "overlap")
    assert "needs the role researcher" in text_of(messages(context).html)
    assert lab.store.assignments.known_answers() == 0
    assert lab.plan == AssignmentPlan()
    before = view.figures.html
    ranked.say("ben", "fog", "A > B")
    count_again(view, context)
    assert view.figures.html == before  # and follows nothing any more
    assert messages(context).address == "/rank"


def test_annotators_do_not_see_it(context_of, ranked):
    with pytest.raises(NotAllowed, match="researcher"):
        page(context_of("ben", "annotator"))


def test_it_follows_what_is_said_meanwhile(context, ranked):
    view = shown(context)
    ranked.say("cleo", "ice", "A > B")
    count_again(view, context)
    assert "11 rankings" in text_of(view.title.html)
    assert "Shared items 4 of 4 items" in text_of(view.figures.html)


@pytest.mark.parametrize(
    ("people", "overlap", "told", "href"),
    [
        ([], None, "Nothing is ranked yet", "/rank"),
        (["ada"], None, "One person has ranked so far", "/people"),
        (["ada", "ben"], 2, "People have ranked different items", "/rounds"),
        (["ada", "ben"], 1, "The plan gives each item to one person", None),
    ],
)
def test_an_empty_page_says_what_to_do_next(context, lab, team, people, overlap, told, href):
    lab.plan = AssignmentPlan(overlap=overlap)
    for who in people:
        team.say(who, f"word of {who}", "A > B")
    view = shown(context)
    assert told in text_of(view.figures.html)
    assert view.items.html == ""
    assert not href or f'href="{href}"' in view.figures.html


def test_an_overlap_of_two_is_one_press_away(context, lab, team):
    lab.plan = AssignmentPlan(overlap=1, gold_rate=0.1)
    team.say("ada", "tea", "A > B")
    view = shown(context)
    assert 'data-act="overlap"' in view.figures.html
    view.figures.act(Act(name="overlap", key="", values={}))
    assert lab.plan == AssignmentPlan(overlap=2, gold_rate=0.1)
    assert "Two people rank each item" in text_of(messages(context).html)
    assert 'data-act="overlap"' not in view.figures.html


def test_what_is_not_measured_says_how_it_would_be(context, lab, ranked):
    told = text_of(shown(context).figures.html)
    assert "Not measured yet" in told
    assert "hand out repeated items with 5% in the plan" in told
    lab.plan = AssignmentPlan(repeat_rate=0.1)
    told = text_of(shown(context).figures.html)
    assert "10% of what is handed out are repeated items; none came back yet" in told


def test_a_lean_to_one_side_is_named(context, team):
    for number in range(30):
        team.say("ben", f"word {number}", "A > B", shown="AB")
        team.say("cleo", f"word {number}", "A > B", shown="BA")
        team.say("ada", f"word {number}", "A > B", shown="AB" if number % 2 else "BA")
    told = text_of(shown(context).figures.html)
    assert "100% leans left" in told
    assert "0% leans right" in told
    assert told.count("leans") == 2


def test_long_texts_are_cut_and_say_so(context, team):
    team.say("ada", "tea " * 3_000, "A > B")
    team.say("ben", "tea " * 3_000, "B > A")
    told = text_of(shown(context).items.html)
    assert told.count("Cut here; the whole text is on Data.") == 3  # the prompt and two answers
    assert len(told) < 3 * 4_000 + 500


ALLOWED = {
    *("div", "section", "article", "h1", "h2", "h3", "h4", "h5", "h6", "p", "span", "bdi", "small"),
    *("dl", "dt", "dd", "ul", "ol", "li", "a", "br", "hr", "time", "strong", "em", "s", "code"),
    *("pre", "blockquote", "table", "caption", "thead", "tbody", "tr", "th", "td", "details"),
    *("summary", "button", "svg", "rect", "line", "text", "circle"),
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mstyle", "msub"),
    *("msup", "msubsup", "mtable", "mtr", "mtd", "menclose", "mover", "munder"),
}


def test_whatever_people_and_models_write_is_text(team, lab):
    """The corpus as names, prompts, answers, flags and comments."""
    payloads = [whole(p) for p in PAYLOADS if len(p) < 10_000]
    words = [f"{payload}{number}" for number, payload in enumerate(payloads)]
    team.answer(*words, letters="AB")  # the answers repeat them
    for payload, word in zip(payloads, words, strict=True):
        said = {"comment": payload, "flags": (ALL_BAD, payload)}
        theirs = team.judgment(payload, word, "B > A")
        team.keep([team.judgment("ada", word, "A > B", **said), theirs])
    report = measure_agreement(lab.store, disputed=len(words), resamples=10)
    items = items_card(report, len(words), may_make_gold=True)
    people = annotators_card(report, lab.plan), pairs_card(report)
    assert len(report.annotators) == 1 + len(set(payloads))
    assert items.count("<details") == len(words)
    html = "".join([*people, items])
    assert HIT in html
    assert elements(html) <= ALLOWED
    assert {a.split(">")[0] for a in html.split("<a ")[1:]} == {'href="/rounds"'}


def test_counting_happens_beside_and_once_for_everybody(context_of, lab, ranked, monkeypatch):
    may_go, threads = threading.Event(), []
    measure = agreement_counting.measure_agreement

    def slow(store):
        threads.append(threading.current_thread())
        may_go.wait(30)
        return measure(store)

    monkeypatch.setattr(agreement_counting, "measure_agreement", slow)
    start = time.monotonic()
    views = [AgreementView(context_of(name, "researcher")) for name in ("ada", "eve")]
    assert time.monotonic() - start < 5  # nobody waits for it
    assert all("Counting what people said" in view.figures.html for view in views)
    may_go.set()
    counting_of(lab.store).wait()
    for view in views:
        view.update()
        assert "How far people agree" in view.figures.html
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_it_counts_again_when_something_was_said_and_has_rested(lab, team):
    now = [0.0]
    counting = Counting(clock=lambda: now[0])

    def look() -> object:
        counting.look(lab.store)
        counting.wait()
        return counting.report

    first = look()
    now[0] = 10
    assert look() is first  # nothing new
    team.say("ada", "tea", "A > B")
    assert look() is first  # it looks every two seconds
    now[0] = 12.5
    second = look()
    assert second.judgments == 1


def test_a_count_that_took_long_is_followed_by_a_longer_rest(lab, team, monkeypatch):
    now = [0.0]
    measure = agreement_counting.measure_agreement

    def slow(store):
        now[0] += 3
        return measure(store)

    monkeypatch.setattr(agreement_counting, "measure_agreement", slow)
    counting = Counting(clock=lambda: now[0])
    for seconds, judgments in ((0, 0), (50, 0), (64, 1)):
        now[0] = seconds
        counting.look(lab.store)
        counting.wait()
        assert counting.report.judgments == judgments
        if seconds == 0:
            team.say("ada", "tea", "A > B")


def test_a_count_that_failed_is_told_and_tried_again(context, ranked, monkeypatch, caplog):
    def fail(store):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(agreement_counting, "measure_agreement", fail)
        view = shown(context)
    assert "could not be counted" in text_of(view.figures.html)
    assert "agreement could not be counted" in caplog.text
    count_again(view, context)
    assert "could not be counted" not in view.figures.html
    assert "How far people agree" in view.figures.html


def test_a_count_that_the_end_of_the_server_cuts_short_is_no_failure(lab, caplog):
    counting = Counting()
    lab.store.close()
    counting._count(lab.store)
    assert not counting.failed
    assert caplog.text == ""
