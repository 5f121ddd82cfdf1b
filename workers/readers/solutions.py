"""Solutions that a program judged: one with the outcome of its tests, or several with `is_correct`.

Reflexion's runs (arXiv 2303.11366): {prompt, solution, verified_pass, error}, where `reflections` are the model's own
critiques; GSM8K's example solutions (arXiv 2110.14168): {question, solutions: [{model, is_correct, solution}]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.text2grad import named
from workers.rows import AnswerRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import WHOLE, critique, truth

PROMPTS = ("prompt", "question", "problem")
OUTCOMES = ("verified_pass", "is_correct", "passed", "published_is_solved")
WHO = "checker"


def detect(row: Row) -> int:
    if not named(row, PROMPTS):
        return 0
    solutions = row.get("solutions")
    if isinstance(solutions, list):
        return 11 if solutions and all(isinstance(s, dict) and "is_correct" in s for s in solutions) else 0
    return 11 if isinstance(row.get("solution"), str) and named(row, OUTCOMES) else 0


def read(row: Row, options: Options) -> ItemRow:
    asked = named(row, PROMPTS)
    reference = optional_text(row, "reference_solution")
    several_of = row.get("solutions") is not None
    given = [(thing(s, f"solutions.{n}"), f"solutions.{n}") for n, s in enumerate(several(row, "solutions"))]
    judged = given if several_of else [(row, "")]
    responses = [solution(one, field) for one, field in judged]
    used: tuple[str, ...] = ("id", "solutions", "reference_solution", asked)
    used += () if several_of else ("solution", "model", "error", "reflections", named(row, OUTCOMES))
    return ItemRow(
        prompt=prompt(row.get(asked), asked or "prompt"),
        responses=responses,
        external_id=identifier(row, "id"),
        answers=[verdict(one, field, n) for n, (one, field) in enumerate(judged)] + reflected(row),
        context={"reference": reference} if reference else {},
        metadata=rest(row, *used),
    )


def solution(given: Mapping[str, Any], field: str) -> ResponseRow:
    prefix = f"{field}." if field else ""
    return response(given.get("solution"), f"{prefix}solution", Named(field)(optional_text, given, "model"))


def verdict(given: Mapping[str, Any], field: str, place: int) -> AnswerRow:
    told = named(given, OUTCOMES)
    if not told:
        raise RowError("is missing", f"{field}.is_correct" if field else OUTCOMES[0])
    right = truth(given[told], f"{field}.{told}" if field else told)
    words = Named(field)(optional_text, given, "error")
    return AnswerRow(WHO, response=place, kind="program", verdicts=[VerdictRow("correct", right, comment=words)])


def reflected(row: Row) -> list[AnswerRow]:
    """What the model said of its own attempts, each a critique of the whole."""
    said = several(row, "reflections")
    for n, words in enumerate(said):
        if not isinstance(words, str):
            raise RowError(f"must be text, not {kind_of(words)}", f"reflections.{n}")
    critiques = [critique(WHOLE, unit="response", comment=words) for words in said if words.strip()]
    who = f"{optional_text(row, 'model') or 'model'}, of itself"
    return [AnswerRow(who, kind="model", critiques=critiques)] if critiques else []


readers.add(
    Reader(
        name="solutions",
        title="Solutions judged by a program",
        detect=detect,
        read=read,
        example='{"question": "…", "solutions": [{"model": "m1", "is_correct": false, "solution": "…"}]}',
    )
)
