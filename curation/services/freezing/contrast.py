"""A comparison as its page tells it: from the older version to the newer one, whichever was held against the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.models import DatasetVersion, Item, Run
from curation.services import exporting
from curation.services.freezing import comparing

CUT = 70
TITLES = {"strength": "Strength or confidence"}
CALLED = {"value": "strength", "confidence": "confidence"}


@dataclass(frozen=True, slots=True)
class Contrast:
    """What differs between an older version and a newer one."""

    older: tuple[str, int]
    newer: tuple[str, int]
    rows: Sequence[int]
    in_both: int
    kinds: list[dict[str, Any]]
    people: dict[str, Sequence[int]]


def between(run: Run) -> tuple[tuple[str, int], tuple[str, int], bool]:
    """Dataset and number of the older version and of the newer one, and whether the run went the other way."""
    asked = run.params
    first = asked["dataset"], asked["number"]
    second = asked.get("other_dataset") or asked["dataset"], asked.get("other", 0)
    made = [exporting.find_version(run.home, *one) for one in (first, second)]
    turned = in_order(*made) if made[0] and made[1] else False
    return (second, first, True) if turned else (first, second, False)


def in_order(first: DatasetVersion | None, second: DatasetVersion | None) -> bool:
    """Whether the second is the older one."""
    return bool(first and second and second.pk < first.pk)


def told(run: Run) -> Contrast:
    """What a comparison that succeeded found."""
    older, newer, turned = between(run)
    found, way = run.result, -1 if turned else 1
    words = {"added": f"only in {called(newer)}", "removed": f"gone: only in {called(older)}"}
    asked = {"added": "removed", "removed": "added"} if turned else {}
    counts = {kind: found.get(asked.get(kind, kind), 0) for kind in comparing.KINDS}
    most = max(1, *counts.values())
    kinds = [
        {
            "name": kind,
            "title": TITLES.get(kind, kind.capitalize()),
            "words": words.get(kind, usual),
            "count": counts[kind],
            "percent": 100 * counts[kind] // most,
            "examples": examples(run, kind, asked.get(kind, kind), turned) if counts[kind] else [],
        }
        for kind, usual in comparing.KINDS.items()
    ]
    with_prompts(run, [one for kind in kinds for one in kind["examples"]])
    people = {name: each[::way] for name, each in found["people"].items()}
    return Contrast(older, newer, found["rows"][::way], found["in_both"], kinds, people)


def called(version: tuple[str, int]) -> str:
    return "{} v{}".format(*version)


def examples(run: Run, kind: str, kept_as: str, turned: bool) -> list[dict[str, Any]]:
    """The first examples, each with what stands on both sides."""
    sides = ("after", "before") if turned else ("before", "after")
    found = []
    for one in comparing.examples(run, kept_as):
        lines = [(one[side] or [None])[0] for side in sides]
        shown = [side_of(kind, *pair) for pair in (lines, lines[::-1])]
        found.append({"item": one["item"], "older": shown[0], "newer": shown[1]})
    return found


def side_of(kind: str, line: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where a line stands, and what it says; of strengths only what is not the same on the other side."""
    if line is None:
        return None
    only = [name for name in comparing.MEASURED if kind != "strength" or (other or {}).get(name) != line.get(name)]
    said = [f"{CALLED[name]} {line[name]:.3g}" for name in only if line.get(name) is not None]
    behind = [] if kind == "strength" else line.get("annotations") or []
    return {"split": line["split"], "row": line["row"], "said": said, "annotations": behind}


def with_prompts(run: Run, found: list[dict[str, Any]]) -> None:
    """Add the end of each item's prompt, as it is now, cut to a line."""
    names = {one["item"] for one in found}
    prompts = Item.objects.filter(project=run.project, external_id__in=names).values_list("external_id", "prompt")
    lines = {name: one_line(prompt) for name, prompt in prompts}
    for one in found:
        one["prompt"] = lines.get(one["item"], "")


def one_line(prompt: list[dict[str, Any]]) -> str:
    text = " ".join(str(prompt[-1].get("content", "")).split()) if prompt else ""
    return text if len(text) <= CUT else f"{text[:CUT].rstrip()}…"
