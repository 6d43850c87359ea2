"""The widget class: what crosses between Python and a page."""

import json
import subprocess
import sys

import pytest

from rlhf_lab.errors import LabError
from rlhf_lab.widgets import RankingWidget, bundle
from tests.browser.sample_items import sample_source


@pytest.fixture
def widget():
    widget = RankingWidget(sample_source(done=14))
    yield widget
    widget.close()


def submit(widget: RankingWidget, seq: int) -> dict:
    key = widget.view["item"]["key"]
    fields = {"item": key, "ranks": [1, 1, 2, 3], "seconds": 1}
    return {"seq": seq, "id": f"submission-{seq}", "type": "submit", **fields}


def test_events_are_stored_acknowledged_and_answered_with_the_next_item(widget):
    first = widget.view["item"]["key"]
    widget.events = [submit(widget, 1)]
    assert widget.acked_seq == 1
    assert widget.view["item"]["key"] != first
    assert widget.progress.done == 15
    assert not widget.done
    widget.events = [submit(widget, 2)]
    assert widget.done


def test_the_acknowledgement_and_the_next_item_come_in_one_message(widget, monkeypatch):
    sent = []
    monkeypatch.setattr(
        widget, "send_state", lambda key: sent.append({key} if isinstance(key, str) else {*key})
    )
    widget.events = [submit(widget, 1)]
    assert [keys for keys in sent if keys & {"view", "acked_seq"}] == [{"view", "acked_seq"}]


def test_nothing_synced_unblinds(widget):
    state = json.dumps({key: widget.get_state()[key] for key in ("view", "events", "acked_seq")})
    assert "secret-response" not in state
    assert "policy@" not in state


def test_a_missing_bundle_says_how_to_build_it(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "STATIC", tmp_path)
    with pytest.raises(LabError, match=r"ranker\.js is missing.*pip install -e"):
        RankingWidget(sample_source())


def test_importing_the_widgets_loads_no_torch():
    code = "import rlhf_lab.widgets, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
