"""Where the sentences and steps of a response are, in code points of its source, where no import says so.

Sentences come from sentencex (Wikimedia's splitter), inside one block of Markdown at a time; code, tables and
formulas are one unit each. Steps are the blocks of the text, or its lines when it has only one block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from sentencex import get_sentence_boundaries

Units = tuple[tuple[int, int], ...]

MARK = re.compile(r"[ \t]*(?:(?:[-*+>]|#{1,6}|\d{1,9}[.)])(?=[ \t]|$)[ \t]*)*")
"""What Markdown puts before the words of a line: bullets, numbers, quotes, headings."""
NUMBERED = re.compile(r"^[ \t#*]*step[ \t]+\d+\b", re.IGNORECASE | re.MULTILINE)
WHOLE = {"fence", "code_block", "table_open", "math_block", "math_block_label", "html_block"}

BLOCKS = MarkdownIt("commonmark", {"html": False}).enable("table").use(dollarmath_plugin, double_inline=True)


@lru_cache(maxsize=1024)
def units_of(text: str, unit: str) -> Units:
    """Half-open spans of the sentences or steps of `text`, in order, without the white space around them."""
    found = steps(text) if unit == "step" else sentences(text)
    return tuple(span for span in found if span[0] < span[1])


def sentences(text: str) -> Iterator[tuple[int, int]]:
    for kind, start, end in blocks(text):
        if kind in WHOLE:
            yield trimmed(text, start, end)
            continue
        start += len(MARK.match(text, start, end)[0])  # type: ignore[index]
        for found in get_sentence_boundaries("en", text[start:end]):
            yield trimmed(text, start + found["start_index"], start + found["end_index"])


def steps(text: str) -> Iterator[tuple[int, int]]:
    """Numbered steps where the text has at least two, else its blocks, else its lines."""
    numbered = [found.start() for found in NUMBERED.finditer(text)]
    if len(numbered) > 1:
        starts = numbered if not text[: numbered[0]].strip() else [0, *numbered]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            yield trimmed(text, start, end)
        return
    found = [(start, end) for _, start, end in blocks(text)]
    if len(found) > 1:
        yield from (trimmed(text, *span) for span in found)
        return
    at = 0
    for line in text.splitlines(keepends=True):
        yield trimmed(text, at, at + len(line))
        at += len(line)


def blocks(text: str) -> Iterator[tuple[str, int, int]]:
    """The leaf blocks of Markdown: the kind of each, and its lines as a span."""
    starts = line_starts(text)
    until = 0
    for token in BLOCKS.parse(text):
        if token.map is None or token.map[0] < until:
            continue
        if token.type in WHOLE or token.type == "inline":
            first, until = token.map
            yield token.type, starts[first], starts[min(until, len(starts) - 1)]


def line_starts(text: str) -> list[int]:
    r"""Where each line begins, and the end of the text; lines end in \n, \r\n or \r, as the parser has it."""
    starts = [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", text))]
    return [*starts, len(text)] if starts[-1] != len(text) else starts


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
