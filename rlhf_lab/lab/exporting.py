"""Writing what a lab holds for other tools: the policy, and what people said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.data import LabData
from rlhf_lab.types import as_path

if TYPE_CHECKING:
    from rlhf_lab.store.exchange import ExportReport


class LabExports(LabData):
    """What a lab writes for others."""

    @overload
    def export(self, path: str | Path, *, what: Literal["policy"] = "policy") -> Path: ...

    @overload
    def export(
        self,
        path: str | Path | None = None,
        *,
        what: Literal["judgments", "prompts", "demonstrations"],
        format: str = "trl",
        split: Literal["train", "heldout"] | None = None,
        ties: Literal["both", "drop"] = "both",
        overwrite: bool = False,
        push_to_hub: str | None = None,
    ) -> ExportReport: ...

    def export(
        self,
        path: str | Path | None = None,
        *,
        what: Literal["policy", "judgments", "prompts", "demonstrations"] = "policy",
        format: str = "trl",
        split: Literal["train", "heldout"] | None = None,
        ties: Literal["both", "drop"] = "both",
        overwrite: bool = False,
        push_to_hub: str | None = None,
    ) -> Path | ExportReport:
        """Write the present policy, or what people said, for other tools.

        Args:
            path: For the policy a folder, which becomes an adapter that
                `PeftModel.from_pretrained` loads. Else a .jsonl, .json, .csv (also .gz) or
                .parquet file, or a folder that `datasets.load_dataset` reads, with its card.
            what: "policy", "judgments" (those that count), "prompts" or "demonstrations".
            format: Of all but the policy, like what follows: "trl", "trl-text", or for judgments
                "hh", "kwise", "argilla" ...; `docs/data.md` lists them.
            split: Only what is about prompts of this split.
            ties: "both" writes a tie as two rows, one each way; "drop" leaves these out.
            overwrite: Replace a file that is there.
            push_to_hub: Upload to this dataset, "user/name", instead of writing to a path.

        Raises:
            ConfigError: the path exists; something else is out of its range.
            NotEnoughData: there is nothing to write.
            StoreError: it cannot be written; nothing is left of it.
        """
        if what != "policy":
            return self._export_data(
                path, what, format, push_to_hub, split=split, ties=ties, overwrite=overwrite
            )
        if path is None or push_to_hub is not None:
            raise ConfigError(
                f"path={str(path)!r}, push_to_hub={push_to_hub!r}: a policy goes to a folder; pass "
                "its path, or what='judgments' to share those."
            )
        return self._export_policy(as_path(path))

    def _export_policy(self, folder: Path) -> Path:
        """The present policy as an adapter in a new folder."""
        raise ConfigError(
            f"export({str(folder)!r}) writes the present policy, and this lab was opened without "
            "a model: open the directory with Lab(path), or pass what='judgments' to share those."
        )
