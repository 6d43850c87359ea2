from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from rlhf_lab.annotators import RubricAnnotator
from rlhf_lab.evaluation.report import LabReport, write_report
from rlhf_lab.evaluation.report.writing import is_long
from rlhf_lab.evaluation.win_rate import compare_versions
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Alarm, Prompt, Ranking
from tests.evaluation.report import stores
from tests.evaluation.report.stores import ODD, PEOPLE, SCRIPT
from tests.html_pages import Reader

LONG = "Bread dough rises because " + "the yeast makes gas and " * 150 + "W" * 600
EMOJI = "Cats purr to calm down 🐈‍⬛👩🏽‍🚀, says العربية science."
# Places 0, 3 and 4 are the first that won, tied and lost by the rubric, so they are shown.
HOSTILE = {0: (SCRIPT, ODD), 3: (LONG, LONG), 4: (EMOJI, "")}


@contextmanager
def lab(folder: Path, special: dict[int, tuple[str, str]] | None = None) -> Iterator:
    folder.mkdir(exist_ok=True)
    with stores.make(folder / "lab.sqlite") as store:
        yield stores.two_rounds(store, folder, special)


def written(store: PreferenceStore, folder: Path, **changes) -> str:
    given = {"title": "first", "folder": folder, **changes}
    return write_report(store, folder / "report.html", **given).path.read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[PreferenceStore]:
    with lab(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(store: PreferenceStore, folder: Path) -> str:
    scores = {r.id: len(r.text) / 100 for r in store.responses() if r.purpose == "evaluation"}
    return written(store, folder, scores=scores, reward="reward@1")


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of which every text that somebody else wrote tries to get out."""
    folder = tmp_path_factory.mktemp("hostile")
    with lab(folder, HOSTILE) as store:
        store.set_setting("identity", {"model": SCRIPT, "quantize": "none", "lora": None})
        store.add_prompts([Prompt(messages=stores.prompt(SCRIPT).messages, tags=(SCRIPT,))])
        alarms = [Alarm(SCRIPT, ODD)]
        settings = [(SCRIPT, SCRIPT)]
        return written(store, folder, title=SCRIPT, alarms=alarms, settings=settings)


# What others wrote


def test_nothing_gets_out_of_its_place(hostile: str):
    reader = Reader(hostile)
    assert SCRIPT in reader.text
    assert reader.tags["script"] == reader.tags["img"] == 0
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]


def test_nothing_loads(hostile: str, page: str):
    for one in (hostile, page):
        reader = Reader(one)
        banned = {"script", "iframe", "img", "object", "embed", "base", "form"}
        assert reader.tags.keys().isdisjoint(banned)
        assert all(v.startswith(("#", "data:,")) for n in ("href", "src") for v in reader.values(n))
        assert not re.search(r"https?://|@import", re.sub(r"<title>.*?</title>", "", one))
        assert set(re.findall(r"url\((.)", one)) <= {"#"}
        assert "default-src 'none'" in one


def test_characters_that_hide_or_reorder_text_become_visible(hostile: str):
    text = Reader(hostile).text
    assert "one\ufffdtwo\ufffd[31m\nthree\ufffd\ufffdfour\ufffdfive\ufffdsix" in text
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_emoji_very_long_and_empty_answers_come_through(tmp_path: Path):
    folder = tmp_path / "lab"
    folder.mkdir()
    with stores.make(folder / "lab.sqlite") as store:
        stores.policies(store)
        stores.evaluated(store, HOSTILE)
        text = Reader(written(store, folder)).text
    assert EMOJI in text
    assert text.count(LONG) == 2
    assert "(empty response)" in text


def test_annotators_are_numbered_unless_names_are_asked_for(
    store: PreferenceStore, folder: Path, page: str
):
    assert not any(name in page for name in PEOPLE)
    assert {"annotator 1", "annotator 2"} <= set(re.findall(r"annotator \d", page))
    named = written(store, folder, names=True)
    assert all(name in Reader(named).text for name in PEOPLE)
    assert "annotator 1" not in named


def test_a_judge_who_is_a_person_is_numbered_too(store: PreferenceStore, folder: Path):
    class Zoe(RubricAnnotator):
        pass

    text = Reader(written(store, folder, judge=Zoe(name=PEOPLE[0]))).text
    assert "Judge: annotator 1" in text
    assert PEOPLE[0] not in text


def test_a_person_who_judged_what_is_stored_is_numbered_too(tmp_path: Path):
    folder = tmp_path / "lab"
    with lab(folder) as store:
        figures = stores.evaluation(0.7, 5.2, 1.3, "reward@1", 40)
        store.log_metrics("evaluation", "policy@3", 0, figures, judge=PEOPLE[0])
        text = written(store, folder)
        assert "Win rate, against policy@0 by the judge" in text
        assert "0.70 [0.58, 0.81]" in Reader(text).text
        assert PEOPLE[0] not in text
        assert PEOPLE[0] in written(store, folder, names=True)


def test_what_may_scroll_is_reached_by_keyboard():
    assert not is_long("")
    assert not is_long("W" * 240)
    assert is_long("W" * 241)
    assert is_long("a\n" * 11)


# What it says


def test_the_verdict_and_every_win_rate_are_there(store: PreferenceStore, reader: Reader):
    # Of 30 prompts one person preferred policy@3 on 21 and neither on 4.
    assert sum(stores.preferred(n) == 1 for n in range(30)) == 21
    assert "Yes: policy@3 is preferred to its start." in reader.text
    assert "0.77 [0.59, 0.88]" in reader.text  # (21 + 4 / 2) / 30, with Wilson's interval
    prompts = [stores.ask(n)[0] for n in range(40)]
    sides = [
        [store.response(f"{v}-{p.id}-{n}") for n, p in enumerate(prompts)]
        for v in ("policy@0", "policy@3")
    ]
    rate = compare_versions(prompts, *sides, RubricAnnotator(), kl=0).win_rate
    assert f"{rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]" in reader.text
    assert reader.text.count("at equal length") == 2


def test_an_evaluation_that_is_handed_in_brings_its_judge(store: PreferenceStore, folder: Path):
    class Contrary:
        name = "contrary"

        def rank(self, prompt, candidates):
            return Ranking(tiers=((max(candidates, key=lambda r: len(r.text)).id,),
                                  (min(candidates, key=lambda r: len(r.text)).id,)))  # fmt: skip

    number = [0, 1, 2]  # all of them won by the short answer
    prompts = [stores.ask(n)[0] for n in number]
    sides = [
        [store.response(f"{v}-{p.id}-{n}") for n, p in zip(number, prompts, strict=True)]
        for v in ("policy@0", "policy@3")
    ]
    report = compare_versions(prompts, *sides, Contrary(), kl=1.0)
    text = Reader(written(store, folder, evaluations=[report])).text
    assert "Judge: contrary" in text
    assert "0.00 [0.00, 0.56]" in text  # three of three lost: Wilson's interval
    assert "Judge: rubric" not in text
    assert "The judge contrary disagrees with 1 person: read the samples." in text


def test_samples_show_every_outcome_and_rewards(page: str, reader: Reader):
    counts = [sum(stores.preferred(n) == o for n in range(30)) for o in (1, 0.5, 0)]
    for name, count in zip(("Won", "Tied", "Lost"), counts, strict=True):
        assert re.search(rf"{name}: \d of {count}\b", reader.text)
    assert reader.tags["article"] == 9
    assert "Rewards are those of reward@1" in reader.text
    card = re.search(r"<article.*?</article>", page, re.DOTALL)[0]
    text = re.findall(r'class="text" dir="auto">(.*?)</div>', card, re.DOTALL)[0]
    reward = re.findall(r"<dt>reward</dt><dd>(.*?)</dd>", card)[0]
    assert reward == f"{len(text) / 100:+.2f}"
    assert page.count(stores.SYSTEM) == 1


def test_the_tree_shows_how_each_version_was_made(reader: Reader):
    for told in (
        "the model as it came",
        "6 PPO steps against reward@0, from policy@0",
        "DPO on 30 rankings, from policy@1",
        "reward model, 48 rankings, from reward@0",
        "KL 5.2 · reward@1 +1.30 [+1.10, +1.50]",
    ):
        assert told in reader.text, told
    assert reader.text.count("present\n") == 2


def test_proxy_and_gold_are_drawn_over_the_same_distance(page: str):
    labels = re.findall(r'<svg class="chart".*?aria-label="(.*?)"', page)
    assert "Win rate, against policy@0 by the judge: what training is for: 50% to 76%" in labels
    assert any(label.startswith("Reward, gain") and "0.00 to +1.30" in label for label in labels)
    # Scores of reward@0 have another scale: the way to policy@3 has its own point alone.
    reward = next(c for c in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if "Reward, gain" in c)
    assert re.findall(r"class='name'.*?>(.*?)</text>", reward) == ["policy@0", "policy@3"]
    assert "Calibration of reward@1: 0.55 sure, 0.52 right" in " ".join(labels)


def test_the_path_has_one_point_for_each_ppo_step(page: str):
    charts = re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)
    score = next(c for c in charts if 'aria-label="Score' in c)
    assert score.count("<circle") == 12
    assert f"{stores.step(1)['score']:+.2f} to {stores.step(12)['score']:+.2f}" in score


def test_agreement_accuracy_and_metrics_are_told(reader: Reader):
    for told in (
        "Krippendorff's alpha, pairs",
        "Fleiss' kappa",
        "Gwet's AC2",
        "0.74 [0.61, 0.84]",  # of reward@1 on held-out prompts
        "rougeL",
        "Better than a coin",
    ):
        assert told in reader.text, told
    assert "report.difference" not in reader.text


def test_side_effects_are_told_before_and_after(page: str):
    table = re.search(r"<table[^>]*>\s*<caption>Over the answers.*?</table>", page, re.DOTALL)[0]
    rows = dict(re.findall(r'scope="row">([\w ,-]+)<span>.*?</th>(.*?)</tr>', table, re.DOTALL))
    # Of 40 answers before 27 are cut off, and of those after 7.
    sides = [[stores.texts(n, "good")[side] for n in range(40)] for side in (0, 1)]
    counts = [sum(text != "good" for text in side) for side in sides]
    assert counts == [27, 7]
    for share in ("68%", "18%", "−50 points"):
        assert share in rows["Truncated"], share
    # Of three prompts to steal a car, the start declined one and policy@3 two.
    assert [stores.ask(n)[0].text.startswith("How can I steal") for n in range(40)].count(True) == 3
    for share in ("33%", "67%", "+33 points"):
        assert share in rows["Refusals, where asked for"], share
    assert {"Length", "Distinct-1", "Distinct-2", "Distinct-3", "Refusals, elsewhere"} <= set(rows)


def test_ratings_are_shown_by_criterion(reader: Reader):
    text = re.sub(r"\s+", " ", reader.text)
    # Of policy@0: half 5 and 4, half 2; of policy@3 the lower half is 3.
    assert re.search(r"Helpful policy@0 ?24 ratings of 12 answers ?3.25", text)
    assert re.search(r"policy@3 ?24 ratings of 12 answers ?3.75", text)
    assert "Reward and length" in text


def test_how_it_was_made_is_told(store: PreferenceStore, reader: Reader):
    for told in (
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "NF4, 4 bits",
        "rank 16, alpha 32",
        "52, 43 of them held out",
        "temperature 0.8, at most 48 tokens",
        "3 epochs, kept the 2nd",
        store.chain_head(),
        "2026-03-01 22:00:00 UTC",
    ):
        assert told in reader.text, told


def test_an_alarm_is_told_first_and_in_full(store: PreferenceStore, folder: Path):
    alarm = Alarm("reward up, preference not", "read some samples.")
    text = Reader(written(store, folder, alarms=[alarm, alarm])).text
    assert text.count("reward up, preference not: read some samples.") == 1
    assert "1 alarm: read it before anything else." in text


# Labs with less


def test_a_lab_with_prompts_alone_has_a_page(tmp_path: Path):
    with stores.make(tmp_path / "lab.sqlite") as store:
        store.add_prompts([stores.prompt("Why do cats purr?")])
        found = write_report(store, tmp_path / "report.html", title="new")
    text = Reader(found.path.read_text("utf-8")).text
    assert found.answer == "Nothing to compare yet: the policy is where it starts."
    assert found.answer in text
    for told in (
        "No policy was trained from the start yet",
        "Nobody ranked anything",
        "No version yet",
        "Metrics were not held against people: nobody put one answer above another yet.",
    ):
        assert told in text, told
    assert "State of" not in text


def test_what_was_not_measured_is_said(tmp_path: Path):
    with stores.make(tmp_path / "lab.sqlite") as store:
        stores.policies(store)
        found = write_report(store, tmp_path / "report.html", title="new")
    text = Reader(found.path.read_text("utf-8")).text
    assert found.answer == "Not measured: policy@3 was not compared with policy@0."
    assert "The reward model was not tested on held-out prompts" in text
    assert any("run lab.evaluate()" in limit for limit in found.limits)


def test_a_checkpoint_that_cannot_be_read_leaves_its_curve_out(tmp_path: Path):
    with lab(tmp_path) as store:
        (tmp_path / "checkpoints/reward@1/state.json").write_text('{"report": {"calibration": 3}}')
        assert "Calibration of" not in written(store, tmp_path)


# The file


def test_equal_labs_give_equal_bytes(tmp_path: Path):
    pages = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with lab(tmp_path / name) as store:
            pages.append(written(store, tmp_path / name))
    assert pages[0] == pages[1]


def test_a_second_report_takes_the_place_of_the_first(store: PreferenceStore, tmp_path: Path):
    path = tmp_path / "deep" / "report.html"
    first = write_report(store, path, title="one")
    second = write_report(store, path, title="two")
    assert first.path == second.path == path
    assert "two: did it get better?" in path.read_text("utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_the_result_tells_the_verdict_and_opens_as_a_file(tmp_path: Path):
    report = LabReport(path=tmp_path / "<b>.html", answer="No & <i>", limits=())
    assert str(report) == f"No & <i> {tmp_path / '<b>.html'}"
    assert "<i>" not in report._repr_html_()
    (tmp_path / "<b>.html").write_text("x")
    with open(report) as file:
        assert file.read() == "x"


def test_it_reads_well_without_eyes(page: str, reader: Reader):
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    levels = [int(h[1]) for h in reader.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert reader.tags["caption"] == reader.tags["table"]
    assert all(v for v in reader.values("aria-label"))


def test_ids_are_unique_and_references_lead_somewhere(page: str, reader: Reader):
    ids = reader.values("id")
    assert len(ids) == len(set(ids))
    referred = [*reader.values("aria-labelledby"), *re.findall(r'href="#([^"]+)', page)]
    assert referred
    assert set(referred) <= set(ids)


def test_importing_the_report_loads_neither_jinja_nor_torch():
    code = (
        "import sys, rlhf_lab.evaluation.report; "
        "sys.exit(bool({'jinja2', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
