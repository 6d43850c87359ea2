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
WIDGET = "application/vnd.jupyter.widget-view+json"


def run_notebook(path: Path, directory: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1800,  # for a cell, on processors without bf16 that others use, too
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(NOTEBOOKS.parent)})
    return notebook


def outputs_by_code(notebook: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    return {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def first_round(folder: Path) -> nbformat.NotebookNode:
    return run_notebook(NOTEBOOKS / "01_first_round.ipynb", folder)


@pytest.mark.model
def test_first_round_teaches_and_evaluates_a_policy(
    first_round: nbformat.NotebookNode, folder: Path
) -> None:
    outputs = [output for found in outputs_by_code(first_round).values() for output in found]
    assert any(WIDGET in o.get("data", {}) for o in outputs), "the ranking widget is shown"
    shown = "\n".join(str(o.get("data", {}).get("text/plain", o.get("text", ""))) for o in outputs)
    assert "policy@1 against policy@0: win rate" in shown
    with PreferenceStore(folder / "runs/first/lab.sqlite") as store:
        assert [v.name for v in store.versions()] == ["policy@0", "reward@0", "policy@1"]
        assert store.counts().rankings == 16
        assert [row.step for row in store.metrics("ppo")] == [1, 2, 3]


@pytest.mark.model
@pytest.mark.usefixtures("first_round")
def test_looking_closer_goes_on_from_the_first_round(folder: Path) -> None:
    notebook = run_notebook(NOTEBOOKS / "02_looking_closer.ipynb", folder)

    outputs = outputs_by_code(notebook)
    widgets = [source for source, found in outputs.items() if any(WIDGET in o.data for o in found)]
    asked = ["lab.browse(", "lab.compare(", "lab.tokens(", "lab.rank(", "lab.tree("]
    assert [next(call for call in asked if call in source) for source in widgets] == asked
    (run,) = [found for source, found in outputs.items() if "lab.ppo(" in source]
    assert any("<svg" in output.data.get("text/html", "") for output in run), "a still picture"
    with PreferenceStore(folder / "runs/first/lab.sqlite") as store:
        assert [v.name for v in store.versions()][-1] == "policy@2"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    subprocess.run([sys.executable, "-m", "nbstripout", "--verify", str(path)], check=True)
