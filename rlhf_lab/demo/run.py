"""`rlhf-lab demo`: rounds of generate, rank, reward update, PPO, evaluate, and an account of them.

Every stage can be interrupted: running the demo again goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from tqdm.auto import tqdm

from rlhf_lab.annotators import RubricAnnotator
from rlhf_lab.data import load_prompts
from rlhf_lab.demo.account import conclude, describe_device
from rlhf_lab.errors import ConfigError
from rlhf_lab.lab import Lab
from rlhf_lab.store import PreferenceStore
from rlhf_lab.types import START, Sampling

if TYPE_CHECKING:
    from rlhf_lab.evaluation import EvalReport

SYSTEM = "Answer in one short sentence."
SUMMARY = "summary.json"


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """How large the demo is.

    Attributes:
        seed: Of prompts, sampling, the annotator's slips and every update.
        rounds: Of ranking, reward update and PPO.
        prompts: Ranked per round, a quarter of them held out.
        k: Responses per prompt.
        ppo_steps: Per round.
        evaluation_prompts: Held-out prompts of the win rate.
        noise: Of the simulated annotator, in points of its rubric.
        from_sft: Begin with demonstrations and fine-tuning, as the method does.
    """

    seed: int = 0
    rounds: int = 2
    prompts: int = 64
    k: int = 4
    ppo_steps: int = 6
    evaluation_prompts: int = 100
    noise: float = 0.2
    from_sft: bool = False

    def __post_init__(self) -> None:
        """Refuse a demo with nothing in it."""
        for name in ("rounds", "prompts", "ppo_steps", "evaluation_prompts"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}: at least 1.")

    @property
    def sampling(self) -> Sampling:
        """Short answers, so that the loop takes minutes."""
        return Sampling(temperature=0.7, max_new_tokens=40, seed=self.seed)


@dataclass(frozen=True, kw_only=True)
class DemoRound:
    """What one round brought, in plain figures that outlive the process.

    Attributes:
        number: 1 is the first.
        judgments: Rankings made in this round.
        reward: Fields of the `RewardReport`.
        ppo: Fields of each step's `PPOStats`.
        evaluation: Figures of the `EvalReport`, without samples.
    """

    number: int
    judgments: int
    reward: dict[str, Any]
    ppo: list[dict[str, Any]]
    evaluation: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DemoSFT:
    """What fine-tuning on demonstrations brought.

    Attributes:
        report: Fields of the `SFTReport`.
        evaluation: Figures of the `EvalReport` against the bare model, without samples.
    """

    report: dict[str, Any]
    evaluation: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """Everything the report shows.

    Attributes:
        rounds: In order.
        evaluation: The last round's, with its samples.
        sft: What fine-tuning brought, if the demo began with it.
    """

    settings: DemoSettings
    model: str
    quantization: str
    device: str
    rounds: list[DemoRound]
    evaluation: EvalReport
    seconds: float
    peak_rss_mb: float
    sft: DemoSFT | None = None

    def summary(self) -> dict[str, Any]:
        """The figures of summary.json."""
        last = self.rounds[-1]
        accuracy = last.reward["heldout_accuracy"]
        win = self.evaluation.win_rate
        return {
            "model": self.model,
            "quantization": self.quantization,
            "device": self.device,
            "seed": self.settings.seed,
            "rounds": len(self.rounds),
            "judgments": sum(r.judgments for r in self.rounds),
            "ppo_steps": sum(len(r.ppo) for r in self.rounds),
            "reward_heldout_accuracy": accuracy and accuracy["estimate"],
            "reward_heldout_accuracy_ci": accuracy and [accuracy["low"], accuracy["high"]],
            "gold_win_rate": win.estimate,
            "gold_win_rate_ci": [win.low, win.high],
            "gold_win_rate_by_round": [r.evaluation["win_rate"]["estimate"] for r in self.rounds],
            "heldout_prompts": win.n,
            "baseline": self.evaluation.baseline,
            "sft": self.sft and asdict(self.sft),
            "kl_nats_per_response": self.evaluation.kl,
            "seconds": round(self.seconds, 1),
            "peak_rss_mb": round(self.peak_rss_mb),
            "settings": asdict(self.settings),
        }


def run_demo(
    path: Path,
    settings: DemoSettings | None = None,
    *,
    model: str | None = None,
    console: Console | None = None,
) -> DemoResult:
    """Run the demo, or go on with an unfinished one, and write report.html and summary.json.

    A finished demo at the same place is moved to PATH.previous (2, 3 ...) first.

    Raises:
        ConfigError: the directory holds something else than a demo with these settings.
    """
    from rlhf_lab.demo.report import write_report

    settings = settings or DemoSettings()
    console = console or Console()
    _make_room(path, settings)
    with Lab(path, model=model, sampling=settings.sampling, seed=settings.seed) as lab:
        result = _Demo(lab, settings, console).run()
    write_report(path / "report.html", result)
    (path / SUMMARY).write_text(json.dumps(result.summary(), indent=2) + "\n", "utf-8")
    conclude(console, result, path)
    return result


class _Demo:
    """One run; what is done is kept in the lab's settings under "demo"."""

    def __init__(self, lab: Lab, settings: DemoSettings, console: Console) -> None:
        self._lab = lab
        self._settings = settings
        self._console = console
        self._kept: dict[str, Any] = lab.store.get_setting("demo", {"rounds": [], "seconds": 0.0})
        self._began = time.perf_counter() - self._kept["seconds"]
        self._evaluation: EvalReport | None = None

    def run(self) -> DemoResult:
        from rlhf_lab.models.memory import peak_rss_mb  # comes with torch

        self._keep(settings=asdict(self._settings))
        self._lab.add_prompts(load_prompts(), system=SYSTEM)
        base = self._lab.model.base
        self._console.print(
            f"{base.name}, {base.quantization}, {describe_device(base)}. "
            f"Everything is kept in {self._lab.path}; stop at any time and run the same command "
            "again.\n"
        )
        if self._settings.from_sft and "sft" not in self._kept:
            self._sft()
        while len(self._kept["rounds"]) < self._settings.rounds:
            self._round(len(self._kept["rounds"]) + 1)
        return DemoResult(
            settings=self._settings,
            model=base.name,
            quantization=base.quantization,
            device=describe_device(base),
            rounds=[DemoRound(**r) for r in self._kept["rounds"]],
            evaluation=self._evaluation or self._evaluate(),
            seconds=time.perf_counter() - self._began,
            peak_rss_mb=peak_rss_mb(),
            sft=DemoSFT(**self._kept["sft"]) if self._settings.from_sft else None,
        )

    def _sft(self) -> None:
        """Demonstrations, fine-tuning, and what that alone brought."""
        lab, settings = self._lab, self._settings
        self._console.rule("Fine-tuning on demonstrations")
        if lab.version == START:
            batch = lab.generate(k=settings.k, prompts=settings.prompts)
            made = lab.annotate_demonstrations(
                RubricAnnotator(noise=settings.noise, seed=settings.seed)
            )
            self._console.print(f"  {batch}; {made} edited by the simulated annotator")
        report = lab.sft()
        self._console.print(f"  {report}")
        evaluation = self._evaluate()
        self._console.print(f"  {evaluation}\n")
        self._keep(sft={"report": report.as_state(), "evaluation": _figures(evaluation)})

    def _round(self, number: int) -> None:
        self._console.rule(f"Round {number} of {self._settings.rounds}")
        begun = self._kept.get("begun") or {}
        if begun.get("number") != number:
            begun = {"number": number, **self._rank_and_update_reward()}
            self._keep(begun=begun)
        self._ppo(number)
        evaluation = self._evaluation = self._evaluate()
        self._console.print(f"  {evaluation}\n")
        steps = range(
            (number - 1) * self._settings.ppo_steps + 1, number * self._settings.ppo_steps + 1
        )
        ppo = [dict(m.values) for m in self._lab.store.metrics("ppo") if m.step in steps]
        figures = _figures(evaluation)
        self._keep(rounds=[*self._kept["rounds"], {**begun, "ppo": ppo, "evaluation": figures}])

    def _rank_and_update_reward(self) -> dict[str, Any]:
        lab, settings = self._lab, self._settings
        batch = lab.generate(k=settings.k, prompts=settings.prompts)
        judgments = lab.annotate(RubricAnnotator(noise=settings.noise, seed=settings.seed))
        self._console.print(f"  {batch}; {judgments} rankings by the simulated annotator")
        report = lab.update_reward()
        self._console.print(f"  {report}")
        # As JSON gives it back: a setting must come back equal, and tuples come back as lists.
        reward = json.loads(json.dumps(asdict(report)))
        return {"judgments": len(batch.prompts), "reward": reward}

    def _ppo(self, number: int) -> None:
        done = max((m.step for m in self._lab.store.metrics("ppo")), default=0)
        missing = number * self._settings.ppo_steps - done
        if missing > 0:
            for stats in self._lab.ppo(steps=missing):
                tqdm.write(f"  {stats}")  # above the bar, not through it

    def _evaluate(self) -> EvalReport:
        """Against the start: the bare model or, after fine-tuning, the fine-tuned one."""
        return self._lab.evaluate(prompts=self._settings.evaluation_prompts)

    def _keep(self, **changes: Any) -> None:  # noqa: ANN401 - JSON of several shapes
        self._kept = {**self._kept, **changes, "seconds": time.perf_counter() - self._began}
        self._lab.store.set_setting("demo", self._kept)


