from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from rlhf_lab.errors import NotEnoughData, UnknownVersion
from rlhf_lab.evaluation.honest import CurvePoint, curve_svg, over_optimisation, stored_curve
from rlhf_lab.store import PreferenceStore, log_evaluation
from rlhf_lab.types import Evaluation, Interval, Version
from tests.evaluation.honest.made import interval


def point(number: int, kl: float, gold: float, proxy: float | None = None, half: float = 0.05):
    return CurvePoint(
        version=f"policy@{number}",
        kl=kl,
        gold=interval(gold, half),
        proxy=None if proxy is None else interval(proxy, 0.1),
        reward=None if proxy is None else "reward@1",
    )


def gaos(alpha: float, beta: float, distances, noise: float = 0.0, seed: int = 0):
    random = np.random.default_rng(seed)
    return [
        point(n, d * d, 0.5 + d * (alpha - beta * math.log(d)) + noise * random.normal(), d)
        for n, d in enumerate(distances, start=1)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PreferenceStore]:
    with PreferenceStore(tmp_path / "lab.db") as made:
        yield made


def line(store: PreferenceStore, count: int) -> None:
    for number in range(count):
        parent = f"policy@{number - 1}" if number else None
        store.add_version(Version(name=f"policy@{number}", parent=parent, path=f"v/{number}"))


def log(store: PreferenceStore, version: str, kl: float, gold: float, **changes) -> None:
    values = {"baseline": "policy@0", "win_rate": interval(gold), "kl": kl, **changes}
    log_evaluation(store, version, Evaluation(**values))


def test_gold_that_falls_while_the_proxy_rises_is_told_with_the_best_version():
    found = over_optimisation(
        [point(1, 1, 0.6, 0.5), point(2, 4, 0.75, 1.0), point(3, 9, 0.6, 1.6)]
    )
    assert found.turn == "has begun to fall"
    assert found.best.version == "policy@2"
    assert "has begun to fall: 0.75" in found.meaning
    assert "the reward rose from +0.50 to +1.60" in found.meaning
    assert "lab.checkout('policy@2')" in found.meaning


@pytest.mark.parametrize(
    ("points", "turn"),
    [
        ([point(1, 1, 0.6, 0.5), point(2, 4, 0.75, 1.0)], "not seen to fall"),
        # The interval of the last one reaches the best estimate.
        ([point(1, 1, 0.65, 0.5), point(2, 4, 0.61, 1.0)], "not seen to fall"),
        # The proxy fell with it: that is no over-optimisation.
        ([point(1, 1, 0.75, 1.0), point(2, 4, 0.6, 0.5)], "not seen to fall"),
        ([point(1, 1, 0.75), point(2, 4, 0.6)], "has begun to fall"),
        ([point(1, 1, 0.75, 1.0), point(2, 4, 0.4, 2.0)], "below its start"),
        ([point(1, 1, 0.4, 1.0)], "below its start"),
        ([point(1, 1, 0.6, 1.0)], "too few points"),
    ],
)
def test_where_gold_stands(points, turn):
    found = over_optimisation(points)
    assert found.turn == turn
    assert found.meaning


def test_a_gold_score_has_a_start_of_its_own():
    points = [point(1, 1, 2.4, 0.5), point(2, 4, 2.2, 1.0)]
    assert over_optimisation(points, gold_start=2.0).turn == "has begun to fall"
    found = over_optimisation(points, gold_start=2.5, gold_name="gold score")
    assert found.turn == "below its start"
    assert found.meaning.startswith("Gold score of policy@2 is below its start")


def test_the_fit_finds_the_curve_it_was_made_from_and_its_peak():
    fit = over_optimisation(gaos(0.2, 0.1, [0.5, 1, 2, 4, 6, 8])).fit
    assert (fit.alpha, fit.beta) == pytest.approx((0.2, 0.1), abs=1e-9)
    # The derivative alpha - beta - beta log d is 0 at d = exp(alpha / beta - 1).
    assert fit.peak == pytest.approx(math.e)
    assert fit.gold(math.e) == pytest.approx(0.5 + 0.1 * math.e)
    assert fit.gold(0) == 0.5


def test_the_fit_weighs_points_by_how_well_they_are_known():
    good = gaos(0.2, 0.1, [0.5, 1, 2, 4, 8])  # at 10 it is 0.197
    wrong, as_good = point(6, 100, 0.9, 6, half=0.4), point(6, 100, 0.9, 6)
    assert over_optimisation([*good, wrong]).fit.gold(10) == pytest.approx(0.197, abs=0.05)
    assert over_optimisation([*good, as_good]).fit.gold(10) > 0.5


def test_a_peak_beyond_what_was_seen_is_none():
    assert over_optimisation(gaos(0.2, 0.05, [0.5, 1, 2, 4])).fit.peak is None
    assert over_optimisation(gaos(0.05, -0.02, [0.5, 1, 2, 4])).fit.peak is None


