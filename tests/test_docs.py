"""What the pages of docs/ say of the tests is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "ppo.md"
ROW = re.compile(r"^\| (\d+) \|.*\|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> dict[int, list[tuple[str, str]]]:
    return {int(number): TEST.findall(tests) for number, tests in ROW.findall(PAGE.read_text())}


def test_every_row_of_ppo_names_a_test():
    assert list(rows()) == list(range(1, 31))
    assert all(rows().values())


@pytest.mark.parametrize("number", range(1, 31))
def test_every_test_that_a_row_names_exists(number: int):
    for file, name in rows()[number]:
        assert name in functions(ROOT / file), f"row {number}: {file}::{name}"


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_nothing_else_that_looks_like_a_test_is_named():
    named = [pair for found in rows().values() for pair in found]
    assert len(named) == PAGE.read_text().count("::test_")
