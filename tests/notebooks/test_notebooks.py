"""The notebooks run top to bottom on the embedded model, and are stored without outputs."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from rlhf_lab.store import PreferenceStore

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def run_notebook(path: Path, directory: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(NOTEBOOKS.parent)})
    return notebook


@pytest.mark.model
def test_first_round_teaches_and_evaluates_a_policy(tmp_path: Path) -> None:
    notebook = run_notebook(NOTEBOOKS / "01_first_round.ipynb", tmp_path)

    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    widget = "application/vnd.jupyter.widget-view+json"
    assert any(widget in o.get("data", {}) for o in outputs), "the ranking widget is shown"
    shown = "\n".join(str(o.get("data", {}).get("text/plain", o.get("text", ""))) for o in outputs)
    assert "policy@1 against policy@0: win rate" in shown
    with PreferenceStore(tmp_path / "runs/first/lab.sqlite") as store:
        assert [v.name for v in store.versions()] == ["policy@0", "reward@0", "policy@1"]
        assert store.counts().rankings == 16
        assert [row.step for row in store.metrics("ppo")] == [1, 2, 3]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    subprocess.run([sys.executable, "-m", "nbstripout", "--verify", str(path)], check=True)