@pytest.mark.parametrize(
    "distances",
    [
        [1, 2, 4],  # too few
        [5, 5.5, 6, 6.5, 7],  # all about as far away
        [0, 0, 0, 0, 2],  # KL of 0 says nothing of a curve
    ],
)
def test_points_that_do_not_settle_a_curve_have_none(distances):
    points = [point(n, d * d, 0.6, 1) for n, d in enumerate(distances, start=1)]
    found = over_optimisation(points)
    assert found.fit is None
    assert "Gao" not in str(found)


def test_a_negative_kl_by_chance_lies_at_the_start():
    assert point(1, -0.2, 0.5).distance == 0


def test_nothing_evaluated_is_refused():
    with pytest.raises(NotEnoughData, match="0 evaluated versions"):
        over_optimisation([])


def test_a_stored_curve_follows_the_line_from_after_the_baseline(store):
    line(store, 4)
    store.add_version(Version(name="policy@9", parent="policy@1", path="v/9"))
    for number, gold in ((0, 0.5), (1, 0.6), (2, 0.8), (3, 0.6), (9, 0.1)):
        log(store, f"policy@{number}", kl=number**2, gold=gold)
    log(store, "policy@2", kl=4.0, gold=0.7)  # evaluated again: the last one counts
    log(store, "policy@2", kl=4.0, gold=0.2, baseline="policy@1")
    found = stored_curve(store, "policy@3", baseline="policy@0")
    assert [p.version for p in found.points] == ["policy@1", "policy@2", "policy@3"]
    assert [p.gold.estimate for p in found.points] == pytest.approx([0.6, 0.7, 0.6])
    assert [p.distance for p in found.points] == pytest.approx([1, 2, 3])


def test_scores_of_two_reward_models_are_not_drawn_on_one_scale(store):
    line(store, 3)
    log(store, "policy@1", 1.0, 0.6, reward="reward@0", reward_gain=interval(9.0))
    log(store, "policy@2", 4.0, 0.7, reward="reward@1", reward_gain=interval(0.5))
    found = stored_curve(store, "policy@2", baseline="policy@0")
    assert [p.proxy and p.proxy.estimate for p in found.points] == [None, 0.5]
    old = stored_curve(store, "policy@2", baseline="policy@0", reward="reward@0")
    assert [p.version for p in old.points] == ["policy@1"]


def test_win_rates_by_two_judges_are_not_drawn_as_one_line(store):
    line(store, 4)
    log(store, "policy@1", 1.0, 0.6, judge="kind")
    log(store, "policy@2", 4.0, 0.9, judge="kind")
    log(store, "policy@2", 4.0, 0.5, judge="strict")
    log(store, "policy@3", 9.0, 0.4, judge="strict")
    found = stored_curve(store, "policy@3", baseline="policy@0")
    assert [(p.version, p.gold.estimate) for p in found.points] == [
        ("policy@2", 0.5),
        ("policy@3", 0.4),
    ]
    kind = stored_curve(store, "policy@3", baseline="policy@0", judge="kind")
    assert [p.gold.estimate for p in kind.points] == [0.6, 0.9]
    with pytest.raises(NotEnoughData, match="against policy@0 by nobody"):
        stored_curve(store, "policy@3", baseline="policy@0", judge="nobody")


def test_a_line_without_evaluations_says_what_to_do(store):
    line(store, 2)
    with pytest.raises(NotEnoughData, match="no version from policy@0 to policy@1"):
        stored_curve(store, "policy@1", baseline="policy@0")
    with pytest.raises(UnknownVersion):
        stored_curve(store, "policy@7", baseline="policy@0")


def test_the_picture_has_a_dot_for_each_point_and_a_dashed_fit():
    found = over_optimisation(gaos(0.2, 0.1, [0.5, 1, 2, 4, 8]))
    svg = ElementTree.fromstring(curve_svg(found))
    dots = list(svg.iter("circle"))
    assert len(dots) == 10
    gold = [float(dot.get("cy")) for dot in dots[:5]]
    # Higher on the page is a smaller number: gold is highest at the third point.
    assert min(gold) == gold[2]
    proxy = [float(dot.get("cy")) for dot in dots[5:]]
    assert proxy == sorted(proxy, reverse=True)
    assert sum(line.get("stroke-dasharray") == "4 3" for line in svg.iter("polyline")) == 1
    assert svg.get("fill") == "currentColor"


def test_without_a_proxy_there_is_one_panel():
    svg = ElementTree.fromstring(curve_svg(over_optimisation([point(1, 0.0, 0.6)])))
    assert len(list(svg.iter("circle"))) == 1


def test_names_are_texts_in_the_picture_and_the_table():
    bad = CurvePoint(
        version="<script>x</script>",
        kl=1.0,
        gold=Interval(estimate=0.5, low=0.5, high=0.5, n=3),
    )
    html = over_optimisation([bad], gold_name="<b>gold</b>")._repr_html_()
    assert "<script" not in html
    assert "<b>gold" not in html
