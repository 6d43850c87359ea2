"""One chat endpoint: requests that are repeated when that may help, and replies that are checked.

The loop of retries is our own: a library for it would have to be told of the endpoint's wishes
(Retry-After), of all other requests that then have to wait too, and of what each try may cost, and
what is left to it is one power of two.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx2 as httpx

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.judges.chat.errors import EndpointError
from rlhf_lab.evaluation.judges.chat.limits import Budget, Pace, Prices
from rlhf_lab.store.showing import printable

# Too fast, too early, or a fault that may pass. Anything else of 400 and above will be the same
# the next time.
_PASSING = frozenset((408, 425, 429))
# The first pause before a repetition, in seconds; the next ones are twice as long each.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# An endpoint that wants a longer pause is better asked tomorrow.
_LONGEST_WISH = 300.0
# Tokens that a chat template puts around a message, at most; and around all of them.
_AROUND_MESSAGE, _AROUND_ALL = 16, 64


class Reply(NamedTuple):
    """What a judge said.

    Attributes:
        is_cut: Whether it reached the most tokens it may have.
        is_estimated: Whether the endpoint did not say how many tokens it was, and they are the
            most it can have been.
    """

    text: str
    input_tokens: int
    output_tokens: int
    is_cut: bool
    is_estimated: bool


class Secret:
    """A key that shows in no representation, log or pickle."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __repr__(self) -> str:
        """Whether there is one."""
        return "Secret(set)" if self._value else "Secret(none)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere: give it again.")

    def sign(self, request: httpx.Request) -> httpx.Request:
        """Put it where an endpoint looks for it."""
        if self._value:
            request.headers["Authorization"] = f"Bearer {self._value}"
        return request

    def removed_from(self, text: str) -> str:
        """A text without it: endpoints may repeat what they refuse."""
        return text.replace(self._value, "…") if self._value else text


@dataclass(kw_only=True)
class Traffic:
    """What went to and fro."""

    requests: int = 0
    replies: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cut: int = 0
    estimated: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **counts: int) -> None:
        """Count, from any thread."""
        with self.lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)


class _Passing(Exception):
    """A failure after which the same request may work.

    Attributes:
        pause: What the endpoint asked for, in seconds.
        may_be_billed: Whether it may have computed an answer all the same.
    """

    def __init__(self, what: str, *, pause: float | None = None, may_be_billed: bool) -> None:
        super().__init__(what)
        self.pause = pause
        self.may_be_billed = may_be_billed


