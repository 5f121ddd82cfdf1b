"""One row of a version, traced back: its item and source, the annotations behind it, whose, and how long they took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from curation.errors import NotFound
from curation.models import Annotation, Annotator, Change, Critique, DatasetFile, DatasetVersion, Item, Run
from curation.services.freezing.altering import Altered, altered
from curation.services.freezing.making import ready
from curation.services.looks import looked_ms

IMPORTS = ("import", "switch")
"""Methods that make items."""


@dataclass(frozen=True, slots=True)
class Trace:
    row: dict[str, Any]
    """As the version has it."""
    lines: list[dict[str, Any]]
    """Its lines of the lineage: one for a decided pair, one for each answer otherwise."""
    item: Item | None
    imported_by: Run | None
    annotations: list[Annotation]
    looked: dict[int, int | None]
    """Of each annotation, by its id, the active time of all looks that led to it, in ms."""
    suggestions: list[Annotation]
    """What models said of the same tasks."""
    altered: Altered | None = None
    """What became of the item since the version was made."""

    @property
    def minutes(self) -> float | None:
        """Active time that led to the annotations behind the row; None where none was measured."""
        measured = [ms for ms in self.looked.values() if ms is not None]
        return sum(measured) / 60_000 if measured else None


def trace(version: DatasetVersion, split: str, number: int) -> Trace:
    """Where row `number` (from 0) of a split came from. Raises NotFound for a row that is not there."""
    row = row_at(ready(version), split, number)
    lines = list(lineage_at(version, split, number))
    ids = {pk for line in lines for pk in line.get("annotations") or [line.get("annotation")] if pk}
    project = version.dataset.project
    item = Item.objects.select_related("source").filter(project=project, external_id=lines[0]["item"]).first()
    annotations = Annotation.objects.filter(pk__in=ids).select_related("annotator", "protocol", "task__pair")
    said = Annotation.objects.answers().filter(task__in={line["task"] for line in lines})
    said = said.exclude(annotator__kind=Annotator.Kind.PERSON).exclude(pk__in=ids).select_related("annotator")
    whole = ("preferences", "ranks", "critiques__derived_from__annotation__annotator", "verdicts")
    behind = list(annotations.prefetch_related(*whole).order_by("pk"))
    return Trace(
        row=row,
        lines=lines,
        item=item,
        imported_by=import_of(item) if item else None,
        annotations=behind,
        looked=looked_ms(behind),
        suggestions=list(said.order_by("pk")),
        altered=altered(version, item) if item else None,
    )


def import_of(item: Item) -> Run | None:
    """The import under way when the item was made."""
    about = Run.objects.filter(project=item.project_id, method__in=IMPORTS, started_at__lte=item.created_at)
    return about.exclude(ended_at__lt=item.created_at).order_by("-started_at").first()


def row_at(version: DatasetVersion, split: str, number: int) -> dict[str, Any]:
    """A row by its number; only the row group that holds it is read."""
    left = number
    for file in DatasetFile.objects.filter(version=version, split=split, name__endswith=".parquet").order_by("shard"):
        if left >= file.rows or split not in version.splits:
            left -= file.rows
            continue
        table = pq.ParquetFile(version.folder / file.name)
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group).num_rows
            if left < size:
                found: dict[str, Any] = table.read_row_group(group).slice(left, 1).to_pylist()[0]
                return found
            left -= size
    raise NotFound(f"{split} has no row {number}")


def lineage_at(version: DatasetVersion, split: str, number: int) -> Iterator[dict[str, Any]]:
    """The lines of the lineage on one row; row groups that cannot hold it are passed over."""
    files = DatasetFile.objects.filter(version=version, split="lineage", name__endswith=".parquet").order_by("shard")
    for file in files:
        table = pq.ParquetFile(version.folder / file.name)
        at = table.schema_arrow.get_field_index("row")
        for group in range(table.num_row_groups):
            known = table.metadata.row_group(group).column(at).statistics
            if known is not None and known.has_min_max and not known.min <= number <= known.max:
                continue
            for line in table.read_row_group(group).to_pylist():
                if line["split"] == split and line["row"] == number:
                    yield line


def told(found: Trace) -> dict[str, Any]:
    """A trace as the API tells it."""
    item, run = found.item, found.imported_by
    return {
        "row": found.row,
        "lineage": found.lines,
        "item": item and {
            "external_id": item.external_id,
            "source": item.source and {"name": item.source.name, "licence": item.source.licence},
            "metadata": item.metadata,
            "created_at": item.created_at,
            "imported_by": run and str(run.pk),
        },
        "changes": [change(one) for one in found.altered.changes] if found.altered else [],
        "minutes": None if found.minutes is None else round(found.minutes, 3),
        "annotations": [{**annotation(one), "looked_ms": found.looked[one.pk]} for one in found.annotations],
        "suggestions": [
            {"annotation": one.pk, **who(one), "version": one.version, "score": one.score, "created_at": one.created_at}
            for one in found.suggestions
        ],
    }  # fmt: skip


def change(one: Change) -> dict[str, Any]:
    """A change of an item as the API tells it: what, by whom, when and why."""
    return {
        "id": one.pk,
        "item": one.item.external_id,
        "item_id": one.item_id,
        "kind": one.kind,
        "what": one.fields,
        "by": one.made_by and one.made_by.username,
        "run": one.run_id and str(one.run_id),
        "reason": one.reason,
        "created_at": one.created_at,
    }


def annotation(one: Annotation) -> dict[str, Any]:
    return {
        "annotation": one.pk,
        **who(one),
        "protocol": one.protocol.version,
        "source": one.source,
        "help": one.help,
        "shown_order": one.order or None,
        "active_ms": one.active_ms,
        "rationale": one.rationale,
        "created_at": one.created_at,
        "preferences": [{"axis": p.axis, "value": p.value, "both_bad": p.both_bad} for p in one.preferences.all()],
        "critiques": [critique(c) for c in one.critiques.all()],
        "verdicts": [{"question": v.question, "answer": v.answer} for v in one.verdicts.all()],
    }  # fmt: skip


def critique(one: Critique) -> dict[str, Any]:
    origin = one.derived_from and one.derived_from.annotation
    return {
        **{name: getattr(one, name) for name in ("quote", "type", "severity", "comment", "review")},
        "derived_from": origin and {**who(origin), "version": origin.version},
    }


def who(one: Annotation) -> dict[str, str]:
    return {"kind": one.annotator.kind, "annotator": one.annotator.name}
