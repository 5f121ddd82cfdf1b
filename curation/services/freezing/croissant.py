"""A version as Croissant JSON-LD: its files with their checksums, its columns, and who annotated it."""

from __future__ import annotations

from typing import Any

from curation.models import DatasetFile, DatasetVersion


def croissant(version: DatasetVersion, files: list[DatasetFile]) -> dict[str, Any]:
    """The document that goes along as `croissant.json`."""
    return {}
