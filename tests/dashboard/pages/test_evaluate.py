"""The Evaluate page: who is told which names, which versions are compared, and what came of it."""

from __future__ import annotations

import pytest

from rlhf_lab.dashboard.pages import evaluate, evaluate_team
from rlhf_lab.dashboard.pages.evaluate import EvaluatePage
from rlhf_lab.dashboard.pages.evaluate_team import Pair, team_pair
from rlhf_lab.dashboard.shell import Act, Fragment, messages
from rlhf_lab.types import Evaluation, Interval, Message, Prompt, Response, Sampling, Version
from rlhf_lab.widgets.panel import ComparisonPane
from tests.dashboard.pages.html_of import fragments, hostile, text_of
from tests.widgets.xss_corpus import NAMED

PROMPTS = 6


@pytest.fixture
def answered(lab):
    """Six held-out prompts, each answered by policy@0 and policy@1."""
    lab.store.add_version(Version(name="policy@0", parent=None, path="-"))
    lab.store.add_version(Version(name="policy@1", parent="policy@0", path="-"))
    prompts = [
        Prompt(messages=(Message(role="user", content=f"Q{n}?"),), split="heldout")
        for n in range(PROMPTS)
    ]
    lab.store.add_prompts(prompts)
    for version, text in (("policy@0", "old"), ("policy@1", "much newer")):
        lab.store.add_responses(
            Response(
                id=f"{version}-{n}", prompt_id=p.id, text=f"{text} {n}", version=version,
                sampling=Sampling(), seed=n, purpose="evaluation",
                end_reason="length" if n % 3 == 0 else "stop",
            )
            for n, p in enumerate(prompts)
        )  # fmt: skip
    return lab


def choose(page: EvaluatePage, first: str, second: str) -> None:
    act(page._form, "choose", first=first, second=second)


def act(fragment: Fragment, name: str, **values: str) -> None:
    fragment.act(Act(name=name, key="", values=values))


def told(context) -> str:
    return text_of(messages(context).html)


def html(page: EvaluatePage) -> str:
    return "".join(fragment.html for fragment in fragments(page.view))


def comparer(page: EvaluatePage) -> ComparisonPane | None:
    return next(iter(page.view.select(ComparisonPane)), None)


def compare(page: EvaluatePage, prefers: str, most: int = PROMPTS) -> None:
    """Choose the answers of a version, as a page sends it; the truth is in the text."""
    pane = comparer(page)
    assert pane is not None
    state = pane.state
    for number in range(1, most + 1):
        open_ = [i for i in state.content["items"] if i["key"] not in state.view["answered"]]
        [letter] = [c["letter"] for c in open_[0]["cards"] if c["text"].startswith(prefers)]
        event = {
            "seq": state.acked_seq + 1, "id": f"{id(state)}-{number}", "type": "submit",
            "item": open_[0]["key"], "choice": letter, "seconds": 3.0,
        }  # fmt: skip
        state.apply([event])


def test_without_versions_each_is_told_what_comes_next(context, context_of):
    researchers, annotators = EvaluatePage(context), EvaluatePage(context_of("bob", "annotator"))
    assert "evaluate one against the other on Rounds first" in text_of(html(researchers))
    assert "No evaluations yet" in html(researchers)
    assert "as soon as a researcher has chosen two versions" in text_of(html(annotators))
    assert "No evaluations yet" not in html(annotators)


def test_a_researcher_chooses_and_the_team_compares_without_names(answered, context, context_of):
    page = EvaluatePage(context)
    choose(page, "policy@1", "policy@0")
    assert team_pair(context) == Pair(first="policy@1", second="policy@0")
    assert "The team compares policy@1 with policy@0" in told(context)
    team = EvaluatePage(context_of("bob", "annotator"))
    compare(team, prefers="much newer")
    state = comparer(team).state
    assert state.view["phase"] == "finished"
    assert state.view["result"]["first"] == {"name": "Version X", "wins": PROMPTS}
    for shown in (html(team), str(state.content), str(state.view)):
        assert "policy@" not in shown


def test_names_are_hidden_at_the_latest_from_whoever_is_demoted(answered, context, accounts):
    page = EvaluatePage(context)
    choose(page, "policy@1", "policy@0")
    state = comparer(page).state
    ask = {"seq": 1, "id": "reveal-0001", "type": "reveal"}
    state.apply([ask])
    assert state.view["result"]["first"]["name"] == "policy@1"
    accounts.set_role("ada", "annotator", by="root")
    state.apply([{**ask, "seq": 2, "id": "reveal-0002"}])
    assert state.view["result"]["first"]["name"] == "Version X"
    choose(page, "policy@0", "policy@1")
    assert "needs the role researcher" in told(context)
    assert team_pair(context) == Pair(first="policy@1", second="policy@0")
    act(page._results, "look-again")
    assert "See_evaluation: this needs the role researcher" in told(context)
    accounts.disable("ada", by="root")
    state.apply([{"seq": 3, "id": "reveal-0003", "type": "reveal"}])
    assert "signed out" in state.notice["text"]


