"""The tree of versions in both hosts, with a way back."""

import pytest
from playwright.sync_api import expect

from tests.browser.cases import case_of
from tests.browser.hosts import Host
from tests.browser.test_versions_jupyterlab import message, present, press, row

pytestmark = pytest.mark.browser


def test_a_person_compares_checks_out_and_goes_back(host: Host, tmp_path):
    database = tmp_path / "versions.db"
    tree = host.show(case_of("versions"), tmp_path)
    row(tree, "policy@2").click()
    press(tree, "x")
    expect(tree.locator(".rv-outcome")).to_contain_text("policy@5 won 0.58 [0.50, 0.66]")
    # While Python reads what the two wrote, it takes no other version.
    expect(tree).to_have_attribute("aria-busy", "false")
    press(tree, "Escape", "ArrowUp", "ArrowDown", "Enter")
    expect(message(tree)).to_contain_text("Present now: policy@2 with reward@1.")
    expect(row(tree, "policy@2")).to_be_focused()
    assert present(database) == ["policy@2", "reward@1"]
    press(tree, "b")
    expect(message(tree)).to_contain_text("Present now: policy@5 with reward@2.")
    assert present(database) == ["policy@5", "reward@2"]
