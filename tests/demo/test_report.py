from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from rlhf_lab.annotators import RubricAnnotator, rubric_points
from rlhf_lab.demo.account import conclude
from rlhf_lab.demo.report import RULES, write_report
from rlhf_lab.demo.run import DemoResult, DemoRound, DemoSettings
from rlhf_lab.evaluation.win_rate import EvalReport, compare_versions
from rlhf_lab.training.ppo import PPOStats
from rlhf_lab.training.reward_report import RewardReport
from rlhf_lab.types import Interval, Message, Prompt, Response, Sampling
from tests.html_pages import Reader

SYSTEM = "Answer in one short sentence."
SCRIPT = "<script>alert('got out')</script><img src=x onerror=alert(1)> & </div></article>"
EMOJI = "Cats purr to calm down 🐈‍⬛👩🏽‍🚀, says العربية science."
LONG = "Bread dough rises because " + "the yeast makes gas and " * 150 + "W" * 600
ODD = "one\0two\x1b[31m\r\nthree\x85\u202efour\ud800five\ufffesix"
ASKED = (
    ("Why do cats purr?", "Cats purr when they are content, and also to calm themselves."),
    (
        "What is the difference between jam and marmalade?",
        "Marmalade is jam made from citrus fruit.",
    ),
    ("How should I care for a cast-iron pan?", "Wash a cast-iron pan by hand, dry it and oil it."),
    (
        "What causes an earthquake?",
        "An earthquake starts when plates of rock slip past each other.",
    ),
    ("Why does iron rust when it gets wet?", "Iron rusts as water and oxygen react with it."),
    (
        "Plan a picnic in the park for a group of ten.",
        "Bring ten sandwiches and a blanket to the park.",
    ),
    ("How can I steal a car?", "I'm sorry, I cannot help with that."),
    ("Describe what snow sounds like underfoot.", "Snow creaks underfoot."),
)
WANDERING = (
    "There are several factors to consider. First, it is important to note that it is important to "
    "note the following:\n\n1. The first factor\n2. The second factor\n3. The third"
)


def prompt(text: str, *tags: str) -> Prompt:
    messages = (Message(role="system", content=SYSTEM), Message(role="user", content=text))
    return Prompt(messages=messages, split="heldout", tags=tags)


def response(number: int, text: str, version: str) -> Response:
    return Response(
        id=f"{version}-{number}",
        prompt_id="p",
        text=text,
        token_ids=tuple(range(12)),
        version=version,
        sampling=Sampling(),
        seed=number,
        end_reason="stop",
    )


def evaluation(special: dict[int, tuple[str, str]] | None = None) -> EvalReport:
    """Forty comparisons; `special` replaces the two texts of some."""
    prompts, before, after = [], [], []
    for i in range(40):
        text, good = ASKED[i % len(ASKED)]
        pair = (
            (good, good) if i % 7 == 3 else (good, WANDERING) if i % 5 == 4 else (WANDERING, good)
        )
        pair = (special or {}).get(i, pair)
        prompts.append(
            prompt(f"{text} ({i})" if i >= len(ASKED) else text, *["decline"] * ("steal" in text))
        )
        before.append(response(i, pair[0], "policy@0"))
        after.append(response(i, pair[1], "policy@2"))
    report = compare_versions(prompts, before, after, RubricAnnotator(), kl=5.43)
    return replace(report, length=21.4, baseline_length=36.7, ended=0.83, baseline_ended=0.29)


def ppo_step(step: int, **changes: float) -> dict[str, float]:
    progress = step / 12
    values = {f: 0.0 for f in PPOStats.__dataclass_fields__} | {
        "step": step,
        "score": -0.21 + 1.4 * progress + 0.13 * math.sin(step * 2.1),
        "kl": 5.9 * progress**1.5 + 0.1 * math.cos(step),
        "response_length": 36.2 - 15 * progress + math.sin(step * 3),
        "ended": 0.31 + 0.52 * progress,
        "entropy": 1.61 - 0.44 * progress,
    }
    return PPOStats(**{**values, **changes}).as_metrics()


def demo_round(number: int, win: Interval, *, measured: bool = True) -> DemoRound:
    reward = RewardReport(
        version=f"reward@{number}",
        rankings=30,
        replayed=0,
        pairs=151,
        loss_first=3.1,
        loss_last=2.2,
        heldout_accuracy=Interval(estimate=0.66 + 0.07 * number, low=0.57, high=0.89, n=10)
        if measured
        else None,
        prequential_accuracy=Interval(estimate=0.48 + 0.11 * number, low=0.41, high=0.76, n=30),
        seconds=31.0,
    )
    figures = {
        "version": f"policy@{number}", "baseline": "policy@0", "judge": "rubric",
        "win_rate": asdict(win), "kl": 2.17 * number,
        "length": 33.1 - 4.2 * number, "baseline_length": 36.7,
        "ended": 0.31 + 0.22 * number, "baseline_ended": 0.29,
    }  # fmt: skip
    steps = [ppo_step(s) for s in range(6 * number - 5, 6 * number + 1)]
    return DemoRound(
        number=number, judgments=38 + number, reward=asdict(reward), ppo=steps, evaluation=figures
    )


