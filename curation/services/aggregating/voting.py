"""Answers as votes: of each thing that is decided its place, and of each vote whose it is and what it says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import Any

import orjson

from curation.models import Decision
from curation.services.aggregating.asking import Scope
from curation.services.deciding import ANSWERED, STANDING, axis_condition, side
from curation.services.reading import stream
from workers.aggregating import PAIR_LABELS, Votes, numpy

KIND = Decision.Kind
SHOWN = {"ab": 1, "ba": -1}


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing that is decided: where it is, as a Decision names it."""

    task: int
    place: str
    response: int | None = None
    first: int | None = None
    second: int | None = None
    start: int | None = None
    end: int | None = None


@dataclass(slots=True)
class Gathered:
    """Votes under numbers, and what the numbers stand for."""

    units: list[Unit] = field(default_factory=list)
    annotators: list[int] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    """(unit, annotator, label) of each vote."""
    annotations: list[int] = field(default_factory=list)
    strengths: list[int | None] = field(default_factory=list)
    """Of preferences, negative for the first response."""
    left: list[int] = field(default_factory=list)
    people: dict[int, int] = field(default_factory=dict)

    def vote(self, annotator: int, label: int, annotation: int, strength: int | None = None, left: int = 0) -> None:
        """A vote on the last unit."""
        if annotator not in self.people:
            self.people[annotator] = len(self.annotators)
            self.annotators.append(annotator)
        self.rows.append((len(self.units) - 1, self.people[annotator], label))
        self.annotations.append(annotation)
        self.strengths.append(strength)
        self.left.append(left)

    def votes(self) -> Votes:
        """As methods take them. Raises Missing without numpy."""
        np = numpy()
        size = {"tasks": len(self.units), "annotators": len(self.annotators), "labels": len(self.labels)}
        if not self.units or self.units[0].first is None:
            return Votes.of(self.rows, **size)
        given = [(unit.first, unit.second) for unit in self.units]
        _, numbers = np.unique(np.array(given, dtype=np.int64), return_inverse=True)
        return Votes.of(self.rows, **size, pairs=numbers.reshape(-1, 2), left=np.array(self.left, dtype=np.int64))


def gathered(scope: Scope, kind: str, name: str) -> Gathered:
    """All votes on an axis, on rankings or on a question, in the order of their tasks or responses."""
    if kind == KIND.QUESTION:
        return on_question(scope, name)
    found = Gathered(labels=list(PAIR_LABELS))
    for unit, votes in on_axis(scope, name) if kind == KIND.AXIS else on_rankings(scope):
        found.units.append(unit)
        for annotator, annotation, strength, bad, order in votes:
            label = PAIR_LABELS.index(side(strength, bad))
            found.vote(annotator, label, annotation, None if bad else strength, SHOWN.get(order, 0))
    return found


Said = list[tuple[int, int, int | None, bool, str]]
"""Annotator, annotation, strength, whether both are bad, and the shown order."""


def on_axis(scope: Scope, axis: str) -> Iterator[tuple[Unit, Said]]:
    condition, named = axis_condition(scope.protocol, axis)
    mine, params = scope.whose
    rows = stream(
        f'SELECT a.task_id, q.first_id, q.second_id, a.annotator_id, a.id, p.value, p.both_bad, a."order" {ANSWERED}'
        f" JOIN curation_pair q ON q.id = t.pair_id JOIN curation_preference p ON p.annotation_id = a.id {STANDING}"
        f" AND {mine} AND {condition}",
        [*params, *named],
    )
    for (task, first, second), each in groupby(rows, key=lambda row: row[:3]):
        said = {pk: (who, pk, value, bool(bad), order) for _, _, _, who, pk, value, bad, order in each}
        yield Unit(task, f"axis:{axis}", first=first, second=second), list(said.values())


def on_rankings(scope: Scope) -> Iterator[tuple[Unit, Said]]:
    """Each two responses of every ranked item: who put which before the other."""
    mine, params = scope.whose
    rows = scope.past.stream(
        f"SELECT a.task_id, a.annotator_id, a.id, k.response_id, k.rank {ANSWERED}"
        f" JOIN curation_rank k ON k.annotation_id = a.id"
        f" JOIN curation_response s ON s.id = k.response_id AND s.deleted_at IS NULL"
        f" {STANDING} AND {mine} ORDER BY a.task_id, a.id, k.response_id",
        params,
    )
    for task, ranked in groupby(rows, key=lambda row: row[0]):
        places: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        for _, who, pk, response, rank in ranked:
            places[who, pk][response] = rank
        everything = sorted({response for given in places.values() for response in given})
        for first, second in combinations(everything, 2):
            said: Said = [
                (who, pk, (given[first] > given[second]) - (given[first] < given[second]), False, "")
                for (who, pk), given in places.items()
                if first in given and second in given
            ]
            if said:
                yield Unit(task, f"rank:{first}:{second}", first=first, second=second), said


def on_question(scope: Scope, name: str) -> Gathered:
    """Answers to a question about a response or a part of it; of one annotator's on the same the latest."""
    found = Gathered()
    numbers: dict[str, int] = {}
    for (response, start), each in groupby(verdicts(scope, name), key=lambda row: row[:2]):
        latest: dict[int, tuple[int, Any, int, int | None]] = {}
        task = 0
        for _, _, end, at, who, pk, answer in each:
            task = min(task or at, at)
            latest[who] = (pk, answer, at, end)
        end = next(iter(latest.values()))[3]
        whole = start < 0
        place = f"question:{name}:{response}" + ("" if whole else f":{start}")
        found.units.append(
            Unit(task, place, response=response, start=None if whole else start, end=None if whole else end)
        )
        for who, (pk, answer, _, _) in latest.items():
            key = orjson.dumps(answer, option=orjson.OPT_SORT_KEYS).decode()
            if key not in numbers:
                numbers[key] = len(found.labels)
                found.labels.append(answer)
            found.vote(who, numbers[key], pk)
    return found


def verdicts(scope: Scope, name: str) -> Iterator[tuple[Any, ...]]:
    """(response, start or -1, end, task, annotator, annotation, answer), under the present names."""
    mine, params = scope.whose
    once = {name}
    for step in scope.names.steps.values() if scope.names else ():
        once |= set(step.get("questions", {}))
    slots = ", ".join(["%s"] * len(once))
    rows = stream(
        f'SELECT v.response_id, COALESCE(v.start, -1), v."end", a.task_id, a.annotator_id, a.id, a.protocol_id,'
        f" v.question, v.answer {ANSWERED} JOIN curation_verdict v ON v.annotation_id = a.id {STANDING} AND {mine}"
        f" AND v.question IN ({slots}) ORDER BY v.response_id, COALESCE(v.start, -1), a.id, v.id",
        [*params, *sorted(once)],
    )
    for response, start, end, task, who, pk, protocol, question, text in rows:
        answer = orjson.loads(text)
        if scope.names:
            reading = scope.names.of(protocol)
            if reading.question(question) != name or (answer := reading.answer(question, answer)) is None:
                continue
        yield response, start, end, task, who, pk, answer
