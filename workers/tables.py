"""Rows to files, twice at once: JSON lines and Parquet, in chunks, with constant memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
CHUNK = 2000


class Table:
    """One table under way to `<stem>.jsonl` and `<stem>.parquet` in a folder."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema) -> None:
        self.schema, self.stem, self.rows = schema, stem, 0
        self.lines = (folder / f"{stem}.jsonl").open("wb")
        self.parquet = pq.ParquetWriter(folder / f"{stem}.parquet", schema, compression="zstd", compression_level=1)
        self.waiting: list[dict[str, Any]] = []

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        self.parquet.close()
        self.lines.close()

    def add(self, row: dict[str, Any]) -> None:
        self.waiting.append(row)
        if len(self.waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what waits as lines and as one row group."""
        if not self.waiting:
            return
        self.lines.write(b"\n".join(map(orjson.dumps, self.waiting)) + b"\n")
        columns = [
            pa.array([row[field.name] for row in self.waiting], type=field.type, from_pandas=False)
            for field in self.schema
        ]
        self.parquet.write_table(pa.Table.from_arrays(columns, schema=self.schema))
        self.rows += len(self.waiting)
        self.waiting = []


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
