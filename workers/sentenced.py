"""Responses whose sentences were judged for faithfulness and for truth, out of the target `sentence-labels`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workers.paired import Messages
from workers.spans import turns
from workers.training import Job

TARGET = "sentence-labels"
CELLS = ("faithful and correct", "faithful but wrong", "unfaithful but correct", "unfaithful and wrong")
UNKNOWN = -1.0


@dataclass(frozen=True, slots=True)
class Sentenced:
    """One annotator's answer on one response. Labels are 1 yes, 0 no, -1 not said."""

    split: str
    row: int
    item: str
    prompt: Messages
    documents: list[str]
    response: str
    units: list[tuple[int, int]]
    faithful: list[float]
    correct: list[float]


def sentenced_in(job: Job, split: str) -> list[Sentenced]:
    """The answers of a split with a judged sentence; several on one response stand apart, each with its own labels.

    Raises ValueError for another target.
    """
    if job.target != TARGET:
        raise ValueError(f"a version for {job.target} holds no judged sentences")
    found = []
    for number, row in enumerate(job.rows(split)):
        said = [one for one in row["sentences"] if one["faithful"] is not None or one["correct"] is not None]
        found.append(
            Sentenced(
                split, number, str(row["id"]), turns(row["prompt"]),
                [document["text"] for document in row["documents"] or []], row["response"],
                [(one["start"], one["end"]) for one in said],
                [label(one["faithful"]) for one in said], [label(one["correct"]) for one in said],
            )
        )  # fmt: skip
    return [one for one in found if one.units]


def label(told: Any) -> float:
    return UNKNOWN if told is None else float(bool(told))
