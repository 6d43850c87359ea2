"""What the front end weighs: each widget is loaded with its notebook."""

import gzip
from pathlib import Path

import pytest

import hatch_build
from rlhf_lab.widgets.bundle import STATIC

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 150_000


def test_every_widget_with_sources_is_in_the_bundle():
    sources = ROOT / "widgets" / "src"
    assert set(hatch_build.WIDGETS) == {path.parent.name for path in sources.glob("*/index.ts")}


@pytest.mark.parametrize("name", hatch_build.WIDGETS)
def test_a_widget_is_small(name):
    files = [STATIC / f"{name}.{kind}" for kind in ("js", "css")]
    packed = sum(len(gzip.compress(file.read_bytes())) for file in files)
    assert 1_000 < packed <= MOST_BYTES


@pytest.mark.parametrize("name", hatch_build.WIDGETS)
def test_a_widget_names_no_address_to_load_from(name):
    for kind in ("js", "css"):
        text = (STATIC / f"{name}.{kind}").read_text("utf-8")
        for loading in ("@import", "url(http", "url(//", "import(", 'from"http', "fetch("):
            assert loading not in text
