"""One JSON document of rows, element by element: a list, or an object that holds one list of objects.

The document is cut where its brackets say, and each piece is read for itself: a bad element is refused and the
others land, and no more than one element is in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from workers.lines import BOM
from workers.rows import RowError
from workers.unpacking import Source

TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)
STRING_END = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
OPENER = {b"]": b"[", b"}": b"{"}
SPACE = b" \t\r\n"


class Piece(NamedTuple):
    """The bytes of one element, or why it is none; `line` is where it starts, or its number where the
    document begins with a megabyte on one line."""

    line: int
    data: bytes
    problem: RowError | None
    at: int


class Cutter:
    """Cuts a document at the commas of its list of rows."""

    def __init__(self, source: Source, longest: int) -> None:
        self.source, self.longest = source, longest
        self.buffer, self.scanned, self.line = b"", 0, 1
        self.open: list[bytes] = []
        self.rows_depth = 0
        """How deep the list of rows lies; 0 while it is not found, -1 when the document is over."""
        self.dropping = self.in_string = False
        self.trailing = 0
        self.one_line = False
        self.too_long = RowError(f"is longer than {longest / 2**20:g} MB")

    def __iter__(self) -> Iterator[Piece]:
        self.one_line = b"\n" not in self.source.peek().rstrip(SPACE)
        for n, chunk in enumerate(self.source):
            self.buffer += chunk.removeprefix(BOM) if n == 0 else chunk
            yield from self.scan()
            yield from self.overflow()
        end = self.source.problem or (RowError("the document ends before its last bracket") if self.open else None)
        if end or self.trailing:
            trailing = RowError("comes after the end of the document and was not read")
            yield Piece(self.trailing or self.line, b"", end or trailing, self.source.at)

    def scan(self) -> Iterator[Piece]:
        """Walk over the tokens of the buffer; give out what ends, stop at a string that does not."""
        if self.in_string:
            if not (end := STRING_END.match(self.buffer, self.scanned)):
                return
            self.scanned, self.in_string = end.end(), False
        start = 0
        for token in TOKEN.finditer(self.buffer, self.scanned):
            sign = token.group()
            if sign == b'"':
                self.scanned = token.start()
                break
            self.scanned = token.end()
            if len(sign) > 1:
                continue
            ends = self.step(sign)
            if ends or self.begins(sign):
                if ends:
                    yield from self.piece(self.buffer[start : token.start()])
                self.line += int(ends) if self.one_line else self.buffer.count(b"\n", start, token.end())
                start, self.dropping = token.end(), False
        else:
            self.scanned = len(self.buffer)
        self.forget(start)

    def step(self, sign: bytes) -> bool:
        """Follow the brackets; whether an element of the list of rows ends here."""
        if sign == b",":
            depth = len(self.open)
            return depth == self.rows_depth > 0
        if sign in b"[{":
            if self.rows_depth < 0:
                self.trailing = self.trailing or self.line
            self.open.append(sign)
            return False
        if OPENER[sign] in self.open:
            while self.open.pop() != OPENER[sign]:
                pass
        if len(self.open) < self.rows_depth:
            self.rows_depth = 0 if self.open else -1
            return True
        return False

    def begins(self, sign: bytes) -> bool:
        """Whether the list of rows begins here: the document itself, or the first list of objects in it."""
        if self.rows_depth == 0 and sign == b"[" and self.open in ([b"["], [b"{", b"["]):
            after = self.buffer[self.scanned :].lstrip(SPACE)
            if len(self.open) == 1 or after[:1] in (b"{", b""):
                self.rows_depth = len(self.open)
                return True
        return False

    def piece(self, data: bytes) -> Iterator[Piece]:
        if self.dropping:
            return
        lead = len(data) - len(data.lstrip(SPACE))
        line = self.line + (0 if self.one_line else data.count(b"\n", 0, lead))
        if len(data) > self.longest:
            yield Piece(line, b"", self.too_long, self.source.at)
        elif data.strip(SPACE):
            yield Piece(line, data.strip(SPACE), None, self.source.at)

    def forget(self, start: int) -> None:
        """Drop what was given out."""
        self.buffer, self.scanned = self.buffer[start:], self.scanned - start

    def overflow(self) -> Iterator[Piece]:
        """Let go of an element that is too long, once its number is told; its end is still looked for."""
        if len(self.buffer) <= self.longest and not self.dropping:
            return
        if self.rows_depth > 0 and not self.dropping:
            yield from self.piece(self.buffer)
        self.dropping = True
        unfinished = self.buffer[self.scanned :]
        self.line += 0 if self.one_line else self.buffer.count(b"\n")
        self.in_string = self.in_string or unfinished.startswith(b'"')
        backslashes = len(unfinished) - len(unfinished.rstrip(b"\\"))
        self.buffer, self.scanned = b"\\" if self.in_string and backslashes % 2 else b"", 0
