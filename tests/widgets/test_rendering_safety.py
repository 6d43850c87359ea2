"""No text gets more into a page than the allowed elements, whatever it holds."""

import re
import time
from html.parser import HTMLParser

import nh3
import pytest

from rlhf_lab.widgets import rendering
from rlhf_lab.widgets.rendering import render_markdown
from tests.widgets.xss_corpus import CORPUS, NAMED, PAYLOADS

TAGS = rendering._TEXT_TAGS | rendering._MATH_TAGS
NAMES = {"class", "style", "dir"}.union(*rendering._ATTRIBUTES.values())
CLASSES = {"rw-md-link", "rw-md-url", "rw-md-image", "rw-md-math"}
ADDRESS = re.compile(r"(?:https?|mailto):[!-~]+")
# Where a text may stand in a longer one, and what may stand around it.
PLACES = (
    "{}",
    "> - {}",
    "**{}**",
    "[{}](https://a.example)",
    "| a |\n|---|\n| {} |",
    "x\n\n{}\n\ny",
)


class Elements(HTMLParser):
    """Every element and attribute of some HTML."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.others: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_comment(self, data):
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def check_harmless(html: str) -> None:
    found = Elements(html)
    assert found.tags <= TAGS
    assert found.others == []
    for name, value in found.attributes:
        assert name in NAMES
        assert name != "class" or set((value or "").split()) <= CLASSES
        assert name != "dir" or value == "auto"
        assert name != "data-url" or ADDRESS.fullmatch(value or "")
        assert name != "style" or value in {f"text-align:{s}" for s in ("left", "center", "right")}


@pytest.mark.parametrize("name", NAMED)
def test_a_hostile_text_becomes_harmless(name):
    for place in PLACES:
        check_harmless(render_markdown(place.format(NAMED[name])))


@pytest.mark.parametrize("kind", CORPUS)
def test_all_hostile_texts_of_a_kind_together_are_harmless(kind):
    check_harmless(render_markdown("\n\n".join(CORPUS[kind])))
    check_harmless(render_markdown("".join(CORPUS[kind])))


@pytest.mark.parametrize("name", NAMED)
def test_the_sanitiser_alone_is_enough(name):
    check_harmless(rendering._sanitise(NAMED[name]))


@pytest.mark.parametrize("name", NAMED)
def test_a_browser_reads_the_result_as_it_is_written(name):
    """Parsed and written again it is the same: nothing hides in what a parser would mend."""
    html = render_markdown(NAMED[name])
    assert rendering._sanitise(html) == html
    bare = nh3.clean(html, tags=TAGS, attributes={"*": NAMES}, url_schemes=set(), link_rel=None)
    assert Elements(bare).tags == Elements(html).tags


def test_the_check_itself_can_fail():
    for html in (
        "<script>x</script>",
        "<p onclick=x>",
        "<p id=x>",
        "<!-- -->",
        "<p class=rw-button>",
        "<span data-url='javascript:x'>",
        "<td style='position:fixed'>",
        "<ul dir=rtl>",
    ):
        with pytest.raises(AssertionError):
            check_harmless(html)


def test_the_corpus_is_large_and_says_nothing_twice():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 150


@pytest.mark.parametrize(
    "forged",
    [
        '<span class="rw-md-link" data-url="javascript:HIT()">x</span>',
        '<span data-url="https://a.example/ b">x</span>',
        '<span data-url="https://">x</span>',
        '<span data-url="https://[::1">x</span>',
        '<span data-url="//a.example">x</span>',
        '<span data-url="https://\u0430.example">x</span>',
        f'<span data-url="https://a.example/{"x" * 2000}">x</span>',
    ],
)
def test_no_forged_address_gets_through(forged):
    assert "data-url" not in rendering._sanitise(forged)


@pytest.mark.parametrize(
    "repeated",
    [
        *("http://a", "https://", "mailto:a@", "[a](https://b.c) ", "[", "![a", "](", "<", "&"),
        *("\\(", "\\[x", "$", "$x$ ", "$$x", "`", "*a ", "_", "~~", "|a", "> ", "- ", "1. "),
        *("\u202e", "a\u0300", "<!--", "&lt;", "www.a.", "x@y.", "\\", "\n", "\n\n\t", "(" * 50),
    ],
)
def test_repetition_does_not_exhaust_the_parser(repeated):
    text = (repeated * rendering.MAX_CHARACTERS)[: rendering.MAX_CHARACTERS - 1] + "x"
    start = time.process_time()
    assert render_markdown(text)
    # Most take a tenth of a second; quadratic time would be half a minute.
    assert time.process_time() - start < 10
