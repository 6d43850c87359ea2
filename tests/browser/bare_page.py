"""A bundled widget on a bare page, over a model that is a few lines of script.

Far quicker than a notebook, for what does not depend on one: layout, colours, frames.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

from rlhf_lab.widgets.bundle import bundle
from rlhf_lab.widgets.state import WidgetState

DARK = "--jp-layout-color1: #111; --jp-content-font-color1: #e7eaee; background: #111"

# `shown` holds the values as a host would; `receive` sets some of them, as one message does.
_MODEL = """(values) => {
    const callbacks = {};
    const shown = {notice: null, acked_seq: 0, events: [], ...values};
    globalThis.shown = shown;
    globalThis.receive = (some) => {
        Object.assign(shown, some);
        for (const key of Object.keys(some)) {
            for (const callback of callbacks[`change:${key}`] ?? []) callback();
        }
    };
    globalThis.bareWidget.render({
        el: document.querySelector("main"),
        model: {
            get: (key) => shown[key],
            set: (key, value) => { shown[key] = value; },
            save_changes: () => {},
            on: (event, callback) => (callbacks[event] ??= []).push(callback),
            off: () => {},
        },
    });
}"""


def open_widget(page: Page, name: str, state: WidgetState, *, dark: bool = False) -> None:
    """Show what a state holds now in the bundled widget of this name."""
    module, exported = re.subn(
        r"export\s*\{\s*(\w+) as default\s*\};?\s*$",
        r"globalThis.bareWidget = \1;",
        bundle(f"{name}.js"),
    )
    assert exported == 1
    page.set_content(
        f"<!doctype html><html lang='en'><title>{name}</title>"
        f"<style>{bundle(f'{name}.css')}</style><body style='margin: 12px; {DARK if dark else ''}'>"
        f"<main></main><script type='module'>{module}</script></body></html>"
    )
    page.wait_for_function("() => globalThis.bareWidget")
    page.evaluate(_MODEL, as_json(state.values()))


def as_json(values: Mapping[str, Any]) -> Any:
    """Values as they come out of a connection."""
    return json.loads(json.dumps(values, allow_nan=False))