def test_win_rates_show_when_somebody_is_done_and_not_before(answered, context, context_of):
    page = EvaluatePage(context)
    choose(page, "policy@1", "policy@0")
    assert "Nobody has compared these yet" in html(page)
    for name, prefers, most in (("bob", "much", 6), ("cat", "old", 6), ("dan", "much", 2)):
        compare(EvaluatePage(context_of(name, "annotator")), prefers=prefers, most=most)
    act(page._results, "look-again")
    text = text_of(page._results.html)
    # Six wins and six losses over the same six prompts; Wilson's interval of one half at n = 6.
    assert "Win rate over everybody 50% 95% interval 19% to 81% over 6 prompts" in text
    assert "No difference shown" in text
    assert "12 by 2 people who are done" in text
    assert "bob 6 of 6 100% (61% to 100%) 6 0 0 0" in text
    assert "cat 6 of 6 0% (0% to 39%) 0 6 0 0" in text
    assert "dan 2 of 6 still comparing" in text


def test_until_somebody_is_done_no_rate_is_shown(answered, context, context_of):
    page = EvaluatePage(context)
    choose(page, "policy@1", "policy@0")
    compare(EvaluatePage(context_of("dan", "annotator")), prefers="much", most=5)
    act(page._results, "look-again")
    text = text_of(page._results.html)
    assert "Win rates are shown as soon as somebody is done." in text
    assert "dan 5 of 6 still comparing" in text
    assert "%" not in text.partition("interval")[2]


def test_who_is_comparing_goes_on_when_other_versions_are_chosen(answered, context, context_of):
    page = EvaluatePage(context)
    choose(page, "policy@1", "policy@0")
    team = EvaluatePage(context_of("bob", "annotator"))
    before = comparer(team)
    team.follow()
    assert team._news.html == ""
    choose(page, "policy@0", "policy@1")
    team.follow()
    assert comparer(team) is before
    assert "A researcher chose other versions" in team._news.html
    act(team._news, "go-on")
    assert comparer(team) is not before
    assert team._news.html == ""


def test_an_empty_page_shows_pairs_by_itself(answered, context, context_of):
    team = EvaluatePage(context_of("bob", "annotator"))
    assert comparer(team) is None
    choose(EvaluatePage(context), "policy@1", "policy@0")
    team.follow()
    assert comparer(team) is not None


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("policy@9", "policy@0", "'policy@9' has answered nothing here"),
        ("", "policy@0", "'' has answered nothing here"),
        ("policy@0", "policy@0", "against itself"),
    ],
)
def test_versions_that_cannot_be_compared_are_refused(answered, context, first, second, expected):
    page = EvaluatePage(context)
    choose(page, first, second)
    assert expected in told(context)
    assert team_pair(context) is None


def test_annotators_choose_nothing(answered, context_of):
    bobs = context_of("bob", "annotator")
    choose(EvaluatePage(bobs), "policy@1", "policy@0")
    assert "Set_plan: this needs the role researcher" in told(bobs)
    assert team_pair(bobs) is None


def test_the_address_chooses_what_a_researcher_looks_at_and_nothing_else(
    answered, context, context_of, monkeypatch
):
    def ask(first: str, second: str) -> None:
        asked = {"first": first, "second": second}
        monkeypatch.setattr(evaluate_team, "asked_for", asked.get)

    ask("policy@0", "policy@1")
    page = EvaluatePage(context)
    assert "policy@0 against policy@1, by people" in text_of(html(page))
    assert team_pair(context) is None
    assert comparer(EvaluatePage(context_of("bob", "annotator"))) is None
    for pair in (("policy@0", "policy@0"), ("policy@0", "../x"), ("<b>", "policy@0"), ("", "")):
        ask(*pair)
        assert evaluate_team.asked_pair(context) is None


def test_evaluations_and_figures_of_what_versions_write(answered, context):
    found = Evaluation(
        baseline="policy@0",
        win_rate=Interval(estimate=0.75, low=0.6, high=0.86, n=48),
        kl=3.25,
        reward="reward@2",
        reward_gain=Interval(estimate=0.5, low=0.25, high=0.75, n=48),
    )
    context.store.log_metrics("evaluation", "policy@1", 0, found.figures())
    text = text_of(EvaluatePage(context)._figures.html)
    assert "policy@1 policy@0 75% (60% to 86%), 48 prompts better 3.25" in text
    assert "+0.50 (+0.25 to +0.75), reward@2" in text
    # "much newer 0" has 12 characters; two of six were cut off.
    assert "policy@1 6 6 12 67% 100% policy@0 6 6 5 67% 100%" in text


def test_a_hostile_source_of_answers_is_a_name_like_any_other(answered, context):
    for number, evil in enumerate(NAMED[name] for name in ("tags-1", "names-17", "handlers-1")):
        asked = context.store.prompts()[0]
        context.store.add_responses(
            [Response(id=f"evil-{number}", prompt_id=asked.id, text=evil, version=f"import:{evil}")]
        )
    page = EvaluatePage(context)
    assert not hostile(html(page))
    choose(page, f"import:{NAMED['tags-1']}", "policy@0")
    assert NAMED["tags-1"] in text_of(page._results.html)
    assert not hostile(html(page))


def test_the_page_is_for_everybody_who_is_signed_in(context_of, accounts):
    bobs = context_of("bob", "annotator")
    assert evaluate.page(bobs)
    accounts.disable("bob", by="root")
    with pytest.raises(Exception, match="signed out"):
        evaluate.page(bobs)
