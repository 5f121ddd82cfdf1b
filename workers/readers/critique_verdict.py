"""A response with a verdict on it and the reasons in words.

Critique-Coder (arXiv 2509.22824): {question, solution, correctness}. CriticLean (arXiv 2507.06181): {reasons,
is_assistant_correct: "Correct"|"Incorrect"} with error types. A verdict that is none of the known words is refused:
"unparsed" is not a class.
"""

from __future__ import annotations

from typing import Any

from workers.answers import label, several
from workers.checks import identifier, kind_of, optional_text, prompt, rest, storable
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.text2grad import named
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError, VerdictRow

WORDS = {"T": True, "True": True, "Correct": True, "F": False, "False": False, "Incorrect": False}
PROMPTS = ("prompt", "question", "problem", "statement", "statement_nl")
RESPONSES = ("response", "solution", "answer", "completion", "lean_code")
VERDICTS = ("verdict", "correctness", "is_assistant_correct", "label", "correct")
CRITIQUES = ("critique", "reasons", "reason")


def detect(row: Row) -> int:
    told = named(row, VERDICTS)
    if not told or not named(row, PROMPTS) or not isinstance(row.get(named(row, RESPONSES)), str | list):
        return 0
    try:
        right(row[told], told)
    except RowError:
        return 0
    return 8


def read(row: Row, options: Options) -> ItemRow:
    asked, answered, told, why = (named(row, names) for names in (PROMPTS, RESPONSES, VERDICTS, CRITIQUES))
    if not told:
        raise RowError("is missing", "verdict")
    verdict = VerdictRow("correct", right(row[told], told), comment=optional_text(row, why) if why else "")
    kind = row.get("kind") if row.get("kind") in ("person", "model", "program") else "person"
    answer = AnswerRow(
        annotator=identifier(row, "annotator") or "imported",
        kind=str(kind),
        critiques=[CritiqueRow(unit="response", type=type, polarity=-1) for type in error_types(row)],
        verdicts=[verdict],
    )
    return ItemRow(
        prompt=prompt(row.get(asked), asked or "prompt"),
        responses=[response(row.get(answered), answered or "response", optional_text(row, "model"))],
        external_id=identifier(row, "id"),
        answers=[answer],
        metadata=rest(row, "id", "model", "annotator", "kind", "error_types", asked, answered, told, why),
    )


def right(value: Any, field: str) -> bool:
    """A verdict: true or false, or exactly one of the words for them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    raise RowError("must be true or false, or exactly T, F, True, False, Correct or Incorrect", field)


def error_types(row: Row) -> list[str]:
    """What is wrong with the whole response, by name."""
    found = []
    for n, name in enumerate(several(row, "error_types")):
        if not isinstance(name, str) or not name.strip():
            raise RowError(f"must be text, not {kind_of(name)}", f"error_types.{n}")
        found.append(label(storable(name, f"error_types.{n}"), f"error_types.{n}"))
    return found


readers.add(
    Reader(
        name="critique-verdict",
        title="Critique with a verdict: correct or not, and why",
        detect=detect,
        read=read,
        example='{"prompt": "…", "response": "…", "verdict": "Incorrect", "critique": "…", "error_types": ["…"]}',
    )
)
