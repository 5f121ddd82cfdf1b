"""QA-Feedback: answers on passages, with wrong spans, what is missing, a correction and preferences.

Fine-Grained RLHF (arXiv 2306.01693). The errors are of the first prediction. Passages and sentences are counted from
1; they become spans of the documents. What an error repeats is looked for in the prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from workers.answers import Named, label, several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.votes import choice
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError, VoteRow
from workers.spans import WHOLE, critique, exactly, offset

USED = (
    "id",
    "question",
    "passages",
    "gold",
    "predictions",
    "errors",
    "missing_info",
    "corrected_prediction",
    "preferences",
)
WHO = "imported"


def detect(row: Row) -> int:
    return 12 if {"question", "passages", "predictions", "errors"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    passages = [passage(one, f"passages.{n}") for n, one in enumerate(several(row, "passages"))]
    predictions = several(row, "predictions")
    if not predictions:
        raise RowError("is missing", "predictions")
    responses = [response(value, f"predictions.{n}") for n, value in enumerate(predictions)]
    first = responses[0].text
    errors = [error(e, f"errors.{n}", first, passages) for n, e in enumerate(several(row, "errors"))]
    missing = [lacking(m, f"missing_info.{n}", passages) for n, m in enumerate(several(row, "missing_info"))]
    gold = optional_text(row, "gold")
    documents = [{"title": one.title, "text": one.text} for one in passages]
    return ItemRow(
        prompt=prompt(row.get("question"), "question"),
        responses=responses,
        external_id=identifier(row, "id"),
        votes=[vote(p, f"preferences.{n}", len(responses)) for n, p in enumerate(several(row, "preferences"))],
        answers=[AnswerRow(WHO, critiques=errors + missing + corrected(row, first))],
        context={"documents": documents} | ({"reference": gold} if gold else {}),
        metadata=rest(row, *USED),
    )


class Passage:
    """A document with the places of its sentences."""

    def __init__(self, title: str, sentences: list[str]) -> None:
        self.title, self.text = title, " ".join(sentences)
        self.places: list[tuple[int, int]] = []
        at = 0
        for sentence in sentences:
            self.places.append((at, at + len(sentence)))
            at += len(sentence) + 1


def passage(value: Any, field: str) -> Passage:
    given = thing(value, field)
    sentences = several(given, "sentences", field)
    for n, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            raise RowError(f"must be text, not {kind_of(sentence)}", f"{field}.sentences.{n}")
    return Passage(Named(field)(optional_text, given, "title"), sentences)


def error(value: Any, field: str, text: str, passages: list[Passage]) -> CritiqueRow:
    given = thing(value, field)
    start, end = offset(given, "start", field), offset(given, "end", field)
    if start is None or end is None:
        raise RowError("is missing", f"{field}.{'start' if start is None else 'end'}")
    why = Named(field)(optional_text, given, "explanation")
    ids = sentences_named(why)
    at = text.find(why) if why and ids is None else -1
    evidence = grounded(ids, field, passages) if ids is not None else None
    if at >= 0:
        evidence = {"response": 0, "start": at, "end": at + len(why), "quote": why}
    return critique(
        exactly(text, start, end, None, field),
        type=label(Named(field)(optional_text, given, "type"), f"{field}.type"),
        polarity=-1,
        comment="" if evidence else why,
        evidence=evidence,
    )


def sentences_named(why: str) -> Mapping[str, Any] | None:
    """The passage and sentences that an explanation names, where it does."""
    try:
        found = orjson.loads(why) if why.startswith("{") else None
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def grounded(ids: Mapping[str, Any], field: str, passages: list[Passage]) -> dict[str, Any] | None:
    """The span of a document from the first to the last of the sentences; the document where it has no such."""
    number = offset(ids, "passage_id", field)
    if number is None:
        return None
    if not 1 <= number <= len(passages):
        raise RowError(f"is {number}; there are {len(passages)}", f"{field}.passage_id")
    found = passages[number - 1]
    named = [n for n in several(ids, "sentence_id", field) if type(n) is int and 1 <= n <= len(found.places)]
    if not named:
        return {"document": number - 1}
    start, end = found.places[min(named) - 1][0], found.places[max(named) - 1][1]
    return {"document": number - 1, "start": start, "end": end, "quote": found.text[start:end]}


def lacking(value: Any, field: str, passages: list[Passage]) -> CritiqueRow:
    """Something that the answer leaves out, with the sentences that say it."""
    given = thing(value, field)
    type = label(Named(field)(optional_text, given, "error type"), f"{field}.error type")
    proof = grounded(given, field, passages)
    return critique(WHOLE, unit="response", type=type, polarity=-1, omission=True, evidence=proof)


def corrected(row: Row, text: str) -> list[CritiqueRow]:
    better = optional_text(row, "corrected_prediction")
    return [critique(WHOLE, unit="response", edit=better)] if better.strip() and better != text else []


def vote(value: Any, field: str, count: int) -> VoteRow:
    given = thing(value, field)
    parts = str(given.get("pair", "")).split("-")
    if len(parts) != 2 or not all(part.isdecimal() and 1 <= int(part) <= count for part in parts):
        raise RowError(f'must be two predictions from 1 to {count}, such as "1-2"', f"{field}.pair")
    first, second = (int(part) - 1 for part in parts)
    return VoteRow(WHO, choice(dict(given), field), first=first, second=second)


readers.add(
    Reader(
        name="qa-feedback",
        title="QA-Feedback: wrong spans, missing information, preferences",
        detect=detect,
        read=read,
        example='{"question": "…", "passages": [{"title": "…", "sentences": ["…"]}], "predictions": ["…"], '
        '"errors": [{"type": "Irrelevant", "start": 0, "end": 2}]}',
    )
)
