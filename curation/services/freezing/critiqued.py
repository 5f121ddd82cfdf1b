"""What each annotator said of each response: ordered streams of answers, critiques, verdicts and ranks, merged.

All are in the order of item, response and annotation, so that what belongs together is together in the file, and
memory stays constant. Of a response that a task shows alone every standing answer is one; of one among several those
that say something of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import orjson

from curation.models import Annotation, TaskKind
from curation.segmenting import units_of
from curation.services.deciding import ANSWERED
from curation.services.freezing.moments import in_utc
from curation.services.freezing.selecting import Beside, Candidate, Fields, Selection, context_of, loaded
from curation.services.label_names import CurrentNames
from workers.rows import AnswerRow, CritiquedRow, CritiqueRow, VerdictRow

LINEAGE: Fields = (
    ("item", "text"), ("response", "whole"), ("task", "whole"), ("annotation", "whole"), ("kind", "text"),
    ("annotator", "text"),
)  # fmt: skip

ON = {
    TaskKind.PREFERENCE: "JOIN curation_pair q ON q.id = t.pair_id"
    " JOIN curation_response s ON s.id IN (q.first_id, q.second_id)",
    TaskKind.RESPONSE: "JOIN curation_response s ON s.id = t.response_id",
    TaskKind.RANKING: "JOIN curation_response s ON s.item_id = t.item_id",
}
LIVE = "JOIN curation_item i ON i.id = s.item_id AND i.deleted_at IS NULL AND s.deleted_at IS NULL"
SAID = """
AND (EXISTS (SELECT 1 FROM curation_critique c
             WHERE c.annotation_id = a.id AND c.response_id = s.id AND c.review <> 'rejected')
  OR EXISTS (SELECT 1 FROM curation_verdict v WHERE v.annotation_id = a.id AND v.response_id = s.id){ranked})
"""
RANKED = " OR EXISTS (SELECT 1 FROM curation_rank k WHERE k.annotation_id = a.id AND k.response_id = s.id)"
ANSWERS = """
SELECT s.item_id, s.id, a.id, a.task_id, {beside}, a.protocol_id, a.source, a.created_at, a.rationale, a.version,
       a.score, a.active_ms, r.kind, r.name,
       i.external_id, i.prompt_hash, i.prompt, i.context, s.text, s.messages, s.model, s.unit, s.units
"""
CRITIQUES = """
SELECT s.item_id, c.response_id, c.annotation_id, c.message, c.unit, c.start, c."end", c.quote, c.type, c.severity,
       c.polarity, c.comment, c.edit, c.omission, c.evidence
