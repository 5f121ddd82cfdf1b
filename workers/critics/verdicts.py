"""Verdicts on a whole response: each question of the protocol, answered after its reason."""

from __future__ import annotations

from typing import Any

from workers.criticising import Heard, Schema, Subject, Wanted, Way, ways
from workers.critics.shapes import answered, described, question_schema, shape


def words(wanted: Wanted, subject: Subject) -> str:
    questions = [described(question, subject) for question in wanted.asked_of("response")]
    return (
        "Answer these questions about the response as a whole. Work each out for yourself before you look at what the "
        "response claims; write the reason as “comment”, so that somebody who doubts it can check it, then the "
        "“answer”.\n\n" + "\n".join(questions)
    )


def schema(wanted: Wanted, subject: Subject) -> Schema:
    questions = wanted.asked_of("response")
    return shape(**{one["name"]: question_schema(one, subject, reason=True) for one in questions})


def read(wanted: Wanted, subject: Subject, answer: Any) -> Heard:
    heard = Heard()
    answered(wanted.asked_of("response"), answer, subject, heard)
    return heard


def fits(wanted: Wanted) -> bool:
    return bool(wanted.asked_of("response"))


ways.add(Way("verdicts", "Verdicts on the response", fits=fits, words=words, schema=schema, read=read))
