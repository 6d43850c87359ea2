"""The ranking widget's delays in a JupyterLab and a Panel server, as a person meets them.

python -m benchmarks.widgets [--interactions 200] [--hosts jupyterlab,panel]

Each interaction ranks four responses by digits and submits. The echo is the time from a key press
to the frame that shows what it did. The round trip is the time from Enter until the page has
Python's word that the judgment is stored, on disk. Needs a Chromium and the packages of the tests.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.figures import Target
from benchmarks.report import VERDICTS, processor_name

if TYPE_CHECKING:
    from tests.browser.hosts import Host
    from tests.browser.jupyter import Browser

HOSTS = ("jupyterlab", "panel")
KEYS = ("2", "1", "2", "4", "Enter")
TARGETS = (
    Target(figure="echo_max_ms", at_most=50),
    Target(figure="trip_p95_ms", at_most=150),
)

# Times each key by the clock of the page: up to the frame that shows its first change, and for
# Enter also up to Python's word.
WATCH = """(root) => {
    const times = window.widgetTimes = { echoes: [], trips: [] };
    let pressed = null;
    let submitted = null;
    const painted = (then) => requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = then;
        port2.postMessage(null);
    });
    window.addEventListener('keydown', (event) => {
        pressed = event.timeStamp;
        if (event.key === 'Enter') submitted = event.timeStamp;
    }, true);
    new MutationObserver(() => {
        if (pressed !== null) {
            const start = pressed;
            pressed = null;
            painted(() => times.echoes.push(performance.now() - start));
        }
        if (submitted !== null && root.getAttribute('aria-busy') === 'false') {
            times.trips.push(performance.now() - submitted);
            submitted = null;
        }
    }).observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
COUNTS = "([echoes, trips]) => window.widgetTimes.echoes.length >= echoes && " + (
    "window.widgetTimes.trips.length >= trips"
)


def measure(host: Host, interactions: int) -> dict[str, Any]:
    """Figures of the ranking widget in a host, in milliseconds."""
    from tests.browser import lab_source
    from tests.browser.cases import CASES

    case = next(case for case in CASES if case.name == "ranker")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        lab_source.fill(Path(folder) / lab_source.DATABASE, items=interactions + 1)
        root = host.show(case, Path(folder))
        root.locator(case.ready).first.focus()
        root.evaluate(WATCH)
        for number in tqdm(range(1, interactions + 1), desc=host.name, file=sys.stderr):
            for position, key in enumerate(KEYS, start=1):
                host.page.keyboard.press(key)
                trips = number if key == "Enter" else number - 1
                echoes = (number - 1) * len(KEYS) + position
                host.page.wait_for_function(COUNTS, arg=[echoes, trips])
        times = host.page.evaluate("() => window.widgetTimes")
        stored = len(lab_source.stored(Path(folder) / lab_source.DATABASE))
        if stored != interactions:
            raise SystemExit(f"{host.name}: {stored} of {interactions} judgments were stored")
    return {
        "host": host.name,
        **_figures("echo", times["echoes"]),
        **_figures("trip", times["trips"]),
    }


def _figures(name: str, milliseconds: Sequence[float]) -> dict[str, Any]:
    return {
        f"{name}_median_ms": statistics.median(milliseconds),
        f"{name}_p95_ms": statistics.quantiles(milliseconds, n=20, method="inclusive")[-1],
        f"{name}_max_ms": max(milliseconds),
    }


@contextmanager
def _host(name: str, browser: Browser, folder: Path) -> Iterator[Host]:
    from tests.browser.hosts import JupyterLabHost, panel_host
    from tests.browser.jupyter import Notebook, jupyter_server

    if name == "panel":
        with panel_host(browser, folder) as host:
            yield host
        return
    with jupyter_server(folder) as server:
        server.write_notebook("test.ipynb", "")
        yield JupyterLabHost(Notebook(browser.context.new_page(), server, "test.ipynb"), folder)


def run(hosts: Sequence[str], interactions: int) -> list[dict[str, Any]]:
    """Every host in turn, in one browser."""
    from tests.browser.jupyter import chromium, chromium_path

    path = chromium_path()
    if path is None:
        raise SystemExit("no Chromium found: install one, or name it in RLHF_LAB_CHROMIUM.")
    results = []
    with chromium(path, viewport={"width": 1280, "height": 1100}) as browser:
        for name in hosts:
            with (
                tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
                _host(name, browser, Path(folder)) as host,
            ):
                figures = measure(host, interactions)
            targets = [{**asdict(t), "met": t.met(figures)} for t in TARGETS]
            results.append({**figures, "targets": targets})
    return results


def _show(results: Sequence[dict[str, Any]], interactions: int) -> None:
    table = Table(title=f"ranking widget on {processor_name()}, {interactions} interactions")
    table.add_column("figure")
    for result in results:
        table.add_column(result["host"], justify="right")
    for name in results[0]:
        if name not in ("host", "targets"):
            table.add_row(name, *(f"{result[name]:.1f}" for result in results))
    for number, target in enumerate(TARGETS):
        table.add_row(str(target), *(VERDICTS[r["targets"][number]["met"]] for r in results))
    Console().print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table and one line of JSON."""
    arg = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    arg.add_argument("--interactions", type=int, default=200, help="judgments in each host")
    arg.add_argument("--hosts", default=",".join(HOSTS), help="jupyterlab, panel or both")
    options = arg.parse_args(arguments)
    hosts = options.hosts.split(",")
    if unknown := set(hosts) - set(HOSTS):
        arg.error(f"--hosts {options.hosts}: {sorted(unknown)} unknown, there are {HOSTS}")
    if options.interactions < 2:
        arg.error(f"--interactions {options.interactions}: 2 at least, 200 to report")
    results = run(hosts, options.interactions)
    _show(results, options.interactions)
    print(
        json.dumps(
            {
                "benchmark": "widgets",
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "device": processor_name(),
                "interactions": options.interactions,
                "hosts": results,
            }
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
