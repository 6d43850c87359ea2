"""Moving prompts, judgments and demonstrations between a lab and other tools."""

from rlhf_lab.store.exchange.exporting import export_data, push_to_hub, to_dataset
from rlhf_lab.store.exchange.importing import import_data
from rlhf_lab.store.exchange.reports import ExportReport, ImportReport, Rejection

__all__ = [
    "ExportReport",
    "ImportReport",
    "Rejection",
    "export_data",
    "import_data",
    "push_to_hub",
    "to_dataset",
]
