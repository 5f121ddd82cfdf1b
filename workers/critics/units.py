"""What asking about each step and about each sentence have in common: units by number, answers for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.criticising import Heard, Schema, Subject, Wanted
from workers.critics.shapes import answered, described, listed, plainly, question_schema, shape


def numbered(subject: Subject) -> str:
    """The units of the response, each under its number."""
    text = subject.responses[0][0]
    return "\n".join(f"[{number}] {text[start:end]}" for number, (start, end) in enumerate(subject.units, 1))


def questions_in_words(wanted: Wanted, subject: Subject) -> str:
    questions = wanted.asked_of("unit")
    told = [described(question, subject) for question in questions]
    told += [
        f"Stop after the first {wanted.unit} whose “{one['name']}” is {plainly(one['stop'])}: leave out those after it."
        for one in questions
        if one["stop"] is not None
    ]
    return "\n".join(told)


def schema(wanted: Wanted, subject: Subject) -> Schema:
    answers = {one["name"]: question_schema(one, subject, reason=False) for one in wanted.asked_of("unit")}
    number = {"type": "integer", "minimum": 1, "maximum": max(1, len(subject.units))}
    return shape(units=listed(shape(number=number, answers=shape(**answers)), max(1, len(subject.units))))


def read(wanted: Wanted, subject: Subject, answer: Any) -> Heard:
    """Verdicts with the place of their unit. Of a unit that is named twice the first answer counts; what comes
    after a stop is left out, and so is a unit that the critic passed over: it stays open."""
    heard = Heard()
    questions = wanted.asked_of("unit")
    given: dict[int, Mapping[str, Any]] = {}
    for one in answer["units"]:
        given.setdefault(int(one["number"]), one["answers"])
    for number, answers in sorted(given.items()):
        if number > len(subject.units):
            break
        start, end = subject.units[number - 1]
        said = answered(questions, answers, subject, heard, start=start, end=end)
        if any(one["stop"] is not None and said.get(one["name"]) == one["stop"] for one in questions):
            break
    return heard


def asked(wanted: Wanted, unit: str) -> bool:
    return wanted.unit == unit and bool(wanted.asked_of("unit"))
