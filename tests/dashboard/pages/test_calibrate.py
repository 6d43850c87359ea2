"""The Calibrate page: newcomers learn from known answers, researchers make them and look on."""

from __future__ import annotations

import pytest

from rlhf_lab.dashboard.pages import calibrate
from rlhf_lab.dashboard.pages.calibrate import calibration_left
from rlhf_lab.dashboard.pages.calibrate_results import in_letters, verdict
from rlhf_lab.dashboard.shell import Act, Fragment, messages
from rlhf_lab.store import CalibrationPlan
from rlhf_lab.store.tables import has_lone_surrogate
from rlhf_lab.types import Interval, Judgment, Message, Prompt, Ranking, Response
from rlhf_lab.widgets.panel import RankingPane
from tests.dashboard.pages.html_of import fragments, hostile, text_of
from tests.widgets.xss_corpus import NAMED

ANSWERS = ("best", "middling", "worst")


def fill(lab, *questions: str) -> None:
    """Each question with three answers, which say how good they are."""
    prompts = [Prompt(messages=(Message(role="user", content=q),)) for q in questions]
    lab.store.add_prompts(prompts)
    lab.store.add_responses(
        Response(id=f"{n}-{rank}", prompt_id=p.id, text=text, version="policy@0")
        for n, p in enumerate(prompts)
        for rank, text in enumerate(ANSWERS)
    )
    lab.store.assignments.offer("policy@0")


def know(context, how_many: int) -> None:
    """A researcher ranks so many items and takes the rankings for known answers, on their page."""
    ids = rank_best_first(context, how_many)
    view = calibrate.page(context)
    for judgment in ids:
        act(with_act(view, "make-gold"), "make-gold", key=judgment)
    act(with_act(view, "settings"), "settings", enabled="on", items="10")


def rank_best_first(context, how_many: int) -> list[str]:
    """Rank the first so many items by the ids of their answers; ids of the judgments."""
    queue = context.lab.queue(context.actor.name)
    ids = []
    for item in queue.upcoming(how_many):
        tiers = tuple((c.id,) for c in sorted(item.candidates, key=lambda c: c.id))
        ids.append(f"known-{item.prompt.id}")
        queue.submit(
            Judgment(
                id=ids[-1],
                prompt_id=item.prompt.id,
                annotator=context.actor.name,
                shown_order=tuple(c.id for c in item.candidates),
                ranking=Ranking(tiers=tiers),
            )
        )
    return ids


def act(fragment: Fragment, name: str, key: str = "", **values: str) -> None:
    fragment.act(Act(name=name, key=key, values=values))


def with_act(view, name: str) -> Fragment:
    [found] = [f for f in fragments(view) if f'data-act="{name}"' in f.html]
    return found


def text(view) -> str:
    return text_of("".join(fragment.html for fragment in fragments(view)))


def told(context) -> str:
    return text_of(messages(context).html)


def rank(pane: RankingPane, order: str, number: int) -> None:
    """Rank the present item so that its answers come in this order of their first letters."""
    state = pane.state
    [item] = [i for i in state.content["items"] if i["key"] == state.view["current"]]
    ranks = [1 + order.index(card["text"][0]) for card in item["cards"]]
    event = {
        "seq": state.acked_seq + 1, "id": f"{id(pane)}-{number}", "type": "submit",
        "item": item["key"], "ranks": ranks, "seconds": 4.0,
    }  # fmt: skip
    state.apply([event])


@pytest.fixture
def known(lab, context):
    """Four items, of which the researcher's rankings of the first two are known answers."""
    fill(lab, "What is tea?", "What is rice?", "What is rain?", "What is snow?")
    know(context, 2)
    return lab


