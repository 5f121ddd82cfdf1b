"""What the server tells, typed. Fields that a newer server adds are kept as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())


class ProjectShape(Shape):
    slug: str
    name: str
    kind: str
    description: str = ""
    overlap: int = 1
    items: int = 0
    tasks: int = 0
    protocol: dict[str, Any] | None = None
    created_at: datetime | None = None


class RunShape(Shape):
    id: str
    method: str
    state: str
    project: str | None = None
    params: dict[str, Any] = {}
    result: dict[str, Any] = {}
    error: str = ""
    done: int = 0
    total: int | None = None
    unit: str = "rows"
    percent: int | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")


class FileShape(Shape):
    name: str
    split: str
    rows: int
    bytes: int
    sha256: str
    url: str


class VersionShape(Shape):
    dataset: str
    number: int
    state: str
    target: str
    filters: dict[str, Any] = {}
    splits: dict[str, float] = {}
    seed: int = 0
    hash: str = ""
    counts: dict[str, Any] = {}
    card: str = ""
    lineage: dict[str, Any] = {}
    files: list[FileShape] = []
    wholes: list[FileShape] = []
    """Splits that are cut into shards, each also as one file."""
    run: str | None = None


class TraceShape(Shape):
    """One row of a version and what stands behind it; `minutes` are those measured on its annotations, if any were."""

    row: dict[str, Any]
    lineage: list[dict[str, Any]]
    item: dict[str, Any] | None = None
    minutes: float | None = None
    annotations: list[dict[str, Any]] = []
    suggestions: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []


class Landed(Shape):
    """What became of suggestions: `rejected` names each by its index, with field and reason."""

    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    rejected: list[dict[str, Any]] = []
    placed: list[dict[str, Any]] = []
