"""How long the monitor holds up a page while points arrive; prints one line of JSON.

    python -m tests.browser.monitor_frames [POINTS] [SECONDS]

Ten updates a second bring a run to so many points. What is measured is each frame's work on the
page's main thread: handling what arrived, and from the begin of a frame until it is painted.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from playwright.sync_api import CDPSession, Page

from tests.browser.bare_page import open_widget
from tests.browser.jupyter import chromium, chromium_path
from tests.browser.monitor_run import PretendedRun, figures

PER_SECOND = 10

# A task that a frame posts runs after the frame was painted.
_MEASURE = """async ({messages, gap}) => {
    const work = [], drawn = [], channel = new MessageChannel();
    let began = 0, handled = 0, going = true;
    channel.port1.onmessage = () => {
        const spent = performance.now() - began + handled;
        work.push(spent);
        if (handled) drawn.push(spent);
        handled = 0;
        if (going) requestAnimationFrame(frame);
    };
    const frame = () => { began = performance.now(); channel.port2.postMessage(0); };
    requestAnimationFrame(frame);
    for (const message of messages) {
        const start = performance.now();
        globalThis.receive(JSON.parse(message));
        handled += performance.now() - start;
        await new Promise((resolve) => setTimeout(resolve, gap));
    }
    going = false;
    const at = (list, share) => {
        const sorted = [...list].sort((a, b) => a - b);
        return Math.round(100 * sorted[Math.min(sorted.length - 1,
            Math.floor(share * sorted.length))]) / 100;
    };
    return {
        frames: work.length, median_ms: at(work, 0.5), p95_ms: at(work, 0.95),
        updates: drawn.length, update_median_ms: at(drawn, 0.5), update_p95_ms: at(drawn, 0.95),
    };
}"""


def messages(points: int, seconds: float) -> list[str]:
    """In JSON, most points of a run, and then what brings the rest at ten messages a second."""
    count = round(seconds * PER_SECOND)
    state = PretendedRun(points).state
    state.started(done=0, total=points)
    sent: list[str] = []
    per_message = max(1, points // (5 * count))
    for n in range(1, points + 1):
        state.add(n, figures(n), done=n)
        late = points - n
        if late < count * per_message and late % per_message == 0:
            before = state.content
            state._publish()
            new = {"view": state.view}
            if state.content is not before:
                new["content"] = state.content
            sent.append(json.dumps(new))
        elif late == count * per_message:
            state._publish()
            sent.append(json.dumps({"content": state.content, "view": state.view}))
    return sent


def measure(page: Page, points: int, seconds: float) -> dict[str, Any]:
    """Open the monitor of a long run, and let the last points arrive."""
    start, *rest = messages(points, seconds)
    open_widget(page, "monitor", PretendedRun(points).state)
    page.evaluate("(text) => globalThis.receive(JSON.parse(text))", start)
    page.wait_for_timeout(300)
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _thread_seconds(tools)
    found = page.evaluate(_MEASURE, {"messages": rest, "gap": 1000 / PER_SECOND})
    spent = _thread_seconds(tools) - before
    size = sum(map(len, rest))
    return {
        "points": points,
        "series": len(figures(1)),
        **found,
        # Processor time of the page's thread, whatever else the machine does; painting included.
        "cpu_ms_an_update": round(1000 * spent / len(rest), 2),
        "kb_a_second": round(size / seconds / 1000, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def _thread_seconds(tools: CDPSession) -> float:
    metrics = tools.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def main(points: int = 5000, seconds: float = 10.0) -> None:
    """Print what was measured."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no Chromium found: install one, or name it in RLHF_LAB_CHROMIUM.")
    with chromium(path, viewport={"width": 1280, "height": 900}) as browser:
        found = measure(browser.context.new_page(), points, seconds)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(*(int(a) if i == 0 else float(a) for i, a in enumerate(arguments)))
