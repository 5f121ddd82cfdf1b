"""HaluQuestQA: two long answers compared by an expert, with wrong and helpful spans and a reason for each.

arXiv 2407.11930. Spans of the question (misconceptions) are about no response and stay in the metadata. The authors
changed the case of some texts, so a span stands where its offsets say when only case or spacing differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, label, several, thing
from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.votes import choice
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError, VoteRow
from workers.spans import critique_in_words, spot

USED = (
    "id",
    "question",
    "response_a",
    "response_b",
    "author_a",
    "author_b",
    "annotator",
    "choice",
    "choice_reason",
    "spans",
)
TARGETS = {"answer1": 0, "answer2": 1}
QUESTIONS = ("question", "question1", "question2")


def detect(row: Row) -> int:
    return 12 if {"question", "response_a", "response_b", "choice_reason", "spans"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    responses = [response(row.get(f"response_{n}"), f"response_{n}", optional_text(row, f"author_{n}")) for n in "ab"]
    who = identifier(row, "annotator") or "imported"
    answers: dict[int, AnswerRow] = {}
    asked = []
    for n, value in enumerate(several(row, "spans")):
        field = f"spans.{n}"
        given = thing(value, field)
        if given.get("target") in QUESTIONS:
            asked.append(given)
            continue
        at = TARGETS.get(str(given.get("target")))
        if at is None:
            raise RowError("must be answer1, answer2 or question1", f"{field}.target")
        answer = answers.setdefault(at, AnswerRow(who, response=at))
        answer.critiques.append(marked(given, field, responses[at].text))
    return ItemRow(
        prompt=prompt(row.get("question"), "question"),
        responses=responses,
        external_id=identifier(row, "id"),
        votes=[VoteRow(who, choice(dict(row), ""), rationale=optional_text(row, "choice_reason"))],
        answers=[answers[at] for at in sorted(answers)],
        metadata=rest(row, *USED) | ({"question_spans": asked} if asked else {}),
    )


def marked(given: Mapping[str, Any], field: str, text: str) -> CritiqueRow:
    helpful = given.get("helpful")
    return critique_in_words(
        spot(text, given, field, names=("start", "end", "span_text"), repair=True),
        type=label(Named(field)(optional_text, given, "aspect"), f"{field}.aspect"),
        polarity=1 if helpful is True else -1,
        comment=Named(field)(optional_text, given, "reason"),
    )


readers.add(
    Reader(
        name="haluquestqa",
        title="HaluQuestQA: two answers with wrong and helpful spans",
        detect=detect,
        read=read,
        example='{"question": "…", "response_a": "…", "response_b": "…", "choice": "a", "choice_reason": "…", '
        '"spans": [{"aspect": "factuality", "target": "answer1", "span_text": "…", "start": 0, "end": 2}]}',
    )
)
