"""Where rendered text stands in its source: every piece of text on a page says from which code point it came.

A `data-o="17"` on an element says: its text is the source from code point 17 on, to the letter. With `data-l="5"`
beside it the element is one piece (a formula, an entity, an escaped character) that stands for the 5 code points
from there. `static/js/annotate/offsets.js` turns a selection into a span of the source, and a span into ranges.

The parser tells the lines of a block, but not where its text stands in them. A block's content is the ends of its
lines, so its lines give that (`Source`), and `Inline` notes where in its block's content each piece began.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import pairwise
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.common.utils import MD_TRIM_CHARS
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

TEXTS = {"text", "text_special"}
WHOLE = {"math_inline", "math_inline_double", "image"}
"""Made from their source, but never it to the letter."""
LEADING_HASHES = re.compile(r"#{1,6}")
CODE = {"fence", "code_block"}

BlockRule = Callable[[StateBlock, int, int, bool], bool]
Way = list[tuple[int, int]]
"""For stretches of a block's content: where each begins in it, and where in the source's text; -1 is nowhere."""


class Piece(NamedTuple):
    """A piece of shown text; it starts nowhere (-1) when nothing in the source corresponds to it."""

    text: str
    start: int = -1
    length: int = 0

    @property
    def end(self) -> int:
        return self.start + (self.length or len(self.text))

    def attributes(self) -> str:
        """What its element says, with a space before it."""
        if self.start < 0:
            return ""
        return f' data-o="{self.start}"' + (f' data-l="{self.length}"' if self.length else "")

    def wrap(self, made: str) -> str:
        """HTML that shows this piece, in an element that says where it is from."""
        return f"<span{self.attributes()}>{made}</span>" if self.start >= 0 else made

    def html(self) -> str:
        """The text itself, in its element."""
        return self.wrap(escape(self.text, quote=False))


class Source:
    """A source as its parser reads it (line ends are \\n), and the way back to the source's code points."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
        self.lines = self.text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.crs = [found.start() - n for n, found in enumerate(re.finditer("\r\n", source))]

    def original(self, at: int) -> int:
        """An offset in `text` as one in the source."""
        return at + bisect_right(self.crs, at - 1) if self.crs else at

    def whole(self, start: int, end: int) -> Piece:
        """One piece that stands for a stretch of `text`."""
        first = self.original(start)
        return Piece("", first, self.original(end) - first)

    def letters(self, shown: str, at: int) -> list[Piece]:
        """Shown text that should stand at an offset of `text`; what does not is found out here."""
        start = self.original(at)
        if self.source.startswith(shown, start):
            return [Piece(shown, start)]
        return joined(self.letter(sign, at + n) for n, sign in enumerate(shown))

    def letter(self, sign: str, at: int) -> Piece:
        start = self.original(at)
        if self.source.startswith(sign, start):
            return Piece(sign, start)
        read = self.text[at : at + 1]
        replaced = sign in " \n" if read == "\n" else sign == read
        return Piece(sign, start, self.original(at + 1) - start) if read and replaced else Piece(sign)

    def along(self, way: Way, shown: str, at: int) -> list[Piece]:
        """The pieces of shown text that is a block's content from `at` on."""
        pieces: list[Piece] = []
        while shown:
            n = bisect_right(way, (at, len(self.text)))
            begin, stands = way[n - 1]
            part = shown[: way[n][0] - at] if n < len(way) else shown
            placed = self.letters(part, stands + at - begin) if stands >= 0 else [Piece(part)]
            if part == shown and not pieces:
                return placed
            pieces += placed
            at, shown = at + len(part), shown[len(part) :]
        return pieces

    def place_in(self, way: Way, start: int, end: int) -> Piece | None:
        """The piece that stands for a stretch of a block's content."""
        first, last = (way[bisect_right(way, (at, len(self.text))) - 1] for at in (start, end - 1))
        if first[1] < 0 or last[1] < 0:
            return None
        return self.whole(first[1] + start - first[0], last[1] + end - last[0])

    def as_it_stands(self) -> list[Piece]:
        """The whole source, line by line."""
        pieces: list[Piece] = []
        for number, line in enumerate(self.lines, 1):
            end = "\n" if number < len(self.lines) else ""
            pieces += self.letters(line + end, self.starts[number - 1]) if line or end else []
        return pieces

    def way_of_lines(self, content: str, first: int, last: int) -> Way:
        """The way of a content whose lines are the ends of the lines from `first` on."""
        lines = content.split("\n")
        # lines of nothing but exotic white space count for the parser, and are stripped afterwards
        first = next((n for n in range(first, last) if self.end_of(n, lines[0])[1] >= 0), first)
        way, at = [], 0
        for number, line in enumerate(lines, first):
            skipped, stands = self.end_of(number, line)
            way += [(at, -1), (at + skipped, stands)] if skipped else [(at, stands)]
            at += len(line) + 1
        return way

    def end_of(self, number: int, content: str) -> tuple[int, int]:
        """Where in `text` a content stands that ends a line, after how many spaces that are a part of a tab."""
        if number >= len(self.lines):
            return 0, -1
        line, start = self.lines[number], self.starts[number]
        bare = content.lstrip(" ")
        ways = (line, line.rstrip(MD_TRIM_CHARS))
        for whole in ways:
            if whole.endswith(content):
                return 0, start + len(whole) - len(content)
        for whole in ways:
            if whole.endswith(bare):
                before = whole.removesuffix(bare)
                own = len(before) - len(before.rstrip(" "))
                return len(content) - len(bare) - own, start + len(before) - own
        return 0, -1

    def way_of_heading(self, content: str, number: int) -> Way:
        """The way of a heading after its hashes."""
        found = LEADING_HASHES.search(self.lines[number])
        at = self.lines[number].find(content, found.end()) if found else -1
        return [(0, self.starts[number] + at if at >= 0 else -1)]


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Pieces that follow each other in the source as one."""
    made: list[Piece] = []
    for piece in pieces:
        last = made[-1] if made else None
        if last is None or last.length or piece.length or (last.start < 0) != (piece.start < 0):
            made.append(piece)
        elif piece.start < 0 or last.end == piece.start:
            made[-1] = Piece(last.text + piece.text, last.start)
        else:
            made.append(piece)
    return made


class InlineState(StateInline):
    """The inline parser's state, noting in the `meta` of each token of plain text where it began."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, outTokens: list[Token]) -> None:
        super().__init__(src, md, env, outTokens)
        self.began = 0
        self.unclosed: dict[tuple[str, int], int] = {}

    def append_pending(self, text: str) -> None:
        if not self.pending:
            self.began = self.pos
        super().append_pending(text)

    def pushPending(self) -> Token:
        token = super().pushPending()
        token.meta["span"] = (self.began, self.began + len(token.content))
        return token


