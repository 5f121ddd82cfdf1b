"""Under which names an answer is counted per day: what the plots of a project are drawn from."""

from __future__ import annotations

from typing import Any

from curation.models import Annotation, Critique
from curation.services.answering import Answer
from curation.services.desk import asked, is_plain

LONGEST_OUTCOME = 60


def tallied(answer: Answer) -> list[tuple[str, str]]:
    """Axis and outcome of everything besides preferences: the whole answer, its verdicts, its critiques."""
    critiques = [(said.type, said.rejected) for said in answer.critiques]
    return counted([(v.question, v.answer) for v in answer.verdicts], critiques)


def outcomes_of(annotation: Annotation) -> list[tuple[str, str]]:
    """The same of an answer that was written, its preferences among them."""
    found = [(said.axis, said.outcome) for said in annotation.preferences.all()]
    if is_plain(annotation.project.kind, asked(annotation.protocol)):
        return found
    rejected = Critique.Review.REJECTED
    critiques = [(said.type, said.review == rejected) for said in annotation.critiques.all()]
    return found + counted(list(annotation.verdicts.values_list("question", "answer")), critiques)


def counted(verdicts: list[tuple[str, Any]], critiques: list[tuple[str, bool]]) -> list[tuple[str, str]]:
    found = [("", "answered")]
    for question, answer in verdicts:
        found += [(question, outcome) for outcome in outcomes(answer)]
    return found + [("critique", "rejected" if rejected else kind or "untyped") for kind, rejected in critiques]


def outcomes(answer: Any) -> list[str]:
    """A verdict as it is counted: yes, no, a number, each of its labels; words only as words."""
    if isinstance(answer, bool):
        return ["yes" if answer else "no"]
    if isinstance(answer, list):
        return [str(name)[:LONGEST_OUTCOME] for name in answer] or ["none"]
    if isinstance(answer, str) and (len(answer) > LONGEST_OUTCOME or " " in answer.strip()):
        return ["words"]
    return [str(answer)]
