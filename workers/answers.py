"""What annotators said of responses, as objects of a row: critiques, verdicts and ranks, each checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.checks import clean, identifier, kind_of, optional_text
from workers.rows import AnswerRow, CritiqueRow, ResponseRow, RowError, VerdictRow
from workers.spans import POLARITIES, critique, exactly, join, offset, spot

KINDS = ("person", "model", "program")
UNITS = ("span", "sentence", "step", "response")
LONGEST_NAME = 60


def answer(value: Any, field: str, responses: Sequence[ResponseRow], documents: Sequence[str]) -> AnswerRow:
    """One annotator's answer on one of the responses, or with `ranks` on all."""
    row = thing(value, field)
    with_field = Named(field)
    annotator = with_field(identifier, row, "annotator")
    if annotator is None:
        raise RowError("is missing", f"{field}.annotator")
    if row.get("kind", "person") not in KINDS:
        raise RowError(f"must be {', '.join(KINDS[:-1])} or {KINDS[-1]}", f"{field}.kind")
    at = offset(row, "response", field) or 0
    if not 0 <= at < len(responses):
        raise RowError(f"must be a place from 0 to {len(responses) - 1} in the list of responses", f"{field}.response")
    critiques = several(row, "critiques", field)
    verdicts = several(row, "verdicts", field)
    return AnswerRow(
        annotator=annotator,
        response=at,
        kind=row.get("kind", "person"),
        critiques=[critique_of(c, f"{field}.critiques.{n}", responses, at, documents) for n, c in enumerate(critiques)],
        verdicts=[verdict_of(v, f"{field}.verdicts.{n}", responses, at, documents) for n, v in enumerate(verdicts)],
        ranks=ranks(row.get("ranks"), f"{field}.ranks", len(responses)),
        rationale=with_field(optional_text, row, "rationale"),
        version=with_field(optional_text, row, "version"),
        score=number(row.get("score"), f"{field}.score"),
        active_ms=offset(row, "active_ms", field),
    )


class Named:
    """Calls a check of `workers/checks.py` and puts the field of the object before the one that it names."""

    def __init__(self, field: str) -> None:
        self.field = field

    def __call__(self, check: Any, row: Mapping[str, Any], name: str) -> Any:
        try:
            return check(row, name)
        except RowError as problem:
            raise RowError(problem.reason, join(self.field, problem.field)) from None


def thing(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RowError(f"must be an object, not {kind_of(value)}", field)
    return value


def several(row: Mapping[str, Any], name: str, field: str = "") -> list[Any]:
    """The list in a field, empty where there is none."""
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"must be a list, not {kind_of(value)}", join(field, name))
    return value


def number(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"must be a number, not {kind_of(value)}", field)
    return float(value)


def text_of(response: ResponseRow, message: int, field: str) -> str:
    """What offsets count in: the response's text, or that of one of its messages."""
    if not response.messages:
        if message:
            raise RowError("must be 0: the response is one text", field)
        return response.text
    if not 0 <= message < len(response.messages):
        raise RowError(f"must be a message from 0 to {len(response.messages) - 1}", field)
    return str(response.messages[message]["content"])


def critique_of(
    value: Any, field: str, responses: Sequence[ResponseRow], at: int, documents: Sequence[str]
) -> CritiqueRow:
    row, named = thing(value, field), Named(field)
    message = offset(row, "message", field) or 0
    text = text_of(responses[at], message, f"{field}.message")
    edit = row.get("edit")
    return critique(
        spot(text, row, field),
        unit=unit(row.get("unit"), f"{field}.unit"),
        type=label(named(optional_text, row, "type"), f"{field}.type"),
        severity=label(named(optional_text, row, "severity"), f"{field}.severity"),
        polarity=polarity(row.get("polarity"), f"{field}.polarity"),
        comment=named(optional_text, row, "comment"),
        edit=None if edit is None else named(optional_text, row, "edit"),
        omission=flag(row.get("omission"), f"{field}.omission"),
        evidence=evidence(row.get("evidence"), f"{field}.evidence", [r.text for r in responses], documents),
        message=message,
    )


