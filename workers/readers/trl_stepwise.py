"""Steps with labels: TRL's stepwise supervision (prompt, completions, labels), and PRM800K.

https://huggingface.co/docs/trl/dataset_formats (Stepwise supervision); PRM800K: Let's Verify Step by Step (arXiv
2305.20050), ratings -1, 0 and 1. Of PRM800K's alternatives for a step the chosen one is taken, or else the first;
the others are kept as metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import Units, joined, offset, truth

STEP = "step"
Judged = list[bool | int | None]


def detect(row: Row) -> int:
    if isinstance(row.get("completions"), list) and isinstance(row.get("labels"), list):
        return 11 if "prompt" in row else 0
    return 12 if prm800k(row) else 0


def prm800k(row: Row) -> bool:
    label, question = row.get("label"), row.get("question")
    return isinstance(label, dict) and isinstance(label.get("steps"), list) and isinstance(question, dict)


def read(row: Row, options: Options) -> ItemRow:
    if prm800k(row):
        return rated(row)
    steps = joined(row.get("completions"), "completions", "step")
    labels = several(row, "labels")
    if len(labels) != len(steps.units):
        raise RowError(f"must be {len(steps.units)} labels, one a completion", "labels")
    judged: Judged = [label(value, f"labels.{n}") for n, value in enumerate(labels)]
    return item(row, row.get("prompt"), "prompt", steps, judged, rest(row, "id", "prompt", "completions", "labels"))


def label(value: Any, field: str) -> bool | int:
    if type(value) is int and value in (-1, 0, 1):
        return value
    return truth(value, field)


def item(
    row: Row, asked: Any, field: str, steps: Units, judged: Judged, metadata: dict[str, Any], annotator: str = ""
) -> ItemRow:
    """A response of steps with the label of each that has one."""
    verdicts = [
        VerdictRow(STEP, answer, start=start, end=end)
        for answer, (start, end) in zip(judged, steps.units, strict=True)
        if answer is not None
    ]
    return ItemRow(
        prompt=prompt(asked, field),
        responses=[ResponseRow(steps.text, optional_text(row, "model"), unit="step", units=steps.units)],
        external_id=identifier(row, "id"),
        answers=[AnswerRow(annotator or "imported", verdicts=verdicts)],
        metadata={name: value for name, value in metadata.items() if name != "model"},
    )


def rated(row: Row) -> ItemRow:
    """A row of PRM800K."""
    label, question = thing(row["label"], "label"), thing(row["question"], "question")
    texts, ratings, spare = [], [], []
    for n, entry in enumerate(several(label, "steps", "label")):
        field = f"label.steps.{n}"
        chosen, others = completion(thing(entry, field), field)
        if chosen is None:
            break
        rating = chosen.get("rating")
        if rating is not None and (isinstance(rating, bool) or rating not in (-1, 0, 1)):
            raise RowError("must be -1, 0 or 1", f"{field}.completions.rating")
        texts.append(chosen.get("text"))
        ratings.append(rating)
        spare.append(others)
    steps = joined(texts, "label.steps", "step")
    metadata = rest(row, "question", "label", "labeler", "id")
    metadata |= {name: value for name, value in question.items() if name != "problem"}
    if any(spare):
        metadata["alternatives"] = spare
    who = identifier(row, "labeler") or ""
    return item(row, question.get("problem"), "question.problem", steps, ratings, metadata, who)


def completion(step: Mapping[str, Any], field: str) -> tuple[Mapping[str, Any] | None, list[Any]]:
    """The completion of a step that was gone on from, and the others. Where a person wrote it, it counts as good."""
    completions = step.get("completions") or []
    if not isinstance(completions, list):
        raise RowError(f"must be a list, not {kind_of(completions)}", f"{field}.completions")
    at = offset(step, "chosen_completion", field)
    human = step.get("human_completion")
    if at is None and isinstance(human, dict):
        return {"text": human.get("text"), "rating": human.get("rating", 1)}, completions
    if not completions:
        return None, []
    if not 0 <= (at or 0) < len(completions):
        raise RowError(f"must be a place from 0 to {len(completions) - 1}", f"{field}.chosen_completion")
    chosen = thing(completions[at or 0], f"{field}.completions.{at or 0}")
    return chosen, [one for n, one in enumerate(completions) if n != (at or 0)]


readers.add(
    Reader(
        name="trl-stepwise",
        title="Stepwise supervision: TRL (prompt, completions, labels) and PRM800K",
        detect=detect,
        read=read,
        example='{"prompt": "…", "completions": ["First, …\\n", "So …"], "labels": [true, false]}',
    )
)
