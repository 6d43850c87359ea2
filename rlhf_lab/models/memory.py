"""How much memory a job took, giving it back, and going on with less when it runs out."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import textwrap
import warnings
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch

from rlhf_lab.errors import OutOfMemory

Found = TypeVar("Found")

# What torch says where it has no class for it: the CPU's allocator on Linux and on Windows, the
# CUDA runtime and MPS, and the workspaces of cuBLAS and cuDNN.
SAID = ("can't allocate memory", "not enough memory", "out of memory", "_STATUS_ALLOC_FAILED")


def release_memory() -> None:
    """Return everything unused to the system: between the phases of a job."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim_heap()


def trim_heap() -> None:
    """Return the heap's free pages to the system: between optimizer steps.

    Activations of many sizes leave glibc's heap full of holes: without this, a PPO update of the
    embedded model that needs 2.2 GB grows to 3.2 GB. Does nothing with other C libraries.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def peak_rss_mb() -> float:
    """Peak resident memory of this process so far, in 10^6 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, Linux in kibibytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a computation ended for want of memory, on whatever device.

    CUDA's allocator raises a class of its own, the CPU's a bare RuntimeError.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in SAID)


class Shortage(NamedTuple):
    """A computation that ran out of memory, and what was said about it."""

    said: str


def unless_memory_runs_out(compute: Callable[[], Found]) -> Found | Shortage:
    """What `compute` returns; all other errors are raised."""
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        shortage = Shortage(textwrap.shorten(str(error), 160, placeholder=" ..."))
    # Only here: until the error is gone, its traceback holds every tensor of the attempt.
    release_memory()
    return shortage


class Parts:
    """Into how many parts batches are divided so that they fit into memory: found by trying.

    Attributes:
        count: 1 at first; doubled when memory runs out, and kept for all that follows.
    """

    def __init__(self, batches: str, *, remedy: str) -> None:
        """Start with whole batches.

        Args:
            batches: What they are called in messages, in the plural.
            remedy: What to do when one response alone does not fit: a sentence.
        """
        self.count = 1
        self._batches = batches
        self._remedy = remedy
        self._warned = False

    def until_they_fit(self, compute: Callable[[int], Found], *, most: int) -> Found:
        """Compute in `count` parts, or in more if memory runs out.

        Args:
            compute: Takes the number of parts; what it changed is as before when it raises.
            most: With so many parts, none can be divided any further.

        Raises:
            OutOfMemory: not even so; `count` is what it was.
        """
        before = self.count
        while isinstance(found := unless_memory_runs_out(lambda: compute(self.count)), Shortage):
            if self.count >= most:
                self.count = before
                raise OutOfMemory(
                    f"{self._batches} of one response each still run out of memory ({found.said}), "
                    f"and a response cannot be divided: nothing was changed. {self._remedy}"
                )
            self._warn(found)
            self.count *= 2
        return found

    def _warn(self, shortage: Shortage) -> None:
        """Once, and before the next attempt: where warnings are errors, nothing has changed yet."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"memory ran out ({shortage.said}): {self._batches} are divided until they fit, "
                "from now on. Results are the same up to rounding; it takes longer.",
                stacklevel=4,
            )
