"""A response with the verdict on it and the critique: what critics are trained on with a verdict as their reward.

Critique-Coder (arXiv 2509.22824) reads `correctness`, CriticLean (arXiv 2507.06181) a label with reasons and error
types: the answer to the question error_types, and the types of the critiques. The critique is the verdict's comment,
or else the rationale, or else the comments of the critiques.
"""

from __future__ import annotations

from typing import Any

from workers.rows import CritiquedRow
from workers.spans import said
from workers.writers import Dropped, Target, targets
from workers.writers.text2grad import feedback_of

COLUMNS = ("id", "prompt", "response", "correctness", "critique", "error_types", "annotator", "kind")


def row(given: CritiquedRow) -> dict[str, Any]:
    verdicts = [one for one in given.answer.verdicts if one.question == "correct" and one.start is None]
    if not verdicts or not isinstance(verdicts[0].answer, bool):
        raise Dropped("no verdict correct on the whole response")
    types = [one.type for one in given.answer.critiques if one.type and (one.polarity is None or one.polarity < 0)]
    named = [one.answer for one in given.answer.verdicts if one.question == "error_types"]
    types = [*(named[0] if named and isinstance(named[0], list) else []), *types]
    return {
        "id": f"{given.item}/{given.response_id}",
        "prompt": said(given.prompt),
        "response": given.response,
        "correctness": verdicts[0].answer,
        "critique": verdicts[0].comment or feedback_of(given),
        "error_types": list(dict.fromkeys(types)),
        "annotator": given.answer.annotator,
        "kind": given.answer.kind,
    }


def fields() -> Any:
    import pyarrow as pa

    kinds = {"correctness": pa.bool_(), "error_types": pa.list_(pa.string())}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


targets.add(
    Target(
        name="critique-verdict",
        title="Critique with a verdict (correctness, critique, error types)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        questions=("correct",),
    )
)
