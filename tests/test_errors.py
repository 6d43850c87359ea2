from __future__ import annotations

import inspect
import re

import pytest

from rlhf_lab import errors

LINE = re.compile(r"^(?P<branches>[│├└─ ]*)(?P<name>\w+)(?: \((?P<builtin>\w+)\))?(?: {2,}\S.*)?$")
CLASSES = {
    name: thing
    for name, thing in inspect.getmembers(errors, inspect.isclass)
    if thing.__module__ == errors.__name__
}


def drawn_bases() -> dict[str, tuple[str, ...]]:
    """Bases of every class, as the tree in the module's docstring draws them."""
    tree = inspect.getdoc(errors).split("```")[1].strip("\n")
    bases: dict[str, tuple[str, ...]] = {}
    path: list[str] = []
    for line in tree.splitlines():
        found = LINE.match(line)
        assert found, f"not a line of the tree: {line!r}"
        depth = len(found["branches"]) // 4
        path = [*path[:depth], found["name"]]
        parent = path[depth - 1] if depth else "Exception"
        assert found["name"] not in bases, f"{found['name']} is drawn twice"
        bases[found["name"]] = (parent, *([found["builtin"]] if found["builtin"] else []))
    return bases


def test_the_drawn_tree_is_the_real_one():
    real = {name: tuple(base.__name__ for base in c.__bases__) for name, c in CLASSES.items()}
    assert drawn_bases() == real


def test_the_drawing_has_every_class_once_in_the_order_of_the_module():
    assert list(drawn_bases()) == sorted(
        CLASSES, key=lambda name: inspect.getsourcelines(CLASSES[name])[1]
    )


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_is_caught_as_a_lab_error_and_says_what_it_means(name):
    assert issubclass(CLASSES[name], errors.LabError)
    assert "__doc__" in vars(CLASSES[name])
    assert CLASSES[name].__doc__.endswith(".")


def test_wrong_arguments_are_value_errors_too():
    for name in ("ConfigError", "PromptError", "JudgmentError", "ImportFileError", "ShapeError"):
        assert issubclass(CLASSES[name], ValueError)
