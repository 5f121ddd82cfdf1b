"""Verdicts on each sentence of an answer: against its documents, then against the world (TRM, arXiv 2509.25409)."""

from __future__ import annotations

from workers.criticising import Subject, Wanted, Way, ways
from workers.critics import units


def words(wanted: Wanted, subject: Subject) -> str:
    return (
        "The sentences of the response, by number:\n\n"
        f"{units.numbered(subject)}\n\n"
        "Go through all of them in order. Read each with those before it in mind, and judge only what this sentence "
        "itself says. Keep apart what the documents say and what is true: documents can be wrong. For each sentence "
        "answer:\n\n"
        f"{units.questions_in_words(wanted, subject)}"
    )


def fits(wanted: Wanted) -> bool:
    return units.asked(wanted, "sentence")


ways.add(Way("sentences", "Verdicts on each sentence", fits=fits, words=words, schema=units.schema, read=units.read))
