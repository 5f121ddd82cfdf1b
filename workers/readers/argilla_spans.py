"""Argilla's records with a span question: [{start, end, label, score}] on a field, as responses and suggestions.

https://docs.argilla.io/latest/reference/argilla/records/records/ (records.to_list). Responses are of people,
suggestions of models. Version 1 has them as lists with `values` and `question_name`; both are read. The spans are on
the field `response`, or else the last of the record's texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from workers.answers import Named, label, number, several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError
from workers.spans import critique, exactly, offset

PROMPTS = ("prompt", "question", "instruction", "input")
MARKED = ("response", "text", "answer", "output")
NAMELESS, UNPROMPTED = "critique", "(no prompt)"


class Spans(NamedTuple):
    """The spans of one person or model, and where they are in the row."""

    annotator: str
    kind: str
    spans: list[Any]
    field: str
    score: float | None = None


def detect(row: Row) -> int:
    told = row.get("responses") is not None or row.get("suggestions") is not None
    return 11 if told and isinstance(row.get("fields"), dict) and any(given(row, strict=False)) else 0


def read(row: Row, options: Options) -> ItemRow:
    fields = thing(row.get("fields"), "fields")
    marked = next((name for name in MARKED if isinstance(fields.get(name), str)), "")
    marked = marked or next((name for name in reversed(list(fields)) if isinstance(fields[name], str)), "response")
    asked = next((name for name in PROMPTS if name != marked and fields.get(name) is not None), "")
    metadata = thing(row.get("metadata") or {}, "metadata")
    found = response(fields.get(marked), f"fields.{marked}", Named("metadata")(optional_text, metadata, "model"))
    more = {name: value for name, value in fields.items() if name not in (marked, asked)}
    return ItemRow(
        prompt=prompt(fields[asked] if asked else UNPROMPTED, f"fields.{asked}"),
        responses=[found],
        external_id=identifier(row, "id", "external_id"),
        answers=[answer(one, found.text) for one in given(row)],
        metadata=rest({**metadata, **more}, "model"),
    )


def answer(one: Spans, text: str) -> AnswerRow:
    critiques = [marked(thing(span, f"{one.field}.{n}"), f"{one.field}.{n}", text) for n, span in enumerate(one.spans)]
    return AnswerRow(one.annotator, kind=one.kind, critiques=critiques, score=one.score)


def marked(span: Mapping[str, Any], field: str, text: str) -> CritiqueRow:
    start, end = offset(span, "start", field), offset(span, "end", field)
    if start is None or end is None:
        raise RowError("is missing", f"{field}.{'start' if start is None else 'end'}")
    type = label(Named(field)(optional_text, span, "label"), f"{field}.label")
    return critique(exactly(text, start, end, None, field), type="" if type == NAMELESS else type)


def given(row: Row, *, strict: bool = True) -> Iterator[Spans]:
    """Every list of spans in the record, by whom."""
    for part, kind, unknown in (("responses", "person", "imported"), ("suggestions", "model", "suggestion")):
        found = row.get(part)
        if isinstance(found, dict):
            for question, values in found.items():
                several_of = values if isinstance(values, list) else [values]
                for n, value in enumerate(several_of):
                    place = f"{part}.{question}.{n}" if isinstance(values, list) else f"{part}.{question}"
                    yield from one(value, place, kind, unknown)
        elif isinstance(found, list):
            for n, entry in enumerate(found):
                yield from listed(entry, f"{part}.{n}", kind, unknown)
        elif found is not None and strict:
            raise RowError(f"must be an object or a list, not {kind_of(found)}", part)


def listed(entry: Any, field: str, kind: str, unknown: str) -> Iterator[Spans]:
    """An entry as version 1 has it: one annotator's values by question, or the suggestion for one question."""
    if not isinstance(entry, dict):
        return
    values = entry.get("values")
    if isinstance(values, dict):
        for question, value in values.items():
            if isinstance(value, dict):
                yield from one({**entry, **value}, f"{field}.values.{question}", kind, unknown)
    else:
        yield from one(entry, field, kind, unknown)


def one(value: Any, field: str, kind: str, unknown: str) -> Iterator[Spans]:
    if not isinstance(value, dict) or not is_spans(value.get("value")):
        return
    who = identifier(value, "user_id", "agent") or unknown
    score = value.get("score")
    sure = None if isinstance(score, list) else number(score, f"{field}.score")
    yield Spans(who, kind, several(value, "value", field), f"{field}.value", sure)


def is_spans(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and "start" in one for one in value)


readers.add(
    Reader(
        name="argilla-spans",
        title="Argilla: records with spans",
        detect=detect,
        read=read,
        example='{"fields": {"prompt": "…", "response": "…"}, '
        '"responses": {"spans": [{"value": [{"start": 0, "end": 2, "label": "…"}], "user_id": "w1"}]}}',
    )
)
