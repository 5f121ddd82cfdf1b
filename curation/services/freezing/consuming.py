"""The consumers of a target read a version's files before it is offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.models import DatasetVersion


def check(version: DatasetVersion, building: Path) -> list[dict[str, Any]]:
    """What each consumer said: `{consumer, version, ok, detail}`. Raises Conflict if one cannot read the files."""
    return []
