"""From answers to decided labels per pair and axis: the majority of those that stand, or what a fit made of them.

What people settled by hand goes before both.

A ranking is a vote on each pair of its responses: for the one with the better place, or a tie. Answers stream in the
order of their tasks, so deciding a project of any size takes constant memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from curation.models import Annotation, Project, Protocol, TaskKind
from curation.services.filtering import CHOOSING, Filters, applicable, filters_from, who
from curation.services.label_names import current_names
from curation.services.past import NOW, Past
from curation.services.reading import stream
from curation.services.settled import Row, by_hand, of_fit

__all__ = ["Decision", "Filters", "applicable", "decide", "decisions", "filters_from", "last_annotation", "settled"]

FIRST, SECOND, TIE, BOTH_BAD, UNDECIDED = "first", "second", "tie", "both_bad", "undecided"
BAD = "both bad"
"""Why a pair is left out of which neither response is good."""
REVIEWED = "reviewed"
"""How a pair was decided whose answer a reviewer fixed: the latest fix decides, whatever the other answers say."""

BY_HAND = ("adjudicated", "gold")
"""How people settle a label; it does not take answers."""

Vote = tuple[int, int | None, bool]
"""Annotation, strength, and whether both are bad."""


@dataclass(slots=True)  # not frozen, as the rows of workers/rows.py
class Decision:
    """The decided label of one pair on one axis. `responses` are the pair's, where it is one of a ranking."""

    task_id: int
    pair_id: int | None
    axis: str
    outcome: str
    value: float | None
    confidence: float
    votes: int
    annotations: list[int]
    how: str = "majority"
    responses: tuple[int, int] | None = None


def last_annotation(project: Project) -> int:
    """The id up to which answers are taken: what comes later does not change a version under way.

    Asked as a range of one project, which only the index by project answers in order: where most answers are of this
    project, PostgreSQL would else go back through all later ones of others.
    """
    of_project = Annotation.objects.filter(project__gte=project.pk, project__lte=project.pk)
    return of_project.order_by("-project_id", "-pk").values_list("pk", flat=True).first() or 0


ANSWERED = """
FROM curation_annotation a
JOIN curation_annotator r ON r.id = a.annotator_id
JOIN curation_task t ON t.id = a.task_id
"""
GIVEN = "WHERE a.project_id = %s AND a.event = 'answer' AND a.counted AND a.id <= %s"
LATEST = "NOT EXISTS (SELECT 1 FROM curation_annotation later WHERE later.supersedes_id = a.id AND later.id <= %s)"
STANDING = f"{GIVEN} AND {LATEST}"
"""Answers that stand, in a statement whose FROM is ANSWERED; its parameters are project, last and last annotation."""


def annotated_tasks(project: Project, *, after: int, most: int) -> list[int]:
    """The ids of the next tasks behind `after` on which anybody did anything, in order."""
    rows = (
        Annotation.objects.filter(project=project, task_id__gt=after)
        .order_by("task_id")
        .values_list("task_id", flat=True)
    )
    return list(rows.distinct()[:most])


def decisions(
    project: Project,
    filters: Filters,
    *,
    as_of: int | None = None,
    tasks: Sequence[int] | None = None,
    protocol: Protocol | None = None,
    past: Past = NOW,
    settled_upto: int | None = None,
) -> Iterator[Decision]:
    """The decision of every pair that has an answer, in the order of its task; of a ranking, of all its pairs.

    `as_of` leaves out annotations with a higher id; `tasks` leaves out all other tasks. Axes are read as `protocol`
    calls them, the project's own if none is given, and the responses of rankings as they were in the `past`. What
    people settled by hand is taken up to the decision `settled_upto`.
    """
    if tasks is not None and not tasks:
        return
    axis = "overall" if project.kind == TaskKind.RANKING else filters.axis
    if filters.decided_by == "majority":
        found = by_majority(project, filters, as_of, tasks, protocol, past)
    else:
        run = UUID(filters.decided_by)
        found = (from_table(row, f"{row.how}@{run}") for row in of_fit(project, run, axis, tasks))
    if by_all(filters):
        found = laid_over(found, by_hand(project, axis, settled_upto, tasks))
    yield from found


def by_all(filters: Filters) -> bool:
    """Whether labels of the whole project are asked for: what people settled is no part of what only some said."""
    narrowed = any(getattr(filters, name) for name in CHOOSING)
    return filters.labels == "decided" and filters.annotators in ("people", "all") and not narrowed


