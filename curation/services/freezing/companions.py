"""The companion files: every annotator's standing answers as they were given, under the labels of their time.

What was said when somebody was asked again stands behind the answers, marked as what it is (`repeated.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.models import DatasetVersion
from curation.services.deciding import ANSWERED, STANDING
from curation.services.freezing import curated, repeated
from curation.services.freezing.moments import in_utc
from curation.services.freezing.selecting import Fields, loaded, past_of

PROTOCOL = "(SELECT c.version FROM curation_protocol c WHERE c.id = a.protocol_id)"
WHO: Fields = (
    ("annotator_kind", "text"), ("annotator", "text"), ("protocol", "whole"), ("source", "text"), ("help", "text"),
)  # fmt: skip
WHERE: Fields = (("item", "text"), ("response", "whole"), ("position", "whole"), ("model", "text"))
WHO_SQL = f"r.kind, r.name, {PROTOCOL}, a.source, a.help"
WHERE_SQL = "i.external_id, s.id, s.position, s.model"
ABOUT = """
JOIN curation_{table} x ON x.annotation_id = a.id
JOIN curation_response s ON s.id = x.response_id
JOIN curation_item i ON i.id = s.item_id
"""
ORIGIN = """
LEFT JOIN curation_{table} d ON d.id = x.derived_from_id
LEFT JOIN curation_annotation da ON da.id = d.annotation_id
LEFT JOIN curation_annotator o ON o.id = da.annotator_id
"""
DERIVED: Fields = (
    ("review", "text"), ("review_ms", "whole"), ("derived_from", "whole"), ("origin_kind", "text"), ("origin", "text"),
    ("origin_version", "text"),
)  # fmt: skip
DERIVED_SQL = "x.review, x.review_ms, x.derived_from_id, o.kind, o.name, da.version"


@dataclass(frozen=True, slots=True)
class Companion:
    """One file: its name, its columns, and the statement that gives them in this order."""

    stem: str
    fields: Fields
    sql: str
    mend: Callable[[dict[str, Any]], None]

    def rows(self, version: DatasetVersion) -> Iterator[dict[str, Any]]:
        upto, names = version.lineage["last_annotation"], [name for name, _ in self.fields]
        for row in past_of(version).stream(self.sql, [version.dataset.project_id, upto, upto]):
            made = dict(zip(names, row, strict=True))
            self.mend(made)
            yield made

    def empty(self, version: DatasetVersion) -> bool:
        with closing(self.rows(version)) as rows:  # type: ignore[type-var]
            return next(rows, None) is None


def mend_answer(row: dict[str, Any]) -> None:
    row["created_at"] = in_utc(row["created_at"])
    row["both_bad"] = bool(row["both_bad"])


def mend_critique(row: dict[str, Any]) -> None:
    row["omission"] = bool(row["omission"])
    row["evidence"] = loaded(row["evidence"])


def mend_verdict(row: dict[str, Any]) -> None:
    row["answer"] = loaded(row["answer"])
    row["evidence"] = loaded(row["evidence"])


def as_it_is(_row: dict[str, Any]) -> None:
    """Ranks need no mending."""


ANSWERS = Companion(
    "annotations",
    (
        ("annotation", "whole"), ("task", "whole"), ("pair", "whole"), ("response", "whole"), *WHO,
        ("shown_order", "text"), ("active_ms", "whole"), ("created_at", "text"), ("rationale", "text"),
        ("version", "text"), ("score", "real"), ("axis", "text"), ("value", "whole"), ("both_bad", "flag"),
        ("probability", "real"),
    ),
    f"""
    SELECT a.id, a.task_id, t.pair_id, t.response_id, {WHO_SQL}, a."order", a.active_ms, a.created_at, a.rationale,
           a.version, a.score, p.axis, p.value, p.both_bad, p.probability
    {ANSWERED} LEFT JOIN curation_preference p ON p.annotation_id = a.id {STANDING} ORDER BY a.id, p.id
    """,
    mend_answer,
)  # fmt: skip
CRITIQUES = Companion(
    "critiques",
    (
        ("critique", "whole"), ("annotation", "whole"), ("task", "whole"), *WHERE, *WHO, ("message", "whole"),
        ("unit", "text"), ("start", "whole"), ("end", "whole"), ("quote", "text"), ("type", "text"),
        ("severity", "text"), ("polarity", "whole"), ("comment", "text"), ("edit", "text"), ("omission", "flag"),
        ("evidence", "text"), ("edit_distance", "whole"), *DERIVED,
    ),
    f"""
    SELECT x.id, a.id, a.task_id, {WHERE_SQL}, {WHO_SQL}, x.message, x.unit, x.start, x."end", x.quote, x.type,
           x.severity, x.polarity, x.comment, x.edit, x.omission, x.evidence, x.edit_distance, {DERIVED_SQL}
    {ANSWERED} {(ABOUT + ORIGIN).format(table="critique")} {STANDING} ORDER BY a.id, x.id
    """,
    mend_critique,
)  # fmt: skip
VERDICTS = Companion(
    "verdicts",
    (
        ("verdict", "whole"), ("annotation", "whole"), ("task", "whole"), *WHERE, *WHO, ("question", "text"),
        ("answer", "text"), ("comment", "text"), ("start", "whole"), ("end", "whole"), ("evidence", "text"), *DERIVED,
    ),
    f"""
    SELECT x.id, a.id, a.task_id, {WHERE_SQL}, {WHO_SQL}, x.question, x.answer, x.comment, x.start, x."end",
           x.evidence, {DERIVED_SQL}
    {ANSWERED} {(ABOUT + ORIGIN).format(table="verdict")} {STANDING} ORDER BY a.id, x.id
    """,
    mend_verdict,
)  # fmt: skip
RANKS = Companion(
    "ranks",
    (("annotation", "whole"), ("task", "whole"), *WHERE, *WHO, ("shown_order", "text"), ("rank", "whole")),
    f"""
    SELECT a.id, a.task_id, {WHERE_SQL}, {WHO_SQL}, a."order", x.rank
    {ANSWERED} {ABOUT.format(table="rank")} {STANDING} ORDER BY a.id, x.id
    """,
    as_it_is,
)


def write_companions(version: DatasetVersion, building: Path, digests: dict[str, str]) -> dict[str, int]:
    """Every companion that has rows, and always the answers; how many rows each has. Their digests are added."""
    from workers.tables import Table

    counts = {}
    for companion in (ANSWERS, CRITIQUES, VERDICTS, RANKS):
        if companion is not ANSWERS and companion.empty(version):
            continue
        again = companion is ANSWERS and repeated.told(version)
        fields = (*companion.fields, repeated.COLUMN) if again else companion.fields
        with Table(building, companion.stem, schema_of(fields), version.lineage.get("shard_rows")) as table:
            for row in companion.rows(version):
                table.add({**row, "repeat_of": None} if again else row)
            for row in repeated.answers(version) if again else ():
                table.add({name: row.get(name) for name, _ in fields})
        counts[companion.stem] = table.rows
        digests |= table.digests
    if version.filters.get("curated"):
        with Table(building, "proposals", schema_of(curated.COLUMNS), version.lineage.get("shard_rows")) as table:
            for row in curated.proposals(version):
                table.add(row)
        counts["proposals"] = table.rows
        digests |= table.digests
    return counts


def schema_of(fields: Fields) -> Any:
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "whole": pa.int64(),
        "real": pa.float64(),
        "flag": pa.bool_(),
        "ids": pa.list_(pa.int64()),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in fields])
