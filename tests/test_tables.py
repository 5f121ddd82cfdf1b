"""Rows as JSON lines and Parquet: one way to the table is by the lines, and it gives what the rows would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from curation.services.freezing.moments import in_utc
from workers.tables import MESSAGES, Table, from_lines, from_rows

pytestmark = pytest.mark.once
SCHEMA = pa.schema(
    [
        ("prompt", MESSAGES),
        ("text", pa.string()),
        ("number", pa.int64()),
        ("real", pa.float64()),
        ("flag", pa.bool_()),
        ("ids", pa.list_(pa.int64())),
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["2026-01-31T12:34:56.123456+00:00", "2026-01-31", "1", "true", "null", '"\\', "\u2028 \U0001f600", "\x01\x7f"]
)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXTS})
PICTURED = st.builds(lambda one: {**one, "images": ["f00"]}, MESSAGE)
ROW = st.fixed_dictionaries(
    {
        "prompt": st.lists(MESSAGE | PICTURED, max_size=3),
        "text": st.none() | TEXTS,
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "real": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "ids": st.none() | st.lists(st.integers(0, 2**40), max_size=3),
    }
)


def lines_of(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def parquet_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd", compression_level=1) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@examples(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=6))
def test_lines_give_the_table_that_their_rows_give_and_the_same_file(rows: list[dict[str, Any]]) -> None:
    found, wanted = from_lines(lines_of(rows), SCHEMA), from_rows(rows, SCHEMA)
    assert found is not None and found.schema == wanted.schema and found.equals(wanted)
    assert parquet_of(found) == parquet_of(wanted)


def test_a_value_that_has_not_the_type_of_its_column_leaves_it_to_the_rows(tmp_path: Path) -> None:
    schema = pa.schema([("result", pa.string()), ("number", pa.int64())])
    rows = [{"result": [{"from": "a"}], "number": 1}, {"result": "plain", "number": 2}]
    assert from_lines(lines_of(rows), schema) is None
    with Table(tmp_path, "train", schema) as table:
        for row in rows:
            table.add(row)
    told = pq.read_table(tmp_path / "train.parquet")["result"].to_pylist()
    assert told == ['[{"from":"a"}]', "plain"]
    with pytest.raises(pa.ArrowException), Table(tmp_path, "test", schema) as table:
        table.add({"result": "plain", "number": "none"})


@pytest.mark.parametrize(
    "given",
    ["2026-01-31 12:34:56.123456+00", "2026-01-31 14:34:56.123456+02", "2026-01-31 12:34:56.123456"],
)
def test_a_time_is_told_in_utc_however_a_database_writes_it(given: str) -> None:
    assert in_utc(given) == "2026-01-31T12:34:56.123456+00:00"


def test_a_time_without_all_digits_has_them_in_a_file() -> None:
    assert in_utc("2026-01-31 12:34:56.12+00") == "2026-01-31T12:34:56.120000+00:00"
    assert in_utc("2026-01-31 12:34:56+00") == "2026-01-31T12:34:56.000000+00:00"
