from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import krippendorff
import numpy as np
import pytest

from rlhf_lab.annotators import rank_all
from rlhf_lab.evaluation.agreement import basis_of, measure_agreement
from rlhf_lab.lab import Lab
from rlhf_lab.store import AssignmentPlan
from rlhf_lab.store.tables import AccountRow
from rlhf_lab.types import Ranking, wilson_interval
from tests.evaluation.agreement.saying import NOON, Team, tiers


def report_of(team: Team, who: str, **options):
    found = measure_agreement(team.store, **options)
    return next(one for one in found.annotators if one.name == who)


def test_a_lab_where_nobody_judged_has_nothing_to_report(team: Team):
    found = measure_agreement(team.store)
    assert (found.judgments, found.items, found.shared) == (0, 0, 0)
    assert (found.nominal, found.ordinal, found.pairwise, found.left) == (None, None, None, None)
    assert (found.fleiss, found.ac1, found.ac2, found.consistent) == (None, None, None, None)
    assert (found.annotators, found.pairs, found.disputed) == ((), (), ())


def test_one_person_alone_agrees_with_nobody(team: Team):
    team.say("ann", "tea", "A > B > C")
    found = measure_agreement(team.store)
    assert (found.judgments, found.items, found.shared) == (1, 1, 0)
    assert (found.nominal, found.pairs, found.disputed) == (None, (), ())
    assert found.annotators[0].with_others is None


def test_agreement_with_the_researcher_by_hand(team: Team):
    team.say("me", "tea", "A > B > C")
    team.say("ann", "tea", "B > A > C")  # A-B otherwise, A-C and B-C alike
    team.say("me", "rain", "A > B = C")
    team.say("ann", "rain", "A = B > C")  # A-C alike; the others one of them ties
    team.say("ann", "snow", "A > B")  # not ranked by the researcher
    ann = report_of(team, "ann")
    assert ann.with_researchers.estimate == pytest.approx(3 / 4)
    assert (ann.with_researchers.of, ann.with_researchers.n) == (4, 2)
    assert not ann.is_researcher
    me = report_of(team, "me")
    assert me.is_researcher
    assert me.with_researchers is None
    assert me.with_others.estimate == pytest.approx(3 / 4)


def test_each_researcher_is_compared_with_the_others_of_them(team: Team):
    for who, order in (("eve", "A > B"), ("fay", "B > A"), ("ann", "A > B")):
        team.say(who, "tea", order)
    found = measure_agreement(team.store, researchers=["eve", "fay"])
    shares = {one.name: one.with_researchers.estimate for one in found.annotators}
    # Ann is like Eve and unlike Fay; those two are unlike each other.
    assert shares == {"ann": 0.5, "eve": 0.0, "fay": 0.0}


def account(name: str, role: str) -> AccountRow:
    return AccountRow(
        name=name, key=name, role=role, disabled=False, created_by="", created_at=NOON
    )


def test_researchers_are_those_whose_accounts_say_so_and_the_notebook(team: Team):
    accounts = {"eve": "researcher", "fay": "admin", "ann": "annotator"}
    with team.store.database.write() as session:
        for name, role in accounts.items():
            session.add(account(name, role))
    assert basis_of(team.store).researchers == {"eve", "fay", "me"}
    with team.store.database.write() as session:
        session.add(account("me", "annotator"))
    assert basis_of(team.store).researchers == {"eve", "fay"}


def test_self_consistency_is_of_what_was_shown_again(team: Team):
    team.say("ann", "tea", "A > B > C")
    team.say("ann", "tea", "A > C = B", occasion="repeat")  # A-B, A-C alike; B-C tied now
    team.say("ann", "rain", "A > B")
    team.say("ann", "rain", "B > A", occasion="repeat")
    team.say("bob", "rain", "A > B", occasion="repeat")  # with nothing said before
    ann = report_of(team, "ann")
    assert ann.with_themself.estimate == pytest.approx(2 / 3)
    assert (ann.with_themself.of, ann.with_themself.n) == (3, 2)
    assert report_of(team, "bob").with_themself is None


def test_what_was_shown_again_is_compared_with_nobody_else(team: Team):
    team.say("ann", "tea", "A > B")
    team.say("bob", "tea", "A > B")
    team.say("ann", "tea", "B > A", occasion="repeat")
    found = measure_agreement(team.store)
    assert found.pairwise.estimate == 1
    assert found.pairs[0].pairs == 1


