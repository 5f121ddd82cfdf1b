"""Everything that is shown of a text says where it stands in it, and says the truth."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.rendering import LONGEST, markdown, raw, render

SIGNS = [
    "é",
    "e\u0301",
    "👍🏽",
    "👩\u200d👩\u200d👧",
    "🇨🇭",
    "שלום",
    "مرحبا",
    "漢字",
    "𝕏",
    "\u00a0",
    "\u2003",
    "a\tb",
    "\u3000",
]
ENTITIES = ["&amp;", "&lt;b&gt;", "&eacute;", "&#128077;", "&#x301;", "&nbsp;", "&nosuch;", "&#0;"]
ESCAPES = [r"\*", r"\_", r"\|", r"\\", r"\#", r"\[x\]", r"\a", r"\$", "<b>", "</i>", "a_b_c", "2 * 3", "~", "$5"]
FORMULAS = ["a^2 + b", r"\frac{1}{2}", r"x_1 \le y", r"\frac{1"]
LANGUAGES = ["", "", "python", "js", "html", "nosuch", "c++"]
CODE = [
    "def f(x):",
    "\treturn x",
    "  <b>&amp;</b>",
    "",
    "# 👍 é",
    "    if a | b:",
    "let s = `a`;",
    "\\(x\\)",
    "é\u0301 = 1  ",
]
LINE_ENDS = ["\n", "\n", "\n", "\r\n", "\r"]


class Writer:
    """Writes Markdown of all kinds, with words that nothing else in it has."""

    def __init__(self, random: Random) -> None:
        self.random, self.words = random, 0

    def word(self) -> str:
        self.words += 1
        return f"w{self.words}x"

    def one(self, *ways: Any) -> str:
        return str(self.random.choice(ways)())

    def text(self) -> str:
        parts = [self.word(), *self.random.sample(SIGNS + ENTITIES + ESCAPES, self.random.randint(0, 2)), self.word()]
        return self.random.choice(["", " "]).join(parts)

    def inline(self, depth: int = 0) -> str:
        simple = (self.text, self.text, self.code_span, self.formula, self.image, self.autolink)
        nested = (*simple, *[self.marked, self.marked, self.link][: 3 * (depth < 3)])
        kinds = [self.random.choice(nested) for _ in range(self.random.randint(1, 3))]
        return self.random.choice(["", " "]).join(
            kind(depth + 1) if kind in (self.marked, self.link) else kind()  # type: ignore[operator]
            for kind in kinds
        )

    def marked(self, depth: int) -> str:
        mark = self.random.choice(["*", "**", "***", "_", "__", "~~"])
        return f" {mark}{self.inline(depth)}{mark} "

    def link(self, depth: int) -> str:
        title = self.random.choice(["", ' "title"'])
        return f"[{self.inline(depth)}](http://example.org/a_b{title})"

    def image(self) -> str:
        return f"![{self.word()}](http://example.org/a.png)"

    def autolink(self) -> str:
        return self.random.choice(
            ["<http://example.org/%41?a=b>", f"<http://example.org/{self.word()}>", "<a@example.org>"]
        )

    def code_span(self) -> str:
        return self.random.choice([f"`{self.word()} *a*`", f"`` {self.word()} ` ``", f"`{self.word()}<b>&amp;`"])

    def formula(self) -> str:
        before, after = self.random.choice([("$", "$"), ("\\(", "\\)"), ("$$", "$$"), ("\\[", "\\]")])
        return f" {before}{self.random.choice(FORMULAS)}{after} "

    def lines(self) -> str:
        return self.random.choice(["\n", "  \n", "\\\n", "\n  "]).join(
            self.inline().strip() for _ in range(self.random.randint(1, 3))
        )

    def heading(self) -> str:
        closing = self.random.choice(["", " #", " ##  "])
        return f"{'#' * self.random.randint(1, 6)} {self.random.choice(['', ' ', chr(9)])}{self.inline()}{closing}"

    def underlined(self) -> str:
        return f"{self.lines()}\n{self.random.choice(['===', '---'])}"

    def table(self) -> str:
        bars = self.random.choice([("| ", " | ", " |"), ("", "|", "")])
        cells = [" ".join([self.random.choice(["a\\|b", "`c\\|d`", "-", "\\*"]), self.text(), ""]) for _ in range(6)]
        rows = [bars[0] + bars[1].join(cells[n : n + 2]).replace("\t", " ") + bars[2] for n in (0, 2, 4)]
        return "\n".join([rows[0], self.random.choice(["|---|:-:|", "--:|---"]), *rows[1:]])

    def fence(self) -> str:
        mark = self.random.choice(["```", "~~~~"])
        lines = [*self.random.choices(CODE, k=3), self.word(), self.random.choice(CODE)]
        return "\n".join([mark + self.random.choice(LANGUAGES), *lines, *[mark][: self.random.randint(0, 4)]])

    def indented(self) -> str:
        start = self.random.choice(["    ", "\t", " \t", "      "])
        return "\n".join(f"{start}{line}" for line in [self.word(), "", "*a*", self.word()])

    def display(self) -> str:
        before, after = self.random.choice([("$$", "$$"), ("\\[", "\\]"), ("$$", "$$ (1)")])
        gap = self.random.choice(["\n", " "])
        return f"{before}{gap}{self.random.choice(FORMULAS)}{gap}{after}"

    def items(self, depth: int) -> str:
        mark = self.random.choice(["- ", "1. ", "*   ", "+\t", "10) "])
        return "\n".join(mark + indented(self.blocks(depth + 1), " " * 4) for _ in range(2))

    def quote(self, depth: int) -> str:
        return "> " + indented(self.blocks(depth + 1), self.random.choice(["> ", ">"]))

    def block(self, depth: int) -> str:
        simple = [self.lines] * 4 + [self.heading, self.underlined, self.table, self.fence, self.indented, self.display]
        if depth < 3 and self.random.random() < 0.4:
            return self.random.choice([self.items, self.quote])(depth)
        return self.one(*simple)

    def blocks(self, depth: int = 0) -> str:
        gap = self.random.choice(["\n\n", "\n\n", "\n", "\n \n"])
        return gap.join(self.block(depth) for _ in range(self.random.randint(1, 3)))


def indented(text: str, by: str) -> str:
    return text.replace("\n", "\n" + by)


def written(random: Random) -> str:
    """A Markdown text with words `w1x`, `w2x`, … that are all shown."""
    return Writer(random).blocks().replace("\n", random.choice(LINE_ENDS))


class Shown(NamedTuple):
    """What one element with `data-o` shows."""

    start: int
    length: int
    text: str

    @property
    def end(self) -> int:
        return self.start + (self.length or len(self.text))


class Page(HTMLParser):
    """The pieces of a page, and what is shown outside of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pieces: list[Shown] = []
        self.loose = ""
        self.open: list[bool] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag not in ("br", "hr"):
            self.open.append("data-o" in said)
        if "data-o" in said:
            assert tag in ("span", "code") and sum(self.open) == 1, "no piece stands in another"
            self.pieces.append(Shown(int(said["data-o"] or 0), int(said.get("data-l") or 0), ""))

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if any(self.open):
            last = self.pieces[-1]
            self.pieces[-1] = last._replace(text=last.text + data)
        else:
            self.loose += data