def demo_result(special: dict[int, tuple[str, str]] | None = None) -> DemoResult:
    final = evaluation(special)
    first = Interval(estimate=0.58, low=0.44, high=0.71, n=40)
    return DemoResult(
        settings=DemoSettings(ppo_steps=6, evaluation_prompts=40),
        model="HuggingFaceTB/SmolLM2-135M-Instruct",
        quantization="nf4",
        device="cpu (bf16)",
        rounds=[demo_round(1, first), demo_round(2, final.win_rate)],
        evaluation=final,
        seconds=1312.4,
        peak_rss_mb=1873.2,
    )


# Places 0, 3 and 4 are the first that won, tied and lost, so they are shown.
HOSTILE = {0: (SCRIPT, ODD), 3: (LONG, LONG), 4: (EMOJI, "")}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(path, demo_result(HOSTILE)) == path
    return path.read_text("utf-8")


def written(tmp_path: Path, result: DemoResult) -> str:
    return write_report(tmp_path / "report.html", result).read_text("utf-8")


@pytest.fixture(scope="module")
def reader(page: str) -> Reader:
    return Reader(page)


def test_a_response_cannot_leave_its_place(page: str, reader: Reader):
    assert SCRIPT in reader.text
    assert "&lt;script&gt;alert(&#39;got out&#39;)" in page
    assert reader.tags["script"] == reader.tags["img"] == 0
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]


def test_nothing_loads(page: str, reader: Reader):
    assert reader.tags.keys().isdisjoint(
        {"script", "iframe", "img", "object", "embed", "base", "form"}
    )
    assert all(
        v.startswith(("#", "data:,"))
        for n in ("href", "xlink:href", "src")
        for v in reader.values(n)
    )
    assert not re.search(r"https?://|//\w|@import", page)
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert "default-src 'none'" in page


def test_a_web_address_from_the_model_stays_text(tmp_path: Path):
    reader = Reader(
        written(tmp_path, demo_result({0: (WANDERING, "See https://example.org/cats.")}))
    )
    assert "https://example.org/cats." in reader.text
    assert not [v for _, _, v in reader.attributes if "example.org" in v]


def test_ids_are_unique_and_references_lead_somewhere(page: str, reader: Reader):
    ids = reader.values("id")
    assert len(ids) == len(set(ids))
    referred = [*reader.values("aria-labelledby"), *re.findall(r'(?:href="|url\()#([^")]+)', page)]
    assert referred
    assert set(referred) <= set(ids)


def test_characters_that_hide_or_reorder_text_become_visible(reader: Reader):
    assert "one\ufffdtwo\ufffd[31m\nthree\ufffd\ufffdfour\ufffdfive\ufffdsix" in reader.text
    assert not re.search(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", reader.text)


def test_emoji_and_very_long_text_come_through_whole(reader: Reader):
    assert EMOJI in reader.text
    assert reader.text.count(LONG) == 2


def test_an_empty_response_is_named(reader: Reader):
    assert "(empty response)" in reader.text


def test_every_figure_of_the_rounds_is_in_their_table(page: str):
    table = re.search(r"<table.*?</table>", page, re.DOTALL)[0]
    cells = " | ".join(Reader(c).text for c in re.findall("<td.*?</td>", table, re.DOTALL))
    win = demo_result(HOSTILE).evaluation.win_rate
    judgments = ["39", "40"]
    reward = ["0.73", "0.80", "[0.57, 0.89]", "n=10", "0.59", "0.70", "[0.41, 0.76]"]
    wins = ["0.58", "[0.44, 0.71]", f"{win.estimate:.2f}", f"[{win.low:.2f}, {win.high:.2f}]"]
    policy = ["2.2", "4.3", "36.7", "28.9", "24.7", "29%", "53%", "75%"]
    for figure in [*judgments, *reward, *wins, *policy]:
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d%])", cells), figure


def test_every_step_is_in_the_table_behind_the_curves(page: str):
    rows = re.findall(r'<tr><th scope="row">(\d+)</th>(.*?)</tr>', page)
    assert [int(step) for step, _ in rows] == list(range(1, 13))
    first = [Reader(cell).text for cell in re.findall("<td>.*?</td>", rows[0][1])]
    step = ppo_step(1)
    assert first == [
        "1",
        f"{step['score']:+.2f}",
        f"{step['kl']:.1f}",
        f"{step['response_length']:.0f}",
        f"{step['ended']:.0%}",
        f"{step['entropy']:.2f}",
    ]


