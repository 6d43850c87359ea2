"""Honest texts of every kind that models write, and what a reader must find of them."""

# ruff: noqa: RUF001 - letters of other scripts are the point

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Content:
    """A text, and parts of the HTML that show it was understood."""

    text: str
    shows: tuple[str, ...]


_LONG_LINE: Final = "result = " + " + ".join(f"function_{n}(argument_{n})" for n in range(40))

TABLES = {
    "table": Content(
        "| way | new? | wins |\n|:----|:---:|----:|\n| `a \\| b` | yes | **b** |\n| x | no | 1.5 |",
        (
            '<th style="text-align:left">way</th>',
            '<td style="text-align:center">yes</td>',
            "<code>a | b</code>",
            '<td style="text-align:right"><strong>b</strong></td>',
        ),
    ),
    "table of 12 columns": Content(
        "|"
        + "|".join(f"column {n}" for n in range(12))
        + "|\n"
        + "|---" * 12
        + "|\n"
        + "|cell" * 12,
        ("<th>column 11</th>", "<td>cell</td>"),
    ),
    "table without edges": Content("a | b\n--|--\n1 | 2", ("<th>a</th>", "<td>2</td>")),
}

LISTS = {
    "nested lists": Content(
        "1. one\n   - a\n     - b\n       1. c\n         - d\n2. two\n\n   more of two",
        ("<p>one</p>\n<ul", "<li>b\n<ol", "<li>d</li>", "<p>more of two</p>"),
    ),
    "list from seven": Content("7. seven\n8. eight", ('start="7"', "<li>eight</li>")),
    "tasks": Content("- [ ] open\n- [x] done", ("[ ] open", "[x] done")),
    "list with code": Content(
        "- first:\n\n  ```py\n  x = 1\n  ```\n- second", ("<pre><code>x = 1", "second")
    ),
}

CODE = {
    "code with long lines": Content(f"```python\n{_LONG_LINE}\n```", (_LONG_LINE,)),
    "code with signs": Content(
        "```html\n<b>&amp; \"x\" 'y'</b>\n```",
        ("&lt;b&gt;&amp;amp; \"x\" 'y'&lt;/b&gt;",),
    ),
    "code in words": Content(
        "Use `a | b` and ``x ` y``.", ("<code>a | b</code>", "<code>x ` y</code>")
    ),
    "code without end": Content("```\nx = 1\n", ("<pre><code>x = 1",)),
    "tabs": Content("```\n\tif x:\n\t\ty\n```", ("<pre><code>\tif x:\n\t\ty",)),
}

FORMULAS = {
    "fraction": Content(r"$\frac{a+1}{\sqrt[3]{b}}$", ("<mfrac>", "<mroot>")),
    "sum": Content(
        "$$\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}$$", ("<munderover>", 'display="block"')
    ),
    "integral": Content(r"\[\int_0^\infty e^{-x^2}\,dx\]", ("<msubsup>", "∞")),
    "matrix": Content(
        r"$\begin{pmatrix} a & b \\ c & d \end{pmatrix}$", ("<mtable>", "<mtd><mi>d</mi></mtd>")
    ),
    "cases": Content(
        "$$f(x) = \\begin{cases} 1 & x > 0 \\\\ 0 & \\text{else} \\end{cases}$$",
        ("<mtable", "<mtext>else</mtext>"),
    ),
    "aligned": Content(
        "$$\\begin{aligned} a &= b + c \\\\ &= d \\end{aligned}$$", ("<mtable", "<mi>d</mi>")
    ),
    "Greek and signs": Content(
        r"$\alpha \le \beta \ne \Gamma \in \mathbb{R} \to \infty$", ("α", "≤", "≠", "Γ", "∈", "→")
    ),
    "accents": Content(r"$\hat{x} + \bar{y} + \vec{v} + \overline{ab}$", ("<mover",)),
    "fences": Content(r"$\left( \frac{1}{2} \right]$", ("<mfrac>", "(", "]")),
    "aligned by hand": Content(
        r"\[\begin{alignedat}{2} a &= b \\ c &= d \end{alignedat}\]", ("<mtable", "<mi>d</mi>")
    ),
    "argmin": Content(r"$\operatorname*{argmin}_x f$", ("<msub", "<mi>x</mi>")),
    "binomial": Content(r"$\binom{n}{k}$", ("<mfrac", "<mi>n</mi>")),
    "limit": Content(r"$\lim_{x \to 0} \frac{\sin x}{x} = 1$", ("lim", "sin")),
    "units": Content(r"$3.5\,\mathrm{kg}$", ("3.5", "k")),
    "formula in a list": Content("1. $x^2$\n2. $y_1$", ("<msup>", "<msub>")),
    "formula in a table": Content("| a |\n|---|\n| $x^2$ |", ("<td><span", "<msup>")),
    "half a formula": Content(r"so $\frac{1$ ends", ('<code class="rw-md-math">', r"\frac{1")),
    "unknown command": Content(r"$\notacommand{x}$", (r"notacommand",)),
    "money": Content("It costs $5, then $6.", ("It costs $5, then $6.",)),
}

