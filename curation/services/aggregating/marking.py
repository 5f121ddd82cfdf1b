"""Critiques as marks: of each text who looked at it, and which stretches each of them marked as what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from curation.models import TaskKind
from curation.services.aggregating.asking import Scope
from curation.services.deciding import ANSWERED, STANDING
from curation.services.freezing.critiqued import ON, SAID
from curation.services.freezing.selecting import Beside
from workers.aggregators.span_vote import Mark


@dataclass(frozen=True, slots=True)
class Looked:
    """One text of a response with the marks of everybody who looked at it."""

    task: int
    response: int
    message: int
    marks: dict[int, list[Mark]]
    """By annotator; empty of one who found nothing."""


def texts(scope: Scope) -> Iterator[Looked]:
    """In the order of their responses. Of a response that a task shows alone every answer looked at it; of one among
    several those that say something of it."""
    kind = TaskKind(scope.project.kind)
    mine, params = scope.whose
    said = "" if kind == TaskKind.RESPONSE else SAID.format(ranked="")
    looked = scope.past.stream(
        f"SELECT s.id, a.annotator_id, a.task_id {ANSWERED} {ON[kind]} {STANDING} AND {mine}"
        f" AND s.deleted_at IS NULL {said} ORDER BY s.id, a.id",
        params,
    )
    given = Beside(
        scope.past.stream(
            f'SELECT c.response_id, c.message, a.annotator_id, a.id, a.protocol_id, c.start, c."end", c.type,'
            f" c.severity, c.polarity {ANSWERED} JOIN curation_critique c ON c.annotation_id = a.id {STANDING}"
            f" AND {mine} AND c.start IS NOT NULL AND c.\"end\" > c.start AND c.review <> 'rejected'"
            f" ORDER BY c.response_id, a.id, c.id",
            params,
        ),
        1,
    )
    response, people, task = 0, dict[int, None](), 0
    for pk, who, at in looked:
        if pk != response:
            yield from of_response(scope, response, task, people, given)
            response, people, task = pk, {}, at
        people[who], task = None, min(task, at)
    yield from of_response(scope, response, task, people, given)


def of_response(scope: Scope, response: int, task: int, people: dict[int, None], given: Beside) -> Iterator[Looked]:
    """Its texts: the first message, and those further ones on which anybody marked anything."""
    if not people:
        return
    marked: dict[int, dict[int, list[Mark]]] = defaultdict(lambda: {who: [] for who in people})
    for message, who, pk, protocol, start, end, type, severity, polarity in given.at((response,)):
        if scope.names:
            reading = scope.names.of(protocol)
            type, severity = reading.type(type) or "", reading.severity(severity) or ""
        marked[message].setdefault(who, []).append(Mark(start, end, type, severity, polarity, pk))
    for message in sorted({0, *marked}):
        yield Looked(task, response, message, marked[message])
