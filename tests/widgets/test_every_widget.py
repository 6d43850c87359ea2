"""What holds for every widget without a browser, over what the browser tests show."""

import json
from importlib import import_module

import pytest

import rlhf_lab.widgets
from tests.browser.cases import CASES, Case


def values(case: Case, folder, *, hostile: bool = False) -> dict:
    module, _, function = case.source.partition(":")
    made = getattr(import_module(module), function)(str(folder), hostile=hostile)
    widget = getattr(rlhf_lab.widgets, case.widget)(made)
    try:
        return widget.state.values()
    finally:
        widget.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("hostile", [False, True])
def test_what_is_shown_can_be_sent(case, hostile, tmp_path):
    """As JSON, without NaN, and as UTF-8: half characters have none."""
    shown = values(case, tmp_path, hostile=hostile)
    text = json.dumps(shown, allow_nan=False, ensure_ascii=False)
    assert text.encode("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_widget_is_public(case):
    assert case.widget in rlhf_lab.__all__
    assert getattr(rlhf_lab, case.widget) is getattr(rlhf_lab.widgets, case.widget)