def test_a_newcomer_is_led_through_the_set_and_told_after_each_answer(known, context_of):
    bobs = context_of("bob", "annotator")
    assert calibration_left(bobs) == 2
    view = calibrate.page(bobs)
    [pane] = view.select(RankingPane)
    assert "2 items whose answers are known" in text(view)
    assert "Answered 0 of 2" in text(view)
    rank(pane, "bwm", 1)
    assert pane.state.view["reveal"]["text"].startswith("The researcher says ")
    assert pane.state.view["reveal"]["text"].endswith("as you in 2 of 3 pairs.")
    assert "You and the researcher agree on 2 of the 3 pairs" in text(view)
    assert "as you in 2 of 3 pairs. What is tea?" in text(view)
    assert calibration_left(bobs) == 1
    rank(pane, "bmw", 2)
    assert calibration_left(bobs) == 0
    end = text(view)
    assert "Items answered 2 of 2" in end
    # 5 of 6 pairs; Wilson's interval of 5/6 at two items.
    assert "Agreement with the researcher 83% 95% interval 24% to 99%, 2 items" in end
    assert "In the literature 63% to 77%" in end
    assert view.select(RankingPane) == []
    assert "as much as researchers reach among themselves" in end
    assert end.index("What is tea? 2 of 3 pairs") < end.index("What is rice? 3 of 3 pairs")
    assert 'href="/rank"' in "".join(f.html for f in fragments(view))
    assert text(calibrate.page(bobs)).count("2 of 2") == 1


def test_what_they_say_is_no_work_and_no_gold(known, context_of):
    bobs = context_of("bob", "annotator")
    [pane] = calibrate.page(bobs).select(RankingPane)
    rank(pane, "bmw", 1)
    [judgment] = known.store.judgments(annotator="bob")
    assert judgment.occasion == "calibration"
    assert known.queue("bob").progress().done == 0


def test_a_page_that_was_left_goes_on_where_it_was(known, context_of):
    bobs = context_of("bob", "annotator")
    [pane] = calibrate.page(bobs).select(RankingPane)
    rank(pane, "bmw", 1)
    view = calibrate.page(bobs)
    assert "Answered 1 of 2" in text(view)
    [pane] = view.select(RankingPane)
    assert "rice" in str(pane.state.content["items"][0]["turns"])


def test_researchers_see_how_everybody_did(known, context, context_of):
    [pane] = calibrate.page(context_of("bob", "annotator")).select(RankingPane)
    rank(pane, "wmb", 1)
    context_of("cat", "annotator")
    shown = text(calibrate.page(context))
    assert "bob annotator 1 of 2 0% 95% interval 0% to 79%, 1 item 1" in shown
    assert "cat annotator 0 of 2" in shown
    assert "ada researcher" not in shown  # the answers are theirs
    assert "2 in the lab, 2 of them in the calibration set" in shown


def test_researchers_are_told_that_these_are_their_own_answers(known, context):
    assert "perhaps they are your own answers" in text(calibrate.page(context))
    assert calibration_left(context) == 0


def test_an_empty_lab_says_what_to_do(context, context_of):
    assert "Calibration is off" in text(calibrate.page(context))
    assert "None of your rankings can be taken" in text(calibrate.page(context))
    assert "No calibration is asked of you" in text(calibrate.page(context_of("bob", "annotator")))
    act(with_act(calibrate.page(context), "settings"), "settings", enabled="on", items="5")
    assert "No known answers yet" in text(calibrate.page(context_of("cat", "annotator")))
    assert "Rank some items, then take them below" in text(calibrate.page(context))


def test_settings_are_kept_and_bad_ones_refused(known, context, context_of):
    view = calibrate.page(context)
    settings = with_act(view, "settings")
    act(settings, "settings", enabled="on", items="1")
    assert context.store.assignments.calibration == CalibrationPlan(enabled=True, items=1)
    assert calibration_left(context_of("bob", "annotator")) == 1
    for items in ("0", "201", "many", "", "9" * 9, "-3"):
        act(settings, "settings", enabled="on", items=items)
        assert "Items=" in told(context), items
        assert context.store.assignments.calibration.items == 1
    act(settings, "settings", enabled="off", items="3")
    assert calibration_left(context_of("cat", "annotator")) == 0


def test_annotators_get_none_of_the_researchers_parts_and_may_not_use_them(known, context_of):
    bobs = context_of("bob", "annotator")
    html = "".join(f.html for f in fragments(calibrate.page(bobs)))
    assert "make-gold" not in html
    assert "settings" not in html


