"""MQM ratings as translators' campaigns publish them: a row an error, marked with <v>…</v> in source or target.

Freitag et al., Experts, Errors, and Context (arXiv 2104.14478); github.com/google/wmt-mqm-human-evaluation. Columns:
system, doc, docSegId (or doc_id, seg_id), globalSegId, rater, source, target, category, severity, and metadata (JSON)
where there is one. The rows of one translation that follow each other are one item, each rater an annotator.
"""

from __future__ import annotations

from typing import Any

import orjson

from workers.answers import label
from workers.checks import identifier, optional_text, storable, text
from workers.readers import Options, Reader, Row, readers
from workers.readers.mqm import omitted, translated
from workers.rows import AnswerRow, CritiqueRow, ItemRow, ResponseRow, RowError
from workers.spans import WHOLE, Spot, critique

OPEN, CLOSE = "<v>", "</v>"
NONE = ("no-error", "no_error", "hotw-test", "hotw_test")
"""Severities of rows that mark no error: none was found, or a planted one was."""


def detect(row: Row) -> int:
    return 12 if {"system", "source", "target", "category", "severity", "rater"} <= row.keys() else 0


def segment(row: Row) -> str:
    return identifier(row, "docSegId", "seg_id", "globalSegId", "segment") or ""


def gather(row: Row) -> str:
    """One translation of one segment."""
    doc = identifier(row, "doc", "doc_id") or ""
    return "|".join((text(row, "system"), doc, segment(row)))


def read(row: Row, options: Options) -> ItemRow:
    return read_many([row], options)


def read_many(rows: list[Row], options: Options) -> ItemRow:
    first = rows[0]
    source, target = bare(text(first, "source")), bare(text(first, "target"))
    raters: dict[str, AnswerRow] = {}
    for n, row in enumerate(rows):
        try:
            rater = identifier(row, "rater")
            if rater is None:
                raise RowError("is missing", "rater")
            for name, whole in (("source", source), ("target", target)):
                if bare(text(row, name)) != whole:
                    raise RowError("differs, without its marks, from the rows before", name)
            answer = raters.setdefault(rater, AnswerRow(rater))
            if found := error(row, source):
                answer.critiques.append(found)
        except RowError as problem:
            raise RowError(problem.reason, problem.field, n) from None
    return ItemRow(
        prompt=translated(source, optional_text(first, "lp")),
        responses=[ResponseRow(target, text(first, "system"))],
        external_id=gather(first)[:200],
        answers=list(raters.values()),
        context={"documents": [{"title": "source", "text": source}]},
        metadata={name: first[name] for name in ("doc", "doc_id", "docSegId", "globalSegId") if first.get(name)},
    )


def error(row: Row, source: str) -> CritiqueRow | None:
    """The error of a row: of a span of the target, of one of the source, or of the whole. None where it has none."""
    severity, category = optional_text(row, "severity"), optional_text(row, "category")
    if severity.lower() in NONE:
        return None
    place, in_source = marked(row["target"], "target"), marked(row["source"], "source")
    evidence = None
    if in_source is not None:
        start, end = in_source
        evidence = {"document": 0, "start": start, "end": end, "quote": source[start:end]}
    spot = WHOLE if place is None else Spot(*place, bare(row["target"])[slice(*place)])
    return critique(
        spot,
        unit="response" if place is None else "span",
        type=label(storable(category, "category"), "category"),
        severity=label(storable(severity, "severity"), "severity"),
        polarity=-1,
        comment=note(row.get("metadata")),
        omission=omitted(category),
        evidence=evidence,
    )


def bare(text: str) -> str:
    """A text without its marks."""
    return text.replace(OPEN, "").replace(CLOSE, "")


def marked(text: str, field: str) -> tuple[int, int] | None:
    """Where the marks of a text stand in it without them."""
    opens, closes = text.count(OPEN), text.count(CLOSE)
    if not opens and not closes:
        return None
    if opens != 1 or closes > 1:
        raise RowError(f"has {opens} {OPEN} and {closes} {CLOSE}; a row marks one error", field)
    start = text.index(OPEN)
    end = text.index(CLOSE) if closes else len(text)
    if end < start:
        raise RowError(f"has {CLOSE} before {OPEN}", field)
    return start, end - len(OPEN)


def note(metadata: Any) -> str:
    """The rater's words, from the metadata where there are some."""
    try:
        given = orjson.loads(metadata) if isinstance(metadata, str) and metadata.strip() else metadata
    except orjson.JSONDecodeError:
        raise RowError("is not JSON", "metadata") from None
    said = given.get("note") if isinstance(given, dict) else None
    return storable(said, "metadata.note") if isinstance(said, str) else ""


readers.add(
    Reader(
        name="mqm-tsv",
        title="MQM: a row an error, marked with <v>…</v>",
        detect=detect,
        read=read,
        example="system,doc,docSegId,globalSegId,rater,source,target,category,severity",
        gather=gather,
        read_many=read_many,
    )
)
