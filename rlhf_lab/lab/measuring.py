"""How far numbers can be trusted on what people judged in a lab: no model of the lab, no torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import Annotator, Split

if TYPE_CHECKING:
    from rlhf_lab.evaluation.trust import Picker, References, TrustReport
    from rlhf_lab.models.embedding import Embedder


class LabMeasures:
    """The part of a lab that holds metrics and judges against people.

    Attributes:
        store: Its database.
        seed: Of everything random in this lab.
        progress: Show progress bars.
    """

    store: PreferenceStore
    seed: int
    progress: bool

    def trust(
        self,
        *,
        metrics: Sequence[str] | None = None,
        judges: Sequence[Annotator | Picker] = (),
        references: References = "demonstrations",
        annotators: Collection[str] | None = None,
        split: Split | None = None,
        embedding: str | Path | Embedder | None = None,
    ) -> TrustReport:
        """How often metrics and judges pick what people picked, beside length and a coin.

        ```python
        lab.trust()                                  # against demonstrations
        lab.trust(references="best", judges=[judge]) # against each ranking's best answer
        lab.trust().difference("bert_score", "rougeL")
        ```

        Args:
            metrics: Some of "rouge1", "rouge2", "rougeL", "bleu", "bert_score", "mover_score";
                default: all. They compare with references, and are measured where there are any.
            judges: Anything that ranks candidates or scores them. One that learned from these
                judgments must be asked about others: `split="heldout"`, or for it alone
                `AnnotatorPicker(judge, heldout_only=True)`.
            references: "demonstrations": what people wrote for a prompt, the newest. "best": the
                best candidate of each ranking, which is then no longer one to pick. Or texts by
                prompt id or prompt text.
            annotators: Whose judgments; default: everybody's, simulated annotators included.
            split: Only prompts of this split.
            embedding: Of BERTScore and MoverScore: hub id or local folder of a text encoder.

        Raises:
            NotEnoughData: nothing was ranked, or nothing put above anything.
            ConfigError: an unknown metric, two judges of one name, or references for other prompts.
            JudgmentError: a judge did not rank the candidates it was shown.
            ModelDownloadError: the embedding model has to be fetched and cannot be.
        """
        from rlhf_lab.evaluation.trust import (
            METRICS,
            CoinPicker,
            LengthPicker,
            as_picker,
            measure_trust,
            metric_pickers,
            stored_items,
        )

        known = metric_pickers(METRICS if metrics is None else metrics, embedding=embedding)
        found = stored_items(self.store, references=references, annotators=annotators, split=split)
        return measure_trust(
            found.items,
            [*known, *map(as_picker, judges), LengthPicker(), CoinPicker(self.seed)],
            notes=found.notes,
            seed=self.seed,
            progress=self.progress,
        )
