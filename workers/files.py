"""Files to rows: JSON lines, JSON, CSV and Parquet, gzipped or not, told apart by their content.

Memory stays bounded whatever the file holds: an overlong line is refused by its number without being held,
and a gzip bomb ends the reading with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from workers.checks import kind_of
from workers.documents import Cutter
from workers.lines import BOM, lines
from workers.readers import recognise
from workers.rows import Found, RowError
from workers.sheets import csv_rows, delimiter_of, gunzipped, parquet_rows
from workers.unpacking import Source

PARQUET = b"PAR1"
FOREIGN = {
    b"PK\x03\x04": "is a ZIP archive or a spreadsheet; unpack it, or save it as CSV",
    b"\xff\xfe": "is UTF-16; save the file as UTF-8",
    b"\xfe\xff": "is UTF-16; save the file as UTF-8",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it, or use gzip",
    b"BZh": "is compressed with bzip2; unpack it, or use gzip",
    b"\xfd7zXZ": "is compressed with xz; unpack it, or use gzip",
    b"%PDF": "is a PDF",
    b"\x89PNG": "is a picture",
    b"\xff\xd8\xff": "is a picture",
    b"SQLite format 3": "is a SQLite database",
}
LISTS_OF_A_ROW = frozenset(
    ("prompt", "chosen", "rejected", "responses", "messages", "conversation_a", "conversation_b", "votes", "pairs")
)
WRAPPED = re.compile(rb'\s*\{\s*"([^"\\]{1,80})"\s*:\s*\[\s*\{')


def read_rows(path: Path, *, longest: int) -> Iterator[Found]:
    """Every row of the file, good or bad, in order. `longest` is the longest line in bytes."""
    with path.open("rb") as raw:
        source = Source(raw)
        head = source.peek()
        if head.startswith(PARQUET):
            with gunzipped(source) if source.zipped else raw as table:
                yield from parquet_rows(table)
        elif foreign := next((words for magic, words in FOREIGN.items() if head.startswith(magic)), ""):
            yield Found(1, None, RowError(foreign), source.at)
        else:
            yield from rows_of_text(source, head.removeprefix(BOM), longest)


def rows_of_text(source: Source, head: bytes, longest: int) -> Iterator[Found]:
    match shape(head, whole=source.ended()):
        case "lines":
            for line in lines(source, longest):
                yield found(line.number, line.data, line.problem, line.at)
        case "document":
            for piece in Cutter(source, longest):
                yield found(piece.line, piece.data, piece.problem, piece.at)
        case "object":
            start = 1 + head[: len(head) - len(head.lstrip())].count(b"\n")
            yield found(start, head.strip(), None, source.at)
        case delimiter:
            yield from csv_rows(source, longest, delimiter)


def shape(head: bytes, *, whole: bool) -> str:
    """lines, document (a list, or an object around one), object (a single row), or what separates columns."""
    first, *others = [text for text in (part.strip() for part in head.split(b"\n", 200)[:200]) if text] or [b""]
    if first.startswith(b"["):
        return "lines" if others and kind(first) is list else "document"
    if first.startswith(b"{"):
        return shape_of_objects(head, first, others, whole)
    if any(kind(text) is dict for text in others):
        return "lines"
    return delimiter_of(first) or "lines"


def shape_of_objects(head: bytes, first: bytes, others: list[bytes], whole: bool) -> str:
    """Of a text that begins with a brace: a row a line, unless one object goes on over lines or wraps a list."""
    if kind(first) is dict:
        return "document" if not others and whole and wraps(orjson.loads(first)) else "lines"
    if not others:
        around = WRAPPED.match(head)
        return "document" if around and around[1].decode("utf-8", "replace") not in LISTS_OF_A_ROW else "lines"
    if whole and kind(head) is dict:
        return "document" if wraps(orjson.loads(head)) else "object"
    lone = any(kind(text) is dict for text in others)
    return "document" if first.endswith((b"{", b"[") if lone else (b"{", b"[", b",", b":")) else "lines"


def wraps(document: dict[str, Any]) -> bool:
    """Whether an object holds a list of rows, rather than being one: a row that some format knows is none."""
    lists = [value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return len(lists) >= 1 and not LISTS_OF_A_ROW & document.keys() and recognise([document]) is None


def kind(text: bytes) -> type | None:
    """The type of a JSON text, or None where it is none."""
    try:
        return type(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None


def found(number: int, data: bytes, problem: RowError | None, at: int) -> Found:
    """One JSON text as a row."""
    if problem:
        return Found(number, None, problem, at)
    try:
        row = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Found(number, None, RowError(not_json(data, error)), at, data[:200])
    if not isinstance(row, dict):
        return Found(number, None, RowError(f"must be an object, not {kind_of(row)}"), at, data[:200])
    return Found(number, row, None, at)


def not_json(data: bytes, error: orjson.JSONDecodeError) -> str:
    """Why a text is no JSON, in words."""
    try:
        data.decode()
    except UnicodeDecodeError as bad:
        return f"is not UTF-8 (byte {bad.start + 1})"
    return f"is not JSON: {error.msg} (character {error.pos + 1})"
