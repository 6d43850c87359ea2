"""Rendering keeps what a text says; that nothing else comes through is `test_rendering_safety`."""

import pytest

from rlhf_lab.widgets import rendering
from rlhf_lab.widgets.rendering import render_markdown


def test_tags_in_a_text_are_shown_as_text():
    assert render_markdown("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"


def test_markdown_keeps_its_structure():
    html = render_markdown(
        "# T\n\n*a* **b** ~~c~~\n\n3. x\n\n```py\nif a < b:\n```\n\n|a|\n|-:|\n|1|"
    )
    for part in (
        "<h1>T</h1>",
        "<em>a</em> <strong>b</strong> <s>c</s>",
        '<ol start="3" dir="auto">',
        "if a &lt; b:\n</code></pre>",
        '<td style="text-align:right">1</td>',
    ):
        assert part in html


LINK = '<span class="rw-md-link" data-url="{}">{}</span>'


def test_a_link_is_its_label_and_its_address_as_text_and_no_link():
    html = render_markdown("See [the *docs*](https://docs.example/a?b=1&c=2).")
    address = "https://docs.example/a?b=1&amp;c=2"
    label = LINK.format(address, "the <em>docs</em>")
    assert html == f'<p>See {label} <span class="rw-md-url">({address})</span>.</p>\n'


@pytest.mark.parametrize("source", ["<https://docs.example>", "https://docs.example"])
def test_an_address_alone_is_not_shown_twice(source):
    shown = LINK.format("https://docs.example", "https://docs.example")
    assert render_markdown(source) == f"<p>{shown}</p>\n"


def test_a_label_that_says_nothing_is_the_address():
    assert render_markdown("[](https://a.example)") == (
        f"<p>{LINK.format('https://a.example', 'https://a.example')}</p>\n"
    )


def test_an_address_alone_is_shown_as_written_and_opens_as_a_browser_reads_it():
    html = render_markdown("https://ж.example/é")
    assert LINK.format("https://xn--f1a.example/%C3%A9", "https://ж.example/é") in html


@pytest.mark.parametrize("address", ["/a", "#a", "ftp://a.example", "tel:1", "https://", "a.html"])
def test_what_is_neither_a_site_nor_a_mail_address_cannot_be_opened(address):
    html = render_markdown(f"[x]({address})")
    assert html == f'<p>x <span class="rw-md-url">({address})</span></p>\n'


@pytest.mark.parametrize("text", ["rlhf.py", "a.example", "me@a.example", "192.0.2.1"])
def test_only_what_is_written_out_is_an_address(text):
    assert render_markdown(text) == f"<p>{text}</p>\n"


def test_very_many_addresses_are_text():
    text = "https://a.example " * (rendering.MAX_ADDRESSES + 1)
    assert "data-url" not in render_markdown(text)


def test_an_image_is_its_description():
    html = render_markdown("![a cat](https://evil.example/cat.png)")
    assert html == '<p><span class="rw-md-image">[image: a cat]</span></p>\n'


@pytest.mark.parametrize("source", [r"$\frac{a}{b}$", r"\(\frac{a}{b}\)"])
def test_math_between_dollars_or_brackets_becomes_mathml(source):
    html = render_markdown(f"So {source}.")
    assert '<math display="inline">' in html
    assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in html


@pytest.mark.parametrize("source", ["$$\nx^2\n$$", "\\[\nx^2\n\\]", "so $$x^2$$ it is"])
def test_display_math_is_a_block(source):
    assert '<math display="block">' in render_markdown(source)


def test_signs_in_math_are_the_signs_themselves():
    html = render_markdown(r"$a < b \leq c$")
    assert "<mo>&lt;</mo>" in html
    assert "<mo>≤</mo>" in html


def test_text_in_math_is_text():
    html = render_markdown(r"$\text{if <b>}$")
    assert "<mtext>if&nbsp;&lt;b&gt;</mtext>" in html


def test_money_is_not_math():
    assert render_markdown("It costs $5 and $6.") == "<p>It costs $5 and $6.</p>\n"


@pytest.mark.parametrize("source", [r"$\frac{$", r"$\begin{matrix}$", "$" + "x+" * 2000 + "x$"])
def test_math_that_cannot_be_shown_is_shown_as_source(source):
    assert '<code class="rw-md-math">' in render_markdown(source)


def test_a_formula_between_brackets_ends_soon_or_is_none():
    text = f"\\({'x' * rendering.MAX_FORMULA}\\)"
    assert "<math" not in render_markdown(text)


def test_lists_quotes_and_tables_run_as_their_text_does():
    html = render_markdown("- שלום\n\n> مرحبا\n\n1. x\n\n|א|\n|-|\n|ב|")
    for tag in ("ul", "blockquote", "ol", "table"):
        assert f'<{tag} dir="auto">' in html


@pytest.mark.parametrize("around", ["`{}`", "```\n{}\n```", "    {}"])
def test_marks_that_reorder_code_are_shown(around):
    html = render_markdown(around.format("a\u202eb\u2066c"))
    assert "a⟦U+202E⟧b⟦U+2066⟧c" in html


def test_code_is_not_math():
    assert "<math" not in render_markdown("`$x$` and `\\(x\\)`")


def test_a_very_long_text_is_cut_and_says_so():
    html = render_markdown("x" * (rendering.MAX_CHARACTERS + 1234))
    assert len(html) < rendering.MAX_CHARACTERS + 200
    assert "Cut here: 1,234 more characters." in html


def test_an_empty_text_is_empty():
    assert render_markdown("") == ""
