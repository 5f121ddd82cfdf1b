"""Whatever people and managers do, what is left for everyone equals what a count would say."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from curation.access import annotator_for
from curation.errors import DomainError
from curation.models import Annotation, Assignment, Progress, Queue, Share, Task
from curation.services import annotating, assigning, queueing, queues
from curation.services.annotating import Commit, Judgement
from curation.services.desk import desk_of, progress_now
from tests.cast import Cast, make_pairs

PEOPLE = ("ann", "bob", "rita")


class Walk:
    """Random deeds of three people and a manager on six tasks."""

    def __init__(self, cast: Cast, seed: int) -> None:
        self.cast, self.chance, self.keys = cast, random.Random(seed), 0
        self.annotators = [annotator_for(cast.people[name], cast.project) for name in PEOPLE]

    def commit(self) -> Commit:
        self.keys += 1
        return Commit(str(self.keys))

    def step(self) -> None:
        deeds: list[Callable[[], object]] = [self.answer, self.answer, self.skip, self.undo, self.take, self.manage]
        with suppress(DomainError):  # a deed that is refused must change nothing either
            self.chance.choice(deeds)()

    def held(self, *states: str) -> Assignment | None:
        found = Assignment.objects.filter(state__in=states or ("reserved", "answered", "skipped"))
        return self.chance.choice([*found.order_by("pk")]) if found.exists() else None

    def take(self) -> None:
        assigning.next_for(project=self.cast.project, annotator=self.chance.choice(self.annotators))

    def answer(self) -> None:
        if held := self.held():
            desk = desk_of(self.cast.project, held.annotator)
            said = [Judgement("overall", self.chance.choice([-1, 0, 1]))]
            annotating.submit(desk=desk, task_id=held.task_id, judgements=said, commit=self.commit())

    def skip(self) -> None:
        if held := self.held("reserved", "skipped"):
            desk = desk_of(self.cast.project, held.annotator)
            annotating.skip(desk=desk, task_id=held.task_id, reason="", commit=self.commit())

    def undo(self) -> None:
        if held := self.held("answered", "skipped"):
            desk = desk_of(self.cast.project, held.annotator)
            assert held.current_id is not None
            annotating.undo(desk=desk, annotation_id=held.current_id, commit=self.commit())

    def manage(self) -> None:
        some = Task.objects.filter(pk__in=self.chance.sample([*Task.objects.values_list("pk", flat=True)], 2))
        match self.chance.randrange(4):
            case 0:
                queueing.retire(tasks=some)
            case 1:
                queueing.reopen(tasks=some)
            case 2:
                ids, to = [task.pk for task in some], self.chance.choice([None, *Queue.objects.all()])
                queues.move(project=self.cast.project, ids=ids, queue=to)
            case _:
                queueing.set_overlap(tasks=some, overlap=self.chance.choice([1, 2, 3]))


def counted(annotator_id: int) -> int:
    """Open tasks of the queue where this annotator is that they neither answered nor skipped."""
    mine = Assignment.objects.filter(annotator=annotator_id, state__in=["answered", "skipped"])
    queue = Progress.objects.get(annotator=annotator_id).queue
    return Task.objects.filter(state="open", queue=queue).exclude(pk__in=mine.values("task")).count()


def shares() -> dict[tuple[int, int], tuple[int, int]]:
    """Answers and skips that each person has in each queue, as a count says."""
    found: Counter[tuple[int, int, str]] = Counter(
        Assignment.objects.filter(task__queue__isnull=False).values_list("task__queue", "annotator", "state")
    )
    keys = {key[:2] for key in found}
    numbers = {key: (found[*key, "answered"], found[*key, "skipped"]) for key in keys}
    return {key: both for key, both in numbers.items() if any(both)}


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_is_what_a_count_would_say(cast: Cast, seed: int) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 6)
    for name in ("one", "two"):
        queues.add(project=cast.project, user=cast.mia, name=name)
    walk = Walk(cast, seed)
    for _ in range(60):
        walk.step()
        for annotator in walk.annotators:
            if hasattr(annotator, "progress"):
                assert progress_now(annotator.pk).left == counted(annotator.pk)
        kept = Share.objects.exclude(done=0, skipped=0).values_list("queue", "annotator", "done", "skipped")
        assert {(queue, who): (done, skipped) for queue, who, done, skipped in kept} == shares()
        for queue in Queue.objects.all():
            complete = sum(share.closed for share in queue.shares.all())
            assert complete == queue.tasks.filter(state="complete").count()
            assert queue.task_count == queue.tasks.exclude(state="retired").count()
        for task in Task.objects.all():
            assert task.done == Annotation.objects.answers().filter(task=task).count() <= task.taken
