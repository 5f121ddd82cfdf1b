"""Files of every shape become rows; whatever is wrong with one is told by its line, and the others are read."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.files import read_rows
from workers.readers import Options, readers, recognise
from workers.rows import Found, RowError

MB = 2**20
ROWS = [{"prompt": f"q{n}", "chosen": "a\nb", "rejected": 'c, "d" [}'} for n in range(3)]
LINES = [json.dumps(row).encode() for row in ROWS]


def found(tmp_path: Path, data: bytes, longest: int = MB) -> list[Found]:
    path = tmp_path / "file"
    path.write_bytes(data)
    return list(read_rows(path, longest=longest))


def rows(tmp_path: Path, data: bytes) -> list[Any]:
    return [one.row for one in found(tmp_path, data) if one.row is not None]


def problems(tmp_path: Path, data: bytes, longest: int = MB) -> list[tuple[int, str]]:
    return [(one.line, one.problem.reason) for one in found(tmp_path, data, longest) if one.problem]


def parquet(table: list[dict[str, Any]]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table), target)
    return target.getvalue()


SHAPES = {
    "lines": b"\n".join(LINES) + b"\n",
    "lines with blank ones": b"\r\n\n".join(LINES),
    "lines after a byte order mark": b"\xef\xbb\xbf" + b"\n".join(LINES),
    "a list": json.dumps(ROWS).encode(),
    "an indented list": json.dumps(ROWS, indent=2).encode(),
    "a list, a row a line": b"[\n" + b",\n".join(LINES) + b"\n]",
    "an object around a list": json.dumps({"version": 1, "data": ROWS}).encode(),
    "an indented object around a list": json.dumps({"meta": {"a": [1]}, "data": ROWS}, indent=1).encode(),
    "gzip": gzip.compress(b"\n".join(LINES)),
    "gzip in two members": gzip.compress(LINES[0] + b"\n" + LINES[1] + b"\n") + gzip.compress(LINES[2]),
    "Parquet": parquet(ROWS),
    "gzipped Parquet": gzip.compress(parquet(ROWS)),
    "CSV": b'prompt,chosen,rejected\nq0,"a\nb","c, ""d"" [}"\nq1,"a\nb","c, ""d"" [}"\nq2,"a\nb","c, ""d"" [}"\n',
    "tabs": b'prompt\tchosen\trejected\nq0\t"a\nb"\t"c, ""d"" [}"\nq1\t"a\nb"\t"c, ""d"" [}"\n'
    b'q2\t"a\nb"\t"c, ""d"" [}"',
    "semicolons": b'prompt;chosen;rejected\nq0;"a\nb";"c, ""d"" [}"\nq1;"a\nb";"c, ""d"" [}"\nq2;"a\nb";"c, ""d"" [}"',
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_rows_come_out_of_every_shape(tmp_path: Path, shape: str) -> None:
    assert rows(tmp_path, SHAPES[shape]) == ROWS
    assert problems(tmp_path, SHAPES[shape]) == []


def test_one_indented_object_is_one_row(tmp_path: Path) -> None:
    row = {"prompt": "q", "responses": [{"text": "a"}, {"text": "b"}]}
    assert rows(tmp_path, json.dumps(row, indent=2).encode()) == [row]
    assert rows(tmp_path, json.dumps(row).encode()) == [row]


def test_bad_lines_are_refused_one_by_one(tmp_path: Path) -> None:
    bad = [b'{"prompt": "x', b"\xff\xfe{}", b"[1]", b"7", b'{"a": NaN}', b'{"a": "\\ud800"}', LINES[0]]
    said = problems(tmp_path, b"\n".join(bad))
    assert [line for line, _ in said] == [1, 2, 3, 4, 5, 6]
    assert "UTF-8 (byte 1)" in said[1][1] and "not a list" in said[2][1] and "character" in said[4][1]
    assert rows(tmp_path, b"\n".join(bad)) == ROWS[:1]


def test_bad_elements_of_a_list_are_refused_one_by_one(tmp_path: Path) -> None:
    data = b"[\n" + LINES[0] + b',\n{"a": [1,},\n' + LINES[1] + b',\n5, {"x": tru}]'
    assert rows(tmp_path, data) == ROWS[:2]
    assert [line for line, _ in problems(tmp_path, data)] == [3, 5, 5]


def test_a_list_that_breaks_off_gives_what_was_whole(tmp_path: Path) -> None:
    data = b"[" + LINES[0] + b"," + LINES[1][:-5]
    assert rows(tmp_path, data) == ROWS[:1]
    assert "last bracket" in problems(tmp_path, data)[0][1]


def test_an_overlong_line_is_refused_with_its_number_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(LINES[0] + b"\n")
        for _ in range(50):
            file.write(b"x" * MB)
        file.write(b"\n" + LINES[1])
    tracemalloc.start()
    seen = [(one.line, one.problem and one.problem.reason) for one in read_rows(path, longest=8 * MB)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == [(1, None), (2, "is longer than 8 MB"), (3, None)]
    assert peak < 30 * MB


def test_the_elements_of_a_list_on_one_line_are_numbered(tmp_path: Path) -> None:
    data = b"[" + LINES[0] + b", 7, " + LINES[1] + b"]"
    assert [one.line for one in found(tmp_path, data)] == [1, 2, 3]


def test_an_overlong_element_of_a_list_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    long = b'{"a": "' + b'x\\\\\\"' * MB + b'", "b": [2]}'
    data = b"[" + LINES[0] + b", " + long + b",\n" + LINES[2] + b"]"
    assert rows(tmp_path, data) == [ROWS[0], ROWS[2]]
    assert problems(tmp_path, data) == [(2, "is longer than 1 MB")]


@pytest.mark.parametrize("filling", [b"\0", b" \n" + b"x" * 999])
def test_a_gzip_bomb_ends_the_reading_and_keeps_what_came_before(tmp_path: Path, filling: bytes) -> None:
    bomb = gzip.compress(LINES[0] + b"\n" + filling * (100 * MB // len(filling)), 6)
    path = tmp_path / "file"
    path.write_bytes(bomb)
    first, last = None, None
    for one in read_rows(path, longest=MB):
        first, last = first or one, one
    assert first and first.row == ROWS[0]
    assert last and last.problem and "unpacks to over" in last.problem.reason


@pytest.mark.parametrize("cut", [-1, -8, -20])
def test_a_truncated_gzip_gives_the_rows_before_its_end(tmp_path: Path, cut: int) -> None:
    data = gzip.compress(b"\n".join(LINES) + b"\n" + bytes(range(97, 123)))[:cut]
    assert rows(tmp_path, data) == ROWS
    assert "ends too early" in problems(tmp_path, data)[-1][1]


def test_a_csv_row_has_the_number_of_its_first_line(tmp_path: Path) -> None:
    data = b'prompt,a,b\n"q\n\n1",x,y\nx,\xff,c\n1,2,3,4\n5,6\n\n"open,1,2\n'
    assert [(one.line, one.row) for one in found(tmp_path, data) if one.row] == [
        (2, {"prompt": "q\n\n1", "a": "x", "b": "y"}),
        (7, {"prompt": "5", "a": "6"}),
        (9, {"prompt": "open,1,2\n"}),
    ]
    assert problems(tmp_path, data) == [(5, "is not UTF-8 (byte 3)"), (6, "has 4 fields, the header has 3")]


def test_a_quote_that_is_never_closed_does_not_swallow_the_memory(tmp_path: Path) -> None:
    said = problems(tmp_path, b'prompt,a,b\n"q,x,y\n' + b"z" * 99 + b"\n" * 3 + b"1,2,3\n" * 500, longest=1000)
    assert said and said[0][0] == 2 and "quote" in said[0][1]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04zip", "ZIP"),
        ("prompt,a\n".encode("utf-16"), "UTF-16"),
        (b"PAR1 not really PAR1", "Parquet"),
        (parquet(ROWS)[:-9], "Parquet"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, data: bytes, word: str) -> None:
    said = problems(tmp_path, data)
    assert len(said) == 1 and said[0][0] == 1 and word in said[0][1]


def test_an_empty_file_has_no_rows_and_no_problems(tmp_path: Path) -> None:
    assert found(tmp_path, b"") == found(tmp_path, b"\n\n") == found(tmp_path, gzip.compress(b"")) == []


HEADS = st.sampled_from(
    [b"", b"[", b"{", b'{"a": [', b"PAR1", b"\x1f\x8b", b"a,b\n", b"\xef\xbb\xbf", LINES[0] + b"\n"]
)
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([*LINES, b"\n", b",", b'"', b"\\", b"[", b"]", b"{", b"}", b"\xff", b"\0", b"x" * 300]),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(head=HEADS, pieces=PIECES, zipped=st.booleans())
def test_no_bytes_at_all_break_the_reading(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, pieces: list[bytes], zipped: bool
) -> None:
    data = head + b"".join(pieces)
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(gzip.compress(data) if zipped else data)
    lines = 0
    for one in read_rows(path, longest=256):
        assert (one.row is None) == (one.problem is not None)
        assert one.line >= lines
        lines = one.line
        if one.row is not None:
            read_with_every_format(one.row)
    assert lines <= data.count(b"\n") + data.count(b",") + 2


def read_with_every_format(row: Any) -> None:
    recognise([row])
    for reader in readers:
        try:
            reader.read(row, Options())
        except RowError as problem:
            assert problem.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["id", "prompt", "chosen", "rejected", "responses", "response_a", "response_b", "model_a", "votes", "pairs", "turn"]
    + ["conversation_a", "conversation_b", "gpt4_pair", "topic", "baseline", "judge", "choice", "metadata", "input"]
)


@settings(max_examples=300, deadline=None)
@given(row=st.dictionaries(NAMES, JSON | st.just("Human: hi\n\nAssistant: yo"), max_size=7))
def test_no_values_at_all_break_a_format(row: dict[str, Any]) -> None:
    read_with_every_format(row)


@settings(max_examples=200, deadline=None)
@given(
    table=st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), min_size=1, max_size=6), indent=st.booleans()
)
def test_a_list_is_cut_where_its_elements_end(
    tmp_path_factory: pytest.TempPathFactory, table: list[Any], indent: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "list"
    path.write_text(json.dumps(table, indent=1 if indent else None))
    read = [one.row for one in read_rows(path, longest=MB) if one.row is not None]
    assert json.loads(json.dumps(read)) == json.loads(json.dumps(table)) or any_big(table)


def any_big(table: Any) -> bool:
    """Whole numbers of more than 64 bits come out as floats."""
    if isinstance(table, int) and not isinstance(table, bool):
        return abs(table) >= 2**63
    inner = table.values() if isinstance(table, dict) else table if isinstance(table, list) else ()
    return any(map(any_big, inner))
