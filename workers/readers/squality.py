"""SQuALITY reviews: several summaries of a story for one question, each with comments on spans, ratings and ranks.

Wang et al., SQuALITY (arXiv 2205.11465), human evaluation. The systems' rows for one question follow each other and
make one item; a reviewer's ratings (1 to 100) are verdicts, the overall ranks one ranking. The stories are not in the
file. Spans were copied by hand: one that is not in the summary is told in the comment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, several, thing
from workers.checks import identifier, optional_text, text
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError, VerdictRow
from workers.spans import critique_in_words, offset, spot

RATINGS = {"correctness": "correctness_rating", "coverage": "selection_rating", "overall": "overall_rating"}
RANK = "overall_rank"


def detect(row: Row) -> int:
    return 11 if {"passage_id", "question_index", "response", "reviews"} <= row.keys() else 0


def gather(row: Row) -> str:
    """One question on one story."""
    return f"{identifier(row, 'passage_id')}-{identifier(row, 'question_index')}"


def read(row: Row, options: Options) -> ItemRow:
    return read_many([row], options)


def read_many(rows: list[Row], options: Options) -> ItemRow:
    key, first = gather(rows[0]), rows[0]
    responses, answers = [], []
    for n, row in enumerate(rows):
        try:
            responses.append(response(row.get("response"), "response", optional_text(row, "system")))
            reviews = [thing(one, f"reviews.{m}") for m, one in enumerate(several(row, "reviews"))]
            answers += [answer(one, f"reviews.{m}", n, responses[-1].text) for m, one in enumerate(reviews)]
            question = text(row, "question")
        except RowError as problem:
            raise RowError(problem.reason, problem.field, n) from None
    return ItemRow(
        prompt=[{"role": "user", "content": f"{question}\n\n(Project Gutenberg story {key.rpartition('-')[0]})"}],
        responses=responses,
        external_id=f"squality-{key}",
        answers=answers + rankings(rows),
        metadata={name: first[name] for name in ("passage_id", "question_index") if name in first},
    )


def answer(review: Mapping[str, Any], field: str, place: int, text: str) -> AnswerRow:
    who = Named(field)(identifier, review, "annotator") or "imported"
    ratings = {question: offset(review, name, field) for question, name in RATINGS.items()}
    return AnswerRow(
        annotator=who,
        response=place,
        critiques=[
            marked(thing(one, f"{field}.spans.{n}"), f"{field}.spans.{n}", text)
            for n, one in enumerate(several(review, "spans", field))
        ],
        verdicts=[VerdictRow(question, rating) for question, rating in ratings.items() if rating is not None],
    )


def marked(given: Mapping[str, Any], field: str, text: str) -> CritiqueRow:
    return critique_in_words(
        spot(text, given, field, names=("start", "end", "span_text"), repair=True),
        polarity=-1,
        comment=Named(field)(optional_text, given, "comment"),
    )


def rankings(rows: list[Row]) -> list[AnswerRow]:
    """The ranking of every reviewer who ranked all of the responses."""
    ranks: dict[str, list[int]] = {}
    for row in rows:
        for n, review in enumerate(several(row, "reviews")):
            rank = offset(review, RANK, f"reviews.{n}")
            if rank is not None and rank >= 1:
                ranks.setdefault(identifier(review, "annotator") or "imported", []).append(rank)
    return [AnswerRow(who, ranks=found) for who, found in ranks.items() if len(found) == len(rows) > 1]


readers.add(
    Reader(
        name="squality",
        title="SQuALITY: summaries with comments, ratings and ranks",
        detect=detect,
        read=read,
        example='{"passage_id": "1", "question_index": 0, "question": "…", "system": "…", "response": "…", '
        '"reviews": [{"annotator": "w1", "spans": [{"span_text": "…", "comment": "…"}], "overall_rank": 1}]}',
        gather=gather,
        read_many=read_many,
    )
)
