"""Verdicts on each step of a solution, after DeepCritic (arXiv 2505.00662).

Each step is judged inside the whole solution, recomputed by another route, and the critique stops at the first wrong
step where the protocol says so. Simpler than there: one pass instead of a critique of the critique.
"""

from __future__ import annotations

from workers.criticising import Subject, Wanted, Way, ways
from workers.critics import units


def words(wanted: Wanted, subject: Subject) -> str:
    return (
        "The steps of the response, by number:\n\n"
        f"{units.numbered(subject)}\n\n"
        "Go through them in order. Judge each step alone, as it stands in the whole: is it consistent with the problem "
        "and with the steps before it? Recompute its numbers, by another route where there is one, and doubt your own "
        "first verdict before you write it. A harmless transition is no error; a step that merely carries on an "
        "earlier mistake is not another one. For each step answer:\n\n"
        f"{units.questions_in_words(wanted, subject)}"
    )


def fits(wanted: Wanted) -> bool:
    return units.asked(wanted, "step")


ways.add(Way("steps", "Verdicts on each step", fits=fits, words=words, schema=units.schema, read=units.read))
