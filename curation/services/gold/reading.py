"""Answers and gold in one shape, under the names that the protocol has now: what `workers/gold.py` compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from curation.models import Annotation, Critique, Gold, Project
from curation.services.deciding import side
from curation.services.label_names import CurrentNames, Reading, names_under

Said = dict[str, Any]
SPAN = ("start", "end", "message", "type", "severity", "polarity", "quote", "comment")


def with_all(rows: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """Annotations with everything that they say, in a few statements."""
    return rows.prefetch_related("preferences", "verdicts", "ranks", "critiques")


def said_by(annotation: Annotation) -> Said:
    """All that an answer says, under the names of its own protocol. Rejected suggestions say nothing."""
    return {
        "preferences": {one.axis: side(one.value, one.both_bad) for one in annotation.preferences.all()},
        "verdicts": [
            {"response": one.response_id, "question": one.question, "start": one.start, "end": one.end}
            | {"answer": one.answer}
            for one in annotation.verdicts.all()
        ],
        "ranks": {str(one.response_id): one.rank for one in annotation.ranks.all()},
        "critiques": [
            {"response": one.response_id, **{name: getattr(one, name) for name in SPAN}}
            for one in annotation.critiques.all()
            if one.review != Critique.Review.REJECTED
        ],
    }


def names_for(project: Project, protocols: Iterable[int]) -> CurrentNames | None:
    assert project.protocol_id is not None
    return names_under(project.protocol_id, protocols)


def read_as(said: Said, reading: Reading) -> Said:
    """The same under later names; what was split and can no longer be read is left out."""
    found: Said = dict(said)
    if "preferences" in said:
        named = [(reading.axis(axis), value) for axis, value in said["preferences"].items()]
        found["preferences"] = {axis: value for axis, value in named if axis is not None}
    if "verdicts" in said:
        found["verdicts"] = list(verdicts_as(said["verdicts"], reading))
    if "critiques" in said:
        found["critiques"] = [one | {"type": reading.type(one.get("type") or "") or ""} for one in said["critiques"]]
    return found


def verdicts_as(verdicts: Sequence[Mapping[str, Any]], reading: Reading) -> Iterator[dict[str, Any]]:
    for one in verdicts:
        question, answer = reading.question(one["question"]), reading.answer(one["question"], one["answer"])
        if question is not None and answer is not None:
            yield {**one, "question": question, "answer": answer}


def expected_of(gold: Gold, names: CurrentNames | None) -> Said:
    """What is right, as the present protocol calls it."""
    return read_as(gold.expected, names.of(gold.protocol_id)) if names else gold.expected


def answer_of(annotation: Annotation, names: CurrentNames | None) -> Said:
    said = said_by(annotation)
    return read_as(said, names.of(annotation.protocol_id)) if names else said
