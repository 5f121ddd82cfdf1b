"""Touchstone's own format: an item with the responses that were spoken of, and everything said of them.

Read back by the format of the same name (docs/formats.md), with nothing lost but votes, metadata and who reviewed what.
In Parquet context and answers are JSON: import the JSON lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

from workers.gathering import one_each
from workers.rows import AnswerRow, CritiquedRow, CritiqueRow, VerdictRow
from workers.writers import Target, targets

COLUMNS = ("id", "prompt", "context", "responses", "answers")
CRITIQUE = tuple(field.name for field in fields_of(CritiqueRow) if field.name not in ("anchor", "message"))
VERDICT = tuple(field.name for field in fields_of(VerdictRow))
SAID = ("kind", "rationale", "version", "score", "active_ms")


def row(given: Sequence[CritiquedRow]) -> dict[str, Any]:
    places: dict[int, int] = {}
    for one in given:
        places.setdefault(one.response_id, len(places))
    last = {one.response_id: one for one in given}
    return {
        "id": given[0].item,
        "prompt": given[0].prompt,
        "context": given[0].context,
        "responses": [response(last[response_id]) for response_id in places],
        "answers": [said(answer) for answer in answers(given, places)],
    }


def response(given: CritiquedRow) -> dict[str, Any]:
    return {
        "text": given.response,
        "model": given.model,
        "unit": given.unit if given.units else "",
        "units": [list(unit) for unit in given.units],
    }


def answers(given: Sequence[CritiquedRow], places: Mapping[int, int]) -> list[AnswerRow]:
    """Each annotator's answer on each response; a ranking first, as an answer on all of them."""
    found, ranked = [], set()
    for one in given:
        ranks = dict(zip(one.responses, one.answer.ranks, strict=False))
        if ranks.keys() == places.keys() and one.annotation not in ranked:
            ranked.add(one.annotation)
            found.append(
                replace(one.answer, ranks=[ranks[response_id] for response_id in places], critiques=[], verdicts=[])
            )
        if one.answer.critiques or one.answer.verdicts or not ranks:
            found.append(placed(one, places))
    return one_each(found)


def placed(given: CritiquedRow, places: Mapping[int, int]) -> AnswerRow:
    """The answer with responses named by their places in the row, in evidence too."""
    answer = given.answer
    return replace(
        answer,
        response=places[given.response_id],
        ranks=[],
        critiques=[replace(one, evidence=proof(one.evidence, given, places)) for one in answer.critiques],
        verdicts=[replace(one, evidence=proof(one.evidence, given, places)) for one in answer.verdicts],
    )


def proof(
    evidence: Mapping[str, Any] | None, given: CritiquedRow, places: Mapping[int, int]
) -> Mapping[str, Any] | None:
    """Evidence with its response named by `places`; None where that is not among them."""
    at = evidence.get("response") if evidence else None
    if evidence is None or at is None:
        return evidence
    if not 0 <= at < len(given.responses) or given.responses[at] not in places:
        return None
    return {**evidence, "response": places[given.responses[at]]}


def said(answer: AnswerRow) -> dict[str, Any]:
    """An answer as the format has it: what is not said is not there."""
    made: dict[str, Any] = {"annotator": answer.annotator, **{name: getattr(answer, name) for name in SAID}}
    if answer.ranks:
        return {**kept(made), "ranks": answer.ranks}
    made |= {
        "response": answer.response,
        "critiques": [kept({name: getattr(one, name) for name in CRITIQUE}) for one in answer.critiques],
        "verdicts": [kept({name: getattr(one, name) for name in VERDICT}) for one in answer.verdicts],
    }
    return kept(made)


def kept(made: Mapping[str, Any]) -> dict[str, Any]:
    """What is said; an empty edit says that nothing should stand there."""
    said = {name: value for name, value in made.items() if value is not None and value != ""}
    return said | ({"edit": ""} if made.get("edit") == "" else {})


def fields() -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    text = pa.string()
    about = [("text", text), ("model", text), ("unit", text), ("units", pa.list_(pa.list_(pa.int64())))]
    kinds = {"prompt": MESSAGES, "responses": pa.list_(pa.struct(about))}
    return pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])


targets.add(
    Target(
        name="touchstone",
        title="Touchstone (an item with everything said of its responses)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
        per="item",
    )
)