def test_known_answers_measure_people_and_not_one_another(team: Team):
    team.say("me", "tea", "A > B > C")
    team.store.assignments.offer()
    said = team.store.judgments()[0]
    team.store.assignments.make_gold([said.id])
    team.say("ann", "tea", "A > C > B", occasion="gold")
    team.say("bob", "tea", "C > A = B", occasion="gold")
    ann, bob = report_of(team, "ann"), report_of(team, "bob")
    assert ann.with_answers.estimate == pytest.approx(2 / 3)
    assert (bob.with_answers.estimate, bob.with_answers.of) == (0, 2)
    found = measure_agreement(team.store)
    assert (found.nominal, found.pairwise, found.shared) == (None, None, 0)
    assert report_of(team, "ann").with_researchers is None


def test_left_is_the_first_shown_against_the_last_and_ties_are_left_out(team: Team):
    team.say("ann", "tea", "A > B > C", shown="ABC")
    team.say("ann", "rain", "A > B > C", shown="CBA")
    team.say("ann", "snow", "B > A > C", shown="ACB")
    team.say("ann", "ice", "A = C > B", shown="ABC")  # first and last are tied
    team.say("ann", "fog", "A > B", shown="AB", seconds=0.0)  # imported: nobody saw left and right
    ann = report_of(team, "ann")
    assert (ann.left.estimate, ann.left.of) == (pytest.approx(1 / 3), 3)
    plain = wilson_interval(1 / 3, 1)  # three prompts that scatter are worth less than one
    assert (ann.left.low, ann.left.high) == (plain.low, plain.high)


def test_ties_are_counted(team: Team):
    team.say("ann", "tea", "A = B > C")
    team.say("ann", "rain", "A > B")
    assert report_of(team, "ann").tied.estimate == pytest.approx(1 / 4)


def test_pace_by_hand(team: Team):
    for number, minutes in enumerate([0, 2, 4, 60, 61, 24 * 60]):
        team.say("ann", f"word {number}", "A > B", minutes=minutes, seconds=30.0 + number)
    team.say("ann", "later", "A > B", minutes=9_000, seconds=0.0)  # imported
    pace = report_of(team, "ann").pace
    assert pace.seconds == 32.5
    # First 30 s, then 2 and 2 minutes; after breaks 33 s, 1 minute, and 35 s.
    assert pace.per_hour == pytest.approx(6 * 3600 / (30 + 120 + 120 + 33 + 60 + 35))
    assert pace.per_day == 3
    assert (pace.last - NOON).total_seconds() == 24 * 3600


def test_skips_are_counted_and_nothing_else(team: Team):
    team.say("ann", "tea", "A > B")
    team.say("ann", "rain", "A > B", kind="skip", ranking=None)
    ann = report_of(team, "ann")
    assert (ann.judgments, ann.skips) == (1, 1)


def test_what_was_taken_back_does_not_count(team: Team):
    team.say("ann", "tea", "A > B")
    team.store.assignments.undo("ann")
    assert measure_agreement(team.store).judgments == 0


def test_the_most_disputed_items_come_first(team: Team):
    for who, order in (("ann", "A > B > C"), ("bob", "C > B > A")):
        team.say(who, "opposite", order)
    for who, order in (("ann", "A > B > C"), ("bob", "A > C > B"), ("cat", "A > B = C")):
        team.say(who, "near", order)
    for who in ("ann", "bob"):
        team.say(who, "same", "B > A > C")
    found = measure_agreement(team.store)
    assert [item.prompt.text for item in found.disputed] == ["opposite", "near"]
    opposite, near = found.disputed
    assert opposite.disagreement == 1
    # Of the pair B-C: ann and bob opposed, cat ties: (1 + 1/2 + 1/2) / 3, of three pairs.
    assert near.disagreement == pytest.approx(2 / 9)
    assert [said.annotator for said in near.judgments] == ["ann", "bob", "cat"]
    assert [c.text for c in near.candidates] == ["A to near", "B to near", "C to near"]
    assert len(measure_agreement(team.store, disputed=1).disputed) == 1
    assert measure_agreement(team.store, disputed=0).disputed == ()


def test_only_the_annotators_asked_for_are_looked_at(team: Team):
    for who, order in (("ann", "A > B"), ("bob", "A > B"), ("rubric", "B > A")):
        team.say(who, "tea", order)
    found = measure_agreement(team.store, annotators=["ann", "bob"])
    assert [one.name for one in found.annotators] == ["ann", "bob"]
    assert found.pairwise.estimate == 1


