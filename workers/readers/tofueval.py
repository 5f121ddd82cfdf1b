"""TofuEval: a row a sentence of a summary, each consistent with the document or not, and why.

arXiv 2402.13249. The rows of one summary follow each other and make one response; its text is theirs, joined, so a
summary that lacks a sentence is refused. Several error types of a sentence are as many critiques. The transcripts are
not in the file.
"""

from __future__ import annotations

from workers.answers import label
from workers.checks import identifier, optional_text, text
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import Spot, critique, joined, offset

KEY = ("corpus", "doc_id", "annotation_id", "topic", "model")
LABELS = {"consistent": True, "inconsistent": False}


def detect(row: Row) -> int:
    return 11 if {"doc_id", "topic", "sentence_index", "sentence", "label"} <= row.keys() else 0


def gather(row: Row) -> str:
    """One model's summary of one document for one topic."""
    return "|".join(identifier(row, name) or "" for name in KEY)


def read(row: Row, options: Options) -> ItemRow:
    return read_many([row], options)


def read_many(rows: list[Row], options: Options) -> ItemRow:
    for n, row in enumerate(rows):
        try:
            in_order(row, n)
        except RowError as problem:
            raise RowError(problem.reason, problem.field, n) from None
    whole = joined([row["sentence"] for row in rows], "sentence", "sentence")
    critiques, verdicts = [], []
    for row, (start, end) in zip(rows, whole.units, strict=True):
        verdicts.append(VerdictRow("faithful", LABELS[row["label"]], start=start, end=end))
        if why := optional_text(row, "explanation"):
            verdicts.append(VerdictRow("reason", why, start=start, end=end))
        critiques += wrong(row, Spot(start, end, whole.text[start:end]))
    first = rows[0]
    asked = f"Summarise {text(first, 'doc_id')} for the topic: {text(first, 'topic')}"
    return ItemRow(
        prompt=[{"role": "user", "content": asked}],
        responses=[ResponseRow(whole.text, optional_text(first, "model"), unit="sentence", units=whole.units)],
        external_id=gather(first)[:200],
        answers=[AnswerRow("imported", critiques=critiques, verdicts=verdicts)],
        metadata={name: first[name] for name in (*KEY[:4], "id") if first.get(name) is not None},
    )


def in_order(row: Row, place: int) -> None:
    """Raises RowError unless this is the sentence with the next number, with a label."""
    number = offset(row, "sentence_index", "")
    if number != place + 1:
        raise RowError(f"is {number} where {place + 1} should follow", "sentence_index")
    text(row, "sentence")
    if row.get("label") not in LABELS:
        raise RowError("must be consistent or inconsistent", "label")


def wrong(row: Row, spot: Spot) -> list[CritiqueRow]:
    types = [name.strip() for name in optional_text(row, "error_type").split(",") if name.strip()]
    why = optional_text(row, "explanation")
    return [critique(spot, unit="sentence", type=label(name, "error_type"), polarity=-1, comment=why) for name in types]


readers.add(
    Reader(
        name="tofueval",
        title="TofuEval: a row a sentence of a summary",
        detect=detect,
        read=read,
        example='{"doc_id": "…", "topic": "…", "model": "…", "sentence_index": 1, "sentence": "…", '
        '"label": "consistent"}',
        gather=gather,
        read_many=read_many,
    )
)
