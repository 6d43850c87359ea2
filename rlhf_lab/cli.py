"""The `rlhf-lab` command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rlhf_lab.errors import LabError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Teach a language model what people prefer."
)

Directory = Annotated[Path, typer.Argument(help="The lab's directory.", show_default=False)]


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


@app.command()
def audit(
    directory: Directory,
    head: Annotated[
        str | None, typer.Option(help="A head noted earlier (NUMBER:HASH) that must still hold.")
    ] = None,
) -> None:
    """Verify the whole record of judgments; the exit status is 1 if something is wrong."""
    from rlhf_lab.store import audit, open_store

    with _errors_in_words() as console, open_store(directory) as store:
        report = audit(store, expected=head, progress=console.is_terminal)
        _say(console, report)
        if not report.ok:
            raise typer.Exit(1)


@app.command()
def move(
    directory: Directory,
    target: Annotated[
        str,
        typer.Argument(
            help='URL of an empty database (postgresql+psycopg://USER@HOST/NAME), or "sqlite".',
            show_default=False,
        ),
    ],
) -> None:
    """Move a lab's data to PostgreSQL, or back to a file; what was there is kept."""
    from rlhf_lab.store import move_lab

    with _errors_in_words() as console:
        _say(console, move_lab(directory, target, progress=console.is_terminal))


@app.command()
def backup(
    directory: Directory,
    file: Annotated[Path, typer.Argument(help="Must not exist yet.", show_default=False)],
) -> None:
    """Write everything of a lab into one file, while it is in use."""
    from rlhf_lab.store import backup_lab, open_store

    with _errors_in_words() as console, open_store(directory) as store:
        _say(console, backup_lab(store, directory, file, progress=console.is_terminal))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    directory: Annotated[Path, typer.Argument(help="Absent or empty.", show_default=False)],
) -> None:
    """Make a lab out of a backup; the exit status is 1 if its record does not pass an audit."""
    from rlhf_lab.store import restore_lab

    with _errors_in_words() as console:
        report = restore_lab(file, directory, progress=console.is_terminal)
        _say(console, report)
        if not report.audit.ok:
            raise typer.Exit(1)


@contextmanager
def _errors_in_words() -> Iterator[Console]:
    """A console; errors of this library are said on it, and end the command with status 1."""
    console = Console()
    try:
        yield console
    except LabError as error:
        _say(console, f"{type(error).__name__}: {error}")
        raise typer.Exit(1) from error


def _say(console: Console, what: object) -> None:
    """As it is: names in square brackets are no colours."""
    console.print(str(what), markup=False, highlight=False, soft_wrap=True)
