"""HaluEval: is an answer hallucinated, and which text of it.

arXiv 2305.11747. The annotators copied or typed the spans: one that is not in the answer is a comment on all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, several, thing
from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError, VerdictRow
from workers.spans import WHOLE, critique, spot, truth

USED = ("id", "prompt", "response", "hallucination", "spans")


def detect(row: Row) -> int:
    told = isinstance(row.get("hallucination"), str) and isinstance(row.get("spans"), list)
    return 11 if told and {"prompt", "response"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    found = response(row.get("response"), "response", optional_text(row, "model"))
    if row.get("hallucination") is None:
        raise RowError("is missing", "hallucination")
    spans = [(thing(one, f"spans.{n}"), f"spans.{n}") for n, one in enumerate(several(row, "spans"))]
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=[found],
        external_id=identifier(row, "id"),
        answers=[
            AnswerRow(
                "imported",
                critiques=[marked(given, field, found.text) for given, field in spans],
                verdicts=[VerdictRow("hallucination", truth(row["hallucination"], "hallucination"))],
            )
        ],
        metadata=rest(row, "model", *USED),
    )


def marked(given: Mapping[str, Any], field: str, text: str) -> CritiqueRow:
    place = spot(text, given, field, names=("start", "end", "span_text"), repair=True)
    if place.start is None:
        comment = Named(field)(optional_text, given, "span_text")
        return critique(WHOLE, unit="response", type="hallucination", polarity=-1, comment=comment)
    return critique(place, type="hallucination", polarity=-1)


readers.add(
    Reader(
        name="halueval",
        title="HaluEval: hallucinated or not, with the text",
        detect=detect,
        read=read,
        example='{"prompt": "…", "response": "…", "hallucination": "yes", "spans": [{"span_text": "…"}]}',
    )
)
