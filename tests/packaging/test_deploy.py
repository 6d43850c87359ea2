"""What deploy/ and docs/dashboard.md tell people to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from rlhf_lab.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "dashboard.md", *sorted((ROOT / "deploy").iterdir())]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+[a-z](?![\w-])")
# Of programs that are set up beside ours.
THEIRS = {"--system", "--home-dir", "--shell", "--now"}


def serve_options() -> set[str]:
    command = typer.main.get_command(app).commands["serve"]
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_that_is_written_down_is_one(page):
    assert set(OPTION.findall(page.read_text())) - THEIRS - serve_options() == set()


def test_the_page_names_every_option_that_is_not_hidden():
    text = PAGES[0].read_text()
    hidden = {"--end-with-input", "--help", "--worker"}
    named = {o for o in serve_options() if o.startswith("--")} - hidden
    assert [o for o in sorted(named) if o not in text] == []


def test_a_unit_starts_what_is_there():
    commands = set(typer.main.get_command(app).commands)
    for unit in ROOT.glob("deploy/*.service"):
        started = re.findall(r"/opt/rlhf-lab/bin/rlhf-lab (\w+)", unit.read_text())
        assert started, unit.name
        assert set(started) <= commands
