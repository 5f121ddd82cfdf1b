"""The shelf of export targets: what is decided or said in, rows of the target out, with the schema of its Parquet file.

A target is one file; its docstring names the consumer that must read it unchanged. `source` says what its `row` takes:
a decided pair, one annotator's answer on one response (or, by `per`, a list of all on one response or one item), a
pair with all that is decided on it, or a whole answer as it was given. `row` gives a row, or a list of rows; it raises
Dropped for what the target cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from workers.shelf import Shelf

Source = Literal["decided", "critiqued", "compared", "answered"]


class Dropped(Exception):
    """What is not in the target: the reason is counted and told with the version."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    title: str
    columns: tuple[str, ...]
    row: Callable[[Any], Any]
    source: Source = "decided"
    fields: Callable[[], Any] | None = None
    """The Arrow schema; None for columns of conversations (MESSAGE_COLUMNS) and numbers."""
    per: Literal["answer", "response", "item"] = "answer"
    """Of critiqued targets: what one row is about."""
    questions: tuple[str, ...] = ()
    """One of these must be asked in a project, or there is nothing to export."""
    unit: str = ""
    """What responses must be cut into: sentence or step; empty: that does not matter."""
    axes: tuple[str, ...] = ()
    """All of these must be compared."""
    consumers: tuple[str, ...] = ("datasets",)
    """Who reads its files before a version is offered (workers/consumers/)."""
    named: bool = False
    """Whether its rows name annotators."""
    separated: bool = False
    """Whether its consumers read tab-separated values: then each split has such a file too."""
    reasoned: bool = False
    """Of decided targets: whether its rows hold the reasons against the rejected response, and those of pairs of which
    both are bad are kept as WrongRow."""
    edition: int = 1
    """Which form of the target this is. A version keeps the form that it was made in, and is made again in it."""
    before: Target | None = None
    """The form before this one."""

    @property
    def what(self) -> str:
        """What is looked at, one by one, for its rows."""
        return {"critiqued": self.per, "answered": "answer"}.get(self.source, "pair")

    def as_of(self, edition: int | None) -> Target:
        """The target as it was in an edition; None: as it is now."""
        found = self
        while edition is not None and found.edition > edition and found.before:
            found = found.before
        return found

    def rows(self, given: Any) -> list[dict[str, Any]]:
        """What becomes of one decided pair, answer (or several together) or compared pair. Raises Dropped."""
        made = self.row([given] if self.per != "answer" and not isinstance(given, list) else given)
        return made if isinstance(made, list) else [made]

    def schema(self) -> Any:
        """The schema of the target's Parquet file. pyarrow is imported when somebody asks."""
        if self.fields:
            return self.fields()
        import pyarrow as pa

        from workers.tables import MESSAGES

        return pa.schema([(name, MESSAGES if name in MESSAGE_COLUMNS else pa.float64()) for name in self.columns])


targets: Shelf[Target] = Shelf("workers.writers", "target")

MESSAGE_COLUMNS = ("prompt", "chosen", "rejected")
"""Columns that hold a list of {role, content}; every other column of a target without a schema is a number."""
