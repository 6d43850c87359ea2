"""People at their browsers: each signs in, ranks at their own pace, and goes on after a fault."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from playwright.async_api import Browser, Error, Page, WebSocket

from benchmarks.ledger import Ledger

PASSWORD = "a long enough benchmark password"
RANKER = ".rlhf-ranker"
READY = f"{RANKER}[aria-busy=false] .rr-body"

PATIENCE_MS = 20_000
GIVE_UP_SECONDS = 180

# Times each click on Submit by the page's own clock, up to Python's word that it is stored.
WATCH = """() => {
    if (window.trips) return window.trips.length;
    const trips = window.trips = [];
    const find = (root, selector) => {
        const found = root.querySelector(selector);
        if (found) return found;
        for (const element of root.querySelectorAll('*')) {
            const inside = element.shadowRoot && find(element.shadowRoot, selector);
            if (inside) return inside;
        }
        return null;
    };
    const root = find(document, '.rlhf-ranker');
    let clicked = null;
    root.addEventListener('click', (event) => {
        if (event.composedPath().some((e) => e.classList?.contains('rw-primary'))) {
            clicked = event.timeStamp;
        }
    }, true);
    new MutationObserver(() => {
        if (clicked === null || root.getAttribute('aria-busy') !== 'false') return;
        trips.push(performance.now() - clicked);
        clicked = null;
    }).observe(root, { attributes: true, attributeFilter: ['aria-busy'] });
    return 0;
}"""


@dataclass
class Person:
    """One annotator at one browser.

    Attributes:
        name: Of the account.
        port: Where their browser reaches the server.
        ledger: What the page sent and heard.
        trips: Milliseconds from each click on Submit to the word that it is stored.
        thinking: Seconds between two judgments, uniformly from the first to the second.
        faults: How often the page was not what it should be, and they began anew.
        reloads: How often the browser had no page, since its server ended at just that moment,
            and they had it try again.
    """

    name: str
    port: int
    ledger: Ledger
    random: random.Random
    thinking: tuple[float, float]
    trips: list[float] = field(default_factory=list)
    faults: int = 0
    reloads: int = 0
    _page: Page | None = None

    @property
    def page(self) -> Page:
        """Their page, once they have signed in."""
        assert self._page is not None
        return self._page

    async def sign_in(self, browser: Browser) -> None:
        """Open a browser of their own, sign in and go to the page that ranks."""
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        page = self._page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("websocket", self._listen)
        await page.goto(f"http://127.0.0.1:{self.port}/login")
        await page.get_by_label("Name", exact=True).fill(self.name)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/rank*")
        await page.locator(READY).first.wait_for()

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", self.ledger.note_sent)
        socket.on("framereceived", self.ledger.note_received)

    async def rank_once(self) -> None:
        """Say which of a pair is better, and wait for the word that it is stored."""
        page = self.page
        await page.locator(READY).first.wait_for()
        before = await page.evaluate(WATCH)
        # By class: to find something by its role, the browser works through the whole page, on the
        # processors that are measured.
        await page.locator(f"{RANKER} .rr-card").first.focus()
        # A pair has a scale: from 1, the first is much better, to 9.
        await page.keyboard.press(str(self.random.randint(1, 9)))
        await page.locator(f"{RANKER} button.rw-primary").click()
        told = await page.wait_for_function("(n) => window.trips[n]", arg=before)
        self.trips.append(await told.json_value())

    async def _load_again(self) -> None:
        self.reloads += 1
        with suppress(Error):
            await self.page.reload()

    async def rank(self, *, goes_on: Callable[[], bool], told: Callable[[], object]) -> None:
        """Rank until there is enough, whatever happens to server, worker and connection."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while goes_on():
            await asyncio.sleep(self.random.uniform(*self.thinking))
            try:
                await self.rank_once()
            except Error as error:
                if self.page.url.startswith("chrome-error:"):
                    await self._load_again()
                if loop.time() - last > GIVE_UP_SECONDS:
                    seen = await self.page.locator("body").inner_text()
                    raise SystemExit(
                        f"{self.name} cannot go on: {error}\n{self.page.url} shows:\n{seen}"
                    ) from error
                self.faults += 1
                continue
            last = loop.time()
            told()


def people(ports: Sequence[int], thinking: tuple[float, float], seed: int) -> list[Person]:
    """One for each port."""
    return [
        Person(
            name=f"annotator-{number}",
            port=port,
            ledger=Ledger(f"annotator-{number}"),
            random=random.Random(f"{seed}/{number}"),
            thinking=thinking,
        )
        for number, port in enumerate(ports)
    ]


async def quiet(everyone: Sequence[Person]) -> None:
    """Wait until every page has heard of all that it sent."""
    for person in everyone:
        await person.page.locator(f"{RANKER}[aria-busy=false]").first.wait_for()
