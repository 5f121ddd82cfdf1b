"""The least that each measure could cost: the same rows by COPY, by executemany, in files, by a bare view."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from benchmarks.client import Client, Unexpected
from benchmarks.databases import Database
from benchmarks.measuring import timed
from benchmarks.processes import Server, free_port, gunicorn

ITEMS = "SELECT {c} FROM curation_item t WHERE t.project_id = {project} ORDER BY t.id"
OF_ITEMS = """
SELECT {{c}} FROM {table} t JOIN curation_item i ON i.id = t.item_id WHERE i.project_id = {{project}} ORDER BY t.id
"""
TABLES = {
    "curation_item": ITEMS,
    "curation_response": OF_ITEMS.format(table="curation_response"),
    "curation_pair": OF_ITEMS.format(table="curation_pair"),
    "curation_task": ITEMS.replace("curation_item", "curation_task"),
}
"""What an import of pairs writes, in the order of its foreign keys."""
BLOCK = 2**20
ROWS_AT_A_TIME = 10_000


def import_floor(database: Database, slug: str, folder: Path) -> float:
    """Seconds to write the rows of an imported project once more, into empty tables with the same indexes."""
    project = database.ask(f"SELECT id FROM curation_project WHERE slug = '{slug}'")[0][0]
    selections = {name: select.format(c="t.*", project=project) for name, select in TABLES.items()}
    return copy(database, selections, folder) if database.postgres else executemany(database, selections, folder)


def copy(database: Database, selections: dict[str, str], folder: Path) -> float:
    """By COPY, from files of the rows in PostgreSQL's own text format, in one transaction."""
    with psycopg.connect(database.url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS floor CASCADE")
        connection.execute("CREATE SCHEMA floor")
        for name, select in selections.items():
            dump(connection, select, folder / name)
            clone = sql.SQL("CREATE TABLE floor.{0} (LIKE public.{0} INCLUDING ALL)")
            connection.execute(clone.format(sql.Identifier(name)))
        connection.commit()
        seconds, _ = timed(lambda: load(connection, list(selections), folder))
        connection.execute("DROP SCHEMA floor CASCADE")
    return seconds


def dump(connection: psycopg.Connection[Any], select: str, path: Path) -> None:
    statement = sql.SQL("COPY ({}) TO STDOUT").format(sql.SQL(select))  # type: ignore[arg-type]
    with path.open("wb") as file, connection.cursor().copy(statement) as rows:
        for block in rows:
            file.write(block)


def load(connection: psycopg.Connection[Any], names: Sequence[str], folder: Path) -> None:
    for name in names:
        statement = sql.SQL("COPY floor.{} FROM STDIN").format(sql.Identifier(name))
        with (folder / name).open("rb") as file, connection.cursor().copy(statement) as rows:
            while block := file.read(BLOCK):
                rows.write(block)
    connection.commit()


def executemany(database: Database, selections: dict[str, str], folder: Path) -> float:
    """By executemany, from rows in memory, into a file of its own with the same pragmas, in one transaction."""
    source = database.connect()
    rows = {name: source.execute(select).fetchall() for name, select in selections.items()}
    path = folder / "floor.sqlite3"
    path.unlink(missing_ok=True)
    target = sqlite3.connect(path)
    target.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;")
    wanted = ", ".join(f"'{name}'" for name in selections)
    made = source.execute(f"SELECT sql FROM sqlite_master WHERE tbl_name IN ({wanted}) AND type <> 'trigger'")
    for (statement,) in made.fetchall():
        if statement:
            target.execute(statement)
    seconds, _ = timed(lambda: insert(target, rows))
    target.close()
    source.close()
    return seconds


def insert(target: sqlite3.Connection, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    for name, values in rows.items():
        slots = ", ".join("?" * len(values[0]))
        target.executemany(f"INSERT INTO {name} VALUES ({slots})", values)
    target.commit()


def export_floor(jsonl: Path, parquet: Path, folder: Path) -> dict[str, float]:
    """Seconds to write the rows of two exported files once more, from memory, with the same schema and codec."""
    return {"jsonl": lines_again(jsonl, folder / "floor.jsonl"), "parquet": parquet_again(parquet, folder)}


def lines_again(source: Path, path: Path) -> float:
    """Seconds to write JSON lines; some rows are in memory at a time, and reading them is not counted."""
    seconds = 0.0
    with source.open("rb") as given, path.open("wb") as file:
        while rows := [orjson.loads(line) for line in islice(given, ROWS_AT_A_TIME)]:
            spent, _ = timed(partial(write_lines, rows, file))
            seconds += spent
        return seconds + timed(file.flush)[0]


def write_lines(rows: list[dict[str, Any]], file: BinaryIO) -> None:
    for row in rows:
        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def parquet_again(source: Path, folder: Path) -> float:
    """Seconds to write Parquet with the schema and codec of `source`, likewise."""
    given = pq.ParquetFile(source)
    codec = given.metadata.row_group(0).column(0).compression.lower().replace("uncompressed", "none")
    writer = pq.ParquetWriter(folder / "floor.parquet", given.schema_arrow, compression=codec)
    seconds = 0.0
    for batch in given.iter_batches(ROWS_AT_A_TIME):
        rows = batch.to_pylist()
        seconds += timed(partial(write_rows, writer, rows, given.schema_arrow))[0]
    return seconds + timed(writer.close)[0]


def write_rows(writer: pq.ParquetWriter, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    writer.write_table(pa.Table.from_pylist(rows, schema=schema))


@dataclass
class Reader:
    """An annotator of the bare view: reads one row, has nothing to submit."""

    client: Client
    first: int
    last: int
    dice: random.Random = field(default_factory=lambda: random.Random(1))

    def next(self) -> int:
        number = self.dice.randint(self.first, self.last)
        status, content = self.client.exchange("GET", f"/items/{number}")
        if status != 200 or len(content) < 100:
            raise Unexpected(f"the bare view answered {status}")
        return number

    def submit(self, task: int) -> None:
        self.client.seconds = 0.0


class BareView:
    """The bare view behind the same command line, on the same database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.port = database, free_port()
        command = gunicorn("benchmarks.bare_view:application", self.port)
        self.server = Server(command, log=folder / "bare.log", env={"DATABASE_URL": database.url})
        self.server.until_answering(self.port, "/ready")

    def __enter__(self) -> BareView:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.end()

    def readers(self, slug: str, count: int) -> list[Reader]:
        """Readers of the items of a project."""
        project = f"SELECT id FROM curation_project WHERE slug = '{slug}'"
        select = f"SELECT min(id), max(id) FROM curation_item WHERE project_id = ({project})"
        first, last = self.database.ask(select)[0]
        return [Reader(Client(self.port), first, last, random.Random(seed)) for seed in range(count)]
