"""Text2Grad's annotation row: feedback in words with the good and the poor spans, as quotes.

Read by github.com/EdWangLoDaSc/Text2Grad (textual_feedback, good_spans, poor_spans). The offsets beside them are ours:
a quote alone does not say which of its places is meant. So are, from the second edition on, the comment and the type
of each span. Neutral spans, and critiques of the whole or of a gap, are in the feedback only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from workers.rows import CritiquedRow, CritiqueRow
from workers.spans import said
from workers.writers import Dropped, Target, targets

FIRST = (
    "id", "prompt", "response", "model", "textual_feedback", "good_spans", "poor_spans", "good_offsets",
    "poor_offsets", "annotator",
)  # fmt: skip
COLUMNS = (*FIRST, "good_comments", "poor_comments", "good_types", "poor_types")


def row(given: CritiquedRow) -> dict[str, Any]:
    good, poor = spans_of(given, 1), spans_of(given, -1)
    return first(given) | {
        "good_comments": [one.comment for one in good],
        "poor_comments": [one.comment for one in poor],
        "good_types": [one.type for one in good],
        "poor_types": [one.type for one in poor],
    }


def first(given: CritiquedRow) -> dict[str, Any]:
    """The row of the first edition."""
    feedback = feedback_of(given)
    spans = {way: [(one.start, one.end) for one in spans_of(given, way)] for way in (1, -1)}
    if not feedback and not spans[1] and not spans[-1]:
        raise Dropped("no feedback and no good or poor span")
    return {
        "id": f"{given.item}/{given.response_id}",
        "prompt": said(given.prompt),
        "response": given.response,
        "model": given.model,
        "textual_feedback": feedback,
        "good_spans": [given.response[start:end] for start, end in spans[1]],
        "poor_spans": [given.response[start:end] for start, end in spans[-1]],
        "good_offsets": [list(span) for span in spans[1]],
        "poor_offsets": [list(span) for span in spans[-1]],
        "annotator": given.answer.annotator,
    }


def feedback_of(given: CritiquedRow) -> str:
    """The annotator's words on the whole, or else those of the critiques, a line each."""
    return given.answer.rationale or "\n".join(one.comment for one in given.answer.critiques if one.comment)


def spans_of(given: CritiquedRow, polarity: int) -> list[CritiqueRow]:
    return [
        one
        for one in given.answer.critiques
        if one.polarity == polarity and one.start is not None and one.end is not None and one.start < one.end
        and given.response[one.start : one.end].strip()
    ]  # fmt: skip


def fields(columns: tuple[str, ...] = COLUMNS) -> Any:
    import pyarrow as pa

    text, offsets = pa.string(), pa.list_(pa.list_(pa.int64()))
    kinds = {
        **{f"{way}_{what}": pa.list_(text) for way in ("good", "poor") for what in ("spans", "comments", "types")},
        "good_offsets": offsets,
        "poor_offsets": offsets,
    }
    return pa.schema([(name, kinds.get(name, text)) for name in columns])


NOW = Target(
    name="text2grad",
    title="Text2Grad (feedback, good and poor spans)",
    columns=COLUMNS,
    named=True,
    consumers=("datasets", "touchstone"),
    row=row,
    source="critiqued",
    fields=fields,
    edition=2,
)
targets.add(replace(NOW, before=replace(NOW, columns=FIRST, row=first, fields=lambda: fields(FIRST), edition=1)))
