"""A run of PPO steps that can be looped over, interrupted, and picked up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from tqdm.auto import tqdm

from rlhf_lab.errors import ConfigError, TrainingError
from rlhf_lab.store import PreferenceStore
from rlhf_lab.training.alarms import alarms
from rlhf_lab.training.checkpoints import Checkpoint, read_checkpoint
from rlhf_lab.training.config import PPOConfig
from rlhf_lab.training.listeners import Listeners
from rlhf_lab.training.ppo import PPOTrainer
from rlhf_lab.training.ppo_stats import PPOStats
from rlhf_lab.training.rollout import RolloutPrompt
from rlhf_lab.training.run_prompts import prompts_of_step
from rlhf_lab.training.run_samples import RunSamples
from rlhf_lab.training.versions import RunSoFar, VersionNote, VersionTree
from rlhf_lab.types import Alarm, Prompt, RunEnd, TrainingListener, Version


class MonitorHost(Protocol):
    """Who makes and shows monitors: the lab, as training knows no widgets."""

    def make(self, run: PPORun) -> object:
        """A widget that watches the run."""

    def has_page(self) -> bool:
        """Whether there is a page to show it on, as in a notebook."""

    def show(self, monitor: object) -> None:
        """Put it on the page."""


class PPORun:
    """PPO steps as an iterator; every whole step is on disk before it is yielded.

    However the loop ends (all steps done, `break`, `stop()`, Ctrl-C, a killed kernel), the last
    whole step becomes a new policy version.

    ```python
    for stats in lab.ppo(steps=8):
        print(stats)
        if stats.kl > 20:
            break
    ```
    """

    def __init__(
        self,
        trainer: PPOTrainer,
        tree: VersionTree,
        store: PreferenceStore,
        prompts: Sequence[Prompt],
        *,
        steps: int,
        earlier: Sequence[Alarm] = (),
        progress: bool = True,
        monitors: MonitorHost | None = None,
        name: str = "",
        before: RunSoFar | None = None,
    ) -> None:
        """Prepare a run; nothing is computed before the first step is asked for.

        Args:
            trainer: At the version that the run starts from.
            tree: Where versions come from and go.
            store: Where figures go.
            prompts: For training.
            steps: How many, with those made before.
            earlier: What is known to be alarming already.
            progress: Show a bar, or in a notebook the monitor.
            monitors: Who makes and shows that.
            name: By which what is kept can be found after a crash.
            before: What a run of this name came to before a crash.
        """
        self.steps = steps
        self.name = name
        self._made = before.steps if before else 0
        self.history: list[PPOStats] = []
        self.alarms: list[Alarm] = list(earlier)
        self.version: Version | None = before.version if before else None
        self._trainer = trainer
        self._tree = tree
        self._store = store
        self._prompts = sorted(prompts, key=lambda p: p.id)
        self._progress = progress
        self._stop = False
        self._start = tree.head("policy")
        self._reward = tree.head("reward")
        self._before = self._start.name if self._start else ""
        self._saved: set[Path] = set()  # steps of this run, by which it knows its versions
        self._chosen: list[Prompt] = []
        self._samples = RunSamples(store, before=self._before)
        # What listeners are told, kept for those that come later.
        self._listeners = Listeners()
        self._told = [(trainer.steps_done, alarm) for alarm in earlier]
        self._end: tuple[RunEnd, str] | None = None
        self._monitors = monitors
        self._monitor: object = None
        self._monitor_shown = False

    def stop(self) -> None:
        """End after the present step, from another cell's thread or a callback."""
        self._stop = True

    @property
    def config(self) -> PPOConfig:
        """Settings of every step."""
        return self._trainer.config

    @property
    def done(self) -> int:
        """Whole steps so far, with those that a run of this name made before a crash."""
        return self._made + len(self.history)

    @property
    def seconds(self) -> float:
        """How long the steps so far have taken."""
        return sum(stats.seconds for stats in self.history)

    @property
    def before(self) -> str:
        """Name of the version that the run started from."""
        return self._before

    def watch(self, listener: TrainingListener) -> PPORun:
        """Have a listener told what happens, and first what has happened so far."""
        if listener not in self._listeners:
            self._tell_so_far(listener)
            self._listeners.join(listener)
        return self

    def monitor(self) -> Any:  # noqa: ANN401 - a widget, whose type is above this layer
        """A live monitor for a notebook; `run()` shows it by itself.

        ```python
        run = lab.ppo(steps=8)
        display(run.monitor())
        for stats in run: ...
        ```

        Raises:
            ConfigError: the run was not made by a lab.
        """
        if self._monitors is None:
            raise ConfigError(
                "this run knows no monitor: make it with lab.ppo(...), or pass your own listener "
                "to run.watch(...)."
            )
        if self._monitor is None:
            self._monitor = self._monitors.make(self)
        return self._monitor

    def run(self, *, monitor: bool | None = None) -> PPORun:
        """Do all steps; Ctrl-C or the stop button ends early and keeps the whole steps.

        Args:
            monitor: Show a live monitor in a notebook, in the place of the progress bar; default:
                if the lab shows progress at all.
        """
        self._refuse_other_versions()
        wanted = self._progress if monitor is None else monitor
        try:
            if wanted and self._monitors is not None and self._monitors.has_page():
                self._monitors.show(self.monitor())
                self._monitor_shown = True
            for _ in self:
                pass
        except KeyboardInterrupt:
            print(f"Stopped: {self.done} of {self.steps} steps kept as {self._name()}.")  # noqa: T201
        finally:
            self._monitor_shown = False
        return self

    def __iter__(self) -> Iterator[PPOStats]:
        self._refuse_other_versions()
        self._take_up()
        bar = tqdm(
            total=self.steps,
            initial=self.done,
            desc="PPO",
            unit="step",
            disable=not self._progress or self._monitor_shown,
        )
        error: BaseException | None = None
        try:
            self._tree.ppo_is_running = True
            self._end = None
            self._listeners.started(done=self.done, total=self.steps)
            while self.done < self.steps and not self._stop:
                stats = self._step()
                if stats is None:
                    return
                bar.update()
                bar.set_postfix_str(f"score {stats.score:+.2f}, KL {stats.kl:.1f} nats")
                self._tell_step(stats)
                yield stats
        except BaseException as raised:
            error = raised
            raise
        finally:
            bar.close()
            self._keep_and_tell(error)

    def _keep_and_tell(self, error: BaseException | None) -> None:
        kept = False
        try:
            self._keep()
            kept = True
        except BaseException as raised:
            error = raised
            raise
        finally:
            # Not before: others who then find steps that are no version make them one.
            self._tree.ppo_is_running = False
            try:
                self._tell_end(error, kept=kept)
            finally:
                # Whoever stops a run may take it up again, perhaps without the monitor.
                self._stop = self._monitor_shown = False

    def _refuse_other_versions(self) -> None:
        """Let the run go on only from the versions that it left, or was made at.

        Raises:
            TrainingError: others are present; a PPO loop is under way.
            StoreError: steps that a run left cannot be made a version.
        """
        self._tree.refuse_while_ppo_runs()
        if self._tree.steps():  # which could not be kept when this run or another ended
            self._tree.finish_steps()
        self._find_version()
        heads = (self._tree.head("policy"), self._tree.head("reward"))
        present, left = (
            " and ".join(v.name for v in versions if v)
            for versions in (heads, (self._start, self._reward))
        )
        if present != left:
            raise TrainingError(
                f"this run {'stopped' if self.history else 'was made'} at {left}, and now {present}"
                f" are present: start a new run with lab.ppo(), or check out {left} first."
            )

    def _take_up(self) -> None:
        """Load what the run goes on from: other cells may have used the roles in between."""
        assert self._start
        assert self._reward
        self._trainer.model.load_state("reward", self._tree.load(self._reward).tensors["reward"])
        self._trainer.go_on_from(self._tree.load(self._start))

    def _tell_so_far(self, listener: TrainingListener) -> None:
        if self.history or self._end or self._tree.ppo_is_running:
            listener.started(done=self._made, total=self.steps)
        for done, stats in enumerate(self.history, start=self._made + 1):
            listener.add(stats.step, stats.as_metrics(), done=done)
        for step, alarm in self._told:
            listener.alarm(step, alarm)
        if self._end:
            listener.ended(*self._end)

    def _tell_step(self, stats: PPOStats) -> None:
        if not self._listeners:
            return
        self._listeners.add(stats.step, stats.as_metrics(), done=self.done)
        if sampled := self._trainer.latest:
            decode = self._trainer.model.chat.decode
            self._listeners.show_made(
                lambda: self._samples.of(self._chosen, sampled, decode, step=stats.step)
            )

    def _tell_alarms(self, step: int, found: Sequence[Alarm]) -> None:
        self.alarms += found
        for alarm in found:
            self._told.append((step, alarm))
            self._listeners.alarm(step, alarm)

    def _tell_end(self, error: BaseException | None, *, kept: bool) -> None:
        what = f"Kept as {self._name()}." if kept else "The whole steps are on disk, as no version."
        end: tuple[RunEnd, str] = "stopped", what
        if error is not None and not isinstance(error, GeneratorExit | KeyboardInterrupt):
            end = "failed", f"{type(error).__name__}: {error} {what}"
        elif self.done == self.steps:
            end = "finished", what
        self._end = end
        self._listeners.ended(*end)

    def _keep(self) -> None:
        """Make the last whole step a version; a loop that goes on later makes a child of it."""
        # Another run may yet write a step of the same name as one that was not written, or dropped.
        self._saved = {folder for folder in self._saved if folder.exists()}
        self._tree.finish_steps()
        self._find_version()

    def _find_version(self) -> None:
        """Which version the run has come to, whoever made it one: by its steps, not by its name."""
        if (version := self._tree.newest_of(self._saved)) is not None:
            self.version = self._start = version

    def _step(self) -> PPOStats | None:
        try:
            return self._step_to_disk()
        except BaseException:
            # What is not on disk did not happen: the model goes back to the last whole step.
            try:
                self._keep()
            finally:
                self._trainer.go_on_from(self._last_whole_step())
            raise

    def _last_whole_step(self) -> Checkpoint:
        """What the run has come to, be it a version by now or not."""
        if steps := self._tree.steps():
            return read_checkpoint(steps[0])
        assert self._start
        return self._tree.load(self._start)

    def _step_to_disk(self) -> PPOStats | None:
        name = self._tree.next_name("policy")
        self._trainer.begins = self._listeners.phase
        stats = self._trainer.step(self._rollout_prompts())
        if found := alarms([*self.history, stats]):
            self._tell_alarms(stats.step, found)
            if self._trainer.config.on_alarm == "return":
                self._return(found)
                return None
            self._write_alarms(found)
        tensors, state = self._trainer.state()
        state["figures"] = stats.as_metrics()  # for who finds the step before they are logged
        note = VersionNote(
            parent=self._start.name if self._start else None,
            trained_with=[self._reward.name] if self._reward else [],
            metrics={"steps": len(self.history) + 1, "score": stats.score, "kl": stats.kl},
            run=self.name,
            run_steps=self.done + 1,
        )
        # Noted first: an interrupt may come when the step is on disk and nobody has said so yet.
        self._saved.add(self._tree.step_folder(stats.step))
        self._tree.save_step(stats.step, Checkpoint(tensors=tensors, state=state), note)
        self._store.log_metrics("ppo", name, stats.step, stats.as_metrics())
        self.history.append(stats)
        return stats

    def _return(self, found: Sequence[Alarm]) -> None:
        """Go back to the last policy of this run that raised no alarm, else to where it started.

        A step's figures are those of the policy it started from, which the step before has made:
        neither of the two is kept.
        """
        if self._tree.steps():
            self._tree.drop_last_step()
            self.history.pop()
        steps = self._tree.steps()
        self._trainer.go_on_from(self._last_whole_step())
        self._write_alarms(found)
        assert self._start
        kept = f"step {self.history[-1].step}" if steps else self._start.name
        tqdm.write(f"on_alarm='return': the run ends and goes back to {kept}.")

    def _write_alarms(self, found: Sequence[Alarm]) -> None:
        if not self._monitor_shown:  # which has them already
            for alarm in found:
                tqdm.write(f"Alarm: {alarm}")

    def _rollout_prompts(self) -> list[RolloutPrompt]:
        trainer = self._trainer
        found = prompts_of_step(
            self._prompts, trainer.config, trainer.sampling.seed, trainer.steps_done
        )
        self._chosen = [prompt for prompt, _ in found]
        chat, room = trainer.model.chat, trainer.sampling.max_new_tokens
        return [RolloutPrompt(chat.encode(prompt, room=room), seeds) for prompt, seeds in found]

    def _name(self) -> str:
        return self.version.name if self.version else "no new version"

    def __repr__(self) -> str:
        state = f"{self.done} of {self.steps} steps"
        told = f", alarms: {', '.join(a.name for a in self.alarms)}" if self.alarms else ""
        return f"PPORun({state}, {self._name()}{told})"

    def _repr_html_(self) -> Any:  # noqa: ANN401 - IPython's protocol
        columns = ("step", "score", "kl", "entropy", "response_length", "ended", "clip_fraction")
        head = "".join(f"<th>{c.replace('_', ' ')}</th>" for c in columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{getattr(s, c):.3g}</td>" for c in columns) + "</tr>"
            for s in self.history
        )
        return f"<table><caption>{self._name()}</caption><tr>{head}</tr>{rows}</table>"
