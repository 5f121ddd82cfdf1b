"""W3C Web Annotation: one AnnotationPage a response, in JSON-LD; positions in code points, quotes with what is around.

https://www.w3.org/TR/annotation-model/. The page's `touchstone` object carries what offsets need: the prompt and the
source text. Without it the targets' source has to be an embedded `TextualBody`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from workers.answers import UNITS, Named, context_of, evidence, label, outcome, several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, text
from workers.gathering import together
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import POLARITIES, WHOLE, Spot, critique, documents_of, exactly, found, join, offset, units_of

UNPROMPTED = "(no prompt)"
UNKNOWN = "imported"
SAID = {"tagging": "type", "classifying": "severity", "commenting": "comment", "editing": "edit"}
KINDS = {"Person": "person", "Software": "model", "Organization": "person"}


def detect(row: Row) -> int:
    return 12 if row.get("type") == "AnnotationPage" and isinstance(row.get("items"), list) else 0


def read(row: Row, options: Options) -> ItemRow:
    about = thing(row.get("touchstone") or {}, "touchstone")
    named = Named("touchstone")
    annotations = [thing(one, f"items.{n}") for n, one in enumerate(several(row, "items"))]
    source = text_of(about, annotations)
    context = context_of(loaded(about.get("context"), "touchstone.context"))
    response = ResponseRow(
        source,
        named(optional_text, about, "model"),
        unit=named(optional_text, about, "unit"),
        units=units_of(about.get("units"), source, "touchstone.units"),
    )
    asked = about.get("prompt")
    return ItemRow(
        prompt=prompt(UNPROMPTED if asked is None else asked, "touchstone.prompt"),
        responses=[response],
        external_id=identifier(about, "item") or identifier(row, "id"),
        answers=answers(row, annotations, source, documents_of(context)),
        context=context,
    )


def gather(row: Row) -> str:
    """The item that a page is of; pages that name none are each one of its own."""
    about = thing(row.get("touchstone") or {}, "touchstone")
    return identifier(about, "item") or identifier(row, "id") or orjson.dumps(row, default=str).decode()


def read_many(rows: list[Row], options: Options) -> ItemRow:
    """Several pages of one item: each response with what everybody said of it."""
    return together(rows, lambda row: read(row, options))


def text_of(about: Mapping[str, Any], annotations: list[Mapping[str, Any]]) -> str:
    """The source text: of the page, or embedded in the target of its annotations."""
    if about.get("response") is not None:
        return str(Named("touchstone")(text, about, "response"))
    for annotation in annotations:
        target = annotation.get("target")
        source = target.get("source") if isinstance(target, dict) else None
        if isinstance(source, dict) and isinstance(source.get("value"), str):
            return text(source, "value")
    raise RowError("is missing; without the source text no offset can be checked", "touchstone.response")


def answers(row: Row, annotations: list[Mapping[str, Any]], source: str, documents: list[str]) -> list[AnswerRow]:
    """The annotations by their creators, in the order in which these appear; a creator of the page is one too."""
    found: dict[tuple[str, str], AnswerRow] = {}
    about = row.get("touchstone") or {}
    if row.get("creator") is not None:
        who = creator(row["creator"], "creator")
        found[who] = AnswerRow(
            who[0],
            kind=who[1],
            rationale=Named("touchstone")(optional_text, about, "rationale"),
            version=Named("touchstone")(optional_text, about, "version"),
            score=about.get("score"),
            active_ms=offset(about, "active_ms", "touchstone"),
        )
    for n, annotation in enumerate(annotations):
        field = f"items.{n}"
        given = annotation.get("creator")
        who = next(iter(found), (UNKNOWN, "person")) if given is None else creator(given, f"{field}.creator")
        answer = found.setdefault(who, AnswerRow(who[0], kind=who[1]))
        put(answer, annotation, field, source, documents)
    return list(found.values())


def creator(value: Any, field: str) -> tuple[str, str]:
    """Name and kind of an agent."""
    if isinstance(value, str):
        return value, "person"
    agent = thing(value, field)
    name = Named(field)(identifier, {"name": agent.get("nickname") or agent.get("name") or agent.get("id")}, "name")
    if name is None:
        raise RowError("is missing", f"{field}.name")
    kind = agent.get("touchstone") or KINDS.get(str(agent.get("type")), "person")
    return name, kind if kind in ("person", "model", "program") else "person"


def put(answer: AnswerRow, annotation: Mapping[str, Any], field: str, source: str, documents: list[str]) -> None:
    """One annotation as a critique, or as a verdict where its body answers a question."""
    spot = place(annotation.get("target"), f"{field}.target", source)
    body = annotation.get("body")
    bodies = body if isinstance(body, list) else [] if body is None else [body]
    parts = [thing({"value": b} if isinstance(b, str) else b, f"{field}.body.{n}") for n, b in enumerate(bodies)]
    more = loaded(annotation.get("touchstone"), f"{field}.touchstone")
    if "question" in more:
        answer.verdicts.append(verdict(more, spot, f"{field}.touchstone", source, documents))
    else:
        answer.critiques.append(remark(parts, more, spot, field, source, documents))


def verdict(more: Mapping[str, Any], spot: Spot, field: str, source: str, documents: list[str]) -> VerdictRow:
    return VerdictRow(
        question=label(Named(field)(text, more, "question"), f"{field}.question"),
        answer=outcome(more.get("answer"), f"{field}.answer"),
        comment=Named(field)(optional_text, more, "comment"),
        start=spot.start,
        end=spot.end,
        evidence=evidence(more.get("evidence"), f"{field}.evidence", [source], documents),
    )


def remark(
    parts: list[Mapping[str, Any]],
    more: Mapping[str, Any],
    spot: Spot,
    field: str,
    source: str,
    documents: list[str],
) -> CritiqueRow:
    said: dict[str, Any] = {}
    for n, part in enumerate(parts):
        value = Named(f"{field}.body.{n}")(optional_text, part, "value")
        purpose = part.get("purpose") or "commenting"
        if purpose == "assessing" and value in POLARITIES:
            said["polarity"] = POLARITIES[value]
        elif name := SAID.get(str(purpose)):
            said[name] = value if name not in said else f"{said[name]}\n{value}"
    for name in ("type", "severity"):
        label(said.get(name, ""), f"{field}.body")
    unit = more.get("unit", "span")
    if unit not in UNITS:
        raise RowError(f"must be one of {', '.join(UNITS)}", f"{field}.touchstone.unit")
    proof = evidence(more.get("evidence"), f"{field}.touchstone.evidence", [source], documents)
    omission = more.get("omission") is True
    return critique(spot, unit=unit, omission=omission, evidence=proof, **said)


def place(target: Any, field: str, source: str) -> Spot:
    """Where a target is: by position and quote together, by one of them, or the whole source."""
    if target is None:
        raise RowError("is missing", field)
    if isinstance(target, str):
        return WHOLE
    selectors = thing(target, field).get("selector")
    given = selectors if isinstance(selectors, list) else [] if selectors is None else [selectors]
    position: Mapping[str, Any] | None = None
    quote: Mapping[str, Any] | None = None
    for n, one in enumerate(given):
        selector = thing(one, f"{field}.selector.{n}")
        if selector.get("type") == "TextPositionSelector":
            position = selector
        elif selector.get("type") == "TextQuoteSelector":
            quote = selector
    if given and position is None and quote is None:
        raise RowError("must be a TextPositionSelector or a TextQuoteSelector", f"{field}.selector")
    return selected(position, quote, f"{field}.selector", source)


def selected(position: Mapping[str, Any] | None, quote: Mapping[str, Any] | None, field: str, source: str) -> Spot:
    named = Named(field)
    exact, before, after = (named(optional_text, quote or {}, name) for name in ("exact", "prefix", "suffix"))
    if position is None:
        return found(source, exact, before, after) if quote is not None else WHOLE
    start, end = offset(position, "start", field), offset(position, "end", field)
    if start is None or end is None:
        raise RowError("is missing", join(field, "start" if start is None else "end"))
    return exactly(source, start, end, exact if quote is not None else None, field)


def loaded(value: Any, field: str) -> Mapping[str, Any]:
    """An object, or the JSON text of one."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise RowError("is not JSON", field) from None
    if not isinstance(value, dict):
        raise RowError(f"must be an object, not {kind_of(value)}", field)
    return value


readers.add(
    Reader(
        name="w3c",
        title="W3C Web Annotation: an AnnotationPage a response",
        detect=detect,
        read=read,
        gather=gather,
        read_many=read_many,
        example='{"type": "AnnotationPage", "items": [{"type": "Annotation", …}], "touchstone": {"response": "…"}}',
    )
)
