"""What a method of a run is: its name, its parameters, and the functions that do it.

A method either does all its work itself (`execute`, with checkpoints), or says how its work is cut (`plan`), how
one piece is done (`work`) and what becomes of the whole (`close`). Each service defines its own; `methods.py` lists
them. Pages, API and command draw their forms from `params`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from curation import access
from curation.models import Project, Run, Shard, User

if TYPE_CHECKING:
    from curation.services.running import Report
    from curation.services.sharding import ShardReport


class Params(BaseModel):
    """Base of the parameters of a method; unknown names are refused.

    `json_schema_extra={"choose": "model", "kinds": [...]}` on a field of type int makes it a choice of a model
    version, `{"choose": "axis"}` on a str one of the project's axes; `"help"` is what a form says of
    it instead of its description.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Piece:
    """What becomes a shard: `spec` names its rows in the method's own words, `size` how many they are."""

    spec: dict[str, Any]
    size: int


@dataclass(frozen=True)
class Method:
    name: str
    title: str
    about: str = ""
    params: type[Params] = Params
    unit: str = "rows"
    execute: Callable[[Run, Report], dict[str, Any]] | None = None
    plan: Callable[[Run, Any, dict[str, Any] | None], Iterator[Piece]] | None = None
    """(run, params, the spec of the last piece already laid, or None): the pieces after it, always the same ones."""
    work: Callable[[Run, Shard, Any, ShardReport], None] | None = None
    """(run, shard, params, report): one piece; writes its rows inside `report.committing()`."""
    close: Callable[[Run, Any, Report], dict[str, Any]] | None = None
    """(run, params, report): the result of the whole; without it, the sums of the numbers in the shards' results."""
    split: Callable[[dict[str, Any]], list[Piece]] | None = None
    """Two halves of a piece that did not fit into memory; an empty list when it cannot be halved."""
    ended: Callable[[Run], None] | None = None
    """Called when the run has ended, however it did."""
    begin: Callable[[Project | None, Any, User | None], Run] | None = None
    """Makes the run where making it takes more than its parameters."""
    settle: Callable[[Project | None, Any], Any] | None = None
    """Puts into the parameters what is settled when a run is started, such as the newest version. Raises Invalid."""
    model: Callable[[Any], int | None] = field(default=lambda params: getattr(params, "model", None))
    """The model version that is at work, out of the parameters."""
    startable: bool = True
    """Whether people may start it by name."""
    needs_project: bool = True
    capability: str = access.FREEZE
    shard_seconds: int = 900
    """A shard at work for longer is stopped and tried again."""
