"""The page that says what became of a lab, made of what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.lab.holding import LabModel
from rlhf_lab.store import PreferenceStore, baseline_of, line_of, log_scores, response_scores
from rlhf_lab.types import START, Alarm, Annotator

if TYPE_CHECKING:
    from rlhf_lab.evaluation import EvalReport
    from rlhf_lab.evaluation.report import LabReport
    from rlhf_lab.evaluation.trust import TrustReport
    from rlhf_lab.training.ppo_stats import PPOStats
    from rlhf_lab.training.workbench import Workbench

NAME = "report.html"


class LabReports(LabModel):
    """The part of a lab that is sent around.

    Attributes:
        seed: Of everything random in this lab.
    """

    seed: int

    def report(
        self,
        path: str | Path | None = None,
        *,
        evaluations: EvalReport | Sequence[EvalReport] = (),
        judge: Annotator | None = None,
        trust: TrustReport | None = None,
        scores: bool | None = None,
        names: bool = False,
        title: str | None = None,
        date: datetime | None = None,
    ) -> LabReport:
        """Write one HTML page that says whether it got better, and how far to believe it.

        ```python
        lab.evaluate()
        lab.report()                                          # <lab>/report.html
        lab.report("out.html", trust=lab.trust(), names=True)
        ```

        The page needs no network, no script and no other file. It shows prompts and answers: read
        it before you send it. Equal labs give equal bytes.

        Args:
            path: Default: `report.html` in the lab directory; replaced if it exists.
            evaluations: What `lab.evaluate` returned, for the names of its judges; those of the
                present policy against its start count.
            judge: Compares the stored answers of the last evaluation; default: the rubric, where
                no evaluation is handed in.
            trust: As from `lab.trust`; default: ROUGE, BLEU and length, which need no model.
            scores: Ask the reward model what it gives the answers shown, and keep that: True loads
                the model, None asks it if it is loaded. What was kept before is shown anyway.
            names: Call annotators by their names; otherwise they are numbered.
            title: Default: the name of the lab's directory.
            date: Default: of the newest thing in the lab.

        Raises:
            NotEnoughData: scores=True without a reward model.
            JudgmentError: the judge did not rank the two responses it was shown.
            LabInUse: scores are asked for and another process does model work; names it.
            OSError: the file cannot be written.
        """
        from rlhf_lab.evaluation.report import write_report

        if scores or (scores is None and self._is_loaded()):
            _keep_scores(self._bench, self.store, is_wanted=bool(scores), progress=self.progress)
        reward = _reward_of(self.store)
        return write_report(
            self.store,
            path or self.path / NAME,
            title=title or self.path.name,
            folder=self.path,
            evaluations=evaluations if isinstance(evaluations, Sequence) else [evaluations],
            judge=judge,
            scores=response_scores(self.store, reward),
            reward=reward,
            trust=trust,
            alarms=_ppo_alarms(self.store),
            names=names,
            date=date,
            seed=self.seed,
        )

    def _is_loaded(self) -> bool:
        return "_bench" in self.__dict__ and "model" in self._bench.__dict__


def _present(store: PreferenceStore) -> str:
    return str(store.get_setting("head.policy") or START)


def _reward_of(store: PreferenceStore) -> str:
    """The reward version the present policy was trained with, else the present one; "" for none."""
    names = {version.name: version for version in store.versions()}
    policy = names.get(_present(store))
    trained_with = [n for n in (policy.trained_with if policy else ()) if n.startswith("reward@")]
    return trained_with[0] if trained_with else str(store.get_setting("head.reward") or "")


def _keep_scores(
    bench: Workbench, store: PreferenceStore, *, is_wanted: bool, progress: bool
) -> None:
    """Score the answers of the evaluation that have no reward yet.

    Raises:
        NotEnoughData: they are wanted, and there is no reward model.
    """
    from rlhf_lab.evaluation.judges.reward import RewardJudge
    from rlhf_lab.evaluation.report.winning import answered

    present = _present(store)
    baseline = baseline_of(store, present)
    reward, state = bench.reward_of_policy()
    if reward is None:
        if is_wanted:
            raise NotEnoughData(
                "scores=True without a reward model: rank some items and lab.update_reward(), or "
                "leave it out."
            )
        return
    kept = response_scores(store, reward)
    pairs = answered(store, present, baseline) if baseline != present else ()
    missing = [
        (pair.prompt, [response])
        for pair in pairs
        for response in (pair.before, pair.after)
        if response.id not in kept
    ]
    if not missing:
        return
    judge = RewardJudge(bench.ready_model(), state, name=reward, progress=progress)
    found = judge.scores(missing)
    ids = [responses[0].id for _, responses in missing]
    log_scores(store, reward, dict(zip(ids, found, strict=True)))


def _ppo_alarms(store: PreferenceStore) -> list[Alarm]:
    """Of the runs that led to the present policy: of each kind the last, with its step."""
    from rlhf_lab.training.alarms import alarms

    if _present(store) not in {version.name for version in store.versions()}:
        return []
    found: dict[str, Alarm] = {}
    for version in [*line_of(store, _present(store))][::-1]:
        history = [
            _stats(row.values)
            for row in sorted(store.metrics("ppo", version.name), key=lambda row: row.step)
        ]
        whole = [stats for stats in history if stats is not None]
        for step in range(1, len(whole) + 1):
            for alarm in alarms(whole[:step]):
                told = f"{version.name}, step {whole[step - 1].step}: {alarm.message}"
                found[alarm.name] = Alarm(alarm.name, told)
    return list(found.values())


def _stats(kept: Mapping[str, float]) -> PPOStats | None:
    """A step as it was; None if it was logged by another release, with other figures."""
    from rlhf_lab.training.ppo_stats import PPOStats

    none = dict.fromkeys(PPOStats.__dataclass_fields__)
    values = {**none, **{name: kept[name] for name in none if name in kept}}
    looked_at = ("kl", "entropy", "response_length", "step")
    if any(values[name] is None for name in looked_at):
        return None
    return PPOStats(**{**values, "step": int(kept["step"])})  # type: ignore[arg-type]
