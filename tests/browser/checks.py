"""What every widget must pass in a page, measured in the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator

from tests.browser.jupyter import ROOT

AXE = ROOT / "widgets" / "node_modules" / "axe-core" / "axe.min.js"

# What JupyterLab does with keys in command mode, what widgets do with them, and the usual others.
KEYMAP = [
    *"abcdefhijklmnopqrstuvwxyz",
    *("d d", "i i", "0 0", "Shift+A", "Shift+M", "Shift+L", "Shift+J", "Shift+K", "Shift+O"),
    *("Shift+U", "Shift+C", "Shift+V", "Shift+X", "Space", "Shift+Space", "?", "/", "+", "-"),
    *("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"),
    *("Shift+ArrowDown", "Shift+ArrowUp", "Alt+ArrowUp", "Delete", "Backspace", "Escape"),
    *"123456789",
    *("Enter", "Shift+Enter", "Control+Enter", "Alt+Enter", "Control+s", "Control+Shift+c"),
    *("Control+b", "Control+z", "Control+Shift+z", "Control+f", "F2", "Escape"),
]

_FOCUSABLE = ", ".join(
    f"{kind}:visible"
    for kind in ("button", "input", "textarea", "select", "a[href]", "summary", "[tabindex]")
)

# Of elements that are cut off or stick out at the right, except within what scrolls.
_OVERFLOWING = """(root) => {
    const edge = root.getBoundingClientRect().right + 1;
    const scrolls = (e) => e !== root && (
        ['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    return [...root.querySelectorAll('*')]
        .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > edge
            && e !== root && !scrolls(e.parentElement))
        .map((e) => `${e.tagName}.${e.className}`);
}"""

# Elements, attributes and names that no text of a model may have brought into a page.
_FOREIGN = """(root) => {
    const found = [];
    const forbidden = 'script, iframe, object, embed, img, svg image, svg use, link, meta, base,'
        + ' form, template, style, video, audio, source, annotation-xml, foreignObject';
    for (const text of root.querySelectorAll('.rw-md, .rw-md *')) {
        if (text.matches(forbidden)) found.push(text.outerHTML.slice(0, 200));
        for (const { name } of text.attributes) {
            if (/^on|^id$|^name$|^href$|^src|^action|^xlink/.test(name)) {
                found.push(`${text.tagName} ${name}`);
            }
        }
    }
    return found;
}"""


def focusable(root: Locator) -> Locator:
    """Everything in a widget that can have the focus now."""
    return root.locator(_FOCUSABLE)


def type_keymap(root: Locator, most_elements: int | None = None) -> int:
    """Type every key of `KEYMAP` into every focusable element; returns how many there were."""
    keyboard = root.page.keyboard
    elements = focusable(root)
    count = min(elements.count(), most_elements or 1_000)
    for index in range(count):
        if index >= elements.count():
            break  # a key has closed what it was in
        elements.nth(index).focus()
        for keys in KEYMAP:
            for key in keys.split(" "):
                keyboard.press(key)
    return count


def overflowing(root: Locator) -> list[str]:
    """Elements that stick out of the widget at the right."""
    return list(root.evaluate(_OVERFLOWING))


def foreign(root: Locator) -> list[str]:
    """What a rendered text brought into the page that it must not."""
    return list(root.evaluate(_FOREIGN))


def violations(root: Locator, axe: Path = AXE) -> list[str]:
    """What axe-core finds wrong in a widget, of serious or critical impact."""
    if not root.page.evaluate("() => 'axe' in window"):
        root.page.evaluate(axe.read_text("utf-8"))
    found: dict[str, Any] = root.evaluate("(e) => axe.run(e, { resultTypes: ['violations'] })")
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]
