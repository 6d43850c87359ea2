"""constraints.txt pins every distribution that an installation with all extras pulls."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
UNPINNED_EXTRAS = {"ray"}  # large, optional, and resolved by whoever has a cluster
# What CUDA builds of torch bring along; each torch release pins these itself, exactly.
BROUGHT_BY_TORCH = re.compile(r"nvidia-.+|cuda-.+|triton")


def pin_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def pins() -> dict[str, Version]:
    split = (line.split("==") for line in pin_lines())
    return {canonicalize_name(name): Version(pinned) for name, pinned in split}


def direct_requirements() -> list[Requirement]:
    extras = PYPROJECT["project"]["optional-dependencies"]
    chosen = [r for name, group in extras.items() if name not in UNPINNED_EXTRAS for r in group]
    required = PYPROJECT["project"]["dependencies"] + PYPROJECT["build-system"]["requires"]
    return [Requirement(text) for text in [*required, *chosen]]


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def installed_closure() -> set[str]:
    """Names of every installed distribution reachable from the project's requirements."""
    todo = [(r.name, frozenset(r.extras)) for r in direct_requirements()]
    seen: set[tuple[str, frozenset[str]]] = set()
    found = set()
    while todo:
        name, extras = todo.pop()
        if (canonicalize_name(name), extras) in seen:
            continue
        seen.add((canonicalize_name(name), extras))
        try:
            texts = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(canonicalize_name(name))
        needed = [Requirement(text) for text in texts]
        todo += [(r.name, frozenset(r.extras)) for r in needed if applies(r, extras)]
    return found


def test_every_line_is_one_exact_pin_without_address_or_local_version():
    odd = [line for line in pin_lines() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", line)]
    assert odd == []


def test_no_line_of_the_file_names_a_host_or_a_path():
    text = (ROOT / "constraints.txt").read_text("utf-8")
    assert re.findall(r"://|@|--?(?:index|extra|find)|\s/\w|\.(?:com|org|net|io)\b", text) == []


def test_each_distribution_is_pinned_once_in_alphabetical_order():
    names = [canonicalize_name(line.split("==")[0]) for line in pin_lines()]
    assert names == sorted(set(names))


@pytest.mark.parametrize("requirement", direct_requirements(), ids=str)
def test_each_direct_requirement_admits_its_pin(requirement):
    pinned = pins()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned)


def test_each_installed_dependency_has_a_pin():
    brought = {name for name in installed_closure() if BROUGHT_BY_TORCH.fullmatch(name)}
    assert installed_closure() - brought - set(pins()) == set()


def test_torch_is_the_plain_pin_that_takes_a_cpu_or_a_cuda_build():
    assert "torch==2.13.0" in pin_lines()