"""
VERDICTS = """
SELECT s.item_id, v.response_id, v.annotation_id, v.question, v.answer, v.comment, v.start, v."end", v.evidence
"""
RANKS = "SELECT s.item_id, k.annotation_id, k.response_id, k.rank"
RESPONSES = """
SELECT s.item_id, s.id FROM curation_response s JOIN curation_item i ON i.id = s.item_id
WHERE i.project_id = %s AND i.deleted_at IS NULL AND s.deleted_at IS NULL
ORDER BY s.item_id, s.position, s.id
"""
CRITIQUE = (
    "unit", "start", "end", "quote", "type", "severity", "polarity", "comment", "edit", "omission", "evidence",
)  # fmt: skip
VERDICT = ("question", "answer", "comment", "start", "end", "evidence")
Row = dict[str, Any]


def candidates(selection: Selection) -> Iterator[Candidate]:
    """Answers on responses, or all of a response or of an item together, as the target takes them."""
    rows = answers(selection)
    per = selection.target.per
    if per == "answer":
        for prompt_hash, item_id, row, task in rows:
            yield Candidate(prompt_hash, row, None, (lineage(row, task),), item_id, (row.response_id,))
        return
    for _, together in groupby(rows, key=lambda one: (one[1], one[2].response_id if per == "response" else 0)):
        found = list(together)
        given = [row for _, _, row, _ in found]
        traces = [lineage(row, task) for _, _, row, task in found]
        responses = tuple(dict.fromkeys(row.response_id for row in given))
        yield Candidate(found[0][0], given, None, traces, found[0][1], responses)


def lineage(row: CritiquedRow, task_id: int) -> dict[str, Any]:
    return {
        "item": row.item,
        "response": row.response_id,
        "task": task_id,
        "annotation": row.annotation,
        "kind": row.answer.kind,
        "annotator": row.answer.annotator,
    }


def answers(selection: Selection) -> Iterator[tuple[str, int, CritiquedRow, int]]:
    """Each answer on each response with the hash of its prompt, its item and its task."""
    names, kind = selection.names(), selection.project.kind
    unit = selection.protocol.unit if selection.protocol else ""
    critiques, verdicts = Beside(said(selection, "critique", "c"), 3), Beside(said(selection, "verdict", "v"), 3)
    ranks = Beside(said(selection, "rank", "k") if kind == TaskKind.RANKING else iter(()), 1)
    responses = Beside(selection.past.stream(RESPONSES, [selection.project.pk]), 1)
    item, beside, ranked = 0, [], {}
    for key, about in answered(selection):
        if key[0] != item:
            item, beside = key[0], [pk for (pk,) in responses.at(key[:1])]
            ranked = ranks_by_annotation(ranks.at(key[:1]))
        made = row_of(key, about, critiques.at(key), verdicts.at(key), names)
        shown = beside if about["source"] == Annotation.Source.IMPORT else about["beside"] or beside
        given = ranked.get(key[2], {})
        places = [given[pk] for pk in beside] if given.keys() >= set(beside) else []
        made = replace(made, responses=tuple(shown), answer=replace(made.answer, ranks=places))
        yield about["prompt_hash"], key[0], in_units(made, unit, about), about["task"]


ABOUT = (
    "task", "first", "second", "protocol", "source", "created_at", "rationale", "version", "score", "active_ms",
    "kind", "annotator", "item", "prompt_hash", "prompt", "context", "text", "messages", "model", "unit", "units",
)  # fmt: skip


def answered(selection: Selection) -> Iterator[tuple[tuple[int, int, int], Row]]:
    """Keys and contents of the answers; `beside` are the responses among which the task showed it."""
    kind = TaskKind(selection.project.kind)
    told = "" if kind == TaskKind.RESPONSE else SAID.format(ranked=RANKED if selection.target.per == "item" else "")
    two = "q.first_id, q.second_id" if kind == TaskKind.PREFERENCE else "t.response_id, NULL"
    sql = f"{ANSWERS.format(beside=two)} {ANSWERED} {ON[kind]} {LIVE} {selection.condition}"
    sql += f" {told} ORDER BY s.item_id, s.id, a.id"
    for row in selection.past.stream(sql, selection.params):
        about = dict(zip(ABOUT, row[3:], strict=True))
        about["beside"] = [pk for pk in (about["first"], about["second"]) if pk is not None]
        yield row[:3], about


def said(selection: Selection, table: str, short: str) -> Iterator[tuple[Any, ...]]:
    """Critiques, verdicts or ranks of the same answers, in the same order."""
    columns = {"critique": CRITIQUES, "verdict": VERDICTS, "rank": RANKS}[table]
    order = "s.item_id, {0}.annotation_id" if table == "rank" else "s.item_id, {0}.response_id, {0}.annotation_id"
    kept = "AND c.review <> 'rejected'" if table == "critique" else ""
    return selection.past.stream(
        f"{columns} {ANSWERED} JOIN curation_{table} {short} ON {short}.annotation_id = a.id"
        f" JOIN curation_response s ON s.id = {short}.response_id {LIVE} {selection.condition}"
        f" {kept} ORDER BY {order.format(short)}, {short}.id",
        selection.params,
    )


def ranks_by_annotation(rows: Iterable[tuple[int, int, int]]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = {}
    for annotation_id, response_id, rank in rows:
        found.setdefault(annotation_id, {})[response_id] = rank
    return found


def row_of(
    key: tuple[int, int, int],
    about: Row,
    critiques: Sequence[tuple[Any, ...]],
    verdicts: Sequence[tuple[Any, ...]],
    names: CurrentNames | None,
) -> CritiquedRow:
    """One answer on one response, its labels as they are called now; its units are still those of the import."""
    starts = message_starts(about["messages"])
    critical = [critique(one, starts) for one in critiques]
    judged = [verdict(one, 0 if about["source"] == Annotation.Source.IMPORT else starts[0]) for one in verdicts]
    if names:
        reading = names.of(about["protocol"])
        for each in critical:
            each["type"], each["severity"] = reading.type(each["type"]) or "", reading.severity(each["severity"]) or ""
        merged = reading.merged(judged, "question", ("start",))
        judged = [each for each in merged if each["answer"] is not None]
    return CritiquedRow(
        item=about["item"],
        response_id=key[1],
        prompt=loaded(about["prompt"]),
        context=context_of(about["context"]),
        response=about["text"],
        model=about["model"],
        unit=about["unit"],
        units=[(start, end) for start, end in loaded(about["units"]) or ()],
        answer=AnswerRow(
            annotator=about["annotator"],
            kind=about["kind"],
            critiques=[CritiqueRow(**each) for each in critical],
            verdicts=[VerdictRow(**each) for each in judged],
            rationale=about["rationale"],
            version=about["version"],
            score=about["score"],
            active_ms=about["active_ms"],
        ),
        annotation=key[2],
        created_at=in_utc(about["created_at"]),
    )


def critique(row: tuple[Any, ...], starts: Sequence[int]) -> Row:
    """A critique at its place in the whole response, where it was of one of several messages."""
    message, *rest = row
    made = dict(zip(CRITIQUE, rest, strict=True))
    moved(made, starts[message] if message < len(starts) else 0)
    return made | {"omission": bool(made["omission"]), "evidence": loaded(made["evidence"])}


def verdict(row: tuple[Any, ...], by: int) -> Row:
    made = dict(zip(VERDICT, row, strict=True))
    moved(made, by)
    return made | {"answer": loaded(made["answer"]), "evidence": loaded(made["evidence"])}


def moved(made: Row, by: int) -> None:
    if by and made["start"] is not None:
        made["start"], made["end"] = made["start"] + by, made["end"] + by


@lru_cache(maxsize=256)
def message_starts(messages: str | None) -> tuple[int, ...]:
    """Where each message of a response begins in its text, which has them under their roles."""
    found = orjson.loads(messages) if messages else []
    if len(found) < 2:
        return (0,)
    starts, at = [], 0
    for message in found:
        at += len(f"{message['role'].capitalize()}: ")
        starts.append(at)
        at += len(message["content"]) + len("\n\n")
    return tuple(starts)


def in_units(row: CritiquedRow, unit: str, about: Row) -> CritiquedRow:
    """The row with its sentences or steps: the import's, else as the text is split, mended as the verdicts have it."""
    if unit not in ("sentence", "step"):
        return row
    given: Sequence[tuple[int, int]] = row.units
    if row.unit != unit or not given:
        by = message_starts(about["messages"])[0]
        first = row.response if not by else str(orjson.loads(about["messages"])[0]["content"])
        given = [(start + by, end + by) for start, end in units_of(first, unit)]
    judged = {(one.start, one.end) for one in row.answer.verdicts if one.start is not None and one.end is not None}
    return replace(row, unit=unit, units=mended(given, judged))


def mended(given: Sequence[tuple[int, int]], judged: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The units with those in place that were judged under other boundaries; what these overlap is no unit."""
    wanted = set(judged)
    if wanted <= set(given):
        return list(given)
    found: list[tuple[int, int]] = []
    until = 0
    for start, end in sorted(wanted):
        if start >= until and start < end:
            found.append((start, end))
            until = end
    judged_at = iter([*found, (2**62, 2**62)])
    low, high = next(judged_at)
    kept = []
    for start, end in sorted(given):
        while high <= start:
            low, high = next(judged_at)
        if end <= low:
            kept.append((start, end))
    return sorted(found + kept)