class Inline(ParserInline):
    """The inline parser, noting in each token's `meta` from where to where in the block's content it was made."""

    def tokenize(self, state: StateInline) -> None:
        rules = self.ruler.getRules("")
        deepest = state.md.options["maxNesting"]
        while state.pos < state.posMax:
            start, known = state.pos, len(state.tokens)
            if state.level < deepest:
                for rule in rules:
                    if rule(state, False):
                        break
            if state.pos == start:
                state.append_pending(state.src[start])
                state.pos += 1
            elif len(state.tokens) > known:
                note(state, state.tokens[known:], start)
        if state.pending:
            state.pushPending()

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = InlineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def note(state: StateInline, tokens: Iterable[Token], start: int) -> None:
    """Spans of the tokens that one rule made from `start` to where the state is now; those inside have theirs."""
    at = start
    for token in tokens:
        if "span" in token.meta:
            at = max(at, token.meta["span"][1])
        elif token.type in WHOLE:
            token.meta["span"] = (start, state.pos)
        elif token.type == "code_inline":
            marks = len(token.markup)
            stripped = (state.pos - start - 2 * marks - len(token.content)) // 2
            token.meta["span"] = (start + marks + stripped, start + marks + stripped + len(token.content))
        elif token.type in TEXTS and token.content:
            found = state.src.find(token.content, at, state.pos)
            token.meta["whole"] = found < 0
            token.meta["span"] = (found, found + len(token.content)) if found >= 0 else (at, state.pos)
            if token.type == "text_special":  # an escaped sign is found in its source, but is not all of it
                token.meta["whole"], token.meta["span"] = token.content != token.markup, (start, state.pos)
            at = token.meta["span"][1]


