"""Rendering keeps what a text says and nothing that it could do."""

from html.parser import HTMLParser

import pytest

from rlhf_lab.widgets import rendering
from rlhf_lab.widgets.rendering import render_markdown

ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<img src='http://evil.example/pixel.png'>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text x=20 y=20>x</text></a></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)></object>",
    "<embed src=javascript:alert(1)>",
    "<form action=javascript:alert(1)><button>go</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<body onload=alert(1)>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; body{display:none}</style>",
    "<div style='position:fixed;inset:0;background:url(//evil.example)'>x</div>",
    "<a href=javascript:alert(1)>click</a>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 "
    "onerror=alert(1)&gt;'>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)></annotation-xml>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?php echo 1 ?><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt&#58;alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](vbscript:msgbox(1))",
    "[click](https://evil.example/ 'x\" onmouseover=\"alert(1)')",
    '[click](<https://evil.example/"><img/src=x onerror=alert(1)>)',
    "![x](https://evil.example/pixel.png)",
    '![x"><img src=x onerror=alert(1)>](https://evil.example/pixel.png)',
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "<https://evil.example/><img src=x onerror=alert(1)>",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    '```"><img src=x onerror=alert(1)>\ncode\n```',
    "```html\n<script>alert(1)</script>\n```",
    "`<img src=x onerror=alert(1)>`",
    "| <img src=x onerror=alert(1)> |\n|---|\n| <script>alert(1)</script> |",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\text{</mtext><script>alert(1)</script>}$",
    r"$\text{&lt;img src=x onerror=alert(1)&gt;}$",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\url{javascript:alert(1)}$",
    r"$\style{background:url(//evil.example)}{x}$",
    r"$\class{x\" onclick=\"alert(1)}{x}$",
    r"$\unicode{<img src=x onerror=alert(1)>}$",
    r"\(\mathrm{<svg onload=alert(1)>}\)",
    "$$\n</math><img src=x onerror=alert(1)>\n$$",
    "\x00<scr\x00ipt>alert(1)</script>",
    "\ud800<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
]

ALLOWED_ATTRIBUTES = {"class", "style"}.union(*rendering._ATTRIBUTES.values())


class Elements(HTMLParser):
    """Every element and attribute of some HTML."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("around", ["{}", "> - {}", "**{}**"], ids=["bare", "quoted", "bold"])
def test_an_attack_becomes_harmless_text(attack, around):
    found = Elements(render_markdown(around.format(attack)))
    assert found.tags <= rendering._TEXT_TAGS | rendering._MATH_TAGS
    for name, value in found.attributes:
        assert name in ALLOWED_ATTRIBUTES
        assert name != "style" or value in {f"text-align:{s}" for s in ("left", "center", "right")}
        assert name != "class" or set((value or "").split()) <= {
            "rw-md-url",
            "rw-md-image",
            "rw-md-math",
        }


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_the_sanitiser_alone_is_enough(attack):
    found = Elements(rendering._sanitise(attack))
    assert found.tags <= rendering._TEXT_TAGS | rendering._MATH_TAGS
    assert {name for name, _ in found.attributes} <= ALLOWED_ATTRIBUTES


def test_tags_in_a_text_are_shown_as_text():
    assert render_markdown("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"


def test_markdown_keeps_its_structure():
    html = render_markdown(
        "# T\n\n*a* **b** ~~c~~\n\n3. x\n\n```py\nif a < b:\n```\n\n|a|\n|-:|\n|1|"
    )
    for part in (
        "<h1>T</h1>",
        "<em>a</em> <strong>b</strong> <s>c</s>",
        '<ol start="3">',
        "if a &lt; b:\n</code></pre>",
        '<td style="text-align:right">1</td>',
    ):
        assert part in html


def test_a_link_is_its_label_and_its_address_as_text():
    html = render_markdown("See [the docs](https://docs.example/a?b=1&c=2).")
    assert "<a" not in html
    assert 'the docs <span class="rw-md-url">(https://docs.example/a?b=1&amp;c=2)</span>' in html


def test_an_address_alone_is_not_shown_twice():
    assert render_markdown("<https://docs.example>") == "<p>https://docs.example</p>\n"


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


def test_code_is_not_math():
    assert "<math" not in render_markdown("`$x$` and `\\(x\\)`")


def test_a_very_long_text_is_cut_and_says_so():
    html = render_markdown("x" * (rendering.MAX_CHARACTERS + 1234))
    assert len(html) < rendering.MAX_CHARACTERS + 200
    assert "Cut here: 1,234 more characters." in html


@pytest.mark.parametrize("start", ["> ", "- ", "*", "[", "(", "`", "$", "|", "\\("])
def test_repetition_does_not_exhaust_the_parser(start):
    assert render_markdown(start * 3000)


def test_an_empty_text_is_empty():
    assert render_markdown("") == ""
