"""What an import reads: the stored file, its format, its companion, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from curation.errors import Invalid
from curation.services.importing import pictures
from curation.services.importing.pictures import Loose
from workers.files import read_rows
from workers.readers import Options, Reader, readers, recognise
from workers.readers.columns import NEEDED, USUAL
from workers.rows import Found, ItemRow, JudgementRow, RowError

ReadMany = Callable[[list[Mapping[str, Any]], Options], ItemRow]
LOOKED_AT, SNIFFED = 500, 20
COMPANION_IDS = ("arg", "id", "response")
COMPANION_MOST = 2_000_000
EXCERPT = 200
NO_ROWS = "the file has no rows: a JSON object a line, a list of them, or a table below a line of column names"


class Outcome(NamedTuple):
    """One row of the file after its format read it."""

    line: int
    at: int
    row: ItemRow | JudgementRow | None
    problem: RowError | None
    given: Mapping[str, Any] | bytes
    """The row as it was found, or the first bytes of what is none."""
    pictures: Sequence[Loose] = ()

    @property
    def excerpt(self) -> str:
        """Enough of a row to find it again."""
        if isinstance(self.given, bytes):
            return self.given.decode("utf-8", "replace")
        return excerpt(self.given)


def rows_of(path: Path) -> Iterator[Found]:
    return read_rows(path, longest=settings.IMPORT_LINE_MB * 2**20)


def reader_for(path: Path, name: str, mapping: Mapping[str, str]) -> Reader:
    """The format called `name`, or the one recognised in the first good rows. Raises Invalid when there is none.

    A whole mapping without a format means a table. A file without a single good row is read as Touchstone's own
    format, so that each row is refused for itself.
    """
    check_mapping(path, mapping)
    if name in ("", "auto") and all(role in mapping for role in NEEDED):
        return readers.get("columns")
    if name and name != "auto":
        try:
            return readers.get(name)
        except KeyError as error:
            raise Invalid(str(error.args[0]), field="format") from None
    looked_at = list(islice(rows_of(path), LOOKED_AT))
    if not looked_at:
        reason = "the file has no rows" if not path.stat().st_size else NO_ROWS
        raise Invalid(reason, field="file")
    first = list(islice((found.row for found in looked_at if found.row is not None), SNIFFED))
    reader = recognise(first) if first else readers.get("touchstone")
    if reader is None:
        fields = ", ".join(str(name)[:40] for name in list(first[0])[:8]) or "none"
        reason = f"no known format has these fields: {fields}; name a format, or map the columns"
        raise Invalid(reason, field="format")
    return reader


def check_mapping(path: Path, mapping: Mapping[str, str]) -> None:
    """Raises Invalid for a role that there is not, or a column that none of the first rows has."""
    if unknown := sorted(mapping.keys() - USUAL.keys()):
        raise Invalid(f"{unknown[0]!r} is no role of a column; there is: {', '.join(USUAL)}", field="mapping")
    rows = (found.row or {} for found in islice(rows_of(path), LOOKED_AT if mapping else 0))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if columns and (missing := [name for name in mapping.values() if name not in columns]):
        raise Invalid(f"no column {missing[0]!r}; there is: {', '.join(map(str, columns[:20]))}", field="mapping")


def mapping_from(given: Iterable[str]) -> dict[str, str]:
    """A column mapping told in texts such as prompt=question. Raises Invalid for any other text."""
    parts = [text.partition("=") for text in given]
    if wrong := next(("".join(part) for part in parts if not all(part)), None):
        raise Invalid(f"wants ROLE=COLUMN, such as prompt=question, not {wrong!r}", field="mapping")
    return {role: column for role, _, column in parts}


def columns_of(path: Path) -> list[str]:
    """The fields of the first good row, for a column mapping."""
    first = next((found.row for found in islice(rows_of(path), LOOKED_AT) if found.row is not None), None)
    return [str(name) for name in first or ()][:200]


def options_for(reader: Reader, mapping: dict[str, str], companion: Path | None) -> Options:
    """What the reader needs besides the row. The companion's texts are held in memory: arguments, not items."""
    texts: dict[str, str] = {}
    for found in rows_of(companion) if companion else ():
        row = found.row or {}
        key = next((row[name] for name in COMPANION_IDS if isinstance(row.get(name), str)), None)
        if key is None or not isinstance(row.get("text"), str):
            raise Invalid(
                f"line {found.line} of the companion file needs an id ({', '.join(COMPANION_IDS)}) and a text",
                field="companion",
            )
        texts[key] = row["text"]
        if len(texts) > COMPANION_MOST:
            raise Invalid(f"more than {COMPANION_MOST} rows", field="companion")
    return Options(mapping=mapping, companion=texts)