def noting_cells(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The block rule of tables, noting in each cell's `meta` the way of its content."""
    known = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    cells: Iterator[Way] = iter(())
    for token in state.tokens[known:]:
        if token.type == "tr_open" and token.map:
            line = token.map[0]
            first, last = state.bMarks[line] + state.tShift[line], state.eMarks[line]
            cells = ways_of_cells(state.src[first:last], first)
        elif token.type == "inline":
            token.meta["way"] = next(cells, [(0, -1)])
    return True


def ways_of_cells(line: str, start: int) -> Iterator[Way]:
    """The ways of the cells of a table's row that begins at `start`; `\\|` is a bar in them."""
    start += len(line) - len(line.lstrip(MD_TRIM_CHARS))
    line = line.strip(MD_TRIM_CHARS)
    bars = [n for n, sign in enumerate(line) if sign == "|" and line[n - 1 : n] != "\\"]
    cells = [(a + 1, b) for a, b in pairwise([-1, *bars, len(line)])]
    for at, end in cells[1:] if line.startswith("|") else cells:
        cell = line[at:end]
        skipped = len(cell) - len(cell.lstrip(MD_TRIM_CHARS))
        escaped = [found.start() for found in re.finditer(r"\\\|", cell)]
        way = [(0, start + at + skipped)]
        yield way + [(bar - skipped - n, start + at + bar + 1) for n, bar in enumerate(escaped)]


def noting_span(rule: BlockRule) -> BlockRule:
    """A block rule, noting in its token's `meta` from where to where in the text it was made."""

    def noting(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        known = len(state.tokens)
        if not rule(state, start, end, silent):
            return False
        for token in state.tokens[known:]:
            token.meta["span"] = (state.bMarks[start] + state.tShift[start], state.eMarks[state.line - 1])
        return True

    return noting


def place_tokens(text: str, tokens: Iterable[Token]) -> None:
    """Give every token what its renderer needs in `meta`: `pieces` for text, `lines` for code, `place` for the rest."""
    source = Source(text)
    marks = ""
    for token in tokens:
        if token.type == "inline" and token.map and token.children is not None:
            first, last = token.map
            if "way" in token.meta:
                way = token.meta["way"]
            elif marks.startswith("#"):
                way = source.way_of_heading(token.content, first)
            else:
                way = source.way_of_lines(token.content, first, last)
            token.children = list(placed(source, way, token.children))
        elif token.type in CODE and token.map:
            token.meta["lines"] = list(code_lines(source, token))
        elif "span" in token.meta:
            start, end = token.meta["span"]
            token.meta["place"] = source.whole(start, start + len(source.text[start:end].rstrip()))
        marks = token.markup if token.type == "heading_open" else ""


def placed(source: Source, way: Way, children: Iterable[Token]) -> Iterator[Token]:
    """The children with their places; neighbouring texts as one token."""
    text: Token | None = None
    for child in children:
        if child.type in TEXTS:
            if child.content:
                if text is None:
                    text = Token("text", "", 0, meta={"pieces": []})
                text.meta["pieces"] += pieces_of(source, way, child)
            continue
        if text is not None:
            yield finished(text)
            text = None
        if child.type == "code_inline":
            child.meta["pieces"] = joined(pieces_of(source, way, child))
        elif child.type in WHOLE:
            child.meta["place"] = source.place_in(way, *child.meta["span"])
        yield child
    if text is not None:
        yield finished(text)


def finished(text: Token) -> Token:
    text.meta["pieces"] = joined(text.meta["pieces"])
    return text


def pieces_of(source: Source, way: Way, token: Token) -> list[Piece]:
    start, end = token.meta["span"]
    if not token.meta.get("whole"):
        return source.along(way, token.content, start)
    place = source.place_in(way, start, end)
    return [Piece(token.content, place.start, place.length) if place else Piece(token.content)]


def code_lines(source: Source, token: Token) -> Iterator[list[Piece]]:
    """The pieces of each line of a block of code, with its line end."""
    if not token.map or not token.content:
        return
    first = token.map[0] + (token.type == "fence")
    for number, line in enumerate(token.content.removesuffix("\n").split("\n"), first):
        skipped, stands = source.end_of(number, line)
        shown = line[skipped:] + "\n"
        virtual = [Piece(line[:skipped])] if skipped else []
        yield virtual + (source.letters(shown, stands) if stands >= 0 else [Piece(shown)])
