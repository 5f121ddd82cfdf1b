"""Touchstone's own format: a prompt, any number of responses, and optionally pairs, votes and answers.

{"id": "q1", "prompt": "…" or [{"role", "content"}], "responses": ["…", {"text", "model", "metadata"}],
 "pairs": [[0, 1]], "votes": [{"annotator": "w1", "first": 0, "second": 1, "value": -2}],
 "answers": [{"annotator": "w1", "response": 0, "critiques": [{"start": 0, "end": 2, "quote": "It", "type": "…"}],
              "verdicts": [{"question": "correct", "answer": false}]}],
 "gold": [{"first": 0, "second": 1, "value": -1, "explanation": "…"}]}

Gold is what is right: a vote, or an answer, that nobody in particular gave.

A response may tell its sentences or steps: as "units" of its text, or instead of the text as "sentences" or "steps".
"""

from __future__ import annotations

from typing import Any

from workers.answers import answer, context_of
from workers.checks import identifier, kind_of, mapping, optional_text, prompt
from workers.continuations import response
from workers.parts import is_data, pictures_in, response_of
from workers.readers import Options, Reader, Row, readers
from workers.rows import GoldRow, ItemRow, ResponseRow, RowError, VoteRow
from workers.spans import documents_of, joined, units_of

PARTS = {"steps": "step", "sentences": "sentence"}
PLAIN = {"text", "model"}
"""What most responses have, and no more: nothing else of them is looked for then."""


def detect(row: Row) -> int:
    return 10 if "prompt" in row and isinstance(row.get("responses"), list) else 0


def read(row: Row, options: Options) -> ItemRow:
    responses = several(row.get("responses"))
    context = context_of(mapping(row, "context"))
    documents = documents_of(context)
    answers = listed(row.get("answers"), "answers")
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=responses,
        external_id=identifier(row, "external_id", "id"),
        pairs=pairs(row.get("pairs"), len(responses)),
        votes=[vote(v, f"votes.{n}", len(responses)) for n, v in enumerate(listed(row.get("votes"), "votes"))],
        answers=[answer(a, f"answers.{n}", responses, documents) for n, a in enumerate(answers)],
        gold=[gold(one, f"gold.{n}", responses, documents) for n, one in enumerate(listed(row.get("gold"), "gold"))],
        context=context,
        metadata=mapping(row, "metadata"),
    )


def several(value: Any) -> list[ResponseRow]:
    if not isinstance(value, list):
        raise RowError(f"must be a list, not {kind_of(value)}", "responses")
    return [one(entry, f"responses.{n}") for n, entry in enumerate(value)]


def one(value: Any, field: str) -> ResponseRow:
    if not isinstance(value, dict):
        return response(value, field)
    if value.keys() <= PLAIN and isinstance(value.get("text"), str):
        return response(value["text"], f"{field}.text", optional_text(value, "model"))
    parts = next((name for name in PARTS if value.get(name) is not None), "")
    if parts and "text" not in value:
        whole = joined(value[parts], f"{field}.{parts}", PARTS[parts])
        model = optional_text(value, "model")
        return ResponseRow(whole.text, model, None, mapping(value, "metadata"), PARTS[parts], whole.units)
    found = told(value, field)
    units = units_of(value.get("units"), found.text, f"{field}.units")
    unit = value.get("unit", "sentence") if units else ""
    if unit not in ("", "sentence", "step"):
        raise RowError("must be sentence or step", f"{field}.unit")
    return ResponseRow(found.text, found.model, found.messages, mapping(value, "metadata"), unit, units)


def told(value: dict[str, Any], field: str) -> ResponseRow:
    """The text, the messages or the pictures of a response."""
    model = optional_text(value, "model")
    if "messages" in value and "text" not in value:
        return response(value["messages"], f"{field}.messages", model)
    if isinstance(value.get("images"), list):
        text = optional_text(value, "text")
        return response_of(text, pictures_in(value["images"], f"{field}.images", at=len(text)), model)
    return response(value, field, model) if is_data(value) else response(value.get("text"), f"{field}.text", model)


def listed(value: Any, field: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"must be a list, not {kind_of(value)}", field)
    return value


def pairs(value: Any, count: int) -> list[tuple[int, int]] | None:
    if value is None:
        return None
    found = []
    for n, entry in enumerate(listed(value, "pairs")):
        if not (isinstance(entry, list) and len(entry) == 2):
            raise RowError("must be two places in the list of responses", f"pairs.{n}")
        first, second = (place(index, f"pairs.{n}", count) for index in entry)
        if first == second:
            raise RowError("names one response twice", f"pairs.{n}")
        found.append((min(first, second), max(first, second)))
    return found


def place(index: Any, field: str, count: int) -> int:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise RowError(f"must be a place from 0 to {count - 1} in the list of responses", field)
    return index


def vote(value: Any, field: str, count: int) -> VoteRow:
    if not isinstance(value, dict):
        raise RowError(f"must be an object, not {kind_of(value)}", field)
    annotator = identifier(value, "annotator")
    if annotator is None:
        raise RowError("is missing", f"{field}.annotator")
    both_bad, score = value.get("both_bad") is True, value.get("value")
    if not both_bad and (isinstance(score, bool) or not isinstance(score, int) or not -3 <= score <= 3):
        raise RowError("must be a whole number from -3 (first better) to 3 (second better)", f"{field}.value")
    if value.get("kind", "person") not in ("person", "model", "program"):
        raise RowError("must be person, model or program", f"{field}.kind")
    first, second = (place(value.get(k, d), f"{field}.{k}", count) for k, d in (("first", 0), ("second", 1)))
    if first == second:
        raise RowError("compares a response with itself", field)
    return VoteRow(
        annotator=annotator,
        value=None if both_bad else score,
        first=first,
        second=second,
        kind=value.get("kind", "person"),
        both_bad=both_bad,
        rationale=optional_text(value, "rationale"),
        axis=optional_text(value, "axis") or "overall",
    )


def gold(value: Any, field: str, responses: list[ResponseRow], documents: Any) -> GoldRow:
    """What is right: as a vote or an answer, by nobody in particular, and why."""
    if not isinstance(value, dict):
        raise RowError(f"must be an object, not {kind_of(value)}", field)
    phase = value.get("phase", "hidden")
    if phase not in ("hidden", "training"):
        raise RowError("must be hidden or training", f"{field}.phase")
    words, by_nobody = optional_text(value, "explanation"), {**value, "annotator": "gold"}
    if "value" in value or "both_bad" in value:
        return GoldRow(vote=vote(by_nobody, field, len(responses)), explanation=words, phase=phase)
    said = answer(by_nobody, field, responses, documents)
    if not (said.verdicts or said.critiques or said.ranks):
        raise RowError("says nothing that could be expected", field)
    return GoldRow(answer=said, explanation=words, phase=phase)


readers.add(
    Reader(
        name="touchstone",
        title="Touchstone: prompt and responses",
        detect=detect,
        read=read,
        example='{"id": "q1", "prompt": "Why is the sky blue?", "responses": ["…", {"text": "…", "model": "m1"}]}',
    )
)
