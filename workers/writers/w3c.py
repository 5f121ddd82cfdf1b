"""W3C Web Annotation: one AnnotationPage for each answer on a response, in JSON-LD.

https://www.w3.org/TR/annotation-model/. Positions are in code points, as the model has them, with the quote and what is
around it. What the model has no word for (unit, omission, evidence, verdicts) is JSON in `touchstone`, which other
readers may pass over; so are the prompt and the source text of the page. Nothing of an answer is lost but its ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from workers.rows import CritiquedRow, CritiqueRow, VerdictRow
from workers.spans import POLARITIES
from workers.writers import Target, targets

AROUND = 32
NAMES = {value: name for name, value in POLARITIES.items()}
AGENTS = {"person": "Person", "model": "Software", "program": "Software"}
COLUMNS = ("@context", "id", "type", "creator", "created", "items", "touchstone")


def row(given: CritiquedRow) -> dict[str, Any]:
    answer = given.answer
    page = f"urn:touchstone:annotation:{given.annotation}:{given.response_id}"
    said = [remark(given, one) for one in answer.critiques] + [judged(given, one) for one in answer.verdicts]
    return {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": page,
        "type": "AnnotationPage",
        "creator": {"type": AGENTS[answer.kind], "name": answer.annotator, "touchstone": answer.kind},
        "created": given.created_at,
        "items": [{"id": f"{page}#{n}", "type": "Annotation", **one} for n, one in enumerate(said)],
        "touchstone": {
            "item": given.item,
            "prompt": given.prompt,
            "response": given.response,
            "model": given.model,
            "unit": given.unit,
            "units": [list(unit) for unit in given.units],
            "context": text_of(given.context),
            "rationale": answer.rationale,
            "version": answer.version,
            "score": answer.score,
            "active_ms": answer.active_ms,
        },
    }


def remark(given: CritiquedRow, one: CritiqueRow) -> dict[str, Any]:
    """A critique as an annotation."""
    said = {
        "tagging": one.type or None,
        "classifying": one.severity or None,
        "assessing": None if one.polarity is None else NAMES[one.polarity],
        "commenting": one.comment or None,
        "editing": one.edit,
    }
    more: dict[str, Any] = {} if one.unit == "span" else {"unit": one.unit}
    more |= {"omission": True} if one.omission else {}
    more |= proof(given, one.evidence)
    return {
        "motivation": "assessing" if one.edit is None else "editing",
        "body": [
            {"type": "TextualBody", "purpose": purpose, "value": value}
            for purpose, value in said.items()
            if value is not None
        ],
        "target": target(given, one.start, one.end, one.quote),
        "touchstone": text_of(more),
    }


def judged(given: CritiquedRow, one: VerdictRow) -> dict[str, Any]:
    """A verdict as an annotation: its words for people, its value for programs."""
    more: dict[str, Any] = {"question": one.question, "answer": one.answer}
    more |= {"comment": one.comment} if one.comment else {}
    more |= proof(given, one.evidence)
    shown = one.answer if isinstance(one.answer, str) else orjson.dumps(one.answer).decode()
    return {
        "motivation": "assessing",
        "body": [{"type": "TextualBody", "purpose": "assessing", "value": f"{one.question}: {shown}"}],
        "target": target(given, one.start, one.end, ""),
        "touchstone": text_of(more),
    }


def proof(given: CritiquedRow, evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    """Evidence, if it is not in another response: a page has only one."""
    at = evidence.get("response") if evidence else None
    if not evidence or at is None:
        return {"evidence": evidence} if evidence else {}
    own = at == 0 if not given.responses else at < len(given.responses) and given.responses[at] == given.response_id
    return {"evidence": {**evidence, "response": 0}} if own else {}


def target(given: CritiquedRow, start: int | None, end: int | None, quote: str) -> dict[str, Any]:
    """The whole response, or a place in it by position and quote; a quote that was not found by itself."""
    source = f"urn:touchstone:response:{given.response_id}"
    if start is None or end is None:
        lone = [{"type": "TextQuoteSelector", "exact": quote}] if quote else []
        return {"source": source, "selector": lone} if lone else {"source": source}
    text = given.response
    return {
        "source": source,
        "selector": [
            {"type": "TextPositionSelector", "start": start, "end": end},
            {
                "type": "TextQuoteSelector",
                "exact": text[start:end],
                "prefix": text[max(0, start - AROUND) : start],
                "suffix": text[end : end + AROUND],
            },
        ],
    }


def text_of(more: Mapping[str, Any]) -> str:
    """Free-form values as the text of their JSON, since a column has one shape."""
    return orjson.dumps(more).decode() if more else ""


def fields() -> Any:
    import pyarrow as pa

    from workers.tables import MESSAGES

    text, whole = pa.string(), pa.int64()
    names = [(name, text) for name in ("type", "exact", "prefix", "suffix")]
    selector = pa.struct([*names, ("start", whole), ("end", whole)])
    body = pa.struct([(name, text) for name in ("type", "purpose", "value")])
    annotation = pa.struct(
        [
            *((name, text) for name in ("id", "type", "motivation", "touchstone")),
            ("body", pa.list_(body)),
            ("target", pa.struct([("source", text), ("selector", pa.list_(selector))])),
        ]
    )
    about = [(name, text) for name in ("item", "response", "model", "unit", "context", "rationale", "version")]
    about += [("prompt", MESSAGES), ("units", pa.list_(pa.list_(whole))), ("score", pa.float64()), ("active_ms", whole)]
    agent = pa.struct([(name, text) for name in ("type", "name", "touchstone")])
    kinds = {"creator": agent, "items": pa.list_(annotation), "touchstone": pa.struct(about)}
    return pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])


targets.add(
    Target(
        name="w3c",
        title="W3C Web Annotation (an AnnotationPage an answer)",
        columns=COLUMNS,
        named=True,
        consumers=("datasets", "touchstone"),
        row=row,
        source="critiqued",
        fields=fields,
    )
)
