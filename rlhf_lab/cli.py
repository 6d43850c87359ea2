"""The `rlhf-lab` command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape

from rlhf_lab.errors import ConfigError, LabError

if TYPE_CHECKING:
    from rlhf_lab.store import PreferenceStore

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Teach a language model what people prefer."
)


@app.callback()
def main() -> None:
    """Keeps `demo` a subcommand while it is the only one."""


@app.command()
def demo(
    path: Annotated[
        Path, typer.Option(help="Where the lab, report.html and summary.json go.")
    ] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Same seed, same judgments and samples.")] = 0,
    rounds: Annotated[int, typer.Option(help="Rounds of ranking, reward update and PPO.")] = 2,
    model: Annotated[
        str | None, typer.Option(help="Hub id or folder; default: the embedded model.")
    ] = None,
) -> None:
    """Two rounds of RLHF on the embedded model with a simulated annotator."""
    from rlhf_lab.demo import DemoSettings, run_demo

    console = Console()
    try:
        run_demo(path, DemoSettings(seed=seed, rounds=rounds), model=model, console=console)
    except LabError as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", highlight=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing is lost: the same command goes on from here.")
        raise typer.Exit(130) from None


@app.command("import")
def import_(
    directory: Annotated[Path, typer.Argument(help="The lab's directory; made if absent.")],
    source: Annotated[
        Path, typer.Argument(help="A .jsonl, .json, .csv or .parquet file, or a folder of those.")
    ],
    form: Annotated[
        str | None, typer.Option("--format", help="Default: found by the fields of the rows.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=NAME: what a field is called in the file; may be repeated."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="train or heldout; default: as rows say, else by hash.")
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Who judged, where rows do not say; default: imported.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the good rows although there are bad ones.")
    ] = False,
) -> None:
    """Import judgments, demonstrations or prompts: all of a file, or nothing."""
    from rlhf_lab.store.exchange import import_data

    with _said_plainly("Nothing was stored."), _store(directory, new=True) as store:
        report = import_data(
            store,
            source,
            format=form,
            columns=_mapping(column or []),
            split=cast(Any, split),
            annotator=annotator,
            skip_bad=skip_bad,
        )
        _say(str(report))


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(help="The lab's directory.")],
    target: Annotated[
        Path,
        typer.Argument(help="A .jsonl, .json, .csv or .parquet file, or a folder for a dataset."),
    ],
    what: Annotated[str, typer.Option(help="judgments, prompts or demonstrations.")] = "judgments",
    form: Annotated[
        str, typer.Option("--format", help="trl, trl-text, hh, kwise, argilla ...")
    ] = "trl",
    ties: Annotated[
        str, typer.Option(help="both: a tie is two rows, one each way; drop: it is left out.")
    ] = "both",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write what counts in a lab for other tools."""
    from rlhf_lab.store.exchange import export_data

    with _said_plainly("Nothing was written."), _store(directory, new=False) as store:
        report = export_data(
            store,
            target,
            what=cast(Any, what),
            format=form,
            ties=cast(Any, ties),
            overwrite=overwrite,
        )
        _say(str(report))


@contextmanager
def _store(directory: Path, *, new: bool) -> Iterator[PreferenceStore]:
    """A lab's database alone: no model, so no torch."""
    from rlhf_lab.store import PreferenceStore

    database = directory.expanduser() / "lab.sqlite"
    if not new and not database.exists():
        raise ConfigError(f"{directory} holds no lab: there is no {database.name} in it.")
    with PreferenceStore(database) as store:
        yield store


@contextmanager
def _said_plainly(stopped: str) -> Iterator[None]:
    """Errors of this library in words and an exit code, without a traceback."""
    try:
        yield
    except LabError as error:
        Console(stderr=True).print(
            f"[red]{type(error).__name__}[/red]:", escape(str(error)), highlight=False
        )
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        Console(stderr=True).print(f"\nStopped. {stopped}")
        raise typer.Exit(130) from None


def _say(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)


def _mapping(pairs: list[str]) -> dict[str, str]:
    wrong = [p for p in pairs if not all(p.partition("=")[::2])]
    if wrong:
        raise ConfigError(f"--column {wrong[0]!r}: write FIELD=NAME, as in chosen=better.")
    return {field: name for field, _, name in (p.partition("=") for p in pairs)}
