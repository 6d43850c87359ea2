"""Reading prompts from what people have: strings, chats, dictionaries, datasets, JSON lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rlhf_lab.errors import ConfigError, ImportFileError, LabError, PromptError
from rlhf_lab.store.rows import check_text
from rlhf_lab.store.text_lines import numbered, opened, parse
from rlhf_lab.types import Message, Prompt, Split, as_path

# Where the prompt of a row may stand, the first that is there wins.
PROMPT_FIELDS = ("prompt", "messages", "question", "instruction", "text")
_SUFFIXES = (".jsonl", ".jsonl.gz")
_HINT = "Pass a list of strings, chats or dicts, a Dataset, or the path of a .jsonl file."


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["system", "user", "assistant"]
    content: str


class _Row(BaseModel):
    """One row after its prompt field was found; other fields of the row are not looked at."""

    model_config = ConfigDict(strict=True)

    prompt: str | list[_Message]
    split: Literal["train", "heldout"] | None = None
    source: str | None = None
    tags: list[str] | None = None


def read_prompts(
    source: object,
    *,
    split: Split | None = None,
    heldout_fraction: float = 0.2,
    system: str | None = None,
) -> list[Prompt]:
    """Read prompts, all or none, in order; nothing is stored.

    Args:
        source: A list (or other iterable) of strings, of chats (lists of messages with role and
            content), of dicts or of `Prompt`; one `Prompt`; a `datasets.Dataset`; or the path of a
            .jsonl or .jsonl.gz file.
            A dict or row holds its prompt, text or chat, in the first present of "prompt",
            "messages", "question", "instruction" (with its "input", if any, appended) and "text";
            "split", "source" and "tags" are optional, and all else is left aside.
        split: Put every prompt in this split, whatever its row says. Otherwise the row decides,
            and where it does not, the prompt's own hash: the same prompt always lands in the
            same split. A `Prompt` has its split already.
        heldout_fraction: Share of the hash that goes to "heldout", from 0 to 1.
        system: A system message put before those prompts that have none.

    Raises:
        PromptError: a row that is not a prompt; the message names the row.
        ImportFileError: the same for a file; the message names file and line.
        ConfigError: heldout_fraction or split out of range, or a path that no file can have.
    """
    if not 0 <= heldout_fraction <= 1:
        raise ConfigError(f"heldout_fraction={heldout_fraction}: a share from 0 to 1.")
    if split not in (None, "train", "heldout"):
        raise ConfigError(f"split={split!r}: use 'train', 'heldout', or None to split by hash.")
    path = _path_in(source)
    if path is not None:
        found = _read_file(path, split, heldout_fraction)
    else:
        origin = "dataset" if hasattr(source, "column_names") else "user"
        found = [
            _prompt(row, f"prompts[{n}]", origin, split, heldout_fraction)
            for n, row in enumerate(_rows(source))
        ]
    return found if system is None else [p.with_system(system) for p in found]


def _path_in(source: object) -> Path | None:
    if isinstance(source, Path):
        return as_path(source)
    if not isinstance(source, str):
        return None
    if source.endswith(_SUFFIXES):
        return as_path(source)
    raise PromptError(
        f"{source!r:.80} is one string: pass a list of prompts, [{source!r:.30}], or the path of "
        "a .jsonl file."
    )


def _rows(source: object) -> Iterable[object]:
    if isinstance(source, Prompt):
        return [source]
    columns = getattr(source, "column_names", None)
    if isinstance(columns, Mapping):
        raise PromptError(
            f"a DatasetDict with {sorted(columns)}: choose one of its parts, such as "
            f"dataset[{min(columns, default='train')!r}]."
        )
    if columns is not None and not set(columns) & set(PROMPT_FIELDS):
        raise PromptError(
            f"columns {list(columns)}: none of {list(PROMPT_FIELDS)} is there. Rename the one "
            "that holds the prompts: dataset.rename_column(..., 'prompt')."
        )
    if isinstance(source, (Mapping, bytes)) or not isinstance(source, Iterable):
        raise PromptError(
            f"{source!r:.80} ({type(source).__name__}) is not a list of prompts. {_HINT}"
        )
    if hasattr(source, "iterrows"):  # iterating over a DataFrame would give its column names
        raise PromptError(
            f"a {type(source).__name__} with columns {list(source)}: pass its rows, "
            "frame.to_dict('records')."
        )
    return source


def _read_file(path: Path, split: Split | None, heldout_fraction: float) -> list[Prompt]:
    if not path.name.endswith(_SUFFIXES):
        raise ImportFileError(
            f"{path}: only {' and '.join(_SUFFIXES)} files can be read. Write one JSON object "
            'with a "prompt" per line.'
        )
    prompts = []
    with opened(path) as lines:
        for number, line in numbered(lines):
            where = f"{path}:{number}"
            try:
                row = parse(line, where)
                prompts.append(_prompt(row, where, path.name, split, heldout_fraction))
            except PromptError as error:
                raise ImportFileError(str(error)) from error
    if not prompts:
        raise ImportFileError(f"{path} holds no prompts: it has no line with text.")
    return prompts


def _prompt(
    row: object, where: str, origin: str, split: Split | None, heldout_fraction: float
) -> Prompt:
    if isinstance(row, Prompt):
        return replace(row, split=split) if split else row
    try:
        checked = _Row.model_validate(_fields(row))
        prompt = Prompt(
            messages=_messages(checked.prompt),
            source=checked.source or origin,
            tags=tuple(checked.tags or ()),
        )
        check_text(prompt)
    except ValidationError as error:
        raise PromptError(f"{where}: {_first_problem(error)}") from error
    except LabError as error:
        raise PromptError(f"{where}: {error}") from error
    chosen = split or checked.split or split_by_hash(prompt.id, heldout_fraction)
    return Prompt(messages=prompt.messages, split=chosen, source=prompt.source, tags=prompt.tags)


def _fields(row: object) -> dict[str, Any]:
    if isinstance(row, str):
        return {"prompt": row}
    if isinstance(row, (list, tuple)):
        return {"prompt": [_plain(m) for m in row]}
    if not isinstance(row, Mapping):
        raise PromptError(f"{row!r:.80} ({type(row).__name__}) is not a prompt. {_HINT}")
    name = next((f for f in PROMPT_FIELDS if row.get(f) is not None), None)
    if name is None:
        raise PromptError(
            f"fields {sorted(map(str, row))}: none of {list(PROMPT_FIELDS)} is there with a value."
        )
    value = row[name]
    if isinstance(value, (list, tuple)):
        value = [_plain(m) for m in value]
    elif name == "instruction" and isinstance(value, str):
        value = with_input(value, row.get("input"))
    return {"prompt": value, **{k: row.get(k) for k in ("split", "source", "tags")}}


def with_input(instruction: str, more: object) -> str:
    """An instruction and its input, without which it means nothing.

    Raises:
        PromptError: the input is not text.
    """
    # Data frames write NaN where nothing stands.
    if more is None or more == "" or (isinstance(more, float) and math.isnan(more)):
        return instruction
    if not isinstance(more, str):
        raise PromptError(f"field input = {more!r:.80}: should be text.")
    return f"{instruction}\n\n{more}"


def _plain(message: object) -> object:
    """A message as pydantic expects it; `rlhf_lab.types.Message` is welcome too."""
    if isinstance(message, Message):
        return {"role": message.role, "content": message.content}
    return message


def _messages(prompt: str | list[_Message]) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    return tuple(Message(role=m.role, content=m.content) for m in prompt)


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False)
    # A prompt that is a list is meant as a chat: what it says about strings does not help.
    problem = next((p for p in problems if p["loc"] != ("prompt", "str")), problems[0])
    place = [str(p) for p in problem["loc"] if p not in ("str", "list[_Message]")]
    return (
        f"field {'.'.join(place)} = {problem['input']!r:.80}: {problem['msg']}. A prompt is text, "
        "or a list of messages with a role (system, user, assistant) and text content."
    )


def split_by_hash(prompt_id: str, heldout_fraction: float) -> Split:
    """Where a prompt goes that nobody put anywhere: always the same place."""
    return "heldout" if int(prompt_id, 16) < heldout_fraction * 16 ** len(prompt_id) else "train"
