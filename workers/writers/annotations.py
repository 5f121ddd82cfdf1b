"""Every answer as it was given, a row each: preferences, critiques, verdicts and ranks of one annotator on one task.

Nothing is decided and nothing left out, so that others can decide otherwise (arXiv 2311.04919: what is filtered to
unanimous answers makes worse reward models). In Parquet the answers to questions and evidence are JSON.
"""

from __future__ import annotations

from typing import Any

from workers.rows import AnsweredRow
from workers.writers import Target, targets

COLUMNS = ("item", "prompt", "responses", "answer", "preferences", "critiques", "verdicts", "ranks")


def row(given: AnsweredRow) -> dict[str, Any]:
    return {name: getattr(given, name) for name in COLUMNS}


def fields() -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    text = pa.string()
    responses = pa.list_(pa.struct([("id", pa.int64()), ("text", text), ("model", text)]))
    kinds = {"item": text, "prompt": MESSAGES, "responses": responses}
    return pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])


targets.add(
    Target(
        name="annotations",
        title="Raw answers (a row for each annotator's answer)",
        columns=COLUMNS,
        named=True,
        row=row,
        source="answered",
        fields=fields,
    )
)