def from_table(row: Row, how: str) -> Decision:
    return Decision(
        row.task_id, row.pair_id, row.axis, row.outcome, row.value, row.confidence, row.votes, row.annotations, how,
        row.responses,
    )  # fmt: skip


def laid_over(found: Iterable[Decision], settled_rows: Iterable[Row]) -> Iterator[Decision]:
    """Two streams in the order of their places; where both have one, the second. An empty outcome says nothing."""
    above = (row for row in settled_rows if row.outcome)
    ahead = next(above, None)
    for one in found:
        here = (one.task_id, one.responses or ())
        while ahead is not None and (ahead.task_id, ahead.responses or ()) < here:
            yield from_table(ahead, ahead.how)
            ahead = next(above, None)
        if ahead is not None and (ahead.task_id, ahead.responses or ()) == here:
            yield from_table(ahead, ahead.how)
            ahead = next(above, None)
        else:
            yield one
    while ahead is not None:
        yield from_table(ahead, ahead.how)
        ahead = next(above, None)


def by_majority(
    project: Project,
    filters: Filters,
    as_of: int | None,
    tasks: Sequence[int] | None,
    protocol: Protocol | None,
    past: Past,
) -> Iterator[Decision]:
    """The majority of the answers that stand, or with `labels: raw` each of them."""
    upto = last_annotation(project) if as_of is None else as_of
    some = f" AND a.task_id IN ({', '.join(['%s'] * len(tasks))})" if tasks else ""
    mine, names = who(filters)
    params = [project.pk, upto, upto, *names, *(tasks or ())]
    raw = filters.labels == "raw"
    if project.kind == TaskKind.RANKING:
        yield from of_rankings(f"{STANDING} AND {mine}{some}", params, raw, past)
        return
    axis, named = axis_condition(protocol or project.protocol, filters.axis)
    rows = stream(
        f"SELECT a.task_id, t.pair_id, a.id, p.value, p.both_bad, a.source {ANSWERED}"
        f" JOIN curation_preference p ON p.annotation_id = a.id {STANDING}"
        f" AND {mine}{some} AND {axis}",
        [*params, *named],
    )
    for (task_id, pair_id), together in groupby(rows, key=itemgetter(0, 1)):
        votes = list(together)
        if len(votes) == 1 and not raw and votes[0][-1] != Annotation.Source.REVIEW:  # of most pairs
            _, _, pk, value, bad, _ = votes[0]
            yield decide(task_id, pair_id, filters.axis, [(pk, value, bool(bad))])
            continue
        each = {pk: ((pk, value, bool(bad)), source) for _, _, pk, value, bad, source in votes}
        given = [vote for vote, _ in each.values()]
        fixes = [vote for vote, source in each.values() if source == Annotation.Source.REVIEW]
        if fixes and not raw:
            yield replace(decide(task_id, pair_id, filters.axis, fixes[-1:]), votes=len(given), how=REVIEWED)
        else:
            yield from labels(task_id, pair_id, filters.axis, given, None, raw)


def axis_condition(protocol: Protocol | None, axis: str) -> tuple[str, list[Any]]:
    """The preferences that are read as being on `axis`, with their order: of one answer's the namesake is last."""
    names = current_names(protocol) if protocol else None
    if not names:
        return "p.axis = %s ORDER BY a.task_id, a.id", [axis]
    once = {axis, *(old for step in names.steps.values() for old in step.get("axes", {}))}
    called: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for protocol_id in sorted(names.versions):
        reading = names.of(protocol_id)
        called[tuple(sorted(old for old in once if reading.axis(old) == axis))].append(protocol_id)
    parts, named = ["1 = 0"], []
    for axes, protocols in called.items():
        if axes:
            slots = [", ".join(["%s"] * len(each)) for each in (protocols, axes)]
            parts.append(f"(a.protocol_id IN ({slots[0]}) AND p.axis IN ({slots[1]}))")
            named += [*protocols, *axes]
    order = "ORDER BY a.task_id, a.id, CASE WHEN p.axis = %s THEN 1 ELSE 0 END, p.id DESC"
    return f"({' OR '.join(parts)}) {order}", [*named, axis]


