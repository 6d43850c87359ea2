"""Prompts and answers as a small model might give them, for pictures and browser tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rlhf_lab.types import (
    Demonstration,
    Judgment,
    Message,
    Progress,
    Prompt,
    RankingItem,
    Response,
    Sampling,
)

MERGE_PROMPT = "How do I merge two dictionaries in Python, and what happens when both have a key?"

MERGE_ANSWERS = (
    """Use the `|` operator (Python 3.9 and later):

```python
merged = {**defaults, **overrides}
merged = defaults | overrides
```

Both make a **new** dictionary. For a key in both, the value on the *right* wins.""",
    """You can merge two dictionaries with `update`:

```python
defaults.update(overrides)
```

This changes `defaults` in place and returns `None`, so do not write
`merged = defaults.update(overrides)`.

| way | new dictionary? | which value wins |
|:----|:----|:----|
| `a.update(b)` | no | `b` |
| `a \\| b` | yes | `b` |
| `{**a, **b}` | yes | `b` |

With $m$ and $n$ keys each of them takes $O(m + n)$ time, at most
$$\\sum_{i=1}^{m} 1 + \\sum_{j=1}^{n} 1 = m + n$$
insertions, and memory for the same number of keys. If the values are lists and you want to keep
both, merge them one by one:

```python
from collections import defaultdict

merged = defaultdict(list)
for source in (defaults, overrides):
    for key, values in source.items():
        merged[key].extend(values)
```

For large dictionaries that are read but rarely changed, look at `collections.ChainMap`, which
copies nothing.""",
    """Dictionaries are a very useful type in Python. To merge them you should first think about
what you want to merge. Then you merge them. If both have a key, then both have the key.""",
    """1. Loop over the second dictionary.
2. Assign each key to the first one.

```python
for key in b:
    a[key] = b[key]
```

A key in both gets the value of `b`. See [the docs](https://docs.python.org/3/library/stdtypes.html)
for more.""",
)


def response(prompt: Prompt, number: int, text: str) -> Response:
    """A response with an id that must never reach the page."""
    return Response(
        id=f"secret-response-{prompt.id}-{number}",
        prompt_id=prompt.id,
        text=text,
        token_ids=(1, 2),
        version="policy@7",
        sampling=Sampling(),
        seed=number,
        end_reason="stop",
    )


def item(prompt_text: str, *answers: str) -> RankingItem:
    """An item with these answers, in this order."""
    prompt = Prompt(messages=(Message(role="user", content=prompt_text),))
    candidates = tuple(response(prompt, n, text) for n, text in enumerate(answers))
    return RankingItem(prompt=prompt, candidates=candidates)


def sample_items() -> list[RankingItem]:
    """The item of the pictures, and enough others after it."""
    others = [
        item(f"Name {n} things that float.", *(f"Answer {a} to question {n}." for a in "abcd"))
        for n in range(3, 18)
    ]
    return [item(MERGE_PROMPT, *MERGE_ANSWERS), *others]


class ListSource:
    """The simplest honest `RankingSource`: items in a list, judgments in another.

    Args:
        items: What to rank, in order.
        done: How many more are said to be ranked already.
    """

    def __init__(self, items: list[RankingItem], done: int = 0) -> None:
        self.annotator = "tester"
        self.version: str | None = None
        self.lease_seconds = 1800.0
        self.secret = "known to the list alone"
        self.items = items
        self.stored: list[Judgment] = []
        self.demonstrations: list[Demonstration] = []
        self._before = done
        self._judged: set[str] = set()
        self._undos: dict[str, str | None] = {}  # by the judgments they took back
        self._undone: list[Judgment] = []
        self._acts: dict[str, RankingItem | None] = {}

    def upcoming(self, count: int | None) -> list[RankingItem]:
        said = {judgment.shown_order for judgment in self.stored}
        back = [judgment.shown_order for judgment in reversed(self._undone)]
        left = [item for item in self.items if _ids(item) not in said]
        left.sort(key=lambda item: back.index(_ids(item)) if _ids(item) in back else len(back))
        return left[:count]

    def submit(self, judgment: Judgment) -> bool:
        if judgment.id in self._judged:
            return False
        self._judged.add(judgment.id)
        self.stored.append(judgment)
        self._undone.clear()
        return True

    def demonstrate(self, demonstration: Demonstration) -> None:
        if demonstration.id not in {stored.id for stored in self.demonstrations}:
            self.demonstrations.append(demonstration)

    def undo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        return self._move(self.stored, self._undone, submission, of)

    def redo(self, submission: str | None = None, of: str | None = None) -> RankingItem | None:
        return self._move(self._undone, self.stored, submission, of)

    def known(self, ids: Iterable[str]) -> set[str]:
        acts = {act for act, item in self._acts.items() if item is not None}
        return set(ids) & (acts | self._judged)

    def progress(self) -> Progress:
        before = self._before
        return Progress(done=before + len(self.stored), total=before + len(self.items))

    def _move(
        self,
        source: list[Judgment],
        target: list[Judgment],
        submission: str | None,
        of: str | None,
    ) -> RankingItem | None:
        if submission in self._acts:
            return self._acts[submission]
        item = None
        if source and of in (None, source[-1].id, self._undos.get(source[-1].id)):
            target.append(source.pop())
            said = target[-1]
            if target is self._undone:
                self._undos[said.id] = submission
            item = next(i for i in self.items if _ids(i) == said.shown_order)
            item = replace(item, said=said)
        if submission is not None:
            self._acts[submission] = item
        return item


def _ids(item: RankingItem) -> tuple[str, ...]:
    return tuple(response.id for response in item.candidates)


def sample_source(done: int = 0) -> ListSource:
    """The source of the pictures."""
    return ListSource(sample_items()[: 16 - done], done)


def picture() -> ListSource:
    """As `cases` wants it."""
    return sample_source(done=2)