def test_names_that_no_database_can_hold_come_back_as_they_are(team: Team):
    strange = "\0 half \ud800"
    team.say(strange, "tea", "A > B")
    assert measure_agreement(team.store).annotators[0].name == strange


@pytest.fixture
def crowd(team: Team) -> Team:
    """Six people, forty items of two to five candidates, each ranked by some, with ties."""
    draw = np.random.default_rng(11)
    said = []
    for size in range(4):
        team.answer(*(f"word {n}" for n in range(size, 40, 4)), letters="ABCDE"[: 2 + size])
    for number in range(40):
        letters = "ABCDE"[: 2 + number % 4]
        for who in draw.choice(["ann", "bob", "cat", "dan", "eve", "me"], 3, replace=False):
            noisy = np.round(np.arange(len(letters)) + draw.normal(0, 1, len(letters)))
            order = " > ".join(
                " = ".join(x for x, at in zip(letters, noisy, strict=True) if at == level)
                for level in sorted(set(noisy))
            )
            said.append(team.judgment(str(who), f"word {number}", order))
    team.keep(said)
    return team


def values_of(team: Team) -> dict[tuple, dict[str, int]]:
    """What everybody said of every pair, from the judgments themselves."""
    found: dict[tuple, dict[str, int]] = {}
    for judgment in team.store.judgments():
        ranks = judgment.ranking.ranks()
        for first, second in combinations(sorted(ranks), 2):
            value = int(np.sign(ranks[first] - ranks[second]))
            found.setdefault((judgment.prompt_id, first, second), {})[judgment.annotator] = value
    return found


def test_alpha_is_that_of_the_reference_on_what_the_store_holds(crowd: Team):
    names = ["ann", "bob", "cat", "dan", "eve", "me"]
    matrix = np.array([[said.get(n, np.nan) for said in values_of(crowd).values()] for n in names])
    found = measure_agreement(crowd.store)
    reference = krippendorff.alpha(matrix, level_of_measurement="nominal")
    assert found.nominal.estimate == pytest.approx(reference, abs=1e-9)
    assert found.nominal.n == 40
    assert found.nominal.low < found.nominal.estimate < found.nominal.high


def test_ordinal_alpha_is_that_of_the_reference_on_places(crowd: Team):
    columns: dict[str, dict[str, float]] = {}
    for judgment in crowd.store.judgments():
        ranks = judgment.ranking.ranks()
        for one in ranks:
            above = sum(r < ranks[one] for r in ranks.values())
            beside = sum(r == ranks[one] for r in ranks.values()) - 1
            place = (above + beside / 2) / (len(ranks) - 1)
            columns.setdefault(one, {})[judgment.annotator] = place
    names = ["ann", "bob", "cat", "dan", "eve", "me"]
    matrix = np.array([[said.get(n, np.nan) for said in columns.values()] for n in names])
    reference = krippendorff.alpha(matrix, level_of_measurement="ordinal")
    found = measure_agreement(crowd.store).ordinal
    assert found.estimate == pytest.approx(reference, abs=1e-9)


def test_shares_are_those_of_their_definitions(crowd: Team):
    found = measure_agreement(crowd.store)
    pairs = values_of(crowd).values()
    for one in found.annotators:
        others, researcher = [], []
        for said in pairs:
            mine = said.get(one.name)
            if not mine:
                continue
            for other, theirs in said.items():
                if theirs and other != one.name:
                    others.append(mine == theirs)
                    researcher += [mine == theirs] if other == "me" else []
        assert one.with_others.estimate == pytest.approx(np.mean(others))
        assert one.with_others.of == len(others)
        if one.name != "me":
            assert one.with_researchers.estimate == pytest.approx(np.mean(researcher))
    together = [a == b for said in pairs for a, b in combinations(said.values(), 2) if a and b]
    assert found.pairwise.estimate == pytest.approx(np.mean(together))
    assert found.pairwise.of == len(together)


def test_disagreement_is_kendalls_distance(crowd: Team):
    distances: dict[str, list[float]] = {}
    pairs: dict[str, list[dict[str, int]]] = {}
    for (prompt_id, *_), said in values_of(crowd).items():
        pairs.setdefault(prompt_id, []).append(said)
    for prompt_id, of in pairs.items():
        for one, other in combinations(sorted(of[0]), 2):
            apart = [abs(said[one] - said[other]) / 2 for said in of]
            distances.setdefault(prompt_id, []).append(float(np.mean(apart)))
    found = measure_agreement(crowd.store, disputed=100).disputed
    assert len(found) == sum(np.mean(of) > 0 for of in distances.values())
    for item in found:
        assert item.disagreement == pytest.approx(np.mean(distances[item.prompt.id]))
    assert [i.disagreement for i in found] == sorted((i.disagreement for i in found), reverse=True)