def check(text: str, html: str) -> list[Shown]:
    """The pieces of a page that shows `text`, when all that they say is true."""
    page = Page(html)
    for piece in page.pieces:
        assert (piece.text or piece.length) and 0 <= piece.start < piece.end <= len(text), piece
        if not piece.length:
            assert text[piece.start : piece.end] == piece.text, piece
    for before, after in pairwise(page.pieces):
        assert before.end <= after.start, (before, after)
    assert not page.loose.strip(), page.loose
    return page.pieces


def places(text: str, pieces: list[Shown]) -> Iterator[tuple[str, bool]]:
    """Every planted word and whether pieces cover it."""
    covered = {at for piece in pieces for at in range(piece.start, piece.end)}
    writer, number = text, 1
    while (at := writer.find(word := f"w{number}x")) >= 0:
        yield word, covered.issuperset(range(at, at + len(word)))
        number += 1


@given(st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_all_that_is_shown_says_where_it_stands(random: Random) -> None:
    text = written(random)
    pieces = check(text, render(text))
    assert all(found for _, found in places(text, pieces)), [word for word, found in places(text, pieces) if not found]


NASTY = [
    "\0",
    "\x0b",
    "\x0c",
    "\u2028",
    "\u2003",
    "\u00a0",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "  ",
    "\\",
    "|",
    "`",
    "```",
    "*",
    "_",
]
NASTY += [
    "$",
    "$$",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "[",
    "](a)",
    "!",
    "<",
    ">",
    "&",
    "&amp;",
    "#",
    "-",
    "|-|",
    "1.",
    "~~",
    "=",
    "a",
]
NASTY += ["    ", "\ufeff", "👩\u200d👧", "é", "\u0301", "[a]: b", "(", ")", "+ ", "> ", "- "]


@given(st.lists(st.sampled_from(NASTY), max_size=30).map("".join))
@settings(max_examples=1000, deadline=None)
@example("-\t\tx\n>\t\ty")
@example("- | - | x |\n  |---|---|\n  | a\\|b | `c\\|d` |")
@example("`a\r\n> b`\0")
@example("\x0b\na\n\u2003b\u2003\n\u2028")
@example("1.\ta\n\n\t\tb\n\n\tc")
@example("$\\\\$")
@example("```\ufeff\n\ufeffa")
def test_nothing_false_is_said_of_any_text(text: str) -> None:
    check(text, render(text))


@given(st.text(st.sampled_from("a👍é\n\r\0<&\t "), max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_text_as_it_stands_is_all_there(text: str) -> None:
    pieces = check(text, raw(text))
    assert "".join(text[piece.start : piece.end] for piece in pieces) == text


def test_a_huge_text_says_where_it_stands() -> None:
    text = "\n\nfirst\r\n" + "<x> " * (LONGEST // 4) + "\rlast"
    pieces = check(text, markdown(text))
    assert "".join(text[piece.start : piece.end] for piece in pieces) == text
    assert markdown("y" * (LONGEST + 1)).startswith('<pre class="plain" tabindex="0"><span data-o="0">y')


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain text, a line", [(0, 0, "plain text, a line")]),
        ("2 * 3 _ 4 [x] ~ y!", [(0, 0, "2 * 3 _ 4 [x] ~ y!")]),
        ("a **b** c", [(0, 0, "a "), (4, 0, "b"), (7, 0, " c")]),
        (r"a\*b", [(0, 0, "a"), (1, 2, "*"), (3, 0, "b")]),
        (r"a\b", [(0, 0, r"a\b")]),
        ("a &amp; b", [(0, 0, "a "), (2, 5, "&"), (7, 0, " b")]),
        ("👍 [é](x) y", [(0, 0, "👍 "), (3, 0, "é"), (8, 0, " y")]),
        ("`` a`b `` c", [(3, 0, "a`b"), (9, 0, " c")]),
        ("x ![y](z) w", [(0, 0, "x "), (2, 7, "[image: y]"), (9, 0, " w")]),
        ("a $x$ b", [(0, 0, "a "), (2, 3, "x"), (5, 0, " b")]),
        ("> a\r\n> b", [(2, 0, "a"), (7, 0, "b")]),
        ("| a\\|b |\n|--|", [(2, 0, "a"), (4, 0, "|b")]),
        ("```py\nx = 1\n```", [(6, 0, "x = 1\n")]),
        ("a\n\n\\[\nx\n\\]", [(0, 0, "a"), (3, 7, "x")]),
        ("a `b\nc`", [(0, 0, "a "), (3, 0, "b"), (4, 1, " "), (5, 0, "c")]),
        ("## a ##", [(3, 0, "a")]),
        ("[![a](b)](c)", [(1, 7, "[image: a]")]),
    ],
)
def test_where_it_stands(text: str, pieces: list[tuple[int, int, str]]) -> None:
    assert check(text, render(text)) == pieces


@pytest.mark.data
def test_real_texts_say_where_they_stand(real_data: Path) -> None:
    texts = {text for path in sorted(real_data.glob("*/*.jsonl.gz")) for text in islice(texts_of(path), 40)}
    assert len(texts) > 1000
    for text in texts:
        check(text, render(text))
        check(text, raw(text))


def texts_of(path: Path) -> Iterator[str]:
    with gzip.open(path) as lines:
        yield from (text for line in lines for text in strings(orjson.loads(line)) if len(text) > 40)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)
