"""What comes in: prompts that are typed, and files of other tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup
from panel.viewable import Viewable

from rlhf_lab.dashboard.context import Context
from rlhf_lab.dashboard.pages.data_upload import Upload
from rlhf_lab.dashboard.shell import (
    Act,
    Fragment,
    acting,
    card,
    choice,
    data_table,
    each,
    field,
    form,
    html,
    join,
    notice,
    section,
    stat,
    stats,
)
from rlhf_lab.errors import NotEnoughData
from rlhf_lab.store.exchange.formats import FORMATS
from rlhf_lab.types import Split

MOST_TYPED = 200_000
"""Characters of prompts that are typed; what is longer is a file."""

_SPLITS: Mapping[str, str] = {
    "": "One in five is held out",
    "train": "All for training",
    "heldout": "All held out",
}
_NAMES = ("prompts", "responses", "judgments", "demonstrations")


def prompts_card(context: Context, look_again: Callable[[], None]) -> Fragment:
    """Prompts, one in a line."""
    shown = Fragment(_typing(0))
    added = 0

    def add(act: Act) -> str:
        nonlocal added
        context.actor.require("import")
        lines = [line.strip() for line in act.value("prompts").splitlines() if line.strip()]
        if not lines:
            raise NotEnoughData("there is no line with text: write one prompt in each.")
        new = context.lab.add_prompts(lines, split=split_of(act.value("split")))
        added += 1
        shown.put(_typing(added))
        look_again()
        return _told(new, len(lines) - new)

    shown.on_act(acting(context, each(add=add)))
    return shown


def import_card(context: Context, look_again: Callable[[], None]) -> Viewable:
    """A file, sent to `/upload`, and what came of it."""
    result = Fragment()

    def done(status: int, reply: Mapping[str, Any]) -> None:
        result.put(report(status, reply))
        look_again()

    def tell(status: int, reply: Mapping[str, Any]) -> None:
        acting(context, done)(status, reply)

    return card("Import a file", _WHAT_FILES, Upload(_upload_form(), tell), result)


def split_of(text: str) -> Split | None:
    """The split that a form names; None for the usual share of each."""
    return text if text in ("train", "heldout") else None  # type: ignore[return-value]


def report(status: int, reply: Mapping[str, Any]) -> Markup:
    """What the server made of a file, from its answer to the browser.

    The browser passes it on, so nothing in it is relied on: it is shown to the same person.
    """
    if status == 200:
        told = notice("ok", str(reply.get("summary") or "Imported."))
        return join(told, _counts(reply), _rejections(reply))
    words = str(reply.get("error") or "The file could not be sent: try again.")
    rejections = _rejections(reply)
    if rejections:
        first = words.partition("\n")[0].rstrip(": ")
        words = f"{first}. Nothing was stored: repair these rows, or import the good ones alone."
    return join(notice("error", words), rejections)


_WHAT_FILES = html(
    """
    <p class="lab-prose">Prompts, judgments or demonstrations as <code>.jsonl</code>,
    <code>.json</code>, <code>.csv</code> (also with <code>.gz</code>) or <code>.parquet</code>, at
    most 64 MiB. All of a file is stored or nothing; the same file twice adds nothing.</p>
    """
)


def _typing(number: int) -> Markup:
    """The form; after each time with a new key, so that it is empty again."""
    prompts = field(
        "Prompts",
        "prompts",
        kind="area",
        required=True,
        maxlength=MOST_TYPED,
        placeholder="One prompt in a line",
        help="A prompt that is there already stays as it is.",
    )
    fields = (
        html('<div class="lab-wide">{{ prompts }}</div>', prompts=prompts),
        choice("Split", "split", _SPLITS, help="Held-out prompts measure, and never train."),
    )
    return section("Add prompts", form("add", *fields, submit="Add prompts", key=str(number)))


def _told(new: int, known: int) -> str:
    text = f"{new:,} new prompt" + ("." if new == 1 else "s.")
    return text + (f" {known:,} were there already." if known else "")


def _upload_form() -> Markup:
    formats = {"": "Found by the fields of its rows"} | {f.name: _named(f) for f in FORMATS}
    return html(
        """
        <form class="lab-form">
        <div class="lab-field lab-wide"><label for="upload-file">File</label>
        <input class="lab-input" type="file" id="upload-file" name="file" required
        accept=".jsonl,.json,.csv,.gz,.parquet"></div>
        {{ fields }}
        <label class="lab-check lab-wide"><input type="checkbox" name="skip_bad" value="1">
        <span>Import the good rows although there are bad ones</span></label>
        <div class="lab-row"><button class="lab-button" data-tone="primary"
        type="submit">Import</button>
        <button class="lab-button" type="button" data-part="cancel" hidden>Cancel</button></div>
        <div class="lab-progress lab-wide" data-part="progress" hidden>
        <span class="lab-small" data-part="state" role="status"></span>
        <progress aria-label="Sending the file"></progress></div>
        </form>
        """,
        fields=join(
            choice("Format", "format", formats),
            choice("Split", "split", {**_SPLITS, "": "As rows say, else one in five"}),
            field(
                "Annotator",
                "annotator",
                maxlength=64,
                placeholder="imported",
                help="Who judged, where the rows do not say.",
            ),
        ),
    )


def _named(form: Any) -> str:  # noqa: ANN401 - a Format
    return f"{form.name} ({form.what})"


def _counts(reply: Mapping[str, Any]) -> Markup:
    new, known = (_numbers(reply.get(name)) for name in ("new", "known"))
    figures = [
        stat(f"New {name}", f"{new.get(name, 0):,}", f"{known.get(name, 0):,} known")
        for name in _NAMES
        if new.get(name) or known.get(name)
    ]
    rows = reply.get("rows")
    looked_at = stat("Rows", f"{rows:,}" if type(rows) is int else "0", "looked at")
    return stats(looked_at, *figures)


def _numbers(values: object) -> dict[str, int]:
    found = values if isinstance(values, Mapping) else {}
    return {str(name): n for name, n in found.items() if type(n) is int}


def _rejections(reply: Mapping[str, Any]) -> Markup:
    rejected = reply.get("rejected")
    rows = (
        [row for row in rejected if isinstance(row, Mapping)] if isinstance(rejected, list) else []
    )
    if not rows:
        return Markup()
    total = reply.get("rejections")
    more = f", the first {len(rows):,} below" if type(total) is int and total > len(rows) else ""
    count = total if type(total) is int else len(rows)
    return data_table(
        ["Line", "Field", "Why"],
        [[str(row.get(name) or "") for name in ("line", "field", "reason")] for row in rows],
        caption=f"{count:,} rejected row{'' if count == 1 else 's'}{more}",
        is_stacked=True,
    )
