"""What an honest text says is all there, and understood."""

import re
from html import unescape

import pytest

from rlhf_lab.widgets.rendering import MAX_CHARACTERS, render_markdown
from tests.widgets.content_corpus import CORPUS


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


@pytest.mark.parametrize("name", CORPUS)
def test_a_text_is_understood(name):
    html = render_markdown(CORPUS[name].text)
    for part in CORPUS[name].shows:
        assert part in html


@pytest.mark.parametrize("name", set(CORPUS) - {"white space", "nothing"})
def test_no_word_of_a_text_is_lost(name):
    text = CORPUS[name].text[:MAX_CHARACTERS]
    if "\\" in text or "&" in text:  # commands and references are there as signs
        return
    bare = unescape(re.sub(r"<[^>]*>", " ", render_markdown(text)))
    written = re.sub(r"\]\([^)]*\)|``` *\w*|^ *\d+\.", "] ", text, flags=re.MULTILINE)
    assert set(words(written)) <= set(words(bare))
