"""The shelf of export targets: a decided pair in, a row of the target out, with the schema of its Parquet file.

A target is one file; its docstring names the consumer that must read it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workers.rows import DecidedRow
from workers.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    title: str
    columns: tuple[str, ...]
    row: Callable[[DecidedRow], dict[str, Any]]


targets: Shelf[Target] = Shelf("workers.writers", "target")

MESSAGE_COLUMNS = ("prompt", "chosen", "rejected")
"""Columns that hold a list of {role, content}; every other column of a target is a number."""
