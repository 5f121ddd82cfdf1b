"""doccano's sequence labels: {text, label: [[start, end, "x"]]}, or with entities and relations.

https://doccano.github.io/doccano/. Offsets are code points. A prompt beside the text is used where there is one.
"""

from __future__ import annotations

from typing import Any

import orjson

from workers.answers import Named, label, several, thing
from workers.checks import identifier, kind_of, optional_text, prompt, rest
from workers.continuations import response
from workers.gathering import together
from workers.readers import Options, Reader, Row, readers
from workers.readers.argilla_spans import NAMELESS, UNPROMPTED
from workers.rows import AnswerRow, CritiqueRow, ItemRow, RowError
from workers.spans import critique, exactly, offset

LISTS = ("label", "labels")
USED = ("id", "text", "data", "prompt", "model", "annotator", "entities", "relations", "Comments", *LISTS)


def detect(row: Row) -> int:
    if not isinstance(row.get("text", row.get("data")), str):
        return 0
    entities = row.get("entities")
    if isinstance(entities, list) and all(isinstance(one, dict) and "start_offset" in one for one in entities):
        return 8
    lists = [row[name] for name in LISTS if isinstance(row.get(name), list)]
    return 8 if lists and all(isinstance(one, list) and len(one) == 3 for one in lists[0]) else 0


def read(row: Row, options: Options) -> ItemRow:
    name = "text" if row.get("text") is not None else "data"
    found = response(row.get(name), name, optional_text(row, "model"))
    return ItemRow(
        prompt=prompt(row.get("prompt") or UNPROMPTED),
        responses=[found],
        external_id=identifier(row, "id"),
        answers=[
            AnswerRow(
                identifier(row, "annotator") or "imported",
                critiques=[*entities(row, found.text), *labels(row, found.text)],
                rationale="\n".join(one for one in several(row, "Comments") if isinstance(one, str)),
            )
        ],
        metadata=rest(row, *USED),
    )


def gather(row: Row) -> str:
    """The id of a text: several annotators have a row each; texts that have none are each one of its own."""
    return identifier(row, "id") or orjson.dumps(row, default=str).decode()


def read_many(rows: list[Row], options: Options) -> ItemRow:
    return together(rows, lambda row: read(row, options))


def entities(row: Row, text: str) -> list[CritiqueRow]:
    found = []
    for n, entry in enumerate(several(row, "entities")):
        field = f"entities.{n}"
        entity = thing(entry, field)
        start, end = offset(entity, "start_offset", field), offset(entity, "end_offset", field)
        if start is None or end is None:
            raise RowError("is missing", f"{field}.{'start_offset' if start is None else 'end_offset'}")
        place = exactly(text, start, end, None, field, ("start_offset", "end_offset"))
        found.append(critique(place, type=typed(Named(field)(optional_text, entity, "label"), f"{field}.label")))
    return found


def labels(row: Row, text: str) -> list[CritiqueRow]:
    name = next((name for name in LISTS if row.get(name) is not None), LISTS[0])
    found = []
    for n, entry in enumerate(several(row, name)):
        field = f"{name}.{n}"
        if not isinstance(entry, list) or len(entry) != 3:
            raise RowError("must be a start, an end and a label", field)
        parts: dict[str, Any] = dict(zip("012", entry, strict=True))
        start, end = offset(parts, "0", field), offset(parts, "1", field)
        if start is None or end is None:
            raise RowError("is missing", f"{field}.{'0' if start is None else '1'}")
        if not isinstance(entry[2], str):
            raise RowError(f"must be text, not {kind_of(entry[2])}", f"{field}.2")
        place = exactly(text, start, end, None, field, ("0", "1"))
        found.append(critique(place, type=typed(entry[2], f"{field}.2")))
    return found


def typed(name: str, field: str) -> str:
    return "" if name == NAMELESS else label(name, field)


readers.add(
    Reader(
        name="doccano",
        title="doccano: a text with labelled spans",
        detect=detect,
        read=read,
        gather=gather,
        read_many=read_many,
        example='{"text": "…", "label": [[0, 2, "…"]]}',
    )
)