class Endpoint:
    """Asks one model for completions of chats."""

    def __init__(
        self,
        base_url: str,
        secret: Secret,
        *,
        timeout: float,
        retries: int,
        pace: Pace,
        prices: Prices,
        budget: Budget,
        sleep: Callable[[float], object],
    ) -> None:
        """Set up; nothing is asked yet.

        Args:
            base_url: What comes before "/chat/completions".
            secret: The key.
            timeout: Seconds without an answer after which a request has failed.
            retries: How often a request is repeated.
            pace: When requests start.
            prices: Of tokens.
            budget: What may be spent.
            sleep: Waits for so many seconds, or raises.

        Raises:
            ConfigError: no URL of a chat endpoint.
        """
        self.url = _checked_url(base_url)
        self.traffic = Traffic()
        self.prices = prices
        self.budget = budget
        self._secret = secret
        self._timeout = timeout
        self._retries = retries
        self._pace = pace
        self._sleep = sleep
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Without a query, which may hold a key."""
        return f"Endpoint({self.place!r})"

    @property
    def place(self) -> str:
        """The address without its query, which may hold a key."""
        return str(self.url.copy_with(query=None, fragment=None))

    @contextmanager
    def connections(self) -> Iterator[None]:
        """For a run of questions: made when a request first needs one, and closed at the end."""
        try:
            yield
        finally:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> httpx.Client:
        """The client of this run. A redirect would get the key: none is followed."""
        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    timeout=self._timeout, auth=self._secret.sign, follow_redirects=False
                )
            return self._client

    def ask(self, body: Mapping[str, Any], max_tokens: int) -> Reply:
        """One completion, however many requests it takes; within `connections`.

        Args:
            body: Of the request.
            max_tokens: What the reply can have at most.

        Raises:
            EndpointError: it refuses the request, or fails again and again.
            CostLimitReached: the next request might cost more than is left.
        """
        most = Reply("", _most_tokens(body["messages"]), max_tokens, False, True)
        for attempt in range(self._retries + 1):
            self._pace.wait()
            try:
                return self._ask_once(body, most)
            except _Passing as failure:
                if attempt == self._retries:
                    raise EndpointError(
                        f"{self.place} failed {attempt + 1} times, last: {failure}. Try again "
                        "later, ask less at once (concurrency=, requests_per_minute=), or raise "
                        "timeout= or retries=. Every answer so far is kept."
                    ) from None
                self.traffic.add(retries=1)
                self._pause(attempt, failure)
        raise AssertionError("the last attempt returns or raises")

    def _ask_once(self, body: Mapping[str, Any], most: Reply) -> Reply:
        highest = self._cost(most)
        self.budget.set_aside(highest)
        # What is neither answered nor certainly refused may be billed.
        cost = highest
        try:
            self.traffic.add(requests=1)
            reply = self._read(self._send(body), most)
            cost = self._cost(reply)
        except _Passing as failure:
            cost = highest if failure.may_be_billed else 0.0
            raise
        except EndpointError:
            cost = 0.0
            raise
        finally:
            self.budget.settle(highest, cost)
        self.traffic.add(
            replies=1,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cut=reply.is_cut,
            estimated=reply.is_estimated,
        )
        return reply

    def _send(self, body: Mapping[str, Any]) -> httpx.Response:
        """The response to a request, if it is one of success."""
        try:
            response = self._connected().post(self.url, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Passing(f"no connection ({error})", may_be_billed=False) from None
        except httpx.RequestError as error:
            what = f"{type(error).__name__} after up to {self._timeout:g} s"
            raise _Passing(what, may_be_billed=True) from None
        status = response.status_code
        if response.is_success:
            return response
        told = f"status {status}: {self._shown(response)}"
        if status not in _PASSING and status < 500:
            raise EndpointError(
                f"{self.place} refused a request with {told}. Look at base_url=, model=, the key, "
                "and whether it knows every setting that is sent (temperature, max_tokens, extra)."
            )
        raise _Passing(told, pause=self._wish(response), may_be_billed=False)

    def _wish(self, response: httpx.Response) -> float | None:
        """Seconds to wait, by the endpoint.

        Raises:
            EndpointError: longer than anybody wants to sit here.
        """
        wish = _seconds(response.headers.get("retry-after", ""))
        if wish is not None and wish > _LONGEST_WISH:
            raise EndpointError(
                f"{self.place} wants a pause of {wish:.0f} s: run the same again after it; every "
                "answer so far is kept."
            )
        return wish

    def _read(self, response: httpx.Response, most: Reply) -> Reply:
        try:
            found = response.json()
            choice = found["choices"][0]
            text = choice["message"].get("content") or ""
            if not isinstance(text, str):
                raise TypeError
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            what = f"a reply that is no chat completion: {self._shown(response)}"
            raise _Passing(what, may_be_billed=True) from None
        usage = found.get("usage")
        asked, said = (_count(usage, f"{kind}_tokens") for kind in ("prompt", "completion"))
        return Reply(
            text,
            most.input_tokens if asked is None else asked,
            most.output_tokens if said is None else said,
            is_cut=choice.get("finish_reason") == "length",
            is_estimated=asked is None or said is None,
        )

    def _pause(self, attempt: int, failure: _Passing) -> None:
        """Before a repetition: as long as the endpoint wants, else longer each time, at random.

        Random, so that many who failed together do not come back together.
        """
        longest = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
        if failure.pause is None:
            self._sleep(random.uniform(longest / 2, longest))
        else:
            self._pace.hold(failure.pause)

    def _cost(self, reply: Reply) -> float:
        return self.prices.cost(reply.input_tokens, reply.output_tokens)

    def _shown(self, response: httpx.Response) -> str:
        return printable(self._secret.removed_from(response.text[:1_000]), 200)


def _checked_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"base_url={str(base_url)[:80]!r}: an address such as 'http://localhost:8000/v1' or "
            "'https://api.example.com/v1', without /chat/completions."
        )
    if url.userinfo:
        raise ConfigError(
            f"base_url= at {url.host} holds a name or password: pass the key as api_key_env= or "
            "api_key=."
        )
    return url.copy_with(path=url.path.rstrip("/") + "/chat/completions")


def _most_tokens(messages: Sequence[Mapping[str, str]]) -> int:
    """No tokenizer in use makes more tokens of a text than it has bytes."""
    sizes = (len(message["content"].encode()) for message in messages)
    return sum(sizes) + _AROUND_MESSAGE * len(messages) + _AROUND_ALL


def _count(usage: object, name: str) -> int | None:
    found = usage.get(name) if isinstance(usage, dict) else None
    return found if type(found) is int and found >= 0 else None


def _seconds(header: str) -> float | None:
    """What a Retry-After header says: a number of seconds, or a date."""
    with suppress(ValueError):
        return max(0.0, float(header))  # "nan" is 0
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)
