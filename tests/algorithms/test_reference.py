"""No function of the algorithms is without its float64 reference."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from rlhf_lab import algorithms

# Its reference is the ragged batch's own mask: test_length_mask_counts_back_to_the_lengths.
WITHOUT = {"length_mask"}
FUNCTIONS = [n for n in algorithms.__all__ if inspect.isroutine(getattr(algorithms, n))]


def names_in_tests() -> list[set[str]]:
    """Names that each test function mentions."""
    found = []
    for file in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.append({n.id for n in ast.walk(node) if isinstance(n, ast.Name)})
    return found


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, "AdaptiveKL"} - WITHOUT))
def test_some_test_compares_it_with_the_reference(name: str):
    assert any({name, "reference"} <= names for names in names_in_tests())


def test_the_list_is_not_empty():
    assert len(FUNCTIONS) > 15
