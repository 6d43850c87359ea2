"""What the present reward model thinks of responses that a person has just ranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from rlhf_lab.errors import NotEnoughData
from rlhf_lab.evaluation.evaluate import weights_as
from rlhf_lab.models import RoleModel, make_batch
from rlhf_lab.training.workbench import Workbench
from rlhf_lab.types import RankingItem


def reward_scorer(bench: Workbench) -> Callable[[RankingItem], Mapping[str, float]]:
    """Scores by response id, of whichever reward model is the present one when it is asked.

    Raises:
        NotEnoughData: there is none yet.
    """
    if bench.tree.head("reward") is None:
        raise NotEnoughData(
            "reveal=True without a reward model: rank some items without it, then "
            "lab.update_reward()."
        )
    bench.ready_model()  # loaded now, so that the first answer need not wait for it
    loaded: dict[str, Mapping[str, Tensor]] = {}  # the latest version asked

    def score(item: RankingItem) -> Mapping[str, float]:
        model = bench.ready_model()
        head = bench.tree.head("reward")
        assert head is not None  # there was one, and versions are never removed
        if head.name not in loaded:
            loaded.clear()
            loaded[head.name] = bench.tree.load(head).tensors["reward"]
        with weights_as(model, "reward", loaded[head.name]):
            found = item_scores(model, item)
        ids = (response.id for response in item.candidates)
        return dict(zip(ids, found, strict=True))

    return score


def item_scores(model: RoleModel, item: RankingItem) -> list[float]:
    """Of the reward role as it is, in standard deviations of the start's scores."""
    # An answer from elsewhere is text: what a policy that said it would have sampled.
    answers = [r.token_ids or model.chat.encode_answer(r.text) for r in item.candidates]
    prompt = model.chat.encode(item.prompt, room=max(map(len, answers)))
    batch = make_batch(
        [prompt] * len(answers),
        answers,
        pad_id=int(model.base.tokenizer.pad_token_id),
        device=model.base.device,
    )
    with model.role("reward") as role, model.dense.base():
        found = role.scores(batch)
    normalised: list[float] = model.head("reward").normalised(found).tolist()
    return normalised
