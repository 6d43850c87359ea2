"""The widget class: what crosses between Python and a page."""

import json
import subprocess
import sys

import pytest

from rlhf_lab.errors import LabError
from rlhf_lab.widgets import RankingWidget, bundle
from rlhf_lab.widgets.panel import RankingPane
from tests.browser.sample_items import sample_source


@pytest.fixture
def widget():
    widget = RankingWidget(sample_source(done=14))
    yield widget
    widget.close()


def submit(widget: RankingWidget, seq: int) -> dict:
    key = widget.view["current"]
    fields = {"item": key, "ranks": [1, 1, 2, 3], "seconds": 1}
    return {"seq": seq, "id": f"submission-{seq}", "type": "submit", **fields}


def test_events_are_stored_acknowledged_and_answered_with_the_next_item(widget):
    first = widget.view["current"]
    widget.events = [submit(widget, 1)]
    assert widget.acked_seq == 1
    assert widget.view["current"] != first
    assert widget.view["answered"] == [first]
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
    names = ("content", "view", "notice", "events", "acked_seq")
    state = json.dumps({key: widget.get_state()[key] for key in names})
    for secret in ("secret-response", "policy@", "known to the list"):
        assert secret not in state


def test_options_reach_the_page():
    options = {"criteria": ["honest"], "flags": ["rude"], "editing": False, "ahead": 3}
    widget = RankingWidget(sample_source(), **options)
    pane = RankingPane(sample_source(), **options)
    for content in (widget.content, pane.content):
        assert len(content["items"]) == 3
        assert (content["criteria"], content["flags"]) == (["honest"], ["rude"])
        assert content["editing"] is False
    widget.close()


def test_the_reward_model_is_asked_after_the_vote(widget):
    asked = []
    scores = lambda of: {r.id: asked.append(r) or -r.seed for r in of.candidates}  # noqa: E731
    widget = RankingWidget(sample_source(), reveal=scores)
    assert asked == []
    widget.events = [submit(widget, 1)]
    assert len(asked) == 4
    assert widget.view["reveal"]["order"] == "A > B > C > D"
    widget.close()


def test_a_missing_bundle_says_how_to_build_it(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "STATIC", tmp_path)
    with pytest.raises(LabError, match=r"ranker\.js is missing.*pip install -e"):
        RankingWidget(sample_source())


def test_importing_the_widgets_loads_no_torch():
    code = "import rlhf_lab.widgets, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