def verdict_of(
    value: Any, field: str, responses: Sequence[ResponseRow], at: int, documents: Sequence[str]
) -> VerdictRow:
    row, named = thing(value, field), Named(field)
    question = named(optional_text, row, "question")
    if not question.strip():
        raise RowError("is missing", f"{field}.question")
    start, end = offset(row, "start", field), offset(row, "end", field)
    if (start is None) != (end is None):
        raise RowError("is missing", f"{field}.{'start' if start is None else 'end'}")
    if start is not None and end is not None:
        quote = named(optional_text, row, "quote") or None
        exactly(text_of(responses[at], 0, field), start, end, quote, field)
    return VerdictRow(
        question=label(question, f"{field}.question"),
        answer=outcome(row.get("answer"), f"{field}.answer"),
        comment=named(optional_text, row, "comment"),
        start=start,
        end=end,
        evidence=evidence(row.get("evidence"), f"{field}.evidence", [r.text for r in responses], documents),
    )


def outcome(value: Any, field: str) -> bool | int | str | list[str]:
    """The answer to a question: true or false, a whole number, a text, or a list of texts."""
    if isinstance(value, bool | int | str) or (isinstance(value, list) and all(isinstance(v, str) for v in value)):
        clean(value, field)
        return value
    raise RowError(f"must be true or false, a whole number, text or a list of texts, not {kind_of(value)}", field)


def ranks(value: Any, field: str, count: int) -> list[int]:
    if value is None or value == []:
        return []
    if not isinstance(value, list) or len(value) != count:
        raise RowError(f"must be a list with a rank for each of the {count} responses", field)
    for n, rank in enumerate(value):
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise RowError("must be a whole number from 1 on", f"{field}.{n}")
    return value


def evidence(value: Any, field: str, responses: Sequence[str], documents: Sequence[str]) -> Mapping[str, Any] | None:
    """What proves it: a span of a document or of a response, or an address. Offsets are checked as everywhere."""
    if value is None:
        return None
    row = thing(value, field)
    clean(value, field)
    for name, texts in (("document", documents), ("response", responses)):
        if row.get(name) is None:
            continue
        index = offset(row, name, field) or 0
        if not 0 <= index < len(texts):
            raise RowError(f"is {index}; there are {len(texts)}", f"{field}.{name}")
        place = spot(texts[index], row, field)
        span = {"start": place.start, "end": place.end, "quote": place.quote} if place.start is not None else {}
        return {name: index, **(span or ({"quote": place.quote} if place.quote else {}))}
    if not isinstance(row.get("url"), str):
        raise RowError("must name a document, a response or a url", field)
    return dict(row)


def polarity(value: Any, field: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value in POLARITIES:
        return POLARITIES[value]
    if isinstance(value, bool) or value not in (-1, 0, 1):
        raise RowError("must be -1 (poor), 0 or 1 (good)", field)
    return int(value)


def unit(value: Any, field: str) -> str:
    if value is None or value == "":
        return "span"
    if value not in UNITS:
        raise RowError(f"must be one of {', '.join(UNITS)}", field)
    return str(value)


def label(value: str, field: str) -> str:
    if len(value) > LONGEST_NAME:
        raise RowError(f"is longer than {LONGEST_NAME} characters", field)
    return value


def flag(value: Any, field: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise RowError(f"must be true or false, not {kind_of(value)}", field)
    return value


def context_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A context whose documents, where it has some, are objects with a text (a text alone is one too)."""
    documents = value.get("documents")
    if documents is None:
        return value
    if not isinstance(documents, list):
        raise RowError(f"must be a list, not {kind_of(documents)}", "context.documents")
    return {**value, "documents": [document(one, f"context.documents.{n}") for n, one in enumerate(documents)]}


def document(value: Any, field: str) -> dict[str, Any]:
    row = {"text": value} if isinstance(value, str) else thing(value, field)
    if not isinstance(row.get("text"), str):
        raise RowError(f"must be text, not {kind_of(row.get('text'))}", f"{field}.text")
    return {"title": "", **row}
