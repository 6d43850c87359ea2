"""One page that says whether it got better, how that is known, and how far to believe it.

```python
lab.report()                                        # <lab>/report.html
write_report(store, "report.html", title="first")   # of a store alone
```

Needs no model and loads none: everything comes from what is stored.
"""

from __future__ import annotations

from rlhf_lab.evaluation.report.writing import LabReport, write_report

__all__ = ["LabReport", "write_report"]