def outcomes(path: Path, reader: Reader, options: Options) -> Iterator[Outcome]:
    """Every row of the file as its format reads it, or the reason why not; of rows that belong together, one."""
    if reader.gather and reader.read_many:
        yield from gathered(path, reader.gather, reader.read_many, options)
        return
    yield from each(rows_of(path), reader, options)


def each(rows: Iterable[Found], reader: Reader, options: Options) -> Iterator[Outcome]:
    """Rows one by one, as their format reads them."""
    for found in rows:
        if found.row is None:
            yield Outcome(found.line, found.at, None, found.problem, found.start)
            continue
        try:
            row, loose = pictures.read(reader, found.row, options)
            yield Outcome(found.line, found.at, row, None, found.row, loose)
        except RowError as problem:
            yield Outcome(found.line, found.at, None, problem, found.row)


class Group:
    """Rows that follow each other and make one item. Together they are no longer than one row may be."""

    def __init__(self, key: str, longest: int) -> None:
        self.key, self.longest = key, longest
        self.rows: list[Found] = []
        self.size = 0
        self.problem: RowError | None = None

    def add(self, found: Found) -> None:
        """Keep a row; of a group that is refused already only the first, to tell its line."""
        self.size += len(orjson.dumps(found.row, default=str))
        if self.size > self.longest and self.rows:
            self.refuse(f"is, with the other rows of its item, longer than {self.longest / 2**20:g} MB")
        if not self.problem:
            self.rows.append(found)

    def refuse(self, reason: str) -> None:
        self.problem = self.problem or RowError(reason)
        del self.rows[1:]

    def outcome(self, read_many: ReadMany, options: Options, at: int) -> Outcome:
        """The item, at the line of its first row; or why it is none, at the line of the row that is bad."""
        first, rows = self.rows[0], [found.row or {} for found in self.rows]
        try:
            if self.problem:
                raise self.problem
            row, loose = pictures.apart(read_many(rows, options))
            return Outcome(first.line, at, row, None, rows[0], loose)
        except RowError as problem:
            bad = self.rows[problem.row] if problem.row < len(self.rows) else first
            return Outcome(bad.line, at, None, problem, bad.row or {})


def gathered(
    path: Path, gather: Callable[[Mapping[str, Any]], str], read_many: ReadMany, options: Options
) -> Iterator[Outcome]:
    """Rows of one key that follow each other, as one outcome.

    A row that cannot be read, or has no key, is refused for itself; between two rows of one item it spoils that too,
    since it was probably part of it.
    """
    group: Group | None = None
    broken = at = 0
    for found in rows_of(path):
        key, problem = key_of(found, gather)
        at = found.at
        if problem:
            broken = found.line
            yield Outcome(found.line, at, None, problem, found.row or found.start)
            continue
        if group and key != group.key:
            yield group.outcome(read_many, options, at)
            group = None
        if group and broken:
            group.refuse(f"begins an item in which line {broken} cannot be read")
        broken = 0
        group = group or Group(key, settings.IMPORT_LINE_MB * 2**20)
        group.add(found)
    if group:
        yield group.outcome(read_many, options, at)


def key_of(found: Found, gather: Callable[[Mapping[str, Any]], str]) -> tuple[str, RowError | None]:
    """What a row has in common with those that belong to it, or why it has nothing."""
    if found.row is None:
        return "", found.problem or RowError("is no row")
    try:
        return gather(found.row), None
    except RowError as problem:
        return "", problem


def excerpt(row: Mapping[str, Any]) -> str:
    """The first fields of a row, each cut short."""
    shown = ", ".join(f"{key}: {brief(value)}" for key, value in list(row.items())[:6])
    return shown.encode("utf-8", "replace").decode()[:EXCERPT]


def brief(value: Any) -> str:
    return f"{value[:60]}…" if isinstance(value, str) and len(value) > 60 else str(value)[:60]
