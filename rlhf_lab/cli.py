"""The `rlhf-lab` command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

from rlhf_lab.errors import ConfigError, LabError

if TYPE_CHECKING:
    from rlhf_lab.dashboard.providers import OAuthSettings
    from rlhf_lab.dashboard.server import Server

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
    from_sft: Annotated[
        bool,
        typer.Option("--from-sft", help="Begin with demonstrations and fine-tuning."),
    ] = False,
) -> None:
    """Two rounds of RLHF on the embedded model with a simulated annotator."""
    from rlhf_lab.demo import DemoSettings, run_demo

    with _errors_in_words("Nothing is lost: the same command goes on from here.") as console:
        settings = DemoSettings(seed=seed, rounds=rounds, from_sft=from_sft)
        run_demo(path, settings, model=model, console=console)


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
    from rlhf_lab.store.exchange import importing, whole
    from rlhf_lab.store.paths import as_folder
    from rlhf_lab.store.place import open_or_make_store

    with _errors_in_words("Nothing was stored.") as console:
        folder = as_folder(directory)
        job = importing.prepare(
            source,
            format=form,
            columns=_mapping(column or [], "--column", "FIELD=NAME", "chosen=better"),
            split=cast(Any, split),
            annotator=annotator,
        )
        # A lab that is made for an import is there once the import is.
        new = whole.whole_folder(folder) if whole.is_free(folder) else nullcontext(folder)
        with new as place, open_or_make_store(place) as store:
            report = importing.run(store, job, skip_bad=skip_bad)
        _say(console, report)


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
    from rlhf_lab.store import open_store
    from rlhf_lab.store.exchange import export_data

    with _errors_in_words("Nothing was written.") as console, open_store(directory) as store:
        report = export_data(
            store,
            target,
            what=cast(Any, what),
            format=form,
            ties=cast(Any, ties),
            overwrite=overwrite,
        )
        _say(console, report)


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


@app.command()
def serve(
    directory: Annotated[Path, typer.Argument(help="The lab's directory; made if absent.")],
    port: Annotated[int, typer.Option(help="0 for any that is free.")] = 5006,
    address: Annotated[
        str, typer.Option(help="To listen on; the default is this machine alone.")
    ] = "127.0.0.1",
    allow_websocket_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A host that pages may come from; may be repeated."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Under which people come, as in https://lab.example.org.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A reverse proxy's; its X-Forwarded-For counts."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Only 1 works; another number says why.")] = 1,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Run the process that does model work.")
    ] = True,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    ready_file: Annotated[
        Path | None, typer.Option(help="Written as JSON once the server listens.")
    ] = None,
    admin_link: Annotated[
        bool, typer.Option("--admin-link", help="Print a link for a new admin in any case.")
    ] = False,
    oauth_provider: Annotated[
        str | None,
        typer.Option(help="To sign in through, beside passwords: generic, github, google ..."),
    ] = None,
    oauth_key: Annotated[str, typer.Option(help="The client id that the provider gave.")] = "",
    oauth_secret: Annotated[
        str,
        typer.Option(
            envvar="RLHF_LAB_OAUTH_SECRET",
            help="Its secret; set the variable, since others may see command lines.",
        ),
    ] = "",
    oauth_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Where it is: AUTHORIZE_URL, tenant, url ..."),
    ] = None,
    end_with_input: Annotated[bool, typer.Option("--end-with-input", hidden=True)] = False,
) -> None:
    """Serve a lab to a team: ranking, rounds, agreement, data, evaluation and people."""
    with _errors_in_words() as console:
        server = _server(
            directory,
            port=port,
            address=address,
            allow_websocket_origin=tuple(allow_websocket_origin or ()),
            public_url=public_url,
            trusted_proxy=tuple(trusted_proxy or ()),
            workers=workers,
            worker=worker,
            log_level=log_level,
            ready_file=ready_file,
            admin_link=admin_link,
            oauth=_oauth(oauth_provider, oauth_key, oauth_secret, oauth_option or []),
            end_with_input=end_with_input,
        )
        _say(console, f"{server.site.lab.path} is served at {server.site.base_url}")
        if server.admin_link:
            _say(console, f"Make an admin's account, once: {server.admin_link}")
        if server.settings.is_in_clear:
            _say(console, "Passwords cross the network in clear: put TLS in front (deploy/).")
        server.run()


def _server(directory: Path, **settings: Any) -> Server:  # noqa: ANN401
    """A server that listens; its logs go to standard error."""
    from rlhf_lab.dashboard import logs
    from rlhf_lab.dashboard.settings import ServeSettings

    checked = ServeSettings(**settings)
    try:
        from rlhf_lab.dashboard.server import Server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is missing, and the dashboard needs it: pip install "
            "'rlhf-lab[dashboard]'"
        ) from error
    logs.configure(checked.log_level)
    return Server(directory, checked)


def _oauth(provider: str | None, key: str, secret: str, options: list[str]) -> OAuthSettings | None:
    from rlhf_lab.dashboard.providers import OAuthSettings

    if provider is None:
        return None
    found = _mapping(
        options, "--oauth-option", "NAME=VALUE", "TOKEN_URL=https://id.example.org/token"
    )
    return OAuthSettings(provider=provider, key=key, secret=secret, options=found)


@contextmanager
def _errors_in_words(stopped: str = "") -> Iterator[Console]:
    """A console; errors of this library are said on it in words, and end the command.

    Args:
        stopped: What to say when the command is interrupted.
    """
    console = Console()
    try:
        yield console
    except LabError as error:
        _say(Console(stderr=True), f"{type(error).__name__}: {error}")
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        _say(Console(stderr=True), f"\nStopped. {stopped}")
        raise typer.Exit(130) from None


def _say(console: Console, what: object) -> None:
    """As it is: names in square brackets are no colours."""
    console.print(str(what), markup=False, highlight=False, soft_wrap=True)


def _mapping(pairs: list[str], option: str, form: str, example: str) -> dict[str, str]:
    wrong = [p for p in pairs if not all(p.partition("=")[::2])]
    if wrong:
        raise ConfigError(f"{option} {wrong[0]!r}: write {form}, as in {example}.")
    return {name: value for name, _, value in (p.partition("=") for p in pairs)}


if __name__ == "__main__":  # as `lab.dashboard()` starts it, wherever scripts are installed
    app()
