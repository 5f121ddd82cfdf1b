"""Parquet files put together without reading their rows: their row groups one behind the other, under one footer.

A Parquet file is `PAR1`, row groups, a footer, its length in four bytes, `PAR1`. The footer is a Thrift struct in the
compact protocol; it says of each column of each row group at which byte of the file it stands. So the whole of several
shards with one schema is `PAR1`, the row groups of each, and a footer with all row groups, their places moved.

https://parquet.apache.org/docs/file-format/, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
Simplified: no encrypted files, no page indexes and bloom filters, whose places outside of the row groups are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"PAR1"
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
Struct = dict[int, tuple[int, Any]]
"""Type and value of each field, by its id; a list is its element type and its values, a written struct its bytes."""
ROWS, GROUPS = 3, 4
"""Fields of FileMetaData."""
COLUMNS, GROUP_AT, ORDINAL = 1, 5, 7
"""Of RowGroup."""
COLUMN_AT, COLUMN_META, INDEXES = 2, 3, (4, 5, 6, 7)
"""Of ColumnChunk."""
PAGES, BLOOM = (9, 10, 11), (14, 15)
"""Of ColumnMetaData: where its pages begin, and its bloom filter."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of a file from `start` up to `end`."""

    path: Path
    start: int
    end: int


def bodies(paths: Sequence[Path]) -> list[Stretch]:
    """Where the row groups of each file stand. Raises ValueError for one that is no Parquet file."""
    return [Stretch(path, len(MAGIC), footer_at(path)) for path in paths]


def joined(paths: Sequence[Path], end: Path) -> list[Stretch]:
    """The file that all files are together, out of their bytes and a file with its tail."""
    first, *more = bodies(paths)
    return [Stretch(first.path, 0, first.end), *more, Stretch(end, 0, end.stat().st_size)]


def tail(paths: Sequence[Path]) -> bytes:
    """What stands behind the row groups of all files in the file that they are together."""
    whole: Struct = {}
    groups: list[bytes] = []
    rows, at = 0, len(MAGIC)
    for body in bodies(paths):
        found = Reader(footer(body)).struct()
        for group in found[GROUPS][1][1]:
            move(group, at - body.start)
            if ORDINAL in group:
                group[ORDINAL] = I16, len(groups)
            groups.append(Writer().struct(group))
        at += body.end - body.start
        rows += found[ROWS][1]
        whole = whole or found
    made = Writer().struct(whole | {ROWS: (I64, rows), GROUPS: (LIST, (STRUCT, groups))})
    return made + len(made).to_bytes(4, "little") + MAGIC


def footer_at(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        last = file.read(8)
    at = size - 8 - int.from_bytes(last[:4], "little")
    if last[4:] != MAGIC or at < len(MAGIC):
        raise ValueError(f"{path.name} is no Parquet file")
    return at


def footer(body: Stretch) -> bytes:
    with body.path.open("rb") as file:
        file.seek(body.end)
        return file.read()[:-8]


def move(group: Struct, by: int) -> None:
    """Tell of a row group that it stands `by` bytes further on."""
    moved(group, GROUP_AT, by)
    for column in group[COLUMNS][1][1]:
        moved(column, COLUMN_AT, by)
        for field in INDEXES:
            column.pop(field, None)
        meta = column[COLUMN_META][1]
        for field in PAGES:
            moved(meta, field, by)
        for field in BLOOM:
            meta.pop(field, None)


def moved(struct: Struct, field: int, by: int) -> None:
    """A place of 0 is one that is not told."""
    if field in struct and struct[field][1]:
        struct[field] = I64, struct[field][1] + by


class Reader:
    """Thrift's compact protocol, read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def varint(self) -> int:
        found = shift = 0
        while True:
            one = self.byte()
            found |= (one & 0x7F) << shift
            if one < 0x80:
                return found
            shift += 7

    def whole(self) -> int:
        found = self.varint()
        return (found >> 1) ^ -(found & 1)

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def struct(self) -> Struct:
        found: Struct = {}
        field = 0
        while head := self.byte():
            kind = head & 0x0F
            field = field + (head >> 4) if head >> 4 else self.whole()
            found[field] = kind, None if kind in (TRUE, FALSE) else self.value(kind)
        return found

    def value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE, BYTE):
            return self.byte()
        if kind in (I16, I32, I64):
            return self.whole()
        if kind == DOUBLE:
            return self.take(8)
        if kind == BINARY:
            return self.take(self.varint())
        if kind in (LIST, SET):
            head = self.byte()
            size = head >> 4 if head >> 4 != 15 else self.varint()
            return head & 0x0F, [self.value(head & 0x0F) for _ in range(size)]
        if kind == STRUCT:
            return self.struct()
        raise ValueError(f"the footer has a field of type {kind}")


class Writer:
    """Thrift's compact protocol, written."""

    def varint(self, value: int) -> bytes:
        made = bytearray()
        while value > 0x7F:
            made.append(value & 0x7F | 0x80)
            value >>= 7
        made.append(value)
        return bytes(made)

    def whole(self, value: int) -> bytes:
        return self.varint(value << 1 if value >= 0 else (-value << 1) - 1)

    def struct(self, struct: Struct) -> bytes:
        made, last = bytearray(), 0
        for field in sorted(struct):
            kind, value = struct[field]
            step = field - last
            made += bytes([step << 4 | kind]) if 0 < step <= 15 else bytes([kind]) + self.whole(field)
            made += b"" if value is None else self.value(kind, value)
            last = field
        return bytes(made) + b"\0"

    def value(self, kind: int, value: Any) -> bytes:
        if kind in (TRUE, FALSE, BYTE):
            return bytes([value])
        if kind in (I16, I32, I64):
            return self.whole(value)
        if kind == DOUBLE:
            return bytes(value)
        if kind == BINARY:
            return self.varint(len(value)) + bytes(value)
        if kind in (LIST, SET):
            each, values = value
            size = len(values)
            head = bytes([size << 4 | each]) if size < 15 else bytes([0xF0 | each]) + self.varint(size)
            return head + b"".join(self.value(each, one) for one in values)
        return value if isinstance(value, bytes) else self.struct(value)
