"""Moving prompts, judgments and demonstrations between a lab and other tools."""

from rlhf_lab.store.exchange.importing import import_data
from rlhf_lab.store.exchange.reports import ExportReport, ImportReport, Rejection

__all__ = ["ExportReport", "ImportReport", "Rejection", "import_data"]