SCRIPTS = {
    "Arabic": Content(
        "# عنوان\n\nهذا نص **مهم** مع `code`.\n\n- أول\n- ثان", ("<h1>عنوان</h1>", "أول")
    ),
    "Hebrew and English": Content(
        "המילה dictionary פירושה מילון (3.9).", ("המילה dictionary פירושה מילון (3.9).",)
    ),
    "Chinese": Content(
        "合并字典有**三种方法**:\n\n1. 更新\n2. 解包", ("<strong>三种方法</strong>", "解包")
    ),
    "Japanese": Content(
        "辞書を結合するには、`update`を使います。", ("<code>update</code>を使います。",)
    ),
    "Korean": Content("두 사전을 합칩니다.", ("두 사전을 합칩니다.",)),
    "Devanagari": Content("दो शब्दकोश मिलाएँ", ("दो शब्दकोश मिलाएँ",)),
    "Thai": Content("รวมพจนานุกรมสองเล่ม", ("รวมพจนานุกรมสองเล่ม",)),
    "Vietnamese, decomposed": Content("Tie\u0302\u0301ng Vie\u0323\u0302t", ("Tie\u0302\u0301ng",)),
    "emoji": Content(
        "Yes 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 ❤️", ("👍🏽", "👩\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈")
    ),
    "beyond the first plane": Content("𝒜 𐍈 𠜎", ("𝒜 𐍈 𠜎",)),
}

LONG = {
    "100 kB of words": Content("word " * 20_000, ("word word",)),
    "100 kB of one word": Content("w" * 100_000, ("w" * 1_000,)),
    "100 kB of paragraphs": Content("A paragraph of a text.\n\n" * 4_100, ("<p>A paragraph",)),
    "100 kB of code": Content("```\n" + "x = 1  # a line\n" * 6_000 + "```", ("x = 1  # a line",)),
    "100 kB of a table": Content("|a|b|\n|-|-|\n" + "|one|two|\n" * 9_000, ("<td>two</td>",)),
    "100 kB of Chinese": Content("合并字典" * 25_000, ("合并字典",)),
    "more than is shown": Content("x" * 250_000, ("Cut here: 150,000 more characters.",)),
}

MARKUP = {
    "headings": Content("# 1\n## 2\n### 3\n#### 4", ("<h1>1</h1>", "<h4>4</h4>")),
    "emphasis": Content(
        "*a* **b** ***c*** ~~d~~", ("<em>a</em>", "<strong>b</strong>", "<s>d</s>")
    ),
    "quotes": Content("> a\n> > b", ("<blockquote", "<p>b</p>")),
    "rule and break": Content("a  \nb\n\n---\n\nc", ("<br>", "<hr>")),
    "entities": Content("&copy; &amp; &lt;b&gt; AT&T", ("© &amp; &lt;b&gt; AT&amp;T",)),
    "a tag as text": Content("Use <div> for it.", ("Use &lt;div&gt; for it.",)),
    "a link": Content(
        "[docs](https://docs.example/a) or https://b.example.",
        ('data-url="https://docs.example/a"', 'data-url="https://b.example"'),
    ),
    "an image": Content("![a cat](cat.png)", ("[image: a cat]",)),
    "nothing": Content("", ()),
    "white space": Content(" \n\t\n ", ()),
}

CORPUS: dict[str, Content] = {
    **TABLES,
    **LISTS,
    **CODE,
    **FORMULAS,
    **SCRIPTS,
    **MARKUP,
    **LONG,
}
