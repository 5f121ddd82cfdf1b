"""Solutions in steps with the place of the first wrong one: ProcessBench, MR-GSM8K, MR-Ben, BIG-Bench Mistake.

ProcessBench (arXiv 2412.06559), MR-GSM8K (2312.17080), MR-Ben (2406.13975), BIG-Bench Mistake (2311.08516). The steps
before the first wrong one are right, those after it are not judged; null says that all are right. Counted from 0.
"""

from __future__ import annotations

from typing import Any

from workers.answers import several
from workers.checks import identifier, kind_of, optional_text, prompt, rest, storable
from workers.readers import Options, Reader, Row, readers
from workers.readers.text2grad import named
from workers.rows import AnswerRow, CritiqueRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import Spot, Units, critique, joined, truth

PROMPTS = ("problem", "question", "prompt", "input")
MODELS = ("generator", "model")
RIGHT = ("final_answer_correct", "verdict")
REASONS, FIXES = "error_reasons", "rectified_steps"


def detect(row: Row) -> int:
    return 11 if isinstance(row.get("steps"), list) and "first_error_step" in row and named(row, PROMPTS) else 0


def read(row: Row, options: Options) -> ItemRow:
    asked, model, right = named(row, PROMPTS), named(row, MODELS), named(row, RIGHT)
    steps = joined(row.get("steps"), "steps", "step")
    first = first_error(row.get("first_error_step"), len(steps.units))
    verdicts = [
        VerdictRow("step", n != first, start=start, end=end)
        for n, (start, end) in enumerate(steps.units)
        if first is None or n <= first
    ]
    if right:
        verdicts.append(VerdictRow("correct", truth(row[right], right)))
    used = ("id", "steps", "first_error_step", "options", "reference_answer", asked, model, right, REASONS, FIXES)
    reference = optional_text(row, "reference_answer")
    return ItemRow(
        prompt=prompt(question(row, asked), asked or "problem"),
        responses=[ResponseRow(steps.text, optional_text(row, model) if model else "", unit="step", units=steps.units)],
        external_id=identifier(row, "id"),
        answers=[AnswerRow("imported", critiques=critiques(row, steps, first), verdicts=verdicts)],
        context={"reference": reference} if reference else {},
        metadata=rest(row, *used),
    )


def question(row: Row, asked: str) -> Any:
    """The problem, with its options below it where there are some."""
    choices = optional_text(row, "options")
    return f"{row[asked]}\n\n{choices}" if choices and isinstance(row.get(asked), str) else row.get(asked)


def first_error(value: Any, count: int) -> int | None:
    if value is None or value == -1:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RowError(f"must be a whole number or null, not {kind_of(value)}", "first_error_step")
    if not 0 <= value < count:
        raise RowError(f"must be a step from 0 to {count - 1}, not {value}", "first_error_step")
    return value


def critiques(row: Row, steps: Units, first: int | None) -> list[CritiqueRow]:
    """What is said of the wrong step, and what should stand there; by several annotators, in their order."""
    reasons, fixes = (texts(row, name) for name in (REASONS, FIXES))
    if first is None:
        return []
    start, end = steps.units[first]
    spot = Spot(start, end, steps.text[start:end])
    found = []
    for n in range(max(len(reasons), len(fixes))):
        reason, fix = (given[n] if n < len(given) else "" for given in (reasons, fixes))
        if reason.strip() or fix.strip():
            found.append(critique(spot, unit="step", polarity=-1, comment=reason.strip(), edit=fix.strip() or None))
    return found


def texts(row: Row, name: str) -> list[str]:
    given = several(row, name)
    for n, one in enumerate(given):
        if not isinstance(one, str):
            raise RowError(f"must be text, not {kind_of(one)}", f"{name}.{n}")
        storable(one, f"{name}.{n}")
    return given


readers.add(
    Reader(
        name="first-error",
        title="Steps with the first wrong one (ProcessBench, MR-GSM8K, MR-Ben)",
        detect=detect,
        read=read,
        example='{"problem": "…", "steps": ["…", "…"], "first_error_step": 1, "final_answer_correct": false}',
    )
)
