"""UKPConvArg1: which of two arguments convinces more, with a reason for every vote.

Habernal and Gurevych, Which argument is more convincing?, ACL 2016. The judgements name arguments by id; their
texts come from a companion file of {"arg", "text"}.
"""

from __future__ import annotations

from workers.checks import identifier, rest, text
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.votes import votes
from workers.rows import ItemRow, ResponseRow, RowError


def detect(row: Row) -> int:
    return 9 if {"response_a", "response_b", "topic"} <= row.keys() and "prompt" not in row else 0


def read(row: Row, options: Options) -> ItemRow:
    topic = text(row, "topic")
    debate, _, stance = topic.partition("_")
    title = row["debate"] if isinstance(row.get("debate"), str) and row["debate"].strip() else debate.replace("-", " ")
    asked = f"{title}\n\nStance: {stance.replace('-', ' ')}" if stance else title
    return ItemRow(
        prompt=[{"role": "user", "content": asked}],
        responses=[argument(row, field, options) for field in ("response_a", "response_b")],
        external_id=identifier(row, "id"),
        votes=votes(row.get("votes")),
        metadata=rest(row, "id", "response_a", "response_b", "votes"),
    )


def argument(row: Row, field: str, options: Options) -> ResponseRow:
    name = text(row, field)
    if name not in options.companion:
        missing = "is not in the companion file" if options.companion else "is an id: give the file of arguments too"
        raise RowError(missing, field)
    return response(options.companion[name], field)


readers.add(
    Reader(
        name="convarg",
        title="ConvArg: arguments by id, with votes (needs the file of arguments)",
        detect=detect,
        read=read,
        example='{"id": "arg1_arg2", "topic": "…", "response_a": "arg1", "response_b": "arg2", "votes": […]}',
        needs_companion=True,
    )
)
