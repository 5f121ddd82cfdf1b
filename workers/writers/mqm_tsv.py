"""MQM as translators' campaigns publish it: a row an error, marked with <v>…</v>, for mt-metrics-eval and Marot.

github.com/google/wmt-mqm-human-evaluation. An answer without errors is one row with the severity no-error. The source
is the document named "source", or else the prompt. A text that holds <v> itself cannot be marked and is dropped.
"""

from __future__ import annotations

from typing import Any

import orjson

from workers.readers.mqm_tsv import CLOSE, OPEN
from workers.rows import CritiquedRow, CritiqueRow
from workers.spans import said
from workers.writers import Dropped, Target, targets

COLUMNS = (
    "system", "doc", "docSegId", "globalSegId", "rater", "source", "target", "category", "severity", "metadata",
)  # fmt: skip


def row(given: CritiquedRow) -> list[dict[str, Any]]:
    source = source_of(given)
    if any(mark in text for mark in (OPEN, CLOSE) for text in (source, given.response)):
        raise Dropped(f"a text holds {OPEN} itself")
    base = {
        "system": given.model or "unknown",
        "doc": given.item,
        "docSegId": str(given.response_id),
        "globalSegId": str(given.response_id),
        "rater": given.answer.annotator,
    }
    errors = [one for one in given.answer.critiques if one.polarity is None or one.polarity <= 0]
    if not errors:
        return [base | error(None, source, given.response)]
    return [base | error(one, source, given.response) for one in errors]


def source_of(given: CritiquedRow) -> str:
    documents = given.context.get("documents", [])
    named = [one["text"] for one in documents if one.get("title") == "source"]
    return str(named[0]) if named else said(given.prompt)


def error(one: CritiqueRow | None, source: str, target: str) -> dict[str, Any]:
    if one is None:
        return {"source": source, "target": target, "category": "No-error", "severity": "no-error", "metadata": "{}"}
    proof = one.evidence or {}
    there = "document" in proof and proof.get("quote") and proof.get("start") is not None
    in_source = there and source[proof["start"] : proof["end"]] == proof["quote"]
    return {
        "source": marked(source, proof["start"], proof["end"]) if in_source else source,
        "target": marked(target, one.start, one.end),
        "category": one.type,
        "severity": one.severity,
        "metadata": orjson.dumps({"note": one.comment} if one.comment else {}).decode(),
    }


def marked(text: str, start: int | None, end: int | None) -> str:
    if start is None or end is None:
        return text
    return f"{text[:start]}{OPEN}{text[start:end]}{CLOSE}{text[end:]}"


def fields() -> Any:
    import pyarrow as pa

    return pa.schema([(name, pa.string()) for name in COLUMNS])


targets.add(
    Target(
        name="mqm-tsv",
        title="MQM (a row an error, marked with <v>)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        separated=True,
    )
)
