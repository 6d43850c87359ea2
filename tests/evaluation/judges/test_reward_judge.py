from __future__ import annotations

import pytest
import torch

from rlhf_lab.errors import ConfigError
from rlhf_lab.evaluation.judges import RewardJudge, rank_many
from rlhf_lab.models import make_batch
from rlhf_lab.types import Response
from tests.evaluation.judges.endpoints import answers
from tests.tiny import TEXTS, load_tiny, prompt, same, stir


@pytest.fixture(scope="module")
def model(tiny_folder):
    model = load_tiny(tiny_folder)
    stir(model, "reward")
    model.head("reward").mean.fill_(0.25)
    model.head("reward").scale.fill_(0.5)
    return model


def items():
    said = ["It scatters light.", "Yes!", "I do not know, and that for many reasons.", "No"]
    return [(p, answers(p, *said[: 2 + n])) for n, p in enumerate(map(prompt, TEXTS))]


def alone(model, question, response) -> float:
    tokens = response.token_ids or model.chat.encode_answer(response.text)
    batch = make_batch([model.chat.encode(question)], [tokens], pad_id=0)
    with model.role("reward") as role:
        return (role.scores(batch).item() - 0.25) / 0.5


def test_scores_in_batches_are_those_of_each_alone(model):
    asked = items()
    expected = [alone(model, p, c) for p, found in asked for c in found]
    assert len(set(expected)) == len(expected)
    scores = RewardJudge(model, batch_size=4).scores(asked)
    torch.testing.assert_close(torch.tensor(scores), torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_it_ranks_by_score_and_ties_what_is_nearer_than_the_width(model):
    question, candidates = items()[2]
    scores = {c.id: alone(model, question, c) for c in candidates}
    order = sorted(scores, key=lambda i: -scores[i])
    assert RewardJudge(model).rank(question, candidates).response_ids == tuple(order)
    wide = scores[order[0]] - scores[order[-1]] + 1e-3
    assert len(RewardJudge(model, tie_width=wide).rank(question, candidates).tiers) == 1
    assert len(rank_many(RewardJudge(model), items())) == 3


def test_tokens_that_were_sampled_are_scored_as_they_are(model):
    question, (given, _) = items()[0]
    ids = (*model.base.tokenizer.encode("Never mind"), model.base.tokenizer.eos_token_id)
    sampled = Response(
        id="s", prompt_id=question.id, text="Never mind", token_ids=ids, version="policy@0"
    )
    [score, _] = RewardJudge(model).scores([(question, [sampled, given])])
    assert score == pytest.approx(alone(model, question, sampled), rel=1e-4)


def test_weights_of_a_version_are_in_the_model_only_while_it_is_asked(model):
    present = model.state("reward")
    other = {k: v + 0.05 for k, v in present.items()}
    before = RewardJudge(model).scores(items())
    with_other = RewardJudge(model, other, name="reward@2")
    assert with_other.scores(items()) != before
    assert same(model.state("reward"), present)
    assert with_other.name == "reward@2"


def test_settings_are_refused_where_they_are_made(model):
    with pytest.raises(ConfigError, match="batch_size=0"):
        RewardJudge(model, batch_size=0)
