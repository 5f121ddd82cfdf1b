"""MQM ratings with offsets: {source, target, errors: [{category, severity, side, start, end}]} of one rater or more.

Raters are told as `rater` or `annotator` with `errors`, or as `ratings`, a list of {rater, errors}. An error in the
source is one of the whole translation, with the span of the source as its evidence; its category says whether
something is missing. Bio MQM (github.com/amazon-science/bio-mqm-dataset) has `end_raw`, most often but not always the
last character instead of the one behind it: its `term` decides, and is looked for where neither fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, label, several, thing
from workers.checks import identifier, optional_text, rest, text
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, Message, ResponseRow, RowError
from workers.spans import WHOLE, Spot, critique_in_words, exactly, offset, repaired, spot

USED = ("id", "source", "target", "system", "rater", "annotator", "errors", "ratings")


def detect(row: Row) -> int:
    told = isinstance(row.get("errors"), list) or isinstance(row.get("ratings"), list)
    return 11 if told and {"source", "target"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    source, target = text(row, "source"), text(row, "target")
    if row.get("ratings") is not None:
        ratings = [(thing(r, f"ratings.{n}"), f"ratings.{n}.") for n, r in enumerate(several(row, "ratings"))]
    else:
        ratings = [(row, "")]
    return ItemRow(
        prompt=translated(source, optional_text(row, "lp")),
        responses=[ResponseRow(target, optional_text(row, "system"))],
        external_id=identifier(row, "id"),
        answers=[rating(given, field, source, target) for given, field in ratings],
        context={"documents": [{"title": "source", "text": source}]},
        metadata=rest(row, *USED),
    )


def translated(source: str, languages: str) -> list[Message]:
    """What was asked for: a translation of the source."""
    between = f" ({languages})" if languages else ""
    return [{"role": "user", "content": f"Translate{between}:\n\n{source}"}]


def rating(given: Mapping[str, Any], field: str, source: str, target: str) -> AnswerRow:
    rater = Named(field.rstrip("."))(lambda row, _: identifier(row, "rater", "annotator"), given, "rater")
    errors = several(given, "errors", field.rstrip("."))
    return AnswerRow(
        annotator=rater or "imported",
        critiques=[
            error(thing(e, f"{field}errors.{n}"), f"{field}errors.{n}", source, target) for n, e in enumerate(errors)
        ],
        active_ms=offset(given, "time_ms", field.rstrip(".")),
    )


def error(given: Mapping[str, Any], field: str, source: str, target: str) -> CritiqueRow:
    named = Named(field)
    parts = [named(optional_text, given, name) for name in ("category", "subcategory")]
    category = "/".join(part for part in parts if part)
    side = given.get("side", "target")
    if side not in ("source", "target"):
        raise RowError("must be source or target", f"{field}.side")
    place = placed(given, field, target if side == "target" else source)
    evidence = None
    if side == "source":
        span = {"start": place.start, "end": place.end, "quote": place.quote} if place.start is not None else {}
        evidence = {"document": 0, **span}
    return critique_in_words(
        place if side == "target" else WHOLE,
        unit="response" if side == "source" or place.start is None else "span",
        type=label(category, f"{field}.category"),
        severity=label(named(optional_text, given, "severity"), f"{field}.severity"),
        polarity=-1,
        comment=named(optional_text, given, "note"),
        omission=omitted(category),
        evidence=evidence,
    )


def placed(given: Mapping[str, Any], field: str, whole: str) -> Spot:
    """The place of an error; of Bio MQM's the one where its term stands."""
    if "end_raw" not in given:
        return spot(whole, given, field, names=("start", "end", "quote"))
    start, last = offset(given, "start", field), offset(given, "end_raw", field)
    if start is None or last is None:
        raise RowError("is missing", f"{field}.{'start' if start is None else 'end_raw'}")
    term = Named(field)(optional_text, given, "term")
    for end in (last + 1, last):
        if term and whole[start:end] == term:
            return Spot(start, end, term)
    end = min(last + 1, len(whole))
    return repaired(whole, start, end, term) if term else exactly(whole, start, end, None, field, ("start", "end_raw"))


def omitted(category: str) -> bool:
    return "omission" in category.lower()


readers.add(
    Reader(
        name="mqm",
        title="MQM: translations with error spans",
        detect=detect,
        read=read,
        example='{"source": "…", "target": "…", "rater": "r1", "errors": [{"category": "…", "severity": "minor", '
        '"side": "target", "start": 0, "end": 2}]}',
    )
)
