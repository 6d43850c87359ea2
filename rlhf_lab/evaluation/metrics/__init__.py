"""How near texts are to references: ROUGE, BLEU, BERTScore, MoverScore.

```python
rouge(["The cat sat."], ["The cat sat down."]).mean.rougeL.f1
bert_score(texts, references).scores[0].f1
```

The packages they stand on are imported when they are first called; torch is, by the last two alone.
How far such a number can be trusted on data of one's own, `rlhf_lab.evaluation.trust` measures.
"""

from rlhf_lab.evaluation.metrics.embedded import bert_score, mover_score
from rlhf_lab.evaluation.metrics.ngrams import ROUGE_KINDS, bleu, rouge
from rlhf_lab.evaluation.metrics.results import (
    BertScore,
    Bleu,
    BleuScore,
    Match,
    MoverScore,
    Rouge,
    RougeScore,
)

__all__ = [
    "ROUGE_KINDS",
    "BertScore",
    "Bleu",
    "BleuScore",
    "Match",
    "MoverScore",
    "Rouge",
    "RougeScore",
    "bert_score",
    "bleu",
    "mover_score",
    "rouge",
]
