"""Every standing answer with all that it says: ordered streams, merged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curation.models import TaskKind
from curation.services.deciding import ANSWERED
from curation.services.freezing.companions import CRITIQUES, RANKS, VERDICTS, Companion
from curation.services.freezing.moments import in_utc
from curation.services.freezing.selecting import Beside, Candidate, Fields, Selection, Stream, loaded
from workers.rows import AnsweredRow

LINEAGE: Fields = (
    ("item", "text"), ("task", "whole"), ("annotation", "whole"), ("kind", "text"), ("annotator", "text"),
)  # fmt: skip
ABOUT = {
    TaskKind.PREFERENCE: ("JOIN curation_pair q ON q.id = t.pair_id", "q.item_id", "q.first_id, q.second_id"),
    TaskKind.RESPONSE: ("JOIN curation_response q ON q.id = t.response_id", "q.item_id", "t.response_id, NULL"),
    TaskKind.RANKING: ("", "t.item_id", "NULL, NULL"),
}
ANSWERS = """
SELECT a.id, a.task_id, i.id, i.external_id, i.prompt_hash, i.prompt, {on}, r.kind, r.name, c.version, a.source, a.help,
       a."order", a.active_ms, a.created_at, a.rationale, a.version, a.score
"""
PREFERENCES = "SELECT a.id, p.axis, p.value, p.both_bad, p.probability"
SAYING = ("axis", "value", "both_bad", "probability")


def candidates(selection: Selection) -> Iterator[Candidate]:
    joined, item, on = ABOUT[TaskKind(selection.project.kind)]
    live = f"{joined} JOIN curation_item i ON i.id = {item} AND i.deleted_at IS NULL"
    rows = selection.past.stream(
        f"{ANSWERS.format(on=on)} {ANSWERED} {live} JOIN curation_protocol c ON c.id = a.protocol_id"
        f" {selection.condition} ORDER BY a.id",
        selection.params,
    )
    beside = {
        "preferences": Beside(preferred(selection, live), 1),
        "responses": Beside(shown(selection, live), 1),
        **{one.stem: Beside(said(one, selection), 1) for one in (CRITIQUES, VERDICTS, RANKS)},
    }
    for pk, task_id, item_id, external_id, prompt_hash, prompt, first, second, kind, name, *rest in rows:
        found = {what: [named(what, one) for one in each.at((pk,))] for what, each in beside.items()}
        mine = [one for one in found["responses"] if first is None or one["id"] in (first, second)]
        given = AnsweredRow(
            item=external_id,
            prompt=loaded(prompt),
            responses=mine,
            answer=told(pk, kind, name, rest),
            preferences=found["preferences"],
            critiques=found["critiques"],
            verdicts=found["verdicts"],
            ranks=found["ranks"],
        )
        trace = {"item": external_id, "task": task_id, "annotation": pk, "kind": kind, "annotator": name}
        yield Candidate(prompt_hash, given, None, (trace,), item_id, tuple(one["id"] for one in mine))


def told(pk: int, kind: str, name: str, rest: list[Any]) -> dict[str, Any]:
    protocol, source, help, order, active_ms, created_at, rationale, version, score = rest
    return {
        "annotation": pk,
        "annotator": name,
        "kind": kind,
        "protocol": protocol,
        "source": source,
        "help": help,
        "shown_order": order,
        "active_ms": active_ms,
        "created_at": in_utc(created_at),
        "rationale": rationale,
        "version": version,
        "score": score,
    }


def preferred(selection: Selection, live: str) -> Stream:
    return selection.past.stream(
        f"{PREFERENCES} {ANSWERED} {live} JOIN curation_preference p ON p.annotation_id = a.id"
        f" {selection.condition} ORDER BY a.id, p.id",
        selection.params,
    )


def shown(selection: Selection, live: str) -> Stream:
    return selection.past.stream(
        f"SELECT a.id, s.id, s.text, s.model {ANSWERED} {live} JOIN curation_response s ON s.item_id = i.id"
        f" {selection.condition} ORDER BY a.id, s.position, s.id",
        selection.params,
    )


NAMES = {"responses": ("id", "text", "model"), "preferences": SAYING}
APART = ("annotation", "task", "item", "position", "model", "annotator_kind", "annotator", "protocol", "source", "help")
"""Columns of the companions that an answer has once already."""


def said(companion: Companion, selection: Selection) -> Stream:
    """What a companion has of each answer, under its annotation."""
    names = [name for name, _ in companion.fields]
    at = names.index("annotation")
    for row in selection.past.stream(companion.sql, selection.standing):
        yield row[at], *row


def named(what: str, row: tuple[Any, ...]) -> dict[str, Any]:
    if what in NAMES:
        made = dict(zip(NAMES[what], row, strict=True))
        return made | ({"both_bad": bool(made["both_bad"])} if "both_bad" in made else {})
    companion = {one.stem: one for one in (CRITIQUES, VERDICTS, RANKS)}[what]
    made = dict(zip([name for name, _ in companion.fields], row, strict=True))
    companion.mend(made)
    return {name: value for name, value in made.items() if name not in APART}
