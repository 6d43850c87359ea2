"""A side in a process of its own, and what its memory came to.

The two sides never share a process: libraries one of them loads, memory one of them frees late
and threads one of them starts must not count for the other.

`python -m benchmarks.process MODULE:FUNCTION ARGUMENTS RESULT` is the inside of such a process.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.figures import Measured, SideFailed

ROOT = Path(__file__).resolve().parents[1]
TAIL = 2_000  # characters of a failed side's output that are shown
STATUS = Path("/proc/self/status")


def run_side(
    side: Callable[..., Measured], *, threads: int, path: Path | None = None, **arguments: object
) -> Measured | SideFailed:
    """Call a function of a module in a fresh process.

    Args:
        side: A module's own function.
        threads: For every library that reads OMP_NUM_THREADS, and torch.
        path: A folder of packages that this side alone may import, before all others.
        arguments: JSON values, passed to the function by name.
    """
    where = [str(p) for p in (path, ROOT) if p]
    inherited = os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONPATH": os.pathsep.join([*where, *([inherited] if inherited else [])]),
    }
    # `python -m` calls the benchmark's own module __main__.
    module = _module_name(side)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        result = Path(scratch) / "result.json"
        command = [sys.executable, "-m", "benchmarks.process", f"{module}:{side.__name__}"]
        done = subprocess.run(
            [*command, json.dumps(arguments), str(result)],
            cwd=scratch,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode or not result.is_file():
            reason = f"exit status {done.returncode}: {done.stdout[-TAIL:].strip()}"
            return SideFailed(reason=reason)
        return Measured(**json.loads(result.read_text("utf-8")))


def _module_name(side: Callable[..., Measured]) -> str:
    if side.__module__ != "__main__":
        return side.__module__
    spec = sys.modules["__main__"].__spec__
    assert spec is not None, "run a benchmark as `python -m benchmarks.NAME`"
    return spec.name


def peak_mb() -> float:
    """Peak memory of this process, in 10^6 bytes.

    Linux hands `ru_maxrss` on through exec, so that a child of a large process starts with its
    parent's peak; VmHWM starts afresh.
    """
    if STATUS.is_file():
        return _status_mb("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class PeakGrowth:
    """Peak memory of a block above what was held when it began, in 10^6 bytes.

    On CUDA of the device's tensors, otherwise of the process. Where the system cannot forget an
    earlier peak, growth that stays below that peak is not seen.
    """

    def __init__(self, device: str = "cpu") -> None:
        """Measure a block that computes on this device."""
        self._device = device
        self._before = 0.0
        self.mb = 0.0

    def __enter__(self) -> PeakGrowth:
        """Forget the earlier peak."""
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated() / 1e6
        elif STATUS.is_file():
            Path("/proc/self/clear_refs").write_text("5")
            self._before = _status_mb("VmRSS")
        else:
            self._before = peak_mb()
        return self

    def __exit__(self, *_error: object) -> None:
        """Take the figure."""
        self.mb = self._peak() - self._before

    def _peak(self) -> float:
        if self._device.startswith("cuda"):
            import torch

            return torch.cuda.max_memory_allocated() / 1e6
        return peak_mb()


def resident_mb() -> float:
    """What the process holds at this moment, in 10^6 bytes; the peak where that is not known."""
    return _status_mb("VmRSS") if STATUS.is_file() else peak_mb()


def _status_mb(name: str) -> float:
    line = next(row for row in STATUS.read_text().splitlines() if row.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e6


def _inside(name: str, arguments: Mapping[str, Any], result: Path) -> None:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    module, _, function = name.partition(":")
    measured: Measured = getattr(importlib.import_module(module), function)(**arguments)
    if measured.peak_mb is None:
        measured = replace(measured, peak_mb=peak_mb())
    result.write_text(json.dumps(asdict(measured)), encoding="utf-8")


if __name__ == "__main__":
    _inside(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
