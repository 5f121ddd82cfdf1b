"""Our own reader of the same format: what was written is read back, every row, with its quotes at their places."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from workers.consumers import Consumer, Files, Refused, consumers
from workers.readers import Options, Reader, readers
from workers.rows import ItemRow, RowError

ANCHORED = ("", "exact")


def read(files: Files) -> str:
    reader, items = readers.get(files.target), 0
    for split in files.lines:
        name = f"{split}.jsonl"
        rows = files.read_lines(split, b'"images"', without_pictures)
        for number, item in read_back(reader, rows, name):
            items += 1
            for answer in item.answers:
                for critique in answer.critiques:
                    if critique.anchor not in (*ANCHORED, "ambiguous"):
                        raise Refused(f"the quote is {critique.anchor}", file=name, row=number, column="critiques")
    return f"read back as {items} items"


def without_pictures(value: Any) -> Any:
    """Messages without their pictures: an export names these by hash, an import wants them whole."""
    if isinstance(value, list):
        return [without_pictures(one) for one in value]
    if isinstance(value, dict):
        return {name: without_pictures(one) for name, one in value.items() if name != "images" or "role" not in value}
    return value


def read_back(reader: Reader, rows: Iterator[tuple[int, Any]], name: str) -> Iterator[tuple[int, ItemRow]]:
    """Each item with the number of its first row. Raises Refused for what the format does not take."""
    number = 0
    try:
        if reader.gather and reader.read_many:
            for _, together in groupby(rows, key=lambda one: reader.gather(one[1])):  # type: ignore[misc]
                some = list(together)
                number = some[0][0]
                yield number, reader.read_many([row for _, row in some], Options())
            return
        options = Options()
        for number, row in rows:
            found = reader.read(row, options)
            if isinstance(found, ItemRow):
                yield number, found
    except RowError as error:
        raise Refused(error.reason, file=name, row=number + error.row, column=error.field) from None


consumers.add(Consumer(name="touchstone", package="", read=read))