def _figures(evaluation: EvalReport) -> dict[str, Any]:
    """Without samples, and as JSON gives it back: tuples come back as lists."""
    figures = asdict(replace(evaluation, samples=()))
    del figures["samples"]
    found: dict[str, Any] = json.loads(json.dumps(figures))
    return found


def _make_room(path: Path, settings: DemoSettings) -> None:
    """Move a finished demo aside; refuse to touch anything that is not a demo of these settings."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    kept = _kept_in(path)
    if kept and (path / SUMMARY).is_file():
        path.rename(_free_name(path))
    elif kept.get("settings") != asdict(settings):
        raise ConfigError(
            f"{path} holds something that is not a demo with these settings: give another --path, "
            "or remove it."
        )


def _kept_in(path: Path) -> dict[str, Any]:
    """What a demo noted in this lab; empty if it is no lab or no demo."""
    if not (path / "lab.sqlite").is_file():
        return {}
    with PreferenceStore(path / "lab.sqlite") as store:
        kept: dict[str, Any] = store.get_setting("demo", {})
    return kept


def _free_name(path: Path) -> Path:
    """PATH.previous, or the next number that is free: nothing a person ranked there is deleted."""
    names = (path.with_name(f"{path.name}.previous{n}") for n in ("", *range(2, 10_000)))
    return next(name for name in names if not name.exists())
