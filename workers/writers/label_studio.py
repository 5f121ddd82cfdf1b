"""Label Studio's tasks with annotations, or with predictions where a model said it.

https://labelstud.io/guide/export. Offsets count UTF-16 code units, as its browser does. A critique is a region of
labels, with choices and text areas of the same id: severity, polarity, comment and edit. Evidence and verdicts are not
held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.gathering import one_each
from workers.readers.argilla_spans import NAMELESS
from workers.rows import CritiquedRow, CritiqueRow
from workers.spans import POLARITIES, Utf16, said
from workers.writers import Target, targets

NAMES = {value: name for name, value in POLARITIES.items()}
COLUMNS = ("data", "annotations", "predictions")


def row(given: Sequence[CritiquedRow]) -> dict[str, Any]:
    """One task: what people said are its annotations, what models said its predictions."""
    about, units = given[0], Utf16(given[0].response)
    data = {"item": f"{about.item}/{about.response_id}", "prompt": said(about.prompt), "model": about.model}
    made: dict[str, Any] = {"data": {**data, "response": about.response}, "annotations": [], "predictions": []}
    for answer in one_each(one.answer for one in given):
        result = [one for n, c in enumerate(answer.critiques) for one in region(c, f"c{n}", about.response, units)]
        if answer.kind == "person":
            made["annotations"].append({"completed_by": {"email": answer.annotator}, "result": result})
        else:
            made["predictions"].append({"model_version": answer.annotator, "score": answer.score, "result": result})
    return made


def region(one: CritiqueRow, id: str, text: str, units: Utf16) -> list[dict[str, Any]]:
    """The results of one critique: its place with its label, or its type as a choice, and what is said beside it."""
    placed = one.start is not None and one.end is not None
    place = {"start": units.to(one.start or 0), "end": units.to(one.end or 0)} if placed else {}
    quote = text[one.start : one.end] if placed else None
    said: list[tuple[str, str, dict[str, Any]]] = []
    if placed:
        said.append(("type", "labels", {"text": quote, "labels": [one.type or NAMELESS]}))
    elif one.type:
        said.append(("type", "choices", {"choices": [one.type]}))
    if one.severity:
        said.append(("severity", "choices", {"choices": [one.severity]}))
    if one.polarity is not None:
        said.append(("polarity", "choices", {"choices": [NAMES[one.polarity]]}))
    if one.comment:
        said.append(("comment", "textarea", {"text": [one.comment]}))
    if one.edit is not None:
        said.append(("edit", "textarea", {"text": [one.edit]}))
    return [
        {"id": id, "from_name": name, "to_name": "response", "type": kind, "value": {**place, **value}}
        for name, kind, value in said
    ]


def fields() -> Any:
    """In Parquet the results are JSON, since a region's values have several shapes."""
    import pyarrow as pa

    data = pa.struct([(name, pa.string()) for name in ("item", "prompt", "model", "response")])
    return pa.schema([("data", data), ("annotations", pa.string()), ("predictions", pa.string())])


targets.add(
    Target(
        name="label-studio",
        title="Label Studio (tasks with annotations or predictions)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        per="response",
    )
)
