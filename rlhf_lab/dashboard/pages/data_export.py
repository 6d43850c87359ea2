"""What goes out: a link for each format, with what it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    choice,
    data_table,
    each,
    empty_state,
    form,
    html,
    join,
    link,
    section,
)
from rlhf_lab.store import Counts
from rlhf_lab.store.exchange.formats import FORMATS

PURPOSES: Final[Mapping[str, str]] = {
    "kwise": "Another lab: whole rankings with all that is known of them",
    "trl": "TRL's preference trainers (DPO, reward): prompt, chosen and rejected as chats",
    "trl-implicit": "As trl, with the prompt inside both chats",
    "trl-text": "TRL's preference trainers, with plain texts",
    "trl-text-implicit": "As trl-text, with the prompt inside both texts",
    "hh": "Tools made for Anthropic's HH dataset: two transcripts",
    "argilla": "Argilla: records with each annotator's ranking",
    "trl-sft": "TRL's SFT trainer: prompt and completion as chats",
    "trl-sft-text": "TRL's SFT trainer: prompt and completion as plain text",
    "trl-sft-messages": "SFT tools that take whole chats",
    "trl-prompt": "Trainers that generate (PPO, GRPO): prompts as chats",
    "trl-prompt-text": "Trainers that generate, with prompts as plain text",
}
"""What each format is for, the most useful first."""

KINDS: Final[Mapping[str, str]] = {
    "jsonl": "JSON lines",
    "csv": "CSV",
    "parquet": "Parquet",
}
_SPLITS = {"": "All prompts", "train": "Training prompts alone", "heldout": "Held-out ones alone"}
_TIES = {"both": "A tie is two rows, one each way", "drop": "Ties are left out"}


class ExportCard:
    """Links to `/download`, which asks by itself whether this person may."""

    def __init__(self, context: Context) -> None:
        """Offer everything at first."""
        self._context = context
        self._split, self._ties = "", "both"
        self._has_data = False
        self.view = Fragment(on_act=acting(context, each(narrow=self._narrow)))
        self._show()

    def follow(self, counts: Counts) -> None:
        """Offer downloads once there is something to download."""
        if self._has_data != bool(counts.prompts):
            self._has_data = bool(counts.prompts)
            self._show()

    def _narrow(self, act: Act) -> None:
        self._context.actor.require("export")
        split, ties = act.value("split"), act.value("ties")
        self._split = split if split in _SPLITS else ""
        self._ties = ties if ties in _TIES else "both"
        self._show()

    def _show(self) -> None:
        self.view.put(section("Export", *self._parts(), note="for other tools"))

    def _parts(self) -> Iterator[Markup]:
        if not self._has_data:
            yield empty_state("Nothing to export yet", "Add prompts or import a file first.")
            return
        yield form(
            "narrow",
            choice("Prompts", "split", _SPLITS, self._split),
            choice("Ties", "ties", _TIES, self._ties, help="In formats of pairs."),
            submit="Apply to the links",
            tone="plain",
        )
        what_of = {form.name: form.what for form in FORMATS}
        yield data_table(
            ["Format", "Holds", "For", "Download"],
            [
                [name, what_of[name], purpose, self._links(what_of[name], name)]
                for name, purpose in PURPOSES.items()
            ],
            caption="Judgments are those that count: what was corrected or undone stays here. "
            "Demonstrations are answers that people wrote or edited.",
            is_stacked=True,
        )

    def _links(self, what: str, name: str) -> Markup:
        links = (
            link(title, self._address(what, name, kind), tone="quiet")
            for kind, title in KINDS.items()
        )
        return html('<span class="lab-row">{{ links }}</span>', links=join(*links))

    def _address(self, what: str, name: str, kind: str) -> str:
        asked = {"what": what, "format": name, "kind": kind}
        if self._split:
            asked["split"] = self._split
        if what == "judgments" and self._ties != "both":
            asked["ties"] = self._ties
        return f"/download?{urlencode(asked)}"
