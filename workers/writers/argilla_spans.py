"""Argilla's records with a span question on the field `response`.

https://docs.argilla.io/latest/ (records.to_list): people's spans are responses, models' are suggestions. A span has
a label and offsets in code points, no words: comments, severities, gaps and the whole response are not held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.gathering import one_each
from workers.readers.argilla_spans import NAMELESS
from workers.rows import AnswerRow, CritiquedRow
from workers.spans import said
from workers.writers import Target, targets

COLUMNS = ("id", "fields", "metadata", "responses", "suggestions")


def row(given: Sequence[CritiquedRow]) -> list[dict[str, Any]]:
    """A record of what people and the first model said; one more for each further model, since it holds only one."""
    about, answers = given[0], one_each(one.answer for one in given)
    people = [{"value": spans(a), "user_id": a.annotator} for a in answers if a.kind == "person"]
    models: list[dict[str, Any] | None] = [
        {"value": spans(a), "agent": a.annotator, "score": a.score} for a in answers if a.kind != "person"
    ]
    return [
        {
            "id": f"{about.item}/{about.response_id}" + (f"/{n}" if n else ""),
            "fields": {"prompt": said(about.prompt), "response": about.response},
            "metadata": {"model": about.model},
            "responses": {"spans": [] if n else people},
            "suggestions": {"spans": model},
        }
        for n, model in enumerate(models or [None])
    ]


def spans(answer: AnswerRow) -> list[dict[str, Any]]:
    return [
        {"start": one.start, "end": one.end, "label": one.type or NAMELESS}
        for one in answer.critiques
        if one.start is not None and one.end is not None and one.start < one.end
    ]


def fields() -> Any:
    import pyarrow as pa

    text = pa.string()
    spans = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", text)]))
    people = pa.list_(pa.struct([("value", spans), ("user_id", text)]))
    model = pa.struct([("value", spans), ("agent", text), ("score", pa.float64())])
    return pa.schema(
        [
            ("id", text),
            ("fields", pa.struct([("prompt", text), ("response", text)])),
            ("metadata", pa.struct([("model", text)])),
            ("responses", pa.struct([("spans", people)])),
            ("suggestions", pa.struct([("spans", model)])),
        ]
    )


targets.add(
    Target(
        name="argilla-spans",
        title="Argilla (records with spans)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        per="response",
    )
)
