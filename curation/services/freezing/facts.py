"""What stands behind a version in figures: who answered, how long, how far they agree, under which licences."""

from __future__ import annotations

from typing import Any

from curation.models import DatasetVersion


def facts_of(version: DatasetVersion) -> dict[str, Any]:
    """Figures for the card; worked out once, when the version is made."""
    return {}
