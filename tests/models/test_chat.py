from __future__ import annotations

import copy

import pytest

from rlhf_lab.errors import PromptError
from rlhf_lab.models import ChatTokens, RoleModel
from rlhf_lab.types import Message, Prompt
from tests.tiny import prompt


def test_an_encoded_prompt_ends_where_the_answer_begins(model: RoleModel):
    ids = model.chat.encode(prompt("Tea?"))
    text = model.base.tokenizer.decode(ids)
    assert text == "<|im_start|>user\nTea?<|im_end|>\n<|im_start|>assistant\n"


def test_system_messages_reach_the_template(model: RoleModel):
    ids = model.chat.encode(prompt("Tea?").with_system("Be brief."))
    assert "system\nBe brief.<|im_end|>" in model.base.tokenizer.decode(ids)


def test_a_prompt_fills_the_context_to_the_last_token_but_not_beyond(model: RoleModel):
    around = len(model.chat.encode(prompt("x"))) - 1
    fits = prompt("x" * (512 - around - 8))
    assert len(model.chat.encode(fits, room=8)) == 504
    with pytest.raises(PromptError) as caught:
        model.chat.encode(fits, room=9)
    message = str(caught.value)
    assert "504 tokens" in message
    assert "9 for the answer" in message
    assert "context of 512" in message
    assert "shorten it" in message


def test_decoding_drops_the_end_token_and_surrounding_space(model: RoleModel):
    tokenizer = model.base.tokenizer
    ids = [*tokenizer.encode(" Yes, é! ", add_special_tokens=False), tokenizer.eos_token_id]
    assert model.chat.decode(ids) == "Yes, é!"


def test_the_stop_token_is_found_in_the_template_when_no_setting_names_it(model: RoleModel):
    tokenizer = copy.deepcopy(model.base.tokenizer)
    end = tokenizer.eos_token_id
    tokenizer.eos_token = "<|blank|>"
    blank = tokenizer.eos_token_id
    assert blank != end
    assert ChatTokens(tokenizer, context=512).stop_ids == {blank, end}


@pytest.mark.parametrize(("eos", "further"), [(None, set()), (7, {7}), ([7, 8], {7, 8})])
def test_stop_tokens_of_the_generation_settings_are_added(model: RoleModel, eos, further):
    tokenizer = model.base.tokenizer
    chat = ChatTokens(tokenizer, context=512, eos=eos)
    assert chat.stop_ids == {tokenizer.eos_token_id, *further}


def test_a_template_that_ends_turns_with_plain_text_adds_no_stop_token(model: RoleModel):
    tokenizer = copy.deepcopy(model.base.tokenizer)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] + 'zz' }}{% endfor %}"
    assert ChatTokens(tokenizer, context=512).stop_ids == {tokenizer.eos_token_id}


def test_chats_of_several_turns_are_encoded_whole(model: RoleModel):
    turns = (("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"))
    chat = Prompt(messages=tuple(Message(role=r, content=c) for r, c in turns))
    text = model.base.tokenizer.decode(model.chat.encode(chat))
    assert text.count("<|im_end|>") == 3
    assert text.endswith("user\nBye<|im_end|>\n<|im_start|>assistant\n")
