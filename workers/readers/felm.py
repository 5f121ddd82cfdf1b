"""FELM: is each segment of an answer factual, and what kind of error is it.

arXiv 2310.00741. The verdict is `correct`, asked of each segment; a wrong one is a critique too, with the error type
and the comment. The segments were put together by hand: one that is not exactly in the answer is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.answers import Named, label, several, thing
from workers.checks import identifier, optional_text, prompt, rest
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import AnswerRow, CritiqueRow, ItemRow, ResponseRow, RowError, VerdictRow
from workers.spans import Spot, critique, found, truth

USED = ("id", "prompt", "response", "segments", "references")


def detect(row: Row) -> int:
    segments = row.get("segments")
    told = isinstance(segments, list) and segments and isinstance(segments[0], dict) and "factual" in segments[0]
    return 11 if told and {"prompt", "response"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    text = response(row.get("response"), "response").text
    segments = [thing(one, f"segments.{n}") for n, one in enumerate(several(row, "segments"))]
    units = placed(text, segments)
    verdicts, critiques = [], []
    for n, (segment, (start, end)) in enumerate(zip(segments, units, strict=True)):
        field = f"segments.{n}"
        right = truth(segment.get("factual"), f"{field}.factual")
        comment = Named(field)(optional_text, segment, "comment")
        verdicts.append(VerdictRow("correct", right, comment, start, end))
        if not right:
            critiques.append(wrong(segment, field, comment, Spot(start, end, text[start:end])))
    links = [one for one in links_of(row.get("references")) if one]
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=[ResponseRow(text, optional_text(row, "model"), unit="sentence", units=units)],
        external_id=identifier(row, "id"),
        answers=[AnswerRow("imported", critiques=critiques, verdicts=verdicts)],
        metadata=rest({**row, "references": links or None}, "model", *USED[:-1]),
    )


def placed(text: str, segments: list[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """The place of each segment, behind the one before it."""
    units: list[tuple[int, int]] = []
    at = 0
    for n, segment in enumerate(segments):
        quote = Named(f"segments.{n}")(optional_text, segment, "text").strip()
        if not quote:
            raise RowError("is empty", f"segments.{n}.text")
        start = text.find(quote, at)
        end = start + len(quote)
        if start < 0:
            nearly = found(text[at:], quote)
            if nearly.start is None or nearly.end is None:
                raise RowError("is not in the response, behind the segment before", f"segments.{n}.text")
            start, end = at + nearly.start, at + nearly.end
        units.append((start, end))
        at = end
    return units


def wrong(segment: Mapping[str, Any], field: str, comment: str, spot: Spot) -> CritiqueRow:
    type = label(Named(field)(optional_text, segment, "error_type"), f"{field}.error_type")
    return critique(spot, unit="sentence", type=type, polarity=-1, comment=comment)


def links_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


readers.add(
    Reader(
        name="felm",
        title="FELM: segments that are factual or not",
        detect=detect,
        read=read,
        example='{"prompt": "…", "response": "…", "segments": [{"text": "…", "factual": false, "error_type": "…"}]}',
    )
)