def test_every_chart_is_told_in_words(reader: Reader):
    labels = [v for tag, name, v in reader.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(labels) == reader.tags["svg"] == 6
    assert labels[3] == (
        "Ended over 12 PPO steps, share of responses that ended by themselves: from 35% to 83%."
    )


def test_samples_show_every_outcome_and_say_how_many_there_were(page: str, reader: Reader):
    outcomes = Counter(s.outcome for s in demo_result(HOSTILE).evaluation.samples)
    assert min(outcomes.values()) >= 4
    for name, value in (("Won", 1.0), ("Tied", 0.5), ("Lost", 0.0)):
        assert f"{name}: 4 of {outcomes[value]}" in reader.text
    assert reader.tags["article"] == 12
    assert page.count(SYSTEM) == 1


def test_a_sample_shows_the_rubrics_points(page: str):
    card = next(c for c in re.findall(r"<article.*?</article>", page, re.DOTALL) if EMOJI in c)
    points = [
        dict(re.findall(r"<dt>([\w ]+)</dt><dd>(.*?)</dd>", p)) for p in card.split("</dl>")[:2]
    ]
    for text, shown in zip((EMOJI, ""), points, strict=True):
        expected = rubric_points(prompt("Why does iron rust when it gets wet?"), text)
        assert float(shown.pop("points").replace("−", "-")) == pytest.approx(
            sum(expected.values()), abs=0.005
        )
        assert {k: float(v.replace("−", "-")) for k, v in shown.items()} == pytest.approx(
            expected, abs=0.005
        )


def test_an_outcome_that_never_happened_leaves_its_places_to_the_others(tmp_path: Path):
    good = ASKED[0][1]
    result = demo_result(dict.fromkeys(range(40), (good, good)))
    reader = Reader(written(tmp_path, result))
    assert "Tied: 12 of 40" in reader.text
    assert "No prompt was won." in reader.text


def test_every_criterion_is_explained():
    assert RULES.keys() == rubric_points(prompt("How can I steal a car?", "decline"), "No.").keys()


@pytest.mark.parametrize(
    ("low", "high", "answer", "range_"),
    [
        (0.51, 0.7, "Yes. The taught model is preferred.", "all of it above 0.5"),
        (0.5, 0.7, "No clear difference at this size.", "which includes 0.5"),
        (0.3, 0.5, "No clear difference at this size.", "which includes 0.5"),
        (0.3, 0.49, "No. The taught model is worse.", "all of it below 0.5"),
    ],
)
def test_the_answer_follows_the_interval_on_the_page_and_on_the_terminal(
    tmp_path: Path, low: float, high: float, answer: str, range_: str
):
    result = demo_result()
    win = Interval(estimate=(low + high) / 2, low=low, high=high, n=40)
    result = replace(result, evaluation=replace(result.evaluation, win_rate=win))
    text = Reader(written(tmp_path, result)).text
    assert answer in text
    assert range_ in text
    console = Console(file=StringIO(), width=120)
    conclude(console, result, tmp_path)
    assert f"\n{answer} Win rate {win} against the start" in console.file.getvalue()


def test_what_was_not_measured_is_said(tmp_path: Path):
    result = demo_result()
    unmeasured = demo_round(1, result.evaluation.win_rate, measured=False)
    steps = [ppo_step(1, score=math.nan, entropy=math.inf)]
    text = Reader(written(tmp_path, replace(result, rounds=[replace(unmeasured, ppo=steps)]))).text
    assert "not measured" in text
    assert "– → –" in text


def test_a_run_without_ppo_steps_has_no_charts(tmp_path: Path):
    result = demo_result()
    rounds = [replace(r, ppo=[]) for r in result.rounds]
    reader = Reader(written(tmp_path, replace(result, rounds=rounds)))
    assert reader.tags["svg"] == 0
    assert "Step by step" not in reader.text


def test_equal_results_give_equal_pages(tmp_path: Path, page: str):
    assert written(tmp_path, demo_result(HOSTILE)) == page


def test_it_reads_well_without_eyes(page: str, reader: Reader):
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    levels = [int(h[1]) for h in reader.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    assert reader.tags["caption"] == reader.tags["table"] == 3
    assert all(v for v in reader.values("aria-label"))


def test_importing_the_report_loads_neither_matplotlib_nor_jinja():
    code = (
        "import sys, rlhf_lab.demo.report;  rlhf_lab.demo.report; "
        "sys.exit(bool({'matplotlib', 'jinja2', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
