"""doccano's sequence labels: {text, label: [[start, end, "x"]]}, offsets in code points.

https://doccano.github.io/doccano/. It holds spans with a type; gaps, the whole response, and all words but the
rationale are not held.
"""

from __future__ import annotations

from typing import Any

from workers.readers.argilla_spans import NAMELESS
from workers.rows import CritiquedRow
from workers.spans import said
from workers.writers import Target, targets

COLUMNS = ("id", "text", "label", "Comments", "prompt", "model", "annotator")


def row(given: CritiquedRow) -> dict[str, Any]:
    return {
        "id": f"{given.item}/{given.response_id}",
        "text": given.response,
        "label": [
            [one.start, one.end, one.type or NAMELESS]
            for one in given.answer.critiques
            if one.start is not None and one.end is not None and one.start < one.end
        ],
        "Comments": [given.answer.rationale] if given.answer.rationale else [],
        "prompt": said(given.prompt),
        "model": given.model,
        "annotator": given.answer.annotator,
    }


def fields() -> Any:
    """In Parquet the labels are JSON, since each is numbers and a text in one list."""
    import pyarrow as pa

    kinds = {"Comments": pa.list_(pa.string())}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


targets.add(
    Target(
        name="doccano",
        title="doccano (a text with labelled spans)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
    )
)
