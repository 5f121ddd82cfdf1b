"""Throw-away databases of a benchmark, and plain connections to them."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

SERVER = os.environ.get("TOUCHSTONE_BENCH_POSTGRES", "postgres://postgres@127.0.0.1:5432")
OURS, PEERS = "touchstone_bench", "touchstone_bench_peer"


@dataclass(frozen=True)
class Database:
    """A database of one benchmark: on the PostgreSQL server, or a file."""

    url: str

    @property
    def postgres(self) -> bool:
        return self.url.startswith("postgres")

    def connect(self) -> Any:
        """A plain DB-API connection."""
        return psycopg.connect(self.url) if self.postgres else sqlite3.connect(urlsplit(self.url).path[1:])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        connection = self.connect()
        try:
            found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            return found
        finally:
            connection.close()

    def version(self) -> str:
        if self.postgres:
            return f"PostgreSQL {self.ask('SHOW server_version')[0][0].split()[0]}"
        return f"SQLite {sqlite3.sqlite_version}"


def reachable() -> bool:
    """Whether the PostgreSQL server answers."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def create(kind: str, folder: Path, name: str) -> Database:
    """An empty database, in place of one that an earlier benchmark left."""
    if kind == "sqlite":
        return Database(f"sqlite:///{folder / name}.sqlite3")
    order(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    return Database(f"{SERVER}/{name}")


def drop(database: Database) -> None:
    """Remove it from the server; a file goes with its folder."""
    if database.postgres:
        order(f'DROP DATABASE IF EXISTS "{urlsplit(database.url).path[1:]}" WITH (FORCE)')


def order(*statements: str) -> None:
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]
