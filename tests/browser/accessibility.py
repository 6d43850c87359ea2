"""axe-core over a part of a page, also inside a shadow root."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.jupyter import ROOT

AXE = ROOT / "widgets" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page, selector: str) -> list[str]:
    """What axe-core finds within the elements that match; each with where and why."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: `npm ci` in widgets/")
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    target = page.locator(selector).first.element_handle()
    return list(
        page.evaluate(
            """async (element) => {
                const {violations} = await axe.run(element);
                return violations.flatMap(({id, nodes}) => nodes.map(
                    (node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
            }""",
            target,
        )
    )
