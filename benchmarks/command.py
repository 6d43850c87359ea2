"""What every benchmark's command line has in common, and the running of both sides in turn."""

from __future__ import annotations

import os
import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Comparison, Measured, SideFailed, Target, middle

Side = Callable[[], Measured | SideFailed]


def parser(description: str | None, *, model: bool = True) -> ArgumentParser:
    """A parser with the arguments that all benchmarks take; `model` for those that load one."""
    found = ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)
    if model:
        found.add_argument("--model", help="folder or hub id; default: the project's own default")
    found.add_argument("--threads", type=int, default=os.cpu_count(), help="of each side")
    found.add_argument("--repeat", type=int, default=1, help="times both run in turn; medians")
    found.add_argument(
        "--quick", action="store_true", help="a tiny random model: only shows that both sides run"
    )
    return found


@contextmanager
def model_folder(options: Namespace) -> Iterator[str]:
    """The local folder of the model, which both sides load."""
    from rlhf_lab.models import resolve_model
    from rlhf_lab.testing import tiny_model

    if options.quick and not options.model:
        with tempfile.TemporaryDirectory(prefix="tiny-") as scratch:
            yield str(tiny_model(Path(scratch) / "model"))
    else:
        yield str((resolve_model(options.model) if options.model else resolve_model()).resolve())


def compare(
    workload: str,
    ours: Side,
    peer: Side,
    *,
    repeat: int = 1,
    targets: tuple[Target, ...] = (),
    extra: Callable[[Measured, Measured], Mapping[str, object]] | None = None,
) -> Comparison:
    """Run ours and the peer's in turn, one after the other.

    Args:
        workload: In words.
        ours: Runs our side in its own process.
        peer: Runs the peer's.
        repeat: How often; the figures are `middle` of the runs.
        targets: To judge the figures by.
        extra: Figures that need both sides.
    """
    runs: dict[str, list[Measured]] = {"ours": [], "peer": []}
    failed: dict[str, SideFailed] = {}
    for turn in range(repeat):
        for name, side in (("ours", ours), ("peer", peer)):
            if name in failed:
                continue
            # Progress, on the other stream than the results.
            print(f"{workload}: {name}, {turn + 1} of {repeat} ...", file=sys.stderr, flush=True)
            outcome = side()
            if isinstance(outcome, SideFailed):
                failed[name] = outcome
            else:
                runs[name].append(outcome)
    both = [failed[n] if n in failed else middle(runs[n]) for n in ("ours", "peer")]
    whole = [side for side in both if isinstance(side, Measured)]
    return Comparison(
        workload=workload,
        ours=both[0],
        peer=both[1],
        targets=targets,
        extra=extra(*whole) if extra and len(whole) == 2 else {},
    )


def settings(options: Namespace) -> dict[str, object]:
    """The command line as the report keeps it: names of folders and files, not where they are."""
    kept = {k: v for k, v in vars(options).items() if v is not None}
    for key in kept.keys() & {"model", "data"}:
        if key == "data" or Path(kept[key]).exists():
            kept[key] = Path(kept[key]).name
    return kept
