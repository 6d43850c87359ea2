"""ROUGE and BLEU: how many words and runs of words a text shares with its references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.metrics.inputs import References, checked, needs
from rlhf_lab.evaluation.metrics.results import Bleu, BleuScore, Match, Rouge, RougeScore

RougeKind = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
ROUGE_KINDS: Final[tuple[RougeKind, ...]] = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def rouge(
    texts: Sequence[str],
    references: References,
    *,
    kinds: Sequence[RougeKind] = ("rouge1", "rouge2", "rougeL"),
    stem: bool = False,
    tokenize: Callable[[str], list[str]] | None = None,
    progress: bool = True,
) -> Rouge:
    """ROUGE of each text against its references; of several, the one with the best F1, by kind.

    A text without words scores 0.

    Args:
        texts: What to score.
        references: One per text, or several.
        kinds: Which; "rougeLsum" treats each line as a sentence of a summary.
        stem: Cut words longer than 3 letters to their stem first (Porter).
        tokenize: Text to words. By default words are runs of a to z and 0 to 9, as in the original:
            it sees nothing in Chinese, and halves "naïve". `str.split` does not.
        progress: Show a bar when it takes more than a second.

    Raises:
        ConfigError: other numbers of texts and references, or an unknown kind.
        NotEnoughData: no texts, or one without references.

    Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries", by the package
    rouge-score.
    """
    found, against = checked(texts, references)
    if not kinds or set(kinds) - set(ROUGE_KINDS):
        raise ConfigError(f"kinds={kinds!r}: one or more of {', '.join(ROUGE_KINDS)}, in a list.")
    with needs("rouge-score"):
        from rouge_score.rouge_scorer import RougeScorer
    scorer = RougeScorer(
        list(kinds), use_stemmer=stem, tokenizer=_Words(tokenize) if tokenize else None
    )
    pairs = list(zip(found, against, strict=True))
    scores = [
        _rouge_score(scorer.score_multi(of_text, text))
        for text, of_text in tqdm(pairs, desc="ROUGE", disable=not progress, leave=False, delay=1)
    ]
    means = {kind: Match.mean([getattr(one, kind) for one in scores]) for kind in kinds}
    return Rouge(scores=tuple(scores), mean=RougeScore(**means))


class _Words:
    """A function as the package takes it."""

    def __init__(self, tokenize: Callable[[str], list[str]]) -> None:
        self.tokenize = tokenize


def _rouge_score(found: dict[str, Any]) -> RougeScore:
    matches = {
        kind: Match(
            precision=float(one.precision), recall=float(one.recall), f1=float(one.fmeasure)
        )
        for kind, one in found.items()
    }
    return RougeScore(**matches)


def bleu(
    texts: Sequence[str],
    references: References,
    *,
    tokenize: Literal["13a", "intl", "char", "zh", "none"] = "13a",
    lowercase: bool = False,
    progress: bool = True,
) -> Bleu:
    """BLEU of each text and of all together; runs of words count if any reference has them.

    Of one text alone BLEU is coarse: most short texts share no four words in a row with anything.

    Args:
        texts: What to score.
        references: One per text, or several; how many may differ from text to text.
        tokenize: How sacrebleu splits words: "13a" as in WMT, "intl" by Unicode, "zh" for Chinese,
            "char" by character.
        lowercase: Take capitals for small letters.
        progress: Show a bar when it takes more than a second.

    Raises:
        ConfigError: other numbers of texts and references, or an unknown tokenizer.
        NotEnoughData: no texts, or one without references.

    Source: Papineni et al. (2002), "BLEU: a Method for Automatic Evaluation of Machine
    Translation"; Post (2018), "A Call for Clarity in Reporting BLEU Scores", by sacrebleu.
    """
    found, against = checked(texts, references)
    if tokenize not in ("13a", "intl", "char", "zh", "none"):
        raise ConfigError(f"tokenize={tokenize!r}: one of '13a', 'intl', 'char', 'zh', 'none'.")
    with needs("sacrebleu"):
        from sacrebleu.metrics.bleu import BLEU
    # `force` silences a remark about texts that end in " .".
    of_one = BLEU(effective_order=True, force=True, tokenize=tokenize, lowercase=lowercase)
    of_all = BLEU(force=True, tokenize=tokenize, lowercase=lowercase)
    pairs = list(zip(found, against, strict=True))
    scores = [
        _bleu_score(of_one.sentence_score(text, list(of_text)))
        for text, of_text in tqdm(pairs, desc="BLEU", disable=not progress, leave=False, delay=1)
    ]
    most = max(map(len, against))
    columns: Any = [[one[n] if n < len(one) else None for one in against] for n in range(most)]
    corpus = _bleu_score(of_all.corpus_score(found, columns))
    return Bleu(scores=tuple(scores), corpus=corpus, signature=str(of_all.get_signature()))


def _bleu_score(found: Any) -> BleuScore:  # noqa: ANN401 - sacrebleu's own
    return BleuScore(
        score=float(found.score),
        precisions=tuple(map(float, found.precisions)),
        brevity_penalty=float(found.bp),
        length=int(found.sys_len),
        reference_length=int(found.ref_len),
    )
