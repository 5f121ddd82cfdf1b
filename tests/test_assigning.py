"""Tasks go into hands once, in order, and come back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from curation.access import annotator_for
from curation.errors import Conflict, NotFound
from curation.models import Assignment, Progress, Task, queue_position
from curation.services import annotating, assigning
from curation.services.desk import desk_of
from curation.services.taking import shown_order
from tests.cast import Cast, make_pairs


def reserve(cast: Cast, name: str, exclude: tuple[int, ...] = ()) -> Assignment | None:
    annotator = annotator_for(cast.people[name], cast.project)
    return assigning.next_for(project=cast.project, annotator=annotator, exclude=exclude)


def answer(cast: Cast, assignment: Assignment, value: int = -1, key: str = "") -> None:
    annotating.submit(
        desk=desk_of(assignment.task.project, assignment.annotator),
        task_id=assignment.task_id,
        judgements=[annotating.Judgement("overall", value)],
        commit=annotating.Commit(key or f"k{assignment.pk}"),
    )


def test_asking_again_gives_the_same_task(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    assert reserve(cast, "ann").task_id == reserve(cast, "ann").task_id
    assert Task.objects.filter(taken=1).count() == 1


def test_excluding_the_task_in_hand_reserves_the_following_one(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 3)
    first = reserve(cast, "ann")
    second = reserve(cast, "ann", exclude=(first.task_id,))
    assert [first.task_id, second.task_id] == [tasks[0].pk, tasks[1].pk]


def test_an_excluded_task_is_not_given_even_when_it_is_in_nobodys_hands(cast: Cast) -> None:
    first, second = make_pairs(cast.project, 2)
    annotator = annotator_for(cast.ann, cast.project)
    given = assigning.next_for(project=cast.project, annotator=annotator, exclude=[first.pk])
    assert given is not None and given.task_id == second.pk
    assert assigning.next_for(project=cast.project, annotator=annotator, exclude=[first.pk, second.pk]) is None


def test_two_people_never_hold_the_same_task_without_overlap(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    assert reserve(cast, "ann") is not None
    assert reserve(cast, "bob") is None


def test_overlap_gives_a_task_to_that_many_people(cast: Cast) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 1)
    assert [reserve(cast, n) is not None for n in ("ann", "bob", "rita")] == [True, True, False]


def test_higher_priority_comes_first(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    urgent = make_pairs(cast.project, 1, priority=5)[0]
    assert reserve(cast, "ann").task_id == urgent.pk


def test_raised_priority_is_found_behind_the_cursor(cast: Cast) -> None:
    low, high = make_pairs(cast.project, 2)
    Task.objects.filter(pk=low.pk).update(position=queue_position(-1, low.pk))
    held = reserve(cast, "ann")
    assert held.task_id == high.pk
    Task.objects.filter(pk=low.pk).update(position=queue_position(3, low.pk))
    assert reserve(cast, "ann", exclude=(high.pk,)).task_id == low.pk


def test_a_released_task_goes_to_somebody_else(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = reserve(cast, "ann")
    assigning.release(annotator_id=held.annotator_id, task_id=held.task_id)
    assigning.release(annotator_id=held.annotator_id, task_id=held.task_id)
    assert reserve(cast, "bob").task_id == held.task_id
    assert Task.objects.get().taken == 1


def test_an_expired_lease_returns_when_somebody_finds_nothing_else(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = reserve(cast, "ann")
    Assignment.objects.filter(pk=held.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert reserve(cast, "bob").task_id == held.task_id


def test_the_shown_order_is_a_fair_and_repeatable_coin() -> None:
    orders = [shown_order(7, task, 3) for task in range(2000)]
    assert orders == [shown_order(7, task, 3) for task in range(2000)]
    assert 900 < orders.count("ab") < 1100
    assert orders != [shown_order(7, task, 4) for task in range(2000)]


def test_nobody_hoards_a_queue(cast: Cast) -> None:
    make_pairs(cast.project, 30)
    held: list[int] = []
    for _ in range(assigning.IN_HAND_MOST):
        held.append(reserve(cast, "ann", exclude=tuple(held)).task_id)
    with pytest.raises(Conflict):
        reserve(cast, "ann", exclude=tuple(held))


def test_the_search_does_not_walk_over_tasks_already_answered(cast: Cast) -> None:
    cast.project.overlap = 3
    make_pairs(cast.project, 6)
    for _ in range(4):
        answer(cast, reserve(cast, "ann"))
    progress = Progress.objects.get(annotator__user=cast.ann)
    assert progress.cursor == Task.objects.order_by("position")[3].position


def test_a_task_of_somebody_else_is_not_found(cast: Cast) -> None:
    task = make_pairs(cast.project, 1)[0]
    reserve(cast, "ann")
    with pytest.raises(NotFound):
        assigning.held(project=cast.project, annotator=annotator_for(cast.bob, cast.project), task_id=task.pk)
