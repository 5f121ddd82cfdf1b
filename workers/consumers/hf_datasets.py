"""`datasets.load_dataset`, whole and streaming: what everybody loads Parquet with.

Up to WHOLE rows are loaded; of more, the first of them are streamed, which reads the same files by the same code.
"""

from __future__ import annotations

import tempfile
from importlib import import_module
from itertools import islice
from typing import Any

from workers.consumers import Consumer, Files, Refused, consumers
from workers.writers import targets

WHOLE = 20_000
STREAMED = 2000


def read(files: Files) -> str:
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    columns = list(targets.get(files.target).as_of(files.edition).columns)
    with tempfile.TemporaryDirectory(prefix="touchstone-check-") as cache:
        streams = load_dataset("parquet", data_files=files.paths(), streaming=True, cache_dir=cache)
        for split, rows in streams.items():
            same_columns(split, rows.column_names, columns)
            wanted = min(STREAMED, files.rows[split])
            if (found := sum(1 for _ in islice(rows, wanted))) != wanted:
                raise Refused(f"{found} rows stream, not {wanted}", file=split)
        if files.total > WHOLE:
            return f"streams; the first {STREAMED} rows of each split were read"
        whole = load_dataset("parquet", data_files=files.paths(), cache_dir=cache)
        for split, rows in whole.items():
            same_columns(split, rows.column_names, columns)
            if rows.num_rows != files.rows[split]:
                raise Refused(f"{rows.num_rows} rows were loaded, not {files.rows[split]}", file=split)
    return f"loads and streams, {files.total} rows"


def same_columns(split: str, found: Any, wanted: list[str]) -> None:
    if list(found or []) != wanted:
        raise Refused(f"has the columns {', '.join(found or [])}, not {', '.join(wanted)}", file=split)


consumers.add(Consumer("datasets", "datasets", read, load=lambda: import_module("datasets")))
