"""How far can a number be trusted on one's own data? As far as it picks what people picked.

```python
lab.trust()                                         # metrics, length and a coin
lab.trust(judges=[judge], references="best")
measure_trust(items, [*metric_pickers(["rougeL"]), LengthPicker(), AnnotatorPicker(judge)])
```

Loads no torch, unless a metric needs it.
"""

from rlhf_lab.evaluation.trust.items import References, StoredItems, TrustItem, stored_items
from rlhf_lab.evaluation.trust.measure import measure_trust
from rlhf_lab.evaluation.trust.pickers import (
    METRICS,
    AnnotatorPicker,
    BatchPicker,
    CoinPicker,
    LengthPicker,
    MetricPicker,
    Picker,
    ScoresPicker,
    as_picker,
    metric_pickers,
)
from rlhf_lab.evaluation.trust.report import TrustReport, TrustRow

__all__ = [
    "METRICS",
    "AnnotatorPicker",
    "BatchPicker",
    "CoinPicker",
    "LengthPicker",
    "MetricPicker",
    "Picker",
    "References",
    "ScoresPicker",
    "StoredItems",
    "TrustItem",
    "TrustReport",
    "TrustRow",
    "as_picker",
    "measure_trust",
    "metric_pickers",
    "stored_items",
]
