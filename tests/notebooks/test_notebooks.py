"""The notebooks run top to bottom on the embedded model, and are stored without outputs.

All but the first also run on a model that knows nothing, with every cell run twice in a row: what
they say of themselves, that a cell may be run again and makes nothing twice, has to hold.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from rlhf_lab.store import PreferenceStore

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
# Open labs with a small model: notebooks say nothing of models, as their readers need not.
OPEN_WITH = """
from rlhf_lab import Lab, LoraSpec
opened = Lab.__init__
options = dict(model={model!r}, quantize="none", lora=LoraSpec(rank=4, alpha=8))
Lab.__init__ = lambda lab, path, **others: opened(lab, path, **{{**options, **others}})
"""


def run_cells(cells: Sequence[nbformat.NotebookNode], directory: Path) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=list(cells))
    client = NotebookClient(
        notebook,
        timeout=1800,  # for a cell, on processors without bf16 that others use, too
        kernel_name="python3",
        resources={"metadata": {"path": str(directory)}},
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(NOTEBOOKS.parent)})
    return notebook


def run_notebook(path: Path, directory: Path) -> nbformat.NotebookNode:
    return run_cells(nbformat.read(path, as_version=4).cells, directory)


def run_each_cell_twice(path: Path, directory: Path, model: Path) -> nbformat.NotebookNode:
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    twice = [nbformat.v4.new_code_cell(c.source) for c in cells for _ in range(2)]
    opening = nbformat.v4.new_code_cell(OPEN_WITH.format(model=str(model)))
    return run_cells([opening, *twice], directory)


def outputs_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]


def shown_by(notebook: nbformat.NotebookNode) -> str:
    """Everything it shows as text."""
    outputs = outputs_of(notebook)
    return "\n".join(str(o.get("data", {}).get("text/plain", o.get("text", ""))) for o in outputs)


def calls_of_widgets(notebook: nbformat.NotebookNode) -> set[str]:
    """What is called in the last line of each cell that shows a widget."""
    return {
        cell.source.splitlines()[-1].split("(")[0]
        for cell in notebook.cells
        if cell.cell_type == "code" and any(WIDGET in o.get("data", {}) for o in cell.outputs)
    }


def names_of_versions(store: PreferenceStore) -> list[str]:
    return [version.name for version in store.versions()]


# What each notebook leaves and shows, however often its cells were run.


def check_reward_model(notebook: nbformat.NotebookNode, folder: Path) -> None:
    with PreferenceStore(folder / "runs/reward_model/lab.sqlite") as store:
        learned = [row.values["rankings"] for row in store.metrics("reward")]
        assert learned == [4, 8, 16], "one version for each portion"
        assert store.counts().rankings == 24
    assert "lab.rank" in calls_of_widgets(notebook)
    shown = shown_by(notebook)
    assert "calibration error" in shown
    assert "two equal answers are tied with probability" in shown
    assert "wrong by" in shown


def check_ppo(notebook: nbformat.NotebookNode, folder: Path) -> None:
    with PreferenceStore(folder / "runs/ppo_steps/lab.sqlite") as store:
        steps = {row.step for row in store.metrics("ppo", "policy@1")}
        later = [row.step for row in store.metrics("ppo", "policy@2")]
        children = [v.name for v in store.versions() if v.parent == "policy@1"]
    assert (steps, later) == ({1}, [2, 3])
    assert children == ["policy@2", "policy@3", "policy@4"], "PPO, RLOO and GRPO from one step"
    assert {"view", "lab.browse"} <= calls_of_widgets(notebook)
    assert any("<svg" in o.get("data", {}).get("text/html", "") for o in outputs_of(notebook)), (
        "the monitor leaves a still picture"
    )
    assert "alarm" in shown_by(notebook).lower()


def check_metrics(notebook: nbformat.NotebookNode, folder: Path) -> None:
    shown = shown_by(notebook)
    assert "How often each picks what people picked: 32 judgments of 16 prompts" in shown
    for name in ("rougeL", "bleu", "bert_score", "mover_score", "length", "coin", "reward"):
        assert name in shown
    assert "20 of 32" in shown, "the reward model is asked about held-out prompts alone"
    assert "Two people put a pair in the same order" in shown


def check_team(notebook: nbformat.NotebookNode, folder: Path) -> None:
    with PreferenceStore(folder / "runs/team/lab.sqlite") as store:
        judgments = list(store.judgments())
        occasions = Counter(judgment.occasion for judgment in judgments)
        # 28 items, 4 of which are known and 24 are each for two of the team.
        assert occasions["regular"] == 4 + 2 * 24
        assert occasions["calibration"] == 3 * 2
        assert occasions["gold"]
        assert occasions["repeat"]
    shown = shown_by(notebook)
    assert "24 of 28 items ranked by two or more" in shown
    assert "'status': 'ok'" in shown
    assert "running: False" in shown
    assert shown.count("the chain holds") >= 2, "of the lab, and of what its backup became"


def check_from_sft(notebook: nbformat.NotebookNode, folder: Path) -> None:
    with PreferenceStore(folder / "runs/from_sft/lab.sqlite") as store:
        policies = [v for v in store.versions() if v.role == "policy"]
        assert [v.name for v in policies if v.is_start] == ["policy@0", "policy@1"]
        assert [v.parent for v in policies] == [None, "policy@0", "policy@1", "policy@1"]
        evaluated = {(row.version, row.values["baseline"]) for row in store.metrics("evaluation")}
    assert evaluated == {
        ("policy@1", 0),
        *((version, baseline) for version in ("policy@2", "policy@3") for baseline in (0, 1)),
    }
    assert {"lab.rank", "lab.compare", "lab.tree"} <= calls_of_widgets(notebook)


CHECKS: dict[str, Callable[[nbformat.NotebookNode, Path], None]] = {
    "02_reward_model": check_reward_model,
    "03_ppo_step_by_step": check_ppo,
    "04_metrics_and_people": check_metrics,
    "05_team": check_team,
    "06_from_sft_to_ppo": check_from_sft,
}
# Its metrics stand on an embedding model, which has to be fetched.
NEEDS_FETCHING = {"04_metrics_and_people"}


@pytest.mark.model
def test_first_round_teaches_and_evaluates_a_policy(tmp_path: Path) -> None:
    notebook = run_notebook(NOTEBOOKS / "01_first_round.ipynb", tmp_path)

    assert "lab.rank" in calls_of_widgets(notebook), "the ranking widget is shown"
    assert "policy@1 against policy@0: win rate" in shown_by(notebook)
    with PreferenceStore(tmp_path / "runs/first/lab.sqlite") as store:
        assert names_of_versions(store) == ["policy@0", "reward@0", "policy@1"]
        assert store.counts().rankings == 16
        assert [row.step for row in store.metrics("ppo")] == [1, 2, 3]


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_notebook_does_what_it_says(name: str, tmp_path: Path) -> None:
    notebook = run_notebook(NOTEBOOKS / f"{name}.ipynb", tmp_path)

    CHECKS[name](notebook, tmp_path)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.model if n in NEEDS_FETCHING else ()) for n in CHECKS],
)
def test_every_cell_may_be_run_twice(name: str, tiny_folder: Path, tmp_path: Path) -> None:
    notebook = run_each_cell_twice(NOTEBOOKS / f"{name}.ipynb", tmp_path, tiny_folder)

    CHECKS[name](notebook, tmp_path)


def test_every_notebook_after_the_first_is_run() -> None:
    found = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    assert found == ["01_first_round", *CHECKS]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_is_stored_without_outputs(path: Path) -> None:
    subprocess.run([sys.executable, "-m", "nbstripout", "--verify", str(path)], check=True)
