"""Votes of model judges on pairs that the project has already: {id, judge, choice}."""

from __future__ import annotations

from workers.checks import identifier, text
from workers.readers import Options, Reader, Row, readers
from workers.readers.votes import choice
from workers.rows import JudgementRow, RowError, VoteRow


def detect(row: Row) -> int:
    return 8 if {"id", "judge", "choice"} <= row.keys() else 0


def read(row: Row, options: Options) -> JudgementRow:
    external_id = identifier(row, "id")
    if external_id is None:
        raise RowError("is missing", "id")
    return JudgementRow(external_id, VoteRow(text(row, "judge"), choice(dict(row), ""), kind="model"))


readers.add(
    Reader(
        name="judgements",
        title="Model judges' votes on pairs imported before",
        detect=detect,
        read=read,
        example='{"id": "1", "judge": "gpt-4", "choice": "a"}',
    )
)
