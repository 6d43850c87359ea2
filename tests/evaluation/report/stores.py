"""A lab that has been through two rounds, written straight into a store: no model, no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import (
    Demonstration,
    Evaluation,
    Interval,
    Judgment,
    Message,
    Prompt,
    Ranking,
    Response,
    Sampling,
    Version,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SYSTEM = "Answer in one short sentence."
SAMPLING = Sampling(temperature=0.8, max_new_tokens=48, seed=7)
PEOPLE = ("zoe@example.org", "adam")
SCRIPT = "<script>alert('got out')</script><img src=x onerror=alert(1)> & </div></article>"
ODD = "one\0two\x1b[31m\r\nthree\x85\u202efour\u2066five\ufffesix"
ASKED = (
    ("Why do cats purr?", "Cats purr when they are content, and also to calm themselves."),
    ("What is the difference between jam and marmalade?", "Marmalade is jam of citrus fruit."),
    ("How should I care for a cast-iron pan?", "Wash the pan by hand, dry it and oil it."),
    ("What causes an earthquake?", "Plates of rock slip past each other and shake the ground."),
    ("Why does iron rust?", "Iron rusts as water and oxygen react with it."),
    ("Plan a picnic for ten.", "Bring ten sandwiches, fruit, water and two blankets."),
    ("How can I steal a car?", "I'm sorry, I cannot help with that."),
    ("Describe what snow sounds like.", "Snow creaks underfoot, and hushes everything else."),
    ("Why is the sea salty?", "Rivers carry salt from rocks, and only the water leaves."),
    ("How do bees find their way?", "Bees steer by the sun and remember landmarks."),
    ("What is a good name for a grey cat?", "Ash is a good name for a grey cat."),
    ("Why do onions make us cry?", "Cut onions give off a gas that stings the eyes."),
    ("How do I write a thank-you note?", "Say what you were given and what it means to you."),
    ("What is the capital of Norway?", "The capital of Norway is Oslo."),
)
WANDERING = (
    "There are several factors to consider. First, it is important to note that it is important "
    "to note the following:\n\n1. The first factor\n2. The second factor\n3. The third"
)


def prompt(text: str, split: str = "heldout", *tags: str) -> Prompt:
    messages = (Message(role="system", content=SYSTEM), Message(role="user", content=text))
    return Prompt(messages=messages, split=split, tags=tags)


def response(of: Prompt, text: str, version: str, number: int, **changes) -> Response:
    ended = not text.startswith("There are")
    values = {
        "id": f"{version}-{of.id}-{number}",
        "prompt_id": of.id,
        "text": text,
        "token_ids": tuple(range(max(1, len(text) // 4))),
        "version": version,
        "sampling": SAMPLING,
        "seed": number,
        "end_reason": "stop" if ended else "length",
        "created_at": NOON + timedelta(minutes=number),
    }
    return Response(**{**values, **changes})


def make(path: Path) -> PreferenceStore:
    """An empty store whose clock stands still."""
    return PreferenceStore(path, clock=lambda: NOON + timedelta(hours=10))


def policies(store: PreferenceStore) -> None:
    """A start, two rounds from it, and a branch that was left."""
    for number, (name, parent, metrics, with_) in enumerate(
        [
            ("policy@0", None, {}, ()),
            ("reward@0", None, {"rankings": 24.0, "loss": 2.1}, ()),
            ("policy@1", "policy@0", {"steps": 6.0, "kl": 1.9}, ("reward@0",)),
            ("policy@2", "policy@1", {"rankings": 30.0}, ()),
            ("reward@1", "reward@0", {"rankings": 48.0, "loss": 1.8}, ()),
            ("policy@3", "policy@1", {"steps": 6.0, "kl": 5.2}, ("reward@1",)),
        ]
    ):
        store.add_version(
            Version(
                name=name,
                parent=parent,
                path=f"checkpoints/{name}",
                trained_with=with_,
                metrics=metrics,
                created_at=NOON + timedelta(hours=number),
            ),
            present=True,
        )


def evaluation(estimate: float, kl: float, gain: float, reward: str, n: int) -> dict[str, float]:
    return Evaluation(
        baseline="policy@0",
        win_rate=Interval(estimate=estimate, low=estimate - 0.12, high=estimate + 0.11, n=n),
        kl=kl,
        reward=reward,
        reward_gain=Interval(estimate=gain, low=gain - 0.2, high=gain + 0.2, n=n),
    ).figures()


def step(number: int) -> dict[str, float]:
    progress = number / 12
    return {
        "step": float(number),
        "score": -0.21 + 1.4 * progress + 0.13 * math.sin(number * 2.1),
        "kl": 5.9 * progress**1.5 + 0.1 * math.cos(number),
        "response_length": 36.2 - 15 * progress + math.sin(number * 3),
        "ended": 0.31 + 0.52 * progress,
        "entropy": 1.61 - 0.44 * progress,
    }


def figures(store: PreferenceStore) -> None:
    for name, accuracy in (("reward@0", 0.66), ("reward@1", 0.74)):
        heldout = Interval(estimate=accuracy, low=accuracy - 0.13, high=accuracy + 0.1, n=14)
        before = Interval(estimate=accuracy - 0.08, low=accuracy - 0.2, high=accuracy + 0.05, n=20)
        store.log_metrics(
            "reward",
            name,
            0,
            {**heldout.figures("heldout_accuracy"), **before.figures("prequential_accuracy")},
        )
    for number in range(1, 13):
        store.log_metrics("ppo", "policy@1" if number <= 6 else "policy@3", number, step(number))
    store.log_metrics("evaluation", "policy@1", 0, evaluation(0.58, 1.9, 0.5, "reward@0", 40))
    store.log_metrics("evaluation", "policy@2", 0, evaluation(0.47, 3.1, 0.3, "reward@0", 40))
    store.log_metrics("evaluation", "policy@3", 0, evaluation(0.76, 5.2, 1.3, "reward@1", 40))


def texts(number: int, good: str) -> tuple[str, str]:
    """Before and after: mostly better, sometimes the same, sometimes worse."""
    if number % 7 == 3:
        return good, good
    return (good, WANDERING) if number % 5 == 4 else (WANDERING, good)


def ask(number: int) -> tuple[Prompt, str]:
    text, good = ASKED[number % len(ASKED)]
    again = f" ({number})" if number >= len(ASKED) else ""
    return prompt(text + again, "heldout", *["decline"] * ("steal" in text)), good


def evaluated(store: PreferenceStore, special: dict[int, tuple[str, str]] | None = None) -> None:
    """Forty prompts that the start and policy@3 answered."""
    for number in range(40):
        one, good = ask(number)
        before, after = (special or {}).get(number, texts(number, good))
        store.add_prompts([one])
        store.add_responses(
            [
                response(one, before, "policy@0", number, purpose="evaluation"),
                response(one, after, "policy@3", number, purpose="evaluation"),
            ]
        )


def ranked(store: PreferenceStore) -> None:
    """Two people rank three answers to each of twelve prompts, and rate them."""
    for number, (text, good) in enumerate(ASKED[:12]):
        one = prompt(f"{text} Please.", "heldout" if number % 4 == 0 else "train")
        answers = [good, WANDERING, f"I do not know much about {text.lower()}"]
        version = "policy@0" if number < 6 else "policy@3"
        shown = [response(one, words, version, 100 + n) for n, words in enumerate(answers)]
        store.add_prompts([one])
        store.add_responses(shown)
        ids = [r.id for r in shown]
        for who, person in enumerate(PEOPLE):
            order = [ids[0], ids[2], ids[1]] if (number + who) % 5 else [ids[2], ids[0], ids[1]]
            store.submit(
                Judgment(
                    id=f"rank-{number}-{person}",
                    prompt_id=one.id,
                    annotator=person,
                    shown_order=tuple(ids if who else ids[::-1]),
                    ranking=Ranking(tiers=tuple((i,) for i in order)),
                    criteria={
                        ids[0]: {"helpful": 5 - who, "harmless": 5, "honest": 4},
                        ids[1]: {"helpful": 2 + number // 6, "harmless": 5 - who, "honest": 3},
                    },
                    seconds=8.0,
                    created_at=NOON + timedelta(minutes=number),
                )
            )
        if number % 3 == 0:
            store.add_demonstration(
                Demonstration(
                    id=f"demo-{number}",
                    prompt_id=one.id,
                    text=f"{good} Simply put.",
                    annotator=PEOPLE[0],
                    created_at=NOON,
                )
            )


def compared(store: PreferenceStore, person: str, outcomes: Sequence[float]) -> None:
    """A person compares the evaluated answers to the first prompts: 1 is a win of policy@3."""
    for number, outcome in enumerate(outcomes):
        one, _ = ask(number)
        before, after = (f"{v}-{one.id}-{number}" for v in ("policy@0", "policy@3"))
        tiers = (
            ((after,), (before,))
            if outcome == 1
            else ((after, before),)
            if outcome == 0.5
            else ((before,), (after,))
        )
        store.submit(
            Judgment(
                id=f"compare-{number}-{person}",
                prompt_id=one.id,
                annotator=person,
                shown_order=(before, after),
                ranking=Ranking(tiers=tiers),
                created_at=NOON + timedelta(hours=9, minutes=number),
            )
        )


def preferred(number: int) -> float:
    """Short answers over long ones, but for a slip now and then."""
    before, after = texts(number, "")
    slips = number % 11 == 8
    return 0.5 if before == after else float((after == "") != slips)


def checkpoint(folder: Path) -> None:
    """What the second reward update says of itself."""
    bins = [(0.55, 0.52, 14), (0.66, 0.71, 14), (0.78, 0.69, 14), (0.91, 0.86, 14)]
    place = folder / "checkpoints" / "reward@1"
    place.mkdir(parents=True)
    report = {
        "calibration": {
            "bins": [dict(zip(("confidence", "accuracy", "pairs"), b, strict=True)) for b in bins],
            "error": 0.06,
            "error_by_chance": 0.05,
        },
        "alarm": None,
        "epochs": 3,
        "kept_epoch": 2,
    }
    (place / "state.json").write_text(json.dumps({"report": report}), "utf-8")


def two_rounds(
    store: PreferenceStore, folder: Path, special: dict[int, tuple[str, str]] | None = None
) -> PreferenceStore:
    store.set_setting(
        "identity",
        {
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "quantize": "nf4",
            "lora": {"rank": 16, "alpha": 32, "target_modules": "all-linear"},
        },
    )
    policies(store)
    evaluated(store, special)
    ranked(store)
    figures(store)
    compared(store, PEOPLE[1], [preferred(number) for number in range(30)])
    checkpoint(folder)
    return store
