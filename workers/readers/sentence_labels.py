"""Sentences of an answer that stands on documents: is each faithful to them, why, and is it correct.

The three labels of TRM (From Faithfulness to Correctness, arXiv 2509.25409): faithfulness, reason, correctness. The
paper's files are not public; this schema is ours and has the span of a document that proves a faithful sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, document, evidence, several, thing
from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import documents_of, joined, spot, truth

USED = (
    "id",
    "prompt",
    "question",
    "query",
    "documents",
    "response",
    "answer",
    "model",
    "sentences",
    "annotator",
    "kind",
)
LABELS = ("faithful", "correct")


def detect(row: Row) -> int:
    sentences = row.get("sentences")
    if not isinstance(sentences, list) or not sentences or not isinstance(sentences[0], dict):
        return 0
    return 11 if any(name in sentences[0] for name in LABELS) else 0


def read(row: Row, options: Options) -> ItemRow:
    asked = next((name for name in ("prompt", "question", "query") if row.get(name) is not None), "prompt")
    answered = "response" if row.get("response") is not None else "answer"
    documents = [document(one, f"documents.{n}") for n, one in enumerate(several(row, "documents"))]
    context = {"documents": documents} if documents else {}
    sentences = [thing(one, f"sentences.{n}") for n, one in enumerate(several(row, "sentences"))]
    if not sentences:
        raise RowError("is missing", "sentences")
    text, units = placed(row, answered, sentences)
    verdicts = [
        one
        for n, (sentence, unit) in enumerate(zip(sentences, units, strict=True))
        for one in labels(sentence, unit, f"sentences.{n}", text, documents_of(context))
    ]
    kind = row.get("kind") if row.get("kind") in ("person", "model", "program") else "person"
    return ItemRow(
        prompt=prompt(row.get(asked), asked),
        responses=[ResponseRow(text, optional_text(row, "model"), unit="sentence", units=units)],
        external_id=identifier(row, "id"),
        answers=[AnswerRow(identifier(row, "annotator") or "imported", kind=str(kind), verdicts=verdicts)],
        context=context,
        metadata=rest(row, *USED),
    )


def placed(row: Row, answered: str, sentences: list[Mapping[str, Any]]) -> tuple[str, list[tuple[int, int]]]:
    """The answer and the place of each sentence: by offsets, by where its text follows, or joined from the texts."""
    if row.get(answered) is None:
        whole = joined([one.get("text") for one in sentences], "sentences", "sentence")
        return whole.text, whole.units
    text = response(row[answered], answered).text
    units: list[tuple[int, int]] = []
    for n, sentence in enumerate(sentences):
        field, after = f"sentences.{n}", units[-1][1] if units else 0
        if sentence.get("start") is None:
            quote = Named(field)(optional_text, sentence, "text")
            start = text.find(quote, after) if quote else -1
            if start < 0:
                raise RowError("does not follow the sentence before in the response", f"{field}.text")
            units.append((start, start + len(quote)))
            continue
        spotted = spot(text, sentence, field, names=("start", "end", "text"))
        if spotted.start is None or spotted.end is None or spotted.start < after:
            raise RowError("is before the end of the sentence before", f"{field}.start")
        units.append((spotted.start, spotted.end))
    return text, units


def labels(
    sentence: Mapping[str, Any], unit: tuple[int, int], field: str, text: str, documents: list[str]
) -> list[VerdictRow]:
    start, end = unit
    proof = evidence(sentence.get("evidence"), f"{field}.evidence", [text], documents)
    found = []
    if sentence.get("faithful") is not None:
        faithful = truth(binary(sentence["faithful"]), f"{field}.faithful")
        found.append(VerdictRow("faithful", faithful, start=start, end=end, evidence=proof))
    if reason := Named(field)(optional_text, sentence, "reason"):
        found.append(VerdictRow("reason", reason, start=start, end=end))
    if sentence.get("correct") is not None:
        correct = truth(binary(sentence["correct"]), f"{field}.correct")
        found.append(VerdictRow("correct", correct, start=start, end=end))
    return found


def binary(value: Any) -> Any:
    """TRM writes 0 and 1."""
    return bool(value) if type(value) is int and value in (0, 1) else value


readers.add(
    Reader(
        name="sentence-labels",
        title="Sentence labels: faithful, reason, correct, with evidence",
        detect=detect,
        read=read,
        example='{"prompt": "…", "documents": ["…"], "response": "…", "sentences": [{"text": "…", "faithful": true}]}',
    )
)
