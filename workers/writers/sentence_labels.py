"""Sentence labels after TRM (arXiv 2509.25409): of each sentence whether it is faithful, why, and whether correct.

Our own schema, read back by the format of the same name (docs/formats.md).
"""

from __future__ import annotations

from typing import Any

from workers.rows import CritiquedRow, VerdictRow
from workers.spans import said
from workers.writers import Dropped, Target, targets

QUESTIONS = ("faithful", "reason", "correct")
ASKED = {*QUESTIONS, "contradiction"}
"""Why a faithful sentence is wrong stands under a question of its own; it is a reason as well."""
COLUMNS = ("id", "prompt", "documents", "response", "model", "sentences", "annotator", "kind")


def row(given: CritiquedRow) -> dict[str, Any]:
    if given.unit != "sentence" or not given.units:
        raise Dropped("no sentences")
    told = {(one.start, one.question): one for one in given.answer.verdicts if one.question in ASKED}
    sentences = [sentence(given.response, start, end, told) for start, end in given.units]
    if all(one["faithful"] is None and one["correct"] is None for one in sentences):
        raise Dropped("no sentence is judged")
    documents = [{"title": d.get("title", ""), "text": d["text"]} for d in given.context.get("documents", [])]
    return {
        "id": f"{given.item}/{given.response_id}",
        "prompt": said(given.prompt),
        "documents": documents,
        "response": given.response,
        "model": given.model,
        "sentences": sentences,
        "annotator": given.answer.annotator,
        "kind": given.answer.kind,
    }


def sentence(text: str, start: int, end: int, told: dict[tuple[int | None, str], VerdictRow]) -> dict[str, Any]:
    answers = {name: told.get((start, name)) for name in QUESTIONS}
    answers["reason"] = answers["reason"] or told.get((start, "contradiction"))
    faithful = answers["faithful"]
    return {
        "start": start,
        "end": end,
        "text": text[start:end],
        **{name: one.answer if one else None for name, one in answers.items()},
        "evidence": proof(faithful) if faithful else None,
    }


def proof(verdict: VerdictRow) -> dict[str, Any] | None:
    """The span of a document that proves a sentence; other evidence has no place here."""
    found = dict(verdict.evidence or {})
    if "document" not in found:
        return None
    return {name: found.get(name) for name in ("document", "start", "end", "quote")}


def fields() -> Any:
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    evidence = pa.struct([("document", whole), ("start", whole), ("end", whole), ("quote", text)])
    one = [("start", whole), ("end", whole), ("text", text), ("faithful", pa.bool_()), ("reason", text)]
    sentences = pa.list_(pa.struct([*one, ("correct", pa.bool_()), ("evidence", evidence)]))
    documents = pa.list_(pa.struct([("title", text), ("text", text)]))
    kinds = {"documents": documents, "sentences": sentences}
    return pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])


targets.add(
    Target(
        name="sentence-labels",
        title="Sentence labels (faithful, reason, correct, with evidence)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        questions=QUESTIONS,
        unit="sentence",
    )
)
