"""Whatever people and managers do, what is left for everyone equals what a count would say."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from curation.access import annotator_for
from curation.errors import DomainError
from curation.models import Annotation, Assignment, Task
from curation.services import annotating, assigning, queueing
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
        match self.chance.randrange(3):
            case 0:
                queueing.retire(tasks=some)
            case 1:
                queueing.reopen(tasks=some)
            case _:
                queueing.set_overlap(tasks=some, overlap=self.chance.choice([1, 2, 3]))


def counted(annotator_id: int) -> int:
    """Open tasks that this annotator neither answered nor skipped."""
    mine = Assignment.objects.filter(annotator=annotator_id, state__in=["answered", "skipped"])
    return Task.objects.filter(state="open").exclude(pk__in=mine.values("task")).count()


@pytest.mark.parametrize("seed", range(8))
def test_what_is_left_is_what_a_count_would_say(cast: Cast, seed: int) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 6)
    walk = Walk(cast, seed)
    for _ in range(60):
        walk.step()
        for annotator in walk.annotators:
            if hasattr(annotator, "progress"):
                assert progress_now(annotator.pk).left == counted(annotator.pk)
        for task in Task.objects.all():
            assert task.done == Annotation.objects.answers().filter(task=task).count() <= task.taken
