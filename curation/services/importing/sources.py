"""What an import reads: the stored file, its format, its companion, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from curation.errors import Invalid
from workers.files import read_rows
from workers.readers import Options, Reader, readers, recognise
from workers.rows import Found, ItemRow, JudgementRow, RowError

LOOKED_AT, SNIFFED = 500, 20
COMPANION_MOST = 2_000_000
EXCERPT = 200


class Outcome(NamedTuple):
    """One row of the file after its format read it."""

    line: int
    at: int
    row: ItemRow | JudgementRow | None
    problem: RowError | None
    excerpt: str = ""


def rows_of(path: Path) -> Iterator[Found]:
    return read_rows(path, longest=settings.IMPORT_LINE_MB * 2**20)


def reader_for(path: Path, name: str) -> Reader:
    """The format called `name`, or the one recognised in the first good rows. Raises Invalid when there is none.

    A file without a single good row is read as Touchstone's own format, so that each row is refused for itself.
    """
    if name and name != "auto":
        try:
            return readers.get(name)
        except KeyError as error:
            raise Invalid(str(error.args[0]), field="format") from None
    looked_at = list(islice(rows_of(path), LOOKED_AT))
    if not looked_at:
        raise Invalid("the file has no rows", field="file")
    first = list(islice((found.row for found in looked_at if found.row is not None), SNIFFED))
    reader = recognise(first) if first else readers.get("touchstone")
    if reader is None:
        fields = ", ".join(str(name)[:40] for name in list(first[0])[:8]) or "none"
        reason = f"no known format has these fields: {fields}; name a format, or map the columns"
        raise Invalid(reason, field="format")
    return reader


def columns_of(path: Path) -> list[str]:
    """The fields of the first good row, for a column mapping."""
    first = next((found.row for found in islice(rows_of(path), LOOKED_AT) if found.row is not None), None)
    return [str(name) for name in first or ()][:200]


def options_for(reader: Reader, mapping: dict[str, str], companion: Path | None) -> Options:
    """What the reader needs besides the row. The companion's texts are held in memory: arguments, not items."""
    texts: dict[str, str] = {}
    for found in rows_of(companion) if companion else ():
        row = found.row or {}
        key = next((row[name] for name in ("arg", "id") if isinstance(row.get(name), str)), None)
        if key is None or not isinstance(row.get("text"), str):
            raise Invalid(
                f"line {found.line} of the companion file needs an id (arg or id) and a text", field="companion"
            )
        texts[key] = row["text"]
        if len(texts) > COMPANION_MOST:
            raise Invalid(f"more than {COMPANION_MOST} rows", field="companion")
    return Options(mapping=mapping, companion=texts)


def outcomes(path: Path, reader: Reader, options: Options) -> Iterator[Outcome]:
    """Every row of the file as its format reads it, or the reason why not."""
    for found in rows_of(path):
        if found.row is None:
            yield Outcome(found.line, found.at, None, found.problem, found.start.decode("utf-8", "replace"))
            continue
        try:
            yield Outcome(found.line, found.at, reader.read(found.row, options), None)
        except RowError as problem:
            yield Outcome(found.line, found.at, None, problem, excerpt(found.row))


def excerpt(row: Mapping[str, Any]) -> str:
    """Enough of a row to find it again."""
    shown = ", ".join(f"{key}: {brief(value)}" for key, value in list(row.items())[:6])
    return shown.encode("utf-8", "replace").decode()[:EXCERPT]


def brief(value: Any) -> str:
    return f"{value[:60]}…" if isinstance(value, str) and len(value) > 60 else str(value)[:60]
