"""What every widget must pass in a page, measured in the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

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
    *("Control+b", "Control+z", "Control+Shift+z", "Control+f", "F2", "Escape", "Escape"),
    # Takes back what some of these have sent, for the next element to have work; ends a search.
    *(*("u",) * 8, "Escape"),
]

_FOCUSABLE = ", ".join(
    f"{kind}:visible"
    for kind in ("button", "input", "textarea", "select", "a[href]", "summary", "[tabindex]")
)

_KINDS = "(all) => all.map((e) => `${e.tagName} ${e.getAttribute('role')} ${e.className}`)"

# What the browser would send, to wherever the focus goes meanwhile, as long as that is within.
_SEND = """(element, keys) => {
    const root = element.closest('.rlhf-widget');
    const scope = element.getRootNode();
    const codes = { '?': 191, '/': 191, '+': 187, '-': 189, Enter: 13, Escape: 27, Space: 32,
        PageUp: 33, PageDown: 34, End: 35, Home: 36, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39,
        ArrowDown: 40, Backspace: 8, Delete: 46, F2: 113 };
    element.focus();
    for (const chord of keys) {
        const parts = chord === '+' ? ['+'] : chord.split('+');
        const key = parts.pop();
        const letter = /^[a-z]$/i.test(key);
        const init = {
            key: key === 'Space' ? ' ' : key,
            code: letter ? `Key${key.toUpperCase()}` : /^\\d$/.test(key) ? `Digit${key}` : key,
            keyCode: codes[key] ?? key.toUpperCase().charCodeAt(0),
            shiftKey: parts.includes('Shift'),
            ctrlKey: parts.includes('Control'),
            altKey: parts.includes('Alt'),
            bubbles: true, cancelable: true, composed: true,
        };
        const active = scope.activeElement;
        const target = root?.contains(active) ? active
            : element.isConnected ? element : root ?? element;
        for (const type of ['keydown', 'keypress', 'keyup']) {
            target.dispatchEvent(new KeyboardEvent(type, init));
        }
    }
}"""

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


@dataclass(frozen=True, kw_only=True)
class Typed:
    """How many elements there were and got keys; some may vanish when a key closes them."""

    elements: int
    sent: int
    kinds: int
    typed: int


def focusable(root: Locator) -> Locator:
    """Everything in a widget that can have the focus now."""
    return root.locator(_FOCUSABLE)


def type_keymap(root: Locator) -> Typed:
    """Type every key of `KEYMAP` into every focusable element of a widget.

    Into the first of each kind as a keyboard does, with all that the browser makes of it; into
    every one as events of the page, which are a hundred times quicker, and which a notebook takes
    for keys as well.
    """
    elements = focusable(root)
    kinds = [str(kind) for kind in elements.evaluate_all(_KINDS)]
    sent = 0
    for index in range(len(kinds)):
        if index < elements.count():
            send_keymap(elements.nth(index))
            sent += 1
    typed = 0
    for kind in dict.fromkeys(kinds):
        now = [str(kind) for kind in elements.evaluate_all(_KINDS)]
        if kind in now:
            elements.nth(now.index(kind)).focus()
            for keys in KEYMAP:
                for key in keys.split(" "):
                    root.page.keyboard.press(key)
            # What was asked for may yet take the next element away, or bring it back.
            expect(root).to_have_attribute("aria-busy", "false")
            typed += 1
    return Typed(elements=len(kinds), sent=sent, kinds=len(set(kinds)), typed=typed)


def send_keymap(element: Locator) -> None:
    """Send every key of `KEYMAP` to an element as events of the page."""
    element.evaluate(_SEND, [key for keys in KEYMAP for key in keys.split(" ")])


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
