"""Model text is shown as its author meant it, and can do nothing."""

import re
import time

import pytest

from curation.rendering import LONGEST, conversation, markdown, render

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    '![x](x" onerror="alert(1))',
    "![<script>](javascript:alert(1))",
    "$\\text{<script>alert(1)</script>}$",
    "$$\\href{javascript:alert(1)}{x}$$",
    "$<img src=x onerror=alert(1)>$",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\ncode\n```',
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href='x' style='position:fixed'>x</a>",
    "<iframe src=//evil.example></iframe>",
    "| a |\n|---|\n| <b onclick=x>y</b> |",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_a_text_runs(attack: str) -> None:
    made = render(attack)
    tags = re.findall(r"<[^>]*>", made)
    assert not any(re.match(r"</?(script|img|svg|iframe|style|object|form|input)", tag, re.I) for tag in tags), made
    assert not any(re.search(r"\son\w+\s*=|style\s*=|javascript:|data:", tag, re.I) for tag in tags), made


def test_mathematics_becomes_mathml() -> None:
    assert "<mfrac>" in markdown(r"Half is $\frac{1}{2}$.")
    assert 'display="block"' in markdown("$$\n\\sum_{i=1}^n i\n$$")
    assert "<msup>" in markdown(r"By \(a^2 + b^2\) and" + "\n\n" + r"\[ c^2 \]")


def test_prices_are_not_mathematics() -> None:
    assert "<math" not in markdown("It costs $5 and not $10.")


def test_wrong_latex_stays_readable() -> None:
    assert "\\frac{" in markdown(r"$\frac{1$") or "frac" in markdown(r"$\frac{1$")


def test_mathematics_inside_code_is_code() -> None:
    assert "<math" not in markdown("```\n\\(x\\) and $y$\n```") and "<math" not in markdown(r"`\(x\)`")


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("so\n\\[\na\n\n+ b\n\\]\nand", 1),
        ("1. so\n   \\[ a \\]\n   and\n   \\[\n   b \\\\[2pt] c\n   \\]", 2),
        ("> \\[\n> a\n> \\]", 1),
        ("so \\[ a \\], or\n\\[ b \\].", 2),
        ("- \\[ a \\]", 1),
        ("so $$a$$ and\n\n$$\nb\n$$ (1)", 2),
        (r"\\[ a \\] and \\( b \\)", 0),
        ("\\[ a\n\n- b\n\nc", 0),
        (r"\[ \] and \( \) and \[a and \(b", 0),
        ("- \\[ a\n\nb \\]", 0),
    ],
)
def test_mathematics_in_brackets_is_displayed(text: str, display: int) -> None:
    made = markdown(text)
    assert made.count('display="block"') == display and "display=" not in made.replace('display="block"', "")


@pytest.mark.parametrize("opened", [r"\( ", r"\[ ", "\\[\n", r"[\(", "\\[ a\n\n", "\\[ a\n", "\\[ \\\\)"])
@pytest.mark.parametrize("end", ["", "\\] a"])
def test_many_open_brackets_are_no_burden(opened: str, end: str) -> None:
    began = time.process_time()
    markdown(opened * 10_000 + end)
    assert time.process_time() - began < 3


def test_code_is_highlighted_by_class() -> None:
    made = markdown("```python\ndef f(x):\n    return x\n```")
    assert '<span class="k">def</span>' in made and "style=" not in made


def test_right_to_left_text_finds_its_direction() -> None:
    assert '<p dir="auto">' in markdown("مرحبا بالعالم")


def test_tables_keep_their_alignment_without_styles() -> None:
    made = markdown("| a | b |\n|--:|:-:|\n| 1 | 2 |")
    assert 'class="align-right"' in made and 'class="align-center"' in made


def test_links_open_elsewhere_and_tell_nothing() -> None:
    made = markdown("[x](https://example.org)")
    assert 'rel="noopener noreferrer nofollow"' in made and 'target="_blank"' in made


def test_foreign_images_are_not_loaded() -> None:
    assert "<img" not in markdown("![a cat](https://example.org/cat.png)")
    assert "[image: a cat]" in markdown("![a cat](https://example.org/cat.png)")


def test_a_huge_text_is_shown_as_it_is() -> None:
    made = markdown("<b>" + "x" * LONGEST)
    assert made.startswith('<pre class="plain"') and "&lt;b&gt;" in made


def test_a_conversation_keeps_its_roles() -> None:
    turns = conversation([{"role": "user", "content": "*hi*"}, {"role": "assistant", "content": "yes"}])
    assert [t.role for t in turns] == ["user", "assistant"] and '<em><span data-o="1">hi</span></em>' in turns[0].html
