"""FaithBench: summaries of a passage with hallucinated spans by several experts, and the span of the source for each.

arXiv 2410.13210. Of an annotation's labels the first is the severity (Unwanted, Questionable, Benign) and the last
the type. Who found nothing leaves no trace in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, label, several, thing
from workers.checks import identifier, kind_of, optional_text, rest, text
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, ResponseRow, RowError
from workers.spans import critique, spot

USED = ("id", "summarizer", "source", "summary", "annotations")


def detect(row: Row) -> int:
    return 11 if {"source", "summary"} <= row.keys() and isinstance(row.get("annotations"), list) else 0


def read(row: Row, options: Options) -> ItemRow:
    source, summary = text(row, "source"), text(row, "summary")
    answers: dict[str, AnswerRow] = {}
    for n, value in enumerate(several(row, "annotations")):
        field = f"annotations.{n}"
        given = thing(value, field)
        who = Named(field)(identifier, given, "annotator") or "imported"
        answers.setdefault(who, AnswerRow(who)).critiques.append(marked(given, field, summary, source))
    return ItemRow(
        prompt=[{"role": "user", "content": f"Summarise:\n\n{source}"}],
        responses=[ResponseRow(summary, optional_text(row, "summarizer"))],
        external_id=identifier(row, "id"),
        answers=list(answers.values()),
        context={"documents": [{"title": "source", "text": source}]},
        metadata=rest(row, *USED),
    )


def marked(given: Mapping[str, Any], field: str, summary: str, source: str) -> CritiqueRow:
    labels = several(given, "labels", field)
    for n, name in enumerate(labels):
        if not isinstance(name, str):
            raise RowError(f"must be text, not {kind_of(name)}", f"{field}.labels.{n}")
        label(name, f"{field}.labels.{n}")
    proof = spot(source, given, field, names=("source_start", "source_end", "source_span"))
    evidence = {"document": 0, "start": proof.start, "end": proof.end, "quote": proof.quote}
    return critique(
        spot(summary, given, field, names=("start", "end", "span_text")),
        type=labels[-1] if labels else "",
        severity=labels[0] if labels else "",
        comment=Named(field)(optional_text, given, "note"),
        evidence=evidence if proof.start is not None else None,
    )


readers.add(
    Reader(
        name="faithbench",
        title="FaithBench: hallucinated spans of summaries",
        detect=detect,
        read=read,
        example='{"source": "…", "summary": "…", "annotations": [{"annotator": "w1", "labels": ["Unwanted"], '
        '"start": 0, "end": 2, "span_text": "…"}]}',
    )
)
