"""Overlap that follows disagreement: while the label of a task is undecided, one more person is asked, up to a cap.

A task starts with its project's (or queue's) overlap. The answer that would complete it is followed by one look at the
votes of that task: while the posterior of the likeliest label (`workers/certainty.py`) is below the project's
certainty, the task wants one answer more. What it costs depends on the cap, not on the project.

The label is the preference on the first axis, the first question with given answers, or the response ranked first.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation.models import TaskKind
from curation.protocols import Question
from curation.services.desk import Desk, Scale
from curation.statements import rows
from workers.certainty import Vote, likeliest

STANDING = """
FROM curation_annotation a
JOIN curation_annotator r ON r.id = a.annotator_id AND r.kind = 'person'
JOIN {table} v ON v.annotation_id = a.id {which}
WHERE a.task_id = %s AND a.event = 'answer' AND a.counted
  AND NOT EXISTS (SELECT 1 FROM curation_annotation later WHERE later.supersedes_id = a.id)
"""
PREFERRED = "SELECT v.value, v.both_bad, r.reliability" + STANDING.format(
    table="curation_preference", which="AND v.axis = %s"
)
SAID = "SELECT v.answer, r.reliability" + STANDING.format(table="curation_verdict", which="AND v.question = %s")
FIRST = "SELECT a.id, v.response_id, v.rank, r.reliability" + STANDING.format(table="curation_rank", which="")
CLOSED = ("yesno", "choice", "rating")
SLACK = 1e-9


def undecided(desk: Desk, task_id: int) -> bool:
    """Whether the likeliest label of a task is not yet as likely as the project wants it. False where no label is
    asked that could be compared."""
    found = votes_on(desk.scale, task_id)
    return found is not None and likeliest(*found) < desk.rules.certainty - SLACK


def votes_on(scale: Scale, task_id: int) -> tuple[Sequence[Vote], int] | None:
    """People's standing votes on the label of a task, and how many labels there are; None where none is asked."""
    if scale.kind == TaskKind.PREFERENCE:
        found = rows(PREFERRED, [scale.axes[0]["name"], task_id])
        votes: list[Vote] = [(side(value, bad), reliability) for value, bad, reliability in found]
        return votes, 2 + scale.allow_tie + scale.allow_both_bad
    if scale.kind == TaskKind.RANKING:
        return first_places(task_id)
    question = asked_of_all(scale)
    if question is None:
        return None
    return [(answer, reliability) for answer, reliability in rows(SAID, [question.name, task_id])], answers_to(question)


def side(value: int | None, both_bad: bool) -> str:
    if both_bad or value is None:
        return "both bad"
    return "tie" if value == 0 else "first" if value < 0 else "second"


def asked_of_all(scale: Scale) -> Question | None:
    """The question whose answer is the label: the first about the whole response that has given answers."""
    questions = scale.asked.questions
    return next((q for q in questions if q.kind in CLOSED and q.scope == "response" and not q.when), None)


def answers_to(question: Question) -> int:
    if question.kind == "rating":
        return question.high - question.low + 1
    return len(question.options) if question.kind == "choice" else 2


def first_places(task_id: int) -> tuple[Sequence[Vote], int]:
    """Who ranked which response first; several first ones are a label of their own."""
    best: dict[int, tuple[set[int], float | None]] = {}
    responses = set()
    for annotation, response, rank, reliability in rows(FIRST, [task_id]):
        responses.add(response)
        if rank == 1:
            best.setdefault(annotation, (set(), reliability))[0].add(response)
    return [(frozenset(first), reliability) for first, reliability in best.values()], len(responses)


def labelled(scale: Scale) -> bool:
    """Whether the protocol asks something by which a task can be decided."""
    return scale.kind != TaskKind.RESPONSE or asked_of_all(scale) is not None
