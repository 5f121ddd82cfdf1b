"""The lines of a file, numbered, with bounded memory: an overlong one is refused without being held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from workers.rows import RowError
from workers.unpacking import Source

BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line without its end, or why it is none; `at` is the place in the stored file."""

    number: int
    data: bytes
    problem: RowError | None
    at: int


def lines(source: Source, longest: int, *, blank: bool = False) -> Iterator[Line]:
    """Every line from number 1 on, blank ones only on request. A broken end of the file is the last line."""
    number, rest, dropping = 1, b"", False
    for chunk in source:
        at = source.at
        first, *others = chunk.split(b"\n")
        if not dropping:
            rest = rest + first if rest else first
        for following in others:
            if not dropping and (blank or len(rest) > longest or not (not rest or rest.isspace())):
                yield line(number, rest, longest, at)
            number, rest, dropping = number + 1, following, False
        if len(rest) > longest:
            yield line(number, rest, longest, at)
            rest, dropping = b"", True
    if rest.strip():
        yield line(number, rest, longest, source.at)
        number += 1
    if source.problem:
        yield Line(number, b"", source.problem, source.at)


def line(number: int, data: bytes, longest: int, at: int) -> Line:
    if len(data) > longest:
        return Line(number, b"", RowError(f"is longer than {longest / 2**20:g} MB"), at)
    return Line(number, data.removeprefix(BOM) if number == 1 else data, None, at)