def test_a_basis_is_another_after_everything_that_changes_the_report(team: Team):
    seen = {basis_of(team.store)}
    team.say("ann", "tea", "A > B")
    seen.add(basis_of(team.store))
    team.store.assignments.offer()
    team.store.assignments.make_gold([team.store.judgments()[0].id])
    seen.add(basis_of(team.store))
    seen.add(basis_of(team.store, researchers=["eve"]))
    assert len(seen) == 4
    assert measure_agreement(team.store).basis == basis_of(team.store)


def test_the_same_lab_gives_the_same_report(crowd: Team):
    first, again = (measure_agreement(crowd.store, resamples=50) for _ in range(2))
    assert first == again
    assert measure_agreement(crowd.store, resamples=50, seed=1) != first


class Alphabet:
    """Prefers A, but for one prompt where everybody but the researcher prefers B."""

    def __init__(self, name: str) -> None:
        self.name = name

    def rank(self, prompt, candidates):
        turned = self.name != "me" and prompt.text == "word 3"
        return Ranking.from_scores({c.id: (c.id[-1] == "B") == turned for c in candidates})


def test_a_lab_reports_and_its_work_handed_out_by_the_plan_is_understood(tmp_path):
    with Lab(tmp_path / "lab", progress=False) as lab:
        team = Team(lab.store)
        team.answer(*(f"word {number}" for number in range(6)), letters="AB")
        lab.plan = AssignmentPlan(overlap=2, repeat_rate=0.4, repeat_after=1)
        for who in ("me", "ann"):
            rank_all(lab.queue(who), Alphabet(who))
        ann = next(one for one in lab.agreement().annotators if one.name == "ann")
        assert ann.with_researchers.estimate == pytest.approx(5 / 6)
        assert ann.with_researchers.of == 6
        assert ann.with_themself.estimate == 1


def test_loading_agreement_loads_no_torch():
    code = (
        "import sys, rlhf_lab.evaluation, rlhf_lab.evaluation.agreement as a; "
        "from rlhf_lab.evaluation import measure_agreement, AgreementReport; "
        "assert a.measure_agreement is measure_agreement; "
        "assert not {'torch', 'sklearn', 'scipy', 'krippendorff'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_orders_are_read_as_they_are_written():
    assert tiers("A > B = C") == (("A",), ("B", "C"))


def test_kappa_and_ac_of_a_team_by_hand(team: Team):
    # 9 prompts tied by both, one on which they differ: 0.9 seen. Of 20 values 18 are ties, 1 first,
    # 1 second: chance by Fleiss 0.815, by Gwet (0.9 * 0.1 + 2 * 0.05 * 0.95) / 2 = 0.0925.
    for number in range(10):
        for who, order in (("ann", "A > B"), ("bob", "B > A")):
            team.say(who, f"prompt {number}", order if number == 0 else "A = B")
    found = measure_agreement(team.store)
    assert found.fleiss.estimate == pytest.approx((0.9 - 0.815) / 0.185)
    assert found.ac1.estimate == pytest.approx((0.9 - 0.0925) / 0.9075)
    assert found.ac1.n == 10
    # Places: two candidates each at 0, 1/2 or 1, numbered in order. 18 of 20 agree; the two others
    # are as far apart as can be: 0.9 seen. Values 0, 1/2, 1 are given in 0.05, 0.9, 0.05; ordinal
    # weights are 1, 2/3 and 0, which sum to 3 + 4 * 2/3.
    chance = (3 + 8 / 3) / 6 * (0.9 * 0.1 + 2 * 0.05 * 0.95)
    assert found.ac2.estimate == pytest.approx((0.9 - chance) / (1 - chance))


def test_self_consistency_of_everybody_by_hand(team: Team):
    team.say("ann", "tea", "A > B > C")
    team.say("ann", "tea", "B > A > C", occasion="repeat")  # 2 of 3 as before
    team.say("bob", "rain", "A > B = C")
    team.say("bob", "rain", "A > B > C", occasion="repeat")  # 2 of 2, one was tied
    found = measure_agreement(team.store)
    assert found.consistent.estimate == pytest.approx(4 / 5)
    assert (found.consistent.of, found.consistent.n) == (5, 2)
    assert "by the same person again 0.80" in str(found)