def test_whoever_is_demoted_can_do_nothing_more_with_an_open_page(lab, context, accounts):
    fill(lab, "What is tea?", "What is rice?")
    know(context, 1)
    view = calibrate.page(context)
    item = lab.queue("ada").upcoming(1)[0]
    lab.store.submit(
        Judgment(
            id="one more", prompt_id=item.prompt.id, annotator="ada",
            shown_order=tuple(c.id for c in item.candidates),
            ranking=Ranking(tiers=tuple((c.id,) for c in item.candidates)),
        )
    )  # fmt: skip
    [settings] = [f for f in fragments(view) if 'data-act="settings"' in f.html]
    [people] = [f for f in fragments(view) if "How people did" in f.html]
    [answers] = [f for f in fragments(view) if "Known answers" in f.html and f is not settings]
    accounts.set_role("ada", "annotator", by="root")
    act(settings, "settings", enabled="off", items="3")
    assert "Set_plan: this needs the role researcher" in told(context)
    act(answers, "make-gold", key="one more")
    assert "Make_gold: this needs the role researcher" in told(context)
    act(people, "look-again")
    assert "Set_plan: this needs the role researcher" in told(context)
    assert lab.store.assignments.calibration.enabled
    assert lab.store.assignments.known_answers() == 1


def test_an_answer_of_whoever_is_disabled_is_not_stored(known, context_of, accounts):
    bobs = context_of("bob", "annotator")
    [pane] = calibrate.page(bobs).select(RankingPane)
    accounts.disable("bob", by="root")
    rank(pane, "bmw", 1)
    assert known.store.judgments(annotator="bob") == []
    assert "signed out" in pane.state.notice["text"]
    assert pane.state.view["reveal"] is None


def test_only_a_ranking_of_the_lab_becomes_a_known_answer(known, context):
    view = calibrate.page(context)
    [answers] = [f for f in fragments(view) if "Known answers" in f.html]
    for key in ("unknown", "", "' OR 1=1"):
        act(answers, "make-gold", key=key)
        assert "is not a ranking that counts" in told(context)
    assert known.store.assignments.known_answers() == 2


def test_no_prompt_or_answer_becomes_an_element(lab, context, context_of):
    short = [text for name, text in NAMED.items() if not name.startswith("long")]
    whole = [text for text in short if not has_lone_surrogate(text)][::8]
    prompts = [Prompt(messages=(Message(role="user", content=t),)) for t in whole]
    lab.store.add_prompts(prompts)
    lab.store.add_responses(
        Response(id=f"{n}-{k}", prompt_id=p.id, text=f"{k}{p.text}\ud800", version="policy@0")
        for n, p in enumerate(prompts)
        for k in range(2)
    )
    lab.store.assignments.offer("policy@0")
    lab.make_gold(rank_best_first(context, len(whole)))
    lab.store.assignments.calibration = CalibrationPlan(enabled=True, items=200)
    for known in lab.store.assignments.known_items("bob", seed=lab.seed):
        shown = tuple(c.id for c in known.item.candidates)
        lab.store.submit(
            Judgment(
                id=f"bobs-{shown[0]}", prompt_id=known.item.prompt.id, annotator="bob",
                occasion="calibration", shown_order=shown,
                ranking=Ranking(tiers=tuple((i,) for i in shown)),
            )
        )  # fmt: skip
    html = "".join(f.html for f in fragments(calibrate.page(context_of("bob", "annotator"))))
    assert html.count("<details") == len(whole)
    assert not hostile(html)
    html.encode("utf-8")


@pytest.mark.parametrize(
    ("agreement", "expected"),
    [
        ((0.3, 0.1, 0.6), "less than people and researchers reach elsewhere"),
        ((0.5, 0.3, 0.7), "it may be chance"),
        ((0.63, 0.5, 0.7), "what people and researchers reach elsewhere"),
        ((0.78, 0.5, 0.9), "as much as researchers reach among themselves"),
    ],
)
def test_the_verdict_goes_by_the_band_of_the_literature(agreement, expected):
    estimate, low, high = agreement
    assert expected in verdict(Interval(estimate=estimate, low=low, high=high, n=10))


def test_rankings_are_told_in_letters_of_the_screen():
    shown = ("x", "y", "z")
    assert in_letters(Ranking(tiers=(("z",), ("x", "y"))), shown) == "C > A = B"
    assert in_letters(None, shown) == "skipped"
    assert verdict(None).startswith("You tied or skipped")
