"""Many tasks made gold at once: those on which enough people answered and nearly all of them agreed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from curation.errors import Invalid
from curation.models import GONE, Annotation, Annotator, Gold, Project, Task, TaskKind, User, Verdict
from curation.services import deciding
from curation.services.deciding import BOTH_BAD, FIRST, SECOND, TIE, Decision, annotated_tasks, settled
from curation.services.desk import asked
from curation.services.filtering import Filters
from curation.services.gold.marking import Marked, mark
from curation.services.gold.reading import Said, names_for
from curation.services.label_names import Reading

MOST = 1000
LOOKED_AT = 20_000
"""Tasks that are looked at for those that are made gold, from a random one on."""
AT_ONCE = 1000
CLEAR = (FIRST, SECOND, TIE, BOTH_BAD)


def make_from_decisions(
    *,
    project: Project,
    min_votes: int = 3,
    min_confidence: float = 0.8,
    most: int = 50,
    phase: str = Gold.Phase.HIDDEN,
    by: User | None = None,
) -> list[Gold]:
    """Make up to `most` decided tasks gold: those with as many answers of people, of which such a share agrees.

    Of pairs, as many in which the first response is right as the second, as far as there are. Expected is what is
    clear: each axis, each question about a whole response, a ranking whose pairs are all clear; never marked text.
    """
    check(min_votes, min_confidence, most)
    found: list[Marked] = []
    sides: Counter[str] = Counter()
    for tasks in chunks(project):
        for marked in clear(project, tasks, min_votes, min_confidence):
            side = side_of(marked.expected)
            if side in (FIRST, SECOND) and sides[side] >= (most + 1) // 2:
                continue
            sides[side] += 1
            found.append(marked)
            if len(found) == most:
                break
        if len(found) == most:
            break
    return mark(project=project, rows=found, made_from=Gold.MadeFrom.DECISION, phase=phase, by=by)


def check(min_votes: int, min_confidence: float, most: int) -> None:
    if not 1 <= min_votes <= 1000:
        raise Invalid("must be from 1 to 1000", field="min_votes")
    if not 0.5 < min_confidence <= 1:
        raise Invalid("must be above 0.5 and up to 1", field="min_confidence")
    if not 1 <= most <= MOST:
        raise Invalid(f"must be from 1 to {MOST}", field="most")


def chunks(project: Project) -> Iterator[list[int]]:
    """Tasks with answers that are no gold, from a random one on and then from the front."""
    ends = Task.objects.filter(project=project).order_by("pk").values_list("pk", flat=True)
    first, last = ends.first(), ends.last()
    if first is None or last is None:
        return
    start = random.SystemRandom().randint(first, last)
    looked = 0
    for after, until in ((start - 1, last), (first - 1, start - 1)):
        while looked < LOOKED_AT and (tasks := annotated_tasks(project, after=after, most=AT_ONCE)):
            after, looked = tasks[-1], looked + len(tasks)
            golden = Gold.objects.filter(task__in=tasks, retired_at=None).values("task")
            live = Task.objects.filter(pk__in=[pk for pk in tasks if pk <= until]).exclude(GONE)
            yield list(live.exclude(pk__in=golden).values_list("pk", flat=True))
            if after >= until:
                break


def clear(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Iterator[Marked]:
    ways = {TaskKind.PREFERENCE: pairs, TaskKind.RANKING: rankings, TaskKind.RESPONSE: verdicts}
    return ways[TaskKind(project.kind)](project, tasks, votes, confidence)


def is_clear(one: Decision, votes: int, confidence: float) -> bool:
    return one.votes >= votes and one.confidence >= confidence and one.outcome in CLEAR


def pairs(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Iterator[Marked]:
    """Every axis that is clear."""
    found: defaultdict[int, dict[str, list[str]]] = defaultdict(dict)
    for axis in project.protocol.axis_names if project.protocol else []:
        for one in deciding.decisions(project, Filters(axis=axis), tasks=tasks):
            if is_clear(one, votes, confidence):
                found[one.task_id][axis] = [one.outcome]
    return (Marked(task, {"preferences": said}) for task, said in found.items())


def rankings(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Iterator[Marked]:
    """The order of the responses by how many of the others each is before, where all pairs are clear."""
    rows = deciding.decisions(project, Filters(), tasks=tasks)
    for task, group in groupby(rows, key=lambda one: one.task_id):
        decided = list(group)
        if any(one.outcome not in (FIRST, SECOND) or not is_clear(one, votes, confidence) for one in decided):
            continue
        behind = Counter({pk: 0 for one in decided for pk in one.responses or ()})
        for one in decided:
            assert one.responses is not None
            behind[one.responses[0] if one.outcome == SECOND else one.responses[1]] += 1
        if sorted(behind.values()) == list(range(len(behind))):  # else it goes round in a circle
            yield Marked(task, {"ranks": {str(pk): n + 1 for pk, n in behind.items()}})


def verdicts(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Iterator[Marked]:
    """Every question about a whole response whose answer is clear."""
    questions = {one.name for one in asked(project.protocol).questions} if project.protocol else set()
    standing = Annotation.objects.answers().filter(task__in=tasks, annotator__kind=Annotator.Kind.PERSON)
    rows = Verdict.objects.filter(annotation__in=standing.values("pk"), start=None)
    values = ("annotation__task_id", "response_id", "question", "answer", "annotation__protocol_id")
    told = list(rows.order_by("annotation__task_id", "response_id", "pk").values_list(*values))
    names = names_for(project, {protocol for *_, protocol in told})
    answers: defaultdict[tuple[int, int, str], list[Any]] = defaultdict(list)
    for task, response, question, answer, protocol in told:
        reading = names.of(protocol) if names else Reading()
        called = reading.question(question)
        if called in questions and (said := reading.answer(question, answer)) is not None:
            answers[task, response, called or ""].append(said)
    words = {one.name for one in asked(project.protocol).questions if one.kind == "text"} if project.protocol else set()
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for (task, response, question), given in answers.items():
        decided = settled(given)
        sure = decided is not None and given.count(decided) >= confidence * len(given)
        if len(given) >= votes and sure and question not in words:
            one = {"response": response, "question": question, "start": None, "end": None, "answer": decided}
            found[task].append(one)
    return (Marked(task, {"verdicts": said}) for task, said in found.items())


def side_of(expected: Said) -> str:
    return next((each[0] for each in expected.get("preferences", {}).values()), "")
