"""An item as a version has it, held against what it is now: each part that differs, word by word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from curation.models import Change, DatasetVersion, Item, Response, Source
from curation.services.changes import State, states
from curation.services.freezing.changed import followed
from workers.differing import Piece, pieces

MOST = 50
"""Changes of one item that are told, the earliest."""


@dataclass(frozen=True, slots=True)
class Altered:
    """What became of an item since a version was made."""

    changes: list[Change]
    differences: list[tuple[str, list[Piece]]]
    """Each part that is another now, by its name."""


def altered(version: DatasetVersion, item: Item) -> Altered | None:
    """What became of an item since; None where nothing did, or where the version cannot tell."""
    seen = followed(version)
    if seen is None:
        return None
    rows = Change.objects.filter(item=item, pk__gt=seen).select_related("made_by", "run", "item")
    changes = list(rows.order_by("pk")[:MOST])
    return Altered(changes, differences(changes[0].before, states([item.pk])[item.pk])) if changes else None


def differences(before: State, after: State) -> list[tuple[str, list[Piece]]]:
    """Prompt, context, metadata and source as texts; responses that went beside those that came, in their order."""
    texts = [
        ("prompt", spoken(before["prompt"]), spoken(after["prompt"])),
        ("context", pretty(before["context"]), pretty(after["context"])),
        ("metadata", pretty(before["metadata"]), pretty(after["metadata"])),
        ("source", source(before["source_id"]), source(after["source_id"])),
    ]
    went = responses(before["responses"], after["responses"])
    came = responses(after["responses"], before["responses"])
    for n in range(max(len(went), len(came))):
        old, new = (some[n] if n < len(some) else "" for some in (went, came))
        texts.append(("response", old, new))
    return [(name, pieces(old, new)) for name, old, new in texts if old != new]


def responses(wanted: dict[str, int], without: dict[str, int]) -> list[str]:
    """The texts of responses, given with their places, that are not among others."""
    ids = sorted(wanted.keys() - without.keys(), key=lambda pk: wanted[pk])
    found = Response.objects.in_bulk([int(pk) for pk in ids])
    return [found[int(pk)].text for pk in ids]


def spoken(messages: list[dict[str, Any]]) -> str:
    several = len(messages) > 1
    return "\n\n".join((f"{one['role']}: " if several else "") + str(one.get("content", "")) for one in messages)


def pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() if value else ""


def source(pk: int | None) -> str:
    return str(Source.objects.filter(pk=pk).first() or "") if pk else ""
