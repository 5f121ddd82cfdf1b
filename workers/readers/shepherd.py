"""Shepherd: critiques in words of a model's answer, by type of error.

arXiv 2308.04592. A critique is of the whole answer. The two ratings ("2 Not justified enough") are verdicts, whole
numbers from 1 to 5.
"""

from __future__ import annotations

from workers.answers import Named, label, several, thing
from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, ItemRow, RowError, VerdictRow
from workers.spans import WHOLE, critique

RATINGS = ("justified", "correct_relevant")
USED = ("id", "context", "reference", "response", "critiques", *RATINGS)


def detect(row: Row) -> int:
    critiques = row.get("critiques")
    told = isinstance(critiques, list) and all(isinstance(one, dict) and "critique" in one for one in critiques)
    return 11 if told and {"context", "response"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    reference = optional_text(row, "reference")
    said = [(thing(one, f"critiques.{n}"), f"critiques.{n}") for n, one in enumerate(several(row, "critiques"))]
    critiques = [
        critique(
            WHOLE,
            unit="response",
            type=label(Named(field)(optional_text, one, "type"), f"{field}.type"),
            comment=Named(field)(optional_text, one, "critique"),
        )
        for one, field in said
    ]
    return ItemRow(
        prompt=prompt(row.get("context"), "context"),
        responses=[response(row.get("response"), "response", optional_text(row, "model"))],
        external_id=identifier(row, "id"),
        answers=[AnswerRow("imported", critiques=critiques, verdicts=[v for n in RATINGS for v in rated(row, n)])],
        context={"reference": reference} if reference else {},
        metadata=rest(row, "model", *USED),
    )


def rated(row: Row, name: str) -> list[VerdictRow]:
    """A rating with the words that the annotator saw beside it."""
    shown = optional_text(row, name)
    if not shown:
        return []
    number, _, words = shown.partition(" ")
    if not number.isdecimal():
        raise RowError("must begin with a whole number", name)
    return [VerdictRow(name, int(number), comment=words)]


readers.add(
    Reader(
        name="shepherd",
        title="Shepherd: critiques in words, by type of error",
        detect=detect,
        read=read,
        example='{"context": "…", "response": "…", "critiques": [{"type": "Arithmetic", "critique": "…"}]}',
    )
)
