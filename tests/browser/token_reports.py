"""Token reports with fixed figures, for pictures and browser tests; no model is asked."""

from __future__ import annotations

import math
import random
import re

from rlhf_lab.types import Message, Prompt, TokenPiece, TokenReport
from tests.browser.lab_source import hostile_texts
from tests.widgets.xss_corpus import PAYLOADS

PROMPT = "How do I merge two dictionaries in Python, and what happens when both have a key?"

ANSWER = """Use the `|` operator (Python 3.9 and later):

```python
merged = defaults | overrides
```

It makes a new dictionary and leaves both others as they are. For a key in both, the value on the
right wins, so put what should win last. To change one in place, write `defaults |= overrides`."""

OTHER = "Dictionaries are very useful. To merge them, merge them. Then they are merged. Yes!"

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
HOSTILE_PIECES = (
    TokenPiece(id=7001, kind="text", text=HOSTILE),
    TokenPiece(id=7002, kind="text", text="\u202etxt.exe"),
    TokenPiece(id=7003, kind="text", text="\x1b[31m\0"),
    TokenPiece(id=7004, kind="text", text="</span></div><script>document.title='owned'</script>"),
    TokenPiece(id=7005, kind="bytes", text="F0 9F", whole="🙂"),
    TokenPiece(id=7006, kind="bytes", text="99 82", whole="🙂"),
    TokenPiece(id=7007, kind="text", text="שלום"),
    TokenPiece(id=7008, kind="text", text="w" * 400),
)
END = TokenPiece(id=2, kind="special", text="<|im_end|>")


def pieces_of(text: str) -> tuple[TokenPiece, ...]:
    """Words with the space before them, runs of other spaces, and single signs."""
    found = re.findall(r" ?\w+|\n+|[^\w\s]| +", text)
    return tuple(
        TokenPiece(id=300 + 7 * n % 40_000, kind="text", text=t) for n, t in enumerate(found)
    )


def report(
    pieces: tuple[TokenPiece, ...],
    *,
    name: str,
    score: float = 1.24,
    seed: int = 0,
    prompt: str = f"{PROMPT} {HOSTILE}",
) -> TokenReport:
    """A report on these tokens, whose figures fit together as PPO's do."""
    random_ = random.Random(seed)
    count = len(pieces)
    ref_logp = tuple(-random_.expovariate(0.7) for _ in range(count))
    drawn = (random_.gauss(0.05, 0.35) * random_.random() for _ in range(count))
    ratio = tuple(min(r, -q) for r, q in zip(drawn, ref_logp, strict=True))
    values = tuple(
        score * (0.3 + 0.6 * n / count) + 0.25 * math.sin(n / 5) + random_.gauss(0, 0.08)
        for n in range(count)
    )
    rewards = [-0.05 * r for r in ratio]
    rewards[-1] += score
    advantages = [0.0] * count
    running = 0.0
    for n in reversed(range(count)):
        following = values[n + 1] if n + 1 < count else 0.0
        running = rewards[n] + following - values[n] + 0.95 * running
        advantages[n] = running
    return TokenReport(
        prompt=Prompt(messages=(Message(role="user", content=prompt),)),
        response_id=name,
        written_by="policy@2",
        pieces=pieces,
        ended=pieces[-1].kind == "special",
        logp=tuple(q + r for q, r in zip(ref_logp, ratio, strict=True)),
        ref_logp=ref_logp,
        log_ratio=ratio,
        kl_k3=tuple(math.exp(-r) - 1 + r for r in ratio),
        values=values,
        rewards=tuple(rewards),
        advantages=tuple(advantages),
        returns=tuple(a + v for a, v in zip(advantages, values, strict=True)),
        score=score,
        kl_coef=0.05,
        temperature=0.8,
        gamma=1.0,
        lam=0.95,
        policy="policy@3",
        reward="reward@2",
    )


def sample_reports() -> list[TokenReport]:
    """Two answers to one prompt; the second one is hostile."""
    return [
        report((*pieces_of(ANSWER), END), name="response-1"),
        report((*pieces_of(OTHER), *HOSTILE_PIECES), name="response-2", score=-0.62, seed=1),
    ]


def long_reports(tokens: int = 2000) -> list[TokenReport]:
    """Two answers of so many tokens."""
    many = pieces_of(ANSWER) * (tokens // len(pieces_of(ANSWER)) + 1)
    return [report(many[:tokens], name=f"long-{seed}", seed=seed) for seed in range(2)]


def shown(folder: str, *, hostile: bool = False) -> list[TokenReport]:
    """What a page shows of two answers; with `hostile`, each payload is a token."""
    if not hostile:
        return sample_reports()
    evil = tuple(
        TokenPiece(id=n, kind="text", text=text) for n, text in enumerate(PAYLOADS, start=7000)
    )
    return [report((*evil, END), name=PAYLOADS[0], prompt=hostile_texts(1)[0])]


def picture() -> list[TokenReport]:
    """What the pictures show: one answer to be read, and another one."""
    answers = (ANSWER, 1.24), (OTHER, -0.62)
    return [
        report((*pieces_of(text), END), name=f"response-{n}", score=score, seed=n, prompt=PROMPT)
        for n, (text, score) in enumerate(answers)
    ]
