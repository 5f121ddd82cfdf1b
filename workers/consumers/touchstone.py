"""Our own reader of the same format: what was written is read back, with its quotes at their places.

Up to WHOLE rows are read, every one; of more, STRETCH of each APART. The rules (`invariants.py`) look at each row of a
version, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, groupby
from typing import Any

from workers.consumers import Consumer, Files, Refused, consumers
from workers.readers import Options, Reader, readers
from workers.rows import ItemRow, RowError

ANCHORED = ("", "exact")
WHOLE, STRETCH, APART = 20_000, 1000, 10_000
Numbered = tuple[int, Any]


def read(files: Files) -> str:
    reader, items, rows = readers.get(files.target), 0, 0
    wanted = in_stretches if files.total > WHOLE else None
    for split in files.lines:
        name = f"{split}.jsonl"
        found = files.read_lines(split, b'"images"', without_pictures, wanted)
        for some in stretches(found, reader.gather, files.rows[split]) if wanted else [found]:
            for number, item, of in read_back(reader, some, name):
                items, rows = items + 1, rows + of
                for answer in item.answers:
                    for critique in answer.critiques:
                        if critique.anchor not in (*ANCHORED, "ambiguous"):
                            raise Refused(f"the quote is {critique.anchor}", file=name, row=number, column="critiques")
    if wanted:
        return f"{rows} of {files.total} rows, the first {STRETCH} of each {APART}, were read back as {items} items"
    return f"read back as {items} items"


def in_stretches(number: int) -> bool:
    return number % APART < STRETCH


def stretches(rows: Iterator[Numbered], gather: Callable[[Any], str] | None, last: int) -> Iterator[Iterator[Numbered]]:
    """The rows of each stretch. Where a reader gathers rows, those at its ends may belong to others that are not in it,
    and are left out, unless the file (of `last` rows) begins or ends there."""
    for _, stretch in groupby(rows, key=lambda one: one[0] // APART):
        if gather is None:
            yield stretch
            continue
        groups = [list(some) for _, some in groupby(stretch, key=lambda one: gather(one[1]))]
        first, end = groups[0][0][0], groups[-1][-1][0]
        yield iter(list(chain.from_iterable(groups[first > 0 : None if end == last - 1 else -1])))


def without_pictures(value: Any) -> Any:
    """Messages without their pictures: an export names these by hash, an import wants them whole."""
    if isinstance(value, list):
        return [without_pictures(one) for one in value]
    if isinstance(value, dict):
        return {name: without_pictures(one) for name, one in value.items() if name != "images" or "role" not in value}
    return value


def read_back(reader: Reader, rows: Iterator[Numbered], name: str) -> Iterator[tuple[int, ItemRow, int]]:
    """Each item with the number of its first row, and of how many rows it is made.

    Raises Refused for what the format does not take.
    """
    number = 0
    try:
        if reader.gather and reader.read_many:
            for _, together in groupby(rows, key=lambda one: reader.gather(one[1])):  # type: ignore[misc]
                some = list(together)
                number = some[0][0]
                yield number, reader.read_many([row for _, row in some], Options()), len(some)
            return
        options = Options()
        for number, row in rows:
            found = reader.read(row, options)
            if isinstance(found, ItemRow):
                yield number, found, 1
    except RowError as error:
        raise Refused(error.reason, file=name, row=number + error.row, column=error.field) from None


consumers.add(Consumer(name="touchstone", package="", read=read, load=lambda: list(readers)))
