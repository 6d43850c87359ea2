from __future__ import annotations

import subprocess
import sys

import pytest

import rlhf_lab


@pytest.mark.parametrize("name", rlhf_lab.__all__)
def test_every_public_name_resolves_and_is_documented(name: str):
    thing = getattr(rlhf_lab, name)
    assert thing.__name__ == name
    assert thing.__doc__
    assert thing.__module__.startswith("rlhf_lab.")


def test_the_list_of_names_is_sorted_and_complete():
    assert rlhf_lab.__all__ == sorted(rlhf_lab.__all__)
    assert set(rlhf_lab.__all__) == set(rlhf_lab._HOME_OF)
    assert set(dir(rlhf_lab)) >= {*rlhf_lab.__all__, "__version__"}
    assert len(dir(rlhf_lab)) == len(set(dir(rlhf_lab)))


def test_the_version_is_that_of_the_installed_package():
    assert rlhf_lab.__version__.split(".")[0].isdigit()


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="module 'rlhf_lab' has no attribute 'Labs'"):
        _ = rlhf_lab.Labs
    assert not hasattr(rlhf_lab, "torch")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_no_torch():
    heavy = ("torch", "transformers", "peft", "bitsandbytes", "sqlalchemy", "numpy")
    run(f"import rlhf_lab, sys; assert not set({heavy}) & set(sys.modules)")


def test_opening_a_lab_and_ranking_in_it_loads_no_torch(tmp_path):
    code = f"""
import sys
import rlhf_lab as rl
with rl.Lab({str(tmp_path / "lab")!r}) as lab:
    lab.add_prompts(["Why?"])
    assert lab.queue().next_item() is None
    assert repr(lab.versions).startswith("no versions yet")
    print(lab)
assert "torch" not in sys.modules
"""
    assert "policy@0: 1 prompts, 0 responses, 0 rankings" in run(code)


def test_a_star_import_brings_every_name():
    code = "from rlhf_lab import *; import rlhf_lab; print(set(rlhf_lab.__all__) <= set(globals()))"
    assert run(code).strip() == "True"
