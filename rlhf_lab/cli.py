"""The `rlhf-lab` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rlhf_lab.errors import LabError

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