def of_rankings(condition: str, params: Sequence[Any], raw: bool = False, past: Past = NOW) -> Iterator[Decision]:
    """The decision of every pair of every ranked item: one response is better where more put it before the other."""
    rows = past.stream(
        f"SELECT a.task_id, a.id, k.response_id, k.rank {ANSWERED} JOIN curation_rank k ON k.annotation_id = a.id"
        f" JOIN curation_response s ON s.id = k.response_id AND s.deleted_at IS NULL"
        f" {condition} ORDER BY a.task_id, a.id, k.response_id",
        params,
    )
    for task_id, ranked in groupby(rows, key=lambda row: row[0]):
        rankings: dict[int, dict[int, int]] = defaultdict(dict)
        for _, pk, response_id, rank in ranked:
            rankings[pk][response_id] = rank
        everything = sorted({response for places in rankings.values() for response in places})
        for first, second in combinations(everything, 2):
            votes = [
                (pk, (places[first] > places[second]) - (places[first] < places[second]), False)
                for pk, places in rankings.items()
                if first in places and second in places
            ]
            if votes:
                yield from labels(task_id, None, "overall", votes, (first, second), raw)


def labels(
    task_id: int,
    pair_id: int | None,
    axis: str,
    votes: Sequence[Vote],
    responses: tuple[int, int] | None,
    raw: bool,
) -> Iterator[Decision]:
    """What is decided on a pair; `raw`: each answer on it as it was given, with the share of answers on its side."""
    if not raw:
        yield decide(task_id, pair_id, axis, votes, responses)
        return
    sides = Counter(side(value, bad) for _, value, bad in votes)
    for vote in votes:
        own = decide(task_id, pair_id, axis, [vote], responses)
        yield replace(own, votes=len(votes), confidence=sides[own.outcome] / len(votes), how="raw")


def decide(
    task_id: int,
    pair_id: int | None,
    axis: str,
    votes: Sequence[Vote],
    responses: tuple[int, int] | None = None,
) -> Decision:
    """Majority over first, second, tie and both bad. The value is the mean strength of the winning side's answers,
    negative when the first is better; without a majority the pair is undecided."""
    if len(votes) == 1:
        pk, strength, bad = votes[0]
        given_value = None if bad or strength is None else float(strength)
        return Decision(task_id, pair_id, axis, side(strength, bad), given_value, 1.0, 1, [pk], responses=responses)
    sides = Counter(side(value, bad) for _, value, bad in votes)
    (winner, most), *others = sides.most_common()
    drawn = bool(others) and others[0][1] == most
    outcome = UNDECIDED if drawn else winner
    value = None
    if outcome in (FIRST, SECOND, TIE):
        given = [v for _, v, bad in votes if side(v, bad) == outcome and v is not None]
        value = sum(given) / len(given)
    ids = [pk for pk, _, _ in votes]
    return Decision(task_id, pair_id, axis, outcome, value, most / len(votes), len(votes), ids, responses=responses)


def side(value: int | None, both_bad: bool) -> str:
    if both_bad or value is None:
        return BOTH_BAD
    return TIE if value == 0 else FIRST if value < 0 else SECOND


def dropped_because(decision: Decision, filters: Filters) -> str | None:
    """Why a decision does not become a row, or None when it does."""
    if decision.votes < filters.min_annotations and decision.how not in BY_HAND:
        return "too few answers"
    if decision.outcome not in (FIRST, SECOND):
        return {TIE: "tie", BOTH_BAD: BAD, UNDECIDED: "no majority"}[decision.outcome]
    if decision.confidence < filters.min_confidence:
        return "below the confidence"
    if abs(decision.value or 0) < filters.min_margin:
        return "below the margin"
    return None


def settled(answers: Sequence[Any], levels: Sequence[str] = ()) -> Any:
    """What several answers to one question come to; None when they are undecided.

    Of lists of labels, those that more than half name. Of numbers and of ordered `levels` the median, if it is one;
    of everything else the most frequent, if it is one.
    """
    if not answers:
        return None
    if isinstance(answers[0], list):
        named = Counter(label for given in answers if isinstance(given, list) for label in dict.fromkeys(given))
        return sorted(label for label, count in named.items() if 2 * count > len(answers))
    if all(isinstance(given, str) and given in levels for given in answers):
        at = median([levels.index(given) for given in answers])
        return None if at is None else levels[at]
    if all(isinstance(given, int) and not isinstance(given, bool) for given in answers):
        return median(answers)
    counts = Counter((type(given), given) for given in answers if not isinstance(given, list))
    (winner, most), *others = counts.most_common()
    return None if others and others[0][1] == most else winner[1]


def median(numbers: Sequence[int]) -> int | None:
    """The middle one; None where two middle ones differ."""
    ordered, half = sorted(numbers), len(numbers) // 2
    low, high = ordered[half - 1 if len(ordered) % 2 == 0 else half], ordered[half]
    return low if low == high else None
