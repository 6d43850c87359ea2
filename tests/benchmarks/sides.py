"""Sides for the tests of what runs them."""

import os
import sys

import torch

from benchmarks.figures import Measured


def whole(*, seconds: float) -> Measured:
    sys.stdout.write("chatter of a library\n")
    threads = {"torch": torch.get_num_threads(), "environment": os.environ["OMP_NUM_THREADS"]}
    return Measured(seconds=seconds, details={"threads": threads, "first": sys.path[1]})


def with_its_own_peak() -> Measured:
    return Measured(seconds=1.0, peak_mb=7.0)


def broken() -> Measured:
    raise ValueError("the side fell over")


def killed() -> Measured:
    os._exit(3)
