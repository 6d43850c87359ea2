"""What people write for a lab, and where its policies start from: no model, no torch."""

from __future__ import annotations

from rlhf_lab.annotators import RubricAnnotator
from rlhf_lab.annotators.queue import submission_id
from rlhf_lab.errors import NotEnoughData, StoreError
from rlhf_lab.lab.team import LabTeam
from rlhf_lab.store import read_prompts, start_of
from rlhf_lab.types import START, Demonstration, Prompt, Response


class LabDemonstrations(LabTeam):
    """The part of a lab that learns from answers which people wrote."""

    def demonstrate(self, prompt: str | Prompt, text: str, *, annotator: str = "me") -> bool:
        """Keep an answer as a person would like it, to be learned from by `sft`.

        Many at once come in by `import_`, as rows with a prompt and a completion; in `rank()` a
        response can be edited into one. The same one twice is one.

        Args:
            prompt: One of the lab's, its id, or the text of one; a new one is added.
            text: What the policy should have said.
            annotator: Who wrote it.

        Returns:
            Whether it is new.

        Raises:
            JudgmentError: it has no text.
            PromptError: the prompt has none.
        """
        asked = self._prompt_to_answer(prompt)
        return self.store.add_demonstration(
            Demonstration(
                id=submission_id("demonstration", annotator, asked.id, text),
                prompt_id=asked.id,
                text=text,
                annotator=annotator,
            )
        )

    def annotate_demonstrations(self, annotator: RubricAnnotator | None = None) -> int:
        """Let a simulated annotator edit responses into demonstrations, one for each prompt.

        Of the present policy's candidates it takes the best and cuts it where that helps. Prompts
        that somebody wrote a demonstration for are left alone, so it may be run twice.

        Args:
            annotator: Default: the built-in rubric without noise.

        Returns:
            How many it made.

        Raises:
            NotEnoughData: the present policy has answered no prompt.
            JudgmentError: all responses to a prompt are empty.
        """
        annotator = annotator or RubricAnnotator()
        version = str(self.store.get_setting("head.policy", START))
        candidates: dict[str, list[Response]] = {}
        for response in self.store.responses(version=version):
            if response.purpose == "candidate":
                candidates.setdefault(response.prompt_id, []).append(response)
        if not candidates:
            raise NotEnoughData(
                f"{version} has answered no prompt: generate some first, with lab.generate()."
            )
        done = {demonstration.prompt_id for demonstration in self.store.demonstrations()}
        return sum(
            self._keep_edited(annotator, self.store.prompt(prompt_id), answers)
            for prompt_id, answers in candidates.items()
            if prompt_id not in done
        )

    def _keep_edited(
        self, annotator: RubricAnnotator, prompt: Prompt, answers: list[Response]
    ) -> bool:
        edited = annotator.demonstrate(prompt, answers)
        return self.store.add_demonstration(
            Demonstration(
                id=submission_id("demonstration", annotator.name, prompt.id, edited.text),
                prompt_id=prompt.id,
                text=edited.text,
                annotator=annotator.name,
                edited_from=edited.edited_from,
            )
        )

    def _prompt_to_answer(self, prompt: str | Prompt) -> Prompt:
        if isinstance(prompt, str):
            try:
                return self.store.prompt(prompt)
            except StoreError:
                pass
        (found,) = read_prompts([prompt])
        self.store.add_prompts([found])
        return found

    @property
    def start(self) -> str:
        """The policy that the present one is measured from: "policy@0", or what `sft` made."""
        present = self.store.get_setting("head.policy")
        return START if present is None else start_of(self.store, str(present)).name
