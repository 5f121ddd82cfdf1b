"""Tables: CSV under a header line, and Parquet. Each row is a mapping from column to value."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from workers.lines import Line, lines
from workers.rows import Found, RowError
from workers.unpacking import Source

ROWS_AT_ONCE = 256


class Unusable(Exception):
    """A physical line that cannot be part of a row."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.number)
        self.line = line


class Texts:
    """The physical lines of a CSV file as text; remembers where the row under way began and what was wrong in it."""

    def __init__(self, source: Source, longest: int) -> None:
        self.lines = lines(source, longest, blank=True)
        self.longest = longest
        self.last = self.first = 0
        self.at = self.size = 0
        self.not_utf8: RowError | None = None
        self.too_long = RowError(f"is a row of more than {longest / 2**20:g} MB; is a quote not closed?")

    def begin(self) -> None:
        """A new row begins with the next line."""
        self.first, self.size, self.not_utf8 = self.last + 1, 0, None

    def __iter__(self) -> Texts:
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.last, self.at = line.number, line.at
        self.size += len(line.data)
        if self.size > self.longest:
            line = Line(self.first, b"", self.too_long, line.at)
        if line.problem:
            raise Unusable(line)
        try:
            return line.data.decode() + "\n"
        except UnicodeDecodeError as error:
            self.not_utf8 = RowError(f"is not UTF-8 (byte {error.start + 1})")
            return line.data.decode("utf-8", "replace") + "\n"


def csv_rows(source: Source, longest: int, delimiter: str) -> Iterator[Found]:
    """Rows under a header line. A row may span lines; it has the number of its first."""
    csv.field_size_limit(longest)
    texts = Texts(source, longest)
    reader = csv.reader(texts, delimiter=delimiter)
    header: list[str] = []
    while True:
        texts.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except Unusable as broken:
            yield Found(broken.line.number, None, broken.line.problem, texts.at)
        except csv.Error as error:
            limit = "field limit" in str(error)
            yield Found(texts.first, None, texts.too_long if limit else RowError(f"is not CSV: {error}"), texts.at)
        else:
            if texts.not_utf8:
                yield Found(texts.first, None, texts.not_utf8, texts.at)
            elif not header:
                header = [name.strip() for name in cells]
            elif any(cells):
                yield csv_row(texts, header, cells)


def csv_row(texts: Texts, header: list[str], cells: list[str]) -> Found:
    if len(cells) > len(header):
        problem = RowError(f"has {len(cells)} fields, the header has {len(header)}")
        return Found(texts.first, None, problem, texts.at)
    return Found(texts.first, dict(zip(header, cells, strict=False)), None, texts.at)


def delimiter_of(header: bytes) -> str:
    """What separates the columns of a header line; empty when it has one column only."""
    best = max(b",;\t", key=lambda sign: header.count(bytes([sign])))
    return chr(best) if header.count(bytes([best])) else ""


def parquet_rows(raw: BinaryIO) -> Iterator[Found]:
    """Rows of a Parquet file; their numbers count from 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number, size = 0, raw.seek(0, 2)
    try:
        file = pq.ParquetFile(raw)
        total = max(1, file.metadata.num_rows)
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
            for row in plain(batch):
                number += 1
                at = size * number // total
                yield Found(number, None, row, at) if isinstance(row, RowError) else Found(number, row, None, at)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Found(number + 1, None, RowError(f"the Parquet file cannot be read from here on: {error}"), size)


def plain(batch: Any) -> Iterator[dict[str, Any] | RowError]:
    """The rows of a batch; one by one where a value in it cannot be had."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for n in range(batch.num_rows):
            try:
                yield batch.slice(n, 1).to_pylist()[0]
            except (ValueError, OverflowError) as error:
                yield RowError(f"has a value that cannot be read: {error}")


def gunzipped(source: Source) -> BinaryIO:
    """A zipped file unpacked into a nameless one, since Parquet is read from its end."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    for chunk in source:
        file.write(chunk)
    return file
