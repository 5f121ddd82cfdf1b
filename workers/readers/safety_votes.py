"""Votes of many raters on whether a reply is unsafe: {context, response, unsafe_votes: ["Yes", "No", "Unsure"]}.

DICES (arXiv 2306.11247). The votes have no raters in this shape: they are numbered, and a number is not the same person
in another row. The verdict keeps the question's direction and its three answers.
"""

from __future__ import annotations

from workers.answers import several
from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, ItemRow, RowError, VerdictRow

VOTES = ("Yes", "No", "Unsure")


def detect(row: Row) -> int:
    return 11 if {"context", "response"} <= row.keys() and isinstance(row.get("unsafe_votes"), list) else 0


def read(row: Row, options: Options) -> ItemRow:
    votes = several(row, "unsafe_votes")
    for n, vote in enumerate(votes):
        if vote not in VOTES:
            raise RowError(f"must be one of {', '.join(VOTES)}", f"unsafe_votes.{n}")
    return ItemRow(
        prompt=prompt(row.get("context"), "context"),
        responses=[response(row.get("response"), "response", optional_text(row, "model"))],
        external_id=identifier(row, "id"),
        answers=[AnswerRow(f"vote {n}", verdicts=[VerdictRow("unsafe", vote)]) for n, vote in enumerate(votes, 1)],
        metadata=rest(row, "id", "context", "response", "model", "unsafe_votes"),
    )


readers.add(
    Reader(
        name="safety-votes",
        title="Safety votes: is a reply unsafe, by many raters",
        detect=detect,
        read=read,
        example='{"context": "…", "response": "…", "unsafe_votes": ["No", "Yes", "Unsure"]}',
    )
)
