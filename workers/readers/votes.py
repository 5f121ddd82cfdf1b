"""Two responses with raw votes: response_a, response_b, votes[{annotator, choice, reason}].

A vote on several axes names them instead of a choice: {annotator, helpful: "a", clear: "tie"}.
"""

from __future__ import annotations

from typing import Any

from workers.checks import identifier, kind_of, optional_text, prompt, rest, storable
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import ItemRow, RowError, VoteRow

USED = ("id", "external_id", "prompt", "response_a", "response_b", "model_a", "model_b", "votes")
VALUE = {"a": -1, "b": 1, "tie": 0}
WINNERS = VALUE | {"model_a": -1, "model_b": 1, "first": -1, "second": 1}
BESIDE = ("annotator", "reason")
"""What a vote on several axes names besides them."""
LONGEST_AXIS = 40
BOTH_BAD = ("tie (bothbad)", "both_bad")


def detect(row: Row) -> int:
    there = {"prompt", "response_a", "response_b"} <= row.keys() and isinstance(row.get("votes"), list)
    return 7 if there else 0


def read(row: Row, options: Options) -> ItemRow:
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=[
            response(row.get("response_a"), "response_a", optional_text(row, "model_a")),
            response(row.get("response_b"), "response_b", optional_text(row, "model_b")),
        ],
        external_id=identifier(row, "id", "external_id"),
        votes=votes(row.get("votes")),
        metadata=rest(row, *USED),
    )


def votes(value: Any) -> list[VoteRow]:
    """Each vote's annotator, choice (a, b or tie) and reason; of a vote on several axes one for each."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RowError(f"must be a list, not {kind_of(value)}", "votes")
    return [said for n, entry in enumerate(value) for said in vote(entry, f"votes.{n}")]


def vote(value: Any, field: str) -> list[VoteRow]:
    if not isinstance(value, dict):
        raise RowError(f"must be an object, not {kind_of(value)}", field)
    annotator = identifier(value, "annotator")
    if annotator is None:
        raise RowError("is missing", f"{field}.annotator")
    reason = optional_text(value, "reason")
    if "choice" in value or not (axes := axes_of(value)):
        return [VoteRow(annotator, choice(value, field), rationale=reason)]
    for name, said in axes.items():
        if said not in VALUE or len(name) > LONGEST_AXIS:
            raise RowError(f"must be a, b or tie, on an axis of at most {LONGEST_AXIS} letters", f"{field}.{name}")
    return [
        VoteRow(annotator, VALUE[said], rationale=reason, axis=storable(name, field)) for name, said in axes.items()
    ]


def axes_of(value: dict[str, Any]) -> dict[str, str]:
    """What a vote says in words besides who and why."""
    return {name: said for name, said in value.items() if name not in BESIDE and isinstance(said, str) and said}


def choice(value: dict[str, Any], field: str) -> int:
    said = value.get("choice")
    if not isinstance(said, str) or said not in VALUE:
        raise RowError("must be a, b or tie", f"{field}.choice" if field else "choice")
    return VALUE[said]


def winner(said: Any, field: str, annotator: str = "") -> list[VoteRow]:
    """The one vote that a table's winner column holds, if any."""
    if said is None or said == "":
        return []
    if isinstance(said, str) and said in BOTH_BAD:
        return [VoteRow(annotator or "imported", None, both_bad=True)]
    if not isinstance(said, str) or said not in WINNERS:
        raise RowError(f"must be one of {', '.join([*WINNERS, *BOTH_BAD])}", field)
    return [VoteRow(annotator or "imported", WINNERS[said])]


readers.add(
    Reader(
        name="votes",
        title="Two responses with raw votes",
        detect=detect,
        read=read,
        example='{"prompt": "…", "response_a": "…", "response_b": "…", "votes": [{"annotator": "w1", "choice": "a"}]}',
    )
)
