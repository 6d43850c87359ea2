"""What a lab shows and keeps of its data, without a model."""

from __future__ import annotations

import pytest

from rlhf_lab import AssignmentPlan, Lab
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab.exporting import LabExports
from rlhf_lab.store import restore_lab
from tests.store.helpers import fill, ranking, response


@pytest.fixture
def lab(tmp_path):
    with Lab(tmp_path / "lab", progress=False) as lab:
        one, two = fill(lab.store, "one", "two")
        lab.store.assignments.offer()
        lab.store.submit(ranking("r1", one))
        lab.store.submit(ranking("r2", two, supersedes=None))
        lab.store.submit(ranking("r3", two, best=1, supersedes="r2"))
        yield lab


def test_a_lab_shows_its_data_as_tables(lab):
    assert [p.text for p in lab.prompts.where(split="train")] == ["one", "two"]
    assert len(lab.responses.where(version="policy@0").search("answer 1")) == 2
    assert [j.id for j in lab.judgments] == ["r1", "r3"]
    assert [j.id for j in lab.judgments.with_superseded().newest(1)] == ["r3"]
    assert lab.trace("r3").supersedes.id == "r2"


def test_a_lab_browses_its_tables_and_tables_of_its_tables(lab):
    found = {what: lab.browse(what).state.total for what in ("prompts", "responses", "judgments")}
    assert found == {"prompts": 2, "responses": 4, "judgments": 2}
    ones = lab.browse(lab.responses.search("answer 1"), page_size=25)
    assert ones.state.total == 2
    lab.store.add_responses([response(lab.prompts[0], 7, text="answer 17")])
    ones.refresh()
    assert ones.state.total == 3
    with pytest.raises(ConfigError, match="browse\\('versions'\\): 'prompts', 'responses'"):
        lab.browse("versions")


def test_a_lab_audits_itself_and_its_backup_is_the_same_lab(lab, tmp_path):
    head = lab.audit().head
    report = lab.backup(tmp_path / "lab.tar")
    assert report.head == head
    restore_lab(tmp_path / "lab.tar", tmp_path / "again")
    with Lab(tmp_path / "again", progress=False) as again:
        assert again.audit(expected=head).ok
        assert list(again.judgments) == list(lab.judgments)


def test_the_plan_of_a_lab_is_read_and_set(lab):
    assert lab.plan == AssignmentPlan()
    lab.plan = AssignmentPlan(overlap=2, gold_rate=0.1)
    assert lab.store.assignments.plan == AssignmentPlan(overlap=2, gold_rate=0.1)
    ids = (judgment.id for judgment in lab.judgments.where(annotator="ann"))
    assert lab.make_gold(ids) == 2
    assert lab.audit().ok


def test_a_lab_without_a_model_says_what_it_can_write_instead_of_a_policy(lab, tmp_path):
    data = LabExports()
    data.path, data.store = lab.path, lab.store
    said = r"adapter'\) writes the present policy, .* without a model: .*Lab\(path\), or pass what="
    with pytest.raises(ConfigError, match=said):
        data.export(tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()
    assert data.export(tmp_path / "said.jsonl", what="judgments").rows == 2
