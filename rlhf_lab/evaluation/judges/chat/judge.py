"""A model behind an OpenAI-compatible chat endpoint as a judge."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import astuple
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.judges.batch import JudgeItem, ranking_from_pairs
from rlhf_lab.evaluation.judges.chat.cache import (
    MemoryReplies,
    Replies,
    StoredReplies,
    reply_key,
)
from rlhf_lab.evaluation.judges.chat.endpoint import Endpoint, Reply, Secret
from rlhf_lab.evaluation.judges.chat.limits import Budget, Pace, Prices
from rlhf_lab.evaluation.judges.chat.report import ChatReport, PairVerdicts, count_outcomes
from rlhf_lab.evaluation.judges.chat.template import (
    Choice,
    JudgeTemplate,
    Question,
    read_verdict,
)
from rlhf_lab.types import Prompt, Ranking, Response, as_path

Job = Future[Choice | None]
# Settings that the judge itself sends.
_OWN_SETTINGS = ("model", "messages", "temperature", "seed", "max_tokens", "stream", "n")


class ChatJudge:
    """Asks a chat model which of two answers is better, in both orders.

    ```python
    judge = ChatJudge("http://localhost:8000/v1", "my-judge", cache="judge.sqlite")
    lab.evaluate(judge=judge)
    judge.report()                    # position bias, ties, tokens, cost
    ```

    An answer is better if it is preferred in both orders; anything else is a tie, and the report
    says how often the order decided. Three candidates or more are compared in all pairs, and ranked
    by how many others each beats, a tie counting one half. Answers with the same text are tied
    without being asked about.

    Every reply is kept on disk as it comes. Asked again, for whatever reason the run ended, the
    judge sends what is missing and nothing else.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        api_key_env: str | None = None,
        name: str = "",
        template: JudgeTemplate | None = None,
        temperature: float | None = 0.0,
        max_tokens: int = 512,
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        cache: Path | str | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
        max_cost: float | None = None,
        requests_per_minute: float | None = None,
        concurrency: int = 4,
        timeout: float = 120.0,
        retries: int = 5,
        attempts: int = 2,
        progress: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Make a judge; nothing is sent yet.

        Args:
            base_url: Up to "/v1"; "/chat/completions" is added.
            model: As the endpoint calls it.
            api_key: Sent as a bearer token. It stays in this object alone: in no file, log or
                representation.
            api_key_env: Name of the environment variable with the key, in the place of `api_key`.
            name: As reports call it; default: the model's.
            template: What is asked; default: `JudgeTemplate()`.
            temperature: None leaves it to the endpoint, as some models want it.
            max_tokens: Of a reply, reasons included.
            seed: Sent along, where an endpoint makes use of it.
            extra: Further settings of the request, such as {"top_p": 0.9}. Models that refuse
                "max_tokens" take {"max_completion_tokens": 2000} here, which then replaces it.
            cache: SQLite file of replies, made if absent; None keeps them in memory alone.
            price_in: Of a million tokens that are sent.
            price_out: Of a million tokens that are received.
            max_cost: Stop before this judge's requests can have cost more, in the same currency.
                It holds as far as the endpoint keeps to `max_tokens`.
            requests_per_minute: Most requests that start within a minute; None for no limit.
            concurrency: Requests under way at once.
            timeout: Seconds without a sign of an answer after which a request has failed.
            retries: How often a request is repeated after 408, 425, 429, 5xx, a timeout, a broken
                connection or a reply that is no completion.
            attempts: How often a verdict is asked for, before a reply without one counts as a tie.
            progress: Show a bar.
            clock: Seconds, for the pace.
            sleep: Waits for so many seconds; default: until an interrupt, at most.

        Raises:
            ConfigError: a setting outside its range, or no key in that variable.
            StoreError: the cache cannot be used.
        """
        _check_ranges(max_tokens, concurrency, timeout, retries, attempts, requests_per_minute)
        self.name = name or model
        self.template = template or JudgeTemplate()
        settings = {"temperature": temperature, "seed": seed, "max_tokens": max_tokens}
        self._settings = _settings(model, settings, extra or {})
        self._max_tokens = int(self._settings.get("max_completion_tokens", max_tokens))
        self._has_prices = _check_prices(price_in, price_out, max_cost)
        self._halted = threading.Event()
        self._sleep = sleep or self._halted.wait
        self._endpoint = Endpoint(
            base_url,
            Secret(_key(api_key, api_key_env)),
            timeout=timeout,
            retries=retries,
            pace=Pace(requests_per_minute, clock=clock, sleep=self._rest),
            prices=Prices(input=price_in or 0.0, output=price_out or 0.0),
            budget=Budget(max_cost),
            sleep=self._rest,
        )
        self._replies: Replies = StoredReplies(as_path(cache)) if cache else MemoryReplies()
        self._concurrency = concurrency
        self._attempts = attempts
        self._progress = progress
        self._turn = threading.Lock()
        self._pairs: dict[str, PairVerdicts] = {}
        self._cached: set[str] = set()
        self._unreadable: set[str] = set()

    def __repr__(self) -> str:
        """Where and which; no key."""
        return f"ChatJudge({self._endpoint.place!r}, {self._settings['model']!r})"

    def rank(self, prompt: Prompt, candidates: Sequence[Response]) -> Ranking:
        """Tiers over all candidates, best first.

        Raises:
            EndpointError: the endpoint refuses, or fails again and again.
            CostLimitReached: the next request might cost more than `max_cost` leaves.
            StoreError: the cache cannot be used.
        """
        return self._rank_many([(prompt, candidates)], progress=False)[0]

    def rank_many(self, items: Sequence[JudgeItem]) -> list[Ranking]:
        """The same of many items, with a few requests under way at once.

        When it ends early, what was answered is kept, and is not asked again.
        """
        return self._rank_many(items, progress=self._progress)

    def report(self) -> ChatReport:
        """What was asked since this judge was made, and what that says of it."""
        traffic = self._endpoint.traffic
        return ChatReport(
            judge=self.name,
            requests=traffic.requests,
            retries=traffic.retries,
            asked=traffic.replies,
            cached=len(self._cached),
            input_tokens=traffic.input_tokens,
            output_tokens=traffic.output_tokens,
            estimated=traffic.estimated,
            cost=self._endpoint.budget.spent if self._has_prices else None,
            unreadable=len(self._unreadable),
            cut=traffic.cut,
            **count_outcomes(self._pairs.values()),
        )

    def _rank_many(self, items: Sequence[JudgeItem], *, progress: bool) -> list[Ranking]:
        questions: dict[str, Question] = {}
        for prompt, candidates in items:
            for first, second in combinations([c.text for c in candidates], 2):
                if first != second:
                    for question in _both_orders(prompt, first, second):
                        questions[self._key(question)] = question
        with self._turn:
            verdicts = self._ask_all(questions, progress)
        return [self._ranking(prompt, candidates, verdicts) for prompt, candidates in items]

    def _ranking(
        self,
        prompt: Prompt,
        candidates: Sequence[Response],
        verdicts: Mapping[str, Choice | None],
    ) -> Ranking:
        texts = {c.id: c.text for c in candidates}

        def points(first: str, second: str) -> float:
            if texts[first] == texts[second]:
                return 0.5
            given, turned = map(self._key, _both_orders(prompt, texts[first], texts[second]))
            pair = PairVerdicts(prompt.id, verdicts[given], verdicts[turned])
            if turned not in self._pairs:  # else the same pair came the other way round before
                self._pairs[given] = pair
            return pair.points

        return ranking_from_pairs([c.id for c in candidates], points)

    def _ask_all(
        self, questions: Mapping[str, Question], progress: bool
    ) -> dict[str, Choice | None]:
        """The verdict on every question; None where no reply could be read."""
        self._halted.clear()
        workers = ThreadPoolExecutor(self._concurrency, thread_name_prefix="judge")
        with self._endpoint.connections():
            try:
                jobs = {
                    workers.submit(self._verdict, key, question): key
                    for key, question in questions.items()
                }
                done: Iterable[Job] = tqdm(
                    as_completed(jobs),
                    total=len(jobs),
                    desc=self.name,
                    disable=not progress,
                    leave=False,
                )
                return dict(self._said(jobs, done))
            finally:
                # After an error or an interrupt: nothing new begins, and what is under way is
                # waited for and kept, as it is paid for.
                self._halted.set()
                workers.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _said(jobs: Mapping[Job, str], done: Iterable[Job]) -> Iterator[tuple[str, Choice | None]]:
        """Verdicts as they come; the first error that is the reason of all others is raised."""
        for job in done:
            with suppress(_Halted):
                yield jobs[job], job.result()

    def _verdict(self, key: str, question: Question) -> Choice | None:
        """The verdict on one question; an error ends the run before another request goes out."""
        try:
            return self._read_verdict(key, question)
        except BaseException:
            self._halted.set()
            raise

    def _read_verdict(self, key: str, question: Question) -> Choice | None:
        messages = self.template.messages(question)
        for attempt in range(self._attempts):
            kept_as = reply_key(key, attempt)
            reply = self._reply(kept_as, messages)
            if (verdict := read_verdict(reply.text)) is not None:
                return verdict
            self._unreadable.add(kept_as)
            messages = [*messages, *self.template.asked_again(reply.text)]
        return None

    def _reply(self, key: str, messages: Sequence[Mapping[str, str]]) -> Reply:
        """From the cache, else from the endpoint and into the cache."""
        if (known := self._replies.get(key)) is not None:
            self._cached.add(key)
            return known
        self._stop_if_halted()
        body = {**self._settings, "messages": messages}
        reply = self._endpoint.ask(body, self._max_tokens)
        self._replies.put(key, reply)
        return reply

    def _key(self, question: Question) -> str:
        """What a reply depends on. Marks around texts differ each time and are no part of it."""
        return reply_key(
            self._endpoint.place,
            self._settings,
            astuple(self.template),
            [[m.role, m.content] for m in question.prompt.messages],
            question.first,
            question.second,
        )

    def _rest(self, seconds: float) -> None:
        self._sleep(seconds)
        self._stop_if_halted()

    def _stop_if_halted(self) -> None:
        if self._halted.is_set():
            raise _Halted


class _Halted(Exception):
    """This run has ended for another reason; nobody waits for this."""


class _Orders(NamedTuple):
    """A pair in the order it came in, and in the other one."""

    given: Question
    turned: Question


def _both_orders(prompt: Prompt, first: str, second: str) -> _Orders:
    return _Orders(Question(prompt, first, second), Question(prompt, second, first))


def _settings(model: str, own: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """What every request says besides its messages."""
    if clash := sorted(set(extra) & set(_OWN_SETTINGS)):
        raise ConfigError(
            f"extra= holds {', '.join(clash)}: pass what this judge has an argument for as that, "
            "and leave out streaming and several replies at once, which it does not read."
        )
    if not isinstance(extra.get("max_completion_tokens", 1), int):
        raise ConfigError("extra= holds a max_completion_tokens that is no whole number.")
    settings = {"model": model, **{k: v for k, v in own.items() if v is not None}, **extra}
    if "max_completion_tokens" in settings:
        del settings["max_tokens"]
    return settings


def _key(api_key: str | None, variable: str | None) -> str | None:
    if variable is None:
        return api_key
    if api_key is not None:
        raise ConfigError("api_key= and api_key_env= are both given: choose one of them.")
    if not (found := os.environ.get(variable)):
        raise ConfigError(
            f"api_key_env={variable!r}: there is no such variable in this process's environment. "
            "Set it before the notebook starts, or with getpass in a cell and api_key=."
        )
    return found


def _check_prices(price_in: float | None, price_out: float | None, limit: float | None) -> bool:
    """Whether there are prices."""
    given = [p for p in (price_in, price_out) if p is not None]
    if len(given) == 1 or (limit is not None and not given):
        raise ConfigError(
            f"price_in={price_in}, price_out={price_out}, max_cost={limit}: give both prices (per "
            "million tokens, 0 for free), or none of the three."
        )
    if limit is not None and not limit > 0:
        raise ConfigError(f"max_cost={limit}: above 0, or None for no limit.")
    return bool(given)


def _check_ranges(
    max_tokens: int,
    concurrency: int,
    timeout: float,
    retries: int,
    attempts: int,
    requests_per_minute: float | None,
) -> None:
    lowest = {
        "max_tokens": (max_tokens, 1),
        "concurrency": (concurrency, 1),
        "attempts": (attempts, 1),
        "retries": (retries, 0),
    }
    for name, (value, least) in lowest.items():
        if value < least:
            raise ConfigError(f"{name}={value}: at least {least}.")
    if not timeout > 0:
        raise ConfigError(f"timeout={timeout}: seconds above 0. Use 120.")
    if requests_per_minute is not None and not requests_per_minute > 0:
        raise ConfigError(
            f"requests_per_minute={requests_per_minute}: above 0, or None for no limit."
        )
