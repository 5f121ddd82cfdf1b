"""Label Studio's JSON: regions of type labels, with choices and text areas of the same id beside them.

https://labelstud.io/guide/export. Browsers count UTF-16 code units; newer versions write code points. The region's
`text` tells which: where it fits both or is not there, UTF-16 is taken for granted. `predictions` are of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, label, number, several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.readers.argilla_spans import MARKED, NAMELESS, PROMPTS, UNPROMPTED
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError
from workers.spans import POLARITIES, WHOLE, Spot, Utf16, critique, exactly, misplaced, offset

REGION = ("labels", "hypertextlabels")


def detect(row: Row) -> int:
    told = any(isinstance(row.get(name), list) for name in ("annotations", "predictions"))
    return 11 if told and isinstance(row.get("data"), dict) else 0


def read(row: Row, options: Options) -> ItemRow:
    data = thing(row.get("data"), "data")
    marked = next((name for name in MARKED if isinstance(data.get(name), str)), "text")
    asked = next((name for name in PROMPTS if name != marked and data.get(name) is not None), "")
    found = response(data.get(marked), f"data.{marked}", Named("data")(optional_text, data, "model"))
    units = Utf16(found.text)
    answers = [
        answer(thing(one, f"{part}.{n}"), f"{part}.{n}", kind, found.text, units)
        for part, kind in (("annotations", "person"), ("predictions", "model"))
        for n, one in enumerate(several(row, part))
    ]
    return ItemRow(
        prompt=prompt(data[asked] if asked else UNPROMPTED, f"data.{asked}"),
        responses=[found],
        external_id=identifier(data, "item") or identifier(row, "id"),
        answers=answers,
        metadata=rest(data, "item", "model", marked, asked),
    )


def answer(given: Mapping[str, Any], field: str, kind: str, text: str, units: Utf16) -> AnswerRow:
    named = Named(field)
    regions: dict[str, dict[str, Any]] = {}
    for n, entry in enumerate(several(given, "result", field)):
        place = f"{field}.result.{n}"
        result = thing(entry, place)
        region = regions.setdefault(str(result.get("id") or f"#{n}"), {"spot": WHOLE})
        collect(region, result, place, text, units)
    who = given.get("completed_by")
    name = {"completed_by": (who.get("email") or who.get("id")) if isinstance(who, dict) else who}
    version = named(optional_text, given, "model_version")
    return AnswerRow(
        annotator=named(identifier, name, "completed_by") or version or "imported",
        kind=kind,
        critiques=[remark(region) for region in regions.values() if len(region) > 1],
        version=version,
        score=number(given.get("score"), f"{field}.score") if kind == "model" else None,
    )


def remark(region: Mapping[str, Any]) -> CritiqueRow:
    said = {name: value for name, value in region.items() if name not in ("spot", "labelled")}
    return critique(region["spot"], **said)


def collect(region: dict[str, Any], result: Mapping[str, Any], field: str, text: str, units: Utf16) -> None:
    """Put what one result says into its region: the place with its label, a choice, or words."""
    value = thing(result.get("value"), f"{field}.value")
    kind, name = result.get("type"), result.get("from_name")
    if kind in REGION:
        names = words(value.get("labels", value.get("hypertextlabels")), f"{field}.value.labels")
        type = label(", ".join(names), f"{field}.value.labels")
        region |= {"spot": place(value, f"{field}.value", text, units), "type": "" if type == NAMELESS else type}
    elif kind == "choices":
        chosen = ", ".join(words(value.get("choices"), f"{field}.value.choices"))
        if name == "polarity" and chosen in POLARITIES:
            region["polarity"] = POLARITIES[chosen]
        elif name in ("severity", "type"):
            region[str(name)] = label(chosen, f"{field}.value.choices")
    elif kind == "textarea" and name in ("comment", "edit"):
        region[str(name)] = "\n".join(words(value.get("text"), f"{field}.value.text"))


def words(value: Any, field: str) -> list[str]:
    given = value if isinstance(value, list) else [] if value is None else [value]
    for one in given:
        if not isinstance(one, str):
            raise RowError(f"must be text, not {kind_of(one)}", field)
    return given


def place(value: Mapping[str, Any], field: str, text: str, units: Utf16) -> Spot:
    """The region's place, by whichever way of counting fits its text."""
    start, end = offset(value, "start", field), offset(value, "end", field)
    if start is None or end is None:
        raise RowError("is missing", f"{field}.{'start' if start is None else 'end'}")
    quote = value["text"] if isinstance(value.get("text"), str) else None
    first, last = units.back(start), units.back(end)
    ways = [(first, last), (start, end)]
    if quote is not None:
        for begins, ends in ways:
            if begins is not None and ends is not None and begins <= ends and text[begins:ends] == quote:
                return Spot(begins, ends, quote)
        begins, ends = first if first is not None else start, last if last is not None else end
        exactly(text, begins, ends, None, field)
        raise RowError(misplaced(text, begins, ends, quote), f"{field}.start")
    if first is None or last is None:
        wrong = "start" if first is None else "end"
        raise RowError(f"is {value[wrong]}, no place in the text in UTF-16", f"{field}.{wrong}")
    return exactly(text, first, last, None, field)


readers.add(
    Reader(
        name="label-studio",
        title="Label Studio: annotations and predictions with labels",
        detect=detect,
        read=read,
        example='{"data": {"text": "…"}, "annotations": [{"result": [{"type": "labels", '
        '"value": {"start": 0, "end": 2, "text": "…", "labels": ["…"]}}]}]}',
    )
)
