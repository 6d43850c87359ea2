"""Against the worked examples of the papers, and by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from rlhf_lab.errors import ConfigError, NotEnoughData
from rlhf_lab.evaluation.metrics import bleu, rouge

# Lin (2004), section 3.1.
GUNMAN = "police killed the gunman"
IN_ORDER, TURNED = "police kill the gunman", "the gunman kill police"


def test_rouge_of_the_example_in_its_paper():
    found = rouge([IN_ORDER, TURNED], [GUNMAN, GUNMAN])
    assert [one.rougeL.recall for one in found.scores] == [3 / 4, 2 / 4]
    # One pair of words in a row each: that is why the paper has ROUGE-L.
    assert [one.rouge2.f1 for one in found.scores] == pytest.approx([1 / 3, 1 / 3])
    assert found.mean.rougeL.f1 == pytest.approx((3 / 4 + 2 / 4) / 2)


def test_summary_level_rouge_is_of_the_union_of_lines_as_in_its_paper():
    found = rouge(
        ["w1 w3 w8 w9 w5\nw1 w2 w6 w7 w8"], ["w1 w2 w3 w4 w5"], kinds=["rougeLsum", "rougeL"]
    )
    assert found.scores[0].rougeLsum.recall == 4 / 5
    assert found.scores[0].rougeL.recall == 3 / 5
    assert found.scores[0].rouge1 is None
    assert str(found) == "ROUGE, mean F1 of 1 text: rougeL 0.400, rougeLsum 0.533"


def test_rouge_by_hand():
    one = rouge(["the cat sat"], ["the cat sat down"]).scores[0]
    assert (one.rouge1.precision, one.rouge1.recall) == (1, 3 / 4)
    assert one.rouge1.f1 == pytest.approx(6 / 7)
    assert (one.rouge2.precision, one.rouge2.recall) == (1, pytest.approx(2 / 3))


def test_of_several_references_rouge_takes_the_best_by_kind():
    one = rouge(["a b c"], [["c b a", "a b x y"]]).scores[0]
    assert one.rouge1.f1 == 1
    assert one.rouge2.f1 == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))


def test_rouge_reads_what_its_words_are_made_of():
    german = ["Größe zählt"], ["Größe zählt nicht"]
    assert rouge(*german, tokenize=str.split).scores[0].rouge1.recall == pytest.approx(2 / 3)
    chinese = ["天气很好"], ["天气很好"]
    assert rouge(*chinese).scores[0].rouge1.f1 == 0
    assert rouge(*chinese, tokenize=list).scores[0].rouge1.f1 == 1


def test_stems_count_as_words_if_wanted():
    pair = ["he runs fast"], ["he running fast"]
    assert rouge(*pair).scores[0].rouge1.f1 == pytest.approx(2 / 3)
    assert rouge(*pair, stem=True).scores[0].rouge1.f1 == 1


def test_modified_precision_of_the_example_in_the_paper_on_bleu():
    # Papineni et al. (2002), section 2.1: "the" counts as often as one reference has it.
    found = bleu(
        ["the the the the the the the"],
        [["The cat is on the mat.", "There is a cat on the mat."]],
        lowercase=True,
    )
    assert found.scores[0].precisions[0] == pytest.approx(100 * 2 / 7)


def test_bleu_of_a_corpus_by_hand_is_not_the_mean_of_its_texts():
    found = bleu(["a b c d", "a b c x"], ["a b c d", "a b c d"])
    by_hand = 100 * (7 / 8 * 5 / 6 * 3 / 4 * 1 / 2) ** (1 / 4)
    assert found.corpus.score == pytest.approx(by_hand)
    assert found.scores[0].score == pytest.approx(100)
    mean = sum(one.score for one in found.scores) / 2
    assert mean != pytest.approx(found.corpus.score, abs=1)
    assert "smooth:exp" in found.signature
    assert str(found).startswith("BLEU of 2 texts: 72.3 (87.5/83.3/75.0/50.0, ")


def test_a_short_text_is_measured_by_the_runs_it_can_have():
    one = bleu(["a b"], ["a b c"]).scores[0]
    assert one.score == pytest.approx(100 * math.exp(1 - 3 / 2))
    assert (one.length, one.reference_length) == (2, 3)


def test_texts_may_have_different_numbers_of_references():
    found = bleu(["a b c d", "a b c d"], [["a b c d"], ["x y z w", "a b c d", "q r s t"]])
    assert found.corpus.score == pytest.approx(100)
    assert "#:var" in found.signature.replace("nrefs", "#")


def test_the_same_text_scores_highest():
    same = ["Rain falls, and it is cold out here."]
    assert bleu(same, same).scores[0].score == pytest.approx(100)
    assert rouge(same, same).mean.rougeL.f1 == 1


@pytest.mark.parametrize(("text", "reference"), [("", "a b"), ("a b", ""), ("", ""), ("?!", "a")])
def test_without_words_the_score_is_0(text: str, reference: str):
    assert rouge([text], [reference]).mean.rouge1.f1 == 0
    assert bleu([text], [reference]).corpus.score == 0


@pytest.mark.parametrize("metric", [rouge, bleu])
def test_references_must_fit_the_texts(metric):
    with pytest.raises(ConfigError, match="2 texts and 1 references: each text needs its own"):
        metric(["a", "b"], ["a"])
    with pytest.raises(ConfigError, match=r"references='a b' is one string: pass a list"):
        metric(["a", "b"], "a b")
    with pytest.raises(NotEnoughData, match="text 1 has no reference"):
        metric(["a", "b"], ["a", []])
    with pytest.raises(NotEnoughData, match="0 texts"):
        metric([], [])


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match=r"kinds=\['rouge3'\]: one or more of rouge1"):
        rouge(["a"], ["a"], kinds=["rouge3"])
    with pytest.raises(ConfigError, match=r"kinds='rouge1'.*in a list"):
        rouge(["a"], ["a"], kinds="rouge1")
    with pytest.raises(ConfigError, match="tokenize='spacy'"):
        bleu(["a"], ["a"], tokenize="spacy")


def test_lone_surrogates_are_read_as_something():
    assert rouge(["tea \ud800"], ["tea"]).mean.rouge1.f1 == 1


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(ConfigError, match=r"package sacrebleu.*pip install 'rlhf-lab\[eval\]'"):
        bleu(["a"], ["a"])


def test_the_metrics_are_named_without_torch():
    code = (
        "import sys; from rlhf_lab.evaluation.metrics import bert_score, bleu, mover_score, rouge; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
