"""Answers are kept for ever, counted once, and can be taken back."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from curation.access import annotator_for
from curation.errors import AppendOnly, Conflict, Invalid, NotFound, OverlapFull
from curation.models import Annotation, Assignment, Preference, Progress, Tally, Task
from curation.services import annotating, assigning
from curation.services.annotating import Commit, Committed, Judgement
from curation.services.desk import Desk, desk_of, progress_now
from tests.cast import Cast, make_pairs


def hold(cast: Cast, name: str = "ann") -> Assignment:
    found = assigning.next_for(project=cast.project, annotator=annotator_for(cast.people[name], cast.project))
    assert found is not None
    return found


def desk(assignment: Assignment) -> Desk:
    return desk_of(assignment.task.project, assignment.annotator)


def answer(assignment: Assignment, value: int | None = -1, key: str = "", **more: object) -> Committed:
    return annotating.submit(
        desk=desk(assignment),
        task_id=assignment.task_id,
        judgements=[Judgement("overall", value, **more)],
        commit=Commit(key or f"k{assignment.pk}", active_ms=1500),
    )


def left(cast: Cast, name: str = "ann") -> tuple[int, int]:
    now = progress_now(annotator_for(cast.people[name], cast.project).pk)
    return now.done, now.left


def test_the_same_key_twice_is_one_annotation(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    held = hold(cast)
    assert answer(held, key="x").id == answer(held, key="x").id
    assert Annotation.objects.count() == 1 and left(cast) == (1, 1)


def test_a_value_is_stored_in_the_order_of_the_pair(cast: Cast) -> None:
    make_pairs(cast.project, 12)
    for _ in range(12):
        held = hold(cast)
        answer(held, -2)
        stored = Preference.objects.get(annotation__task=held.task)
        assert stored.value == (-2 if held.order == "ab" else 2)
    assert set(Assignment.objects.values_list("order", flat=True)) == {"ab", "ba"}


def test_a_second_answer_supersedes_the_first(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    answer(held, -1, "one")
    answer(held, 2, "two")
    assert Annotation.objects.count() == 2
    assert [a.idempotency_key for a in Annotation.objects.answers()] == ["two"]
    assert Task.objects.get().done == 1 and left(cast) == (1, 0)
    assert sum(Tally.objects.values_list("count", flat=True)) == 1


def test_undo_puts_the_task_back_in_the_same_hands(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    made = answer(held)
    annotating.undo(desk=desk(held), annotation_id=made.id, commit=Commit("u"))
    task = Task.objects.get()
    assert (task.state, task.taken, task.done) == ("open", 1, 0)
    assert hold(cast).task_id == task.pk and left(cast) == (0, 1)
    assert not Annotation.objects.answers().exists()
    answer(held, 1, "again")
    assert left(cast) == (1, 0)


def test_undo_gives_the_whole_time_again(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    made = answer(held)
    Assignment.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    annotating.undo(desk=desk(held), annotation_id=made.id, commit=Commit("u"))
    assert assigning.return_expired() == 0


def test_undo_of_a_superseded_answer_is_a_conflict(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    old = answer(held, -1, "one")
    answer(held, 1, "two")
    with pytest.raises(Conflict):
        annotating.undo(desk=desk(held), annotation_id=old.id, commit=Commit("u"))


def test_nobody_undoes_the_answer_of_another(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    made = answer(hold(cast))
    with pytest.raises(NotFound):
        annotating.undo(
            desk=desk_of(cast.project, annotator_for(cast.bob, cast.project)),
            annotation_id=made.id,
            commit=Commit("u"),
        )


def test_a_late_answer_beyond_the_overlap_is_kept_but_not_counted(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    late = hold(cast)
    assigning.release(annotator_id=late.annotator_id, task_id=late.task_id)
    answer(hold(cast, "bob"))
    for _ in range(2):
        with pytest.raises(OverlapFull) as told:
            answer(late, key="late")
    kept = Annotation.objects.get(pk=told.value.annotation_id)
    assert not kept.counted and Preference.objects.filter(annotation=kept).exists()
    assert Annotation.objects.answers().count() == 1 and Task.objects.get().done == 1


def test_a_late_answer_counts_while_there_is_room(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    late = hold(cast)
    assigning.release(annotator_id=late.annotator_id, task_id=late.task_id)
    assert Annotation.objects.get(pk=answer(late).id).counted
    assert Task.objects.get().taken == 1


def test_a_skipped_task_goes_to_another_and_may_be_answered_later(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    annotating.skip(desk=desk(held), task_id=held.task_id, reason="not my language", commit=Commit("s"))
    assert left(cast) == (0, 0)
    assert assigning.next_for(project=cast.project, annotator=held.annotator) is None
    answer(held, key="later")
    assert left(cast) == (1, 0) and Progress.objects.get(annotator=held.annotator).skipped == 0


def test_undo_of_a_skip(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    made = annotating.skip(desk=desk(held), task_id=held.task_id, reason="", commit=Commit("s"))
    annotating.undo(desk=desk(held), annotation_id=made.id, commit=Commit("u"))
    assert Task.objects.get().taken == 1 and left(cast) == (0, 1)


@pytest.mark.parametrize("value", [None, 3, -3])
def test_an_answer_outside_the_scale_is_refused(cast: Cast, value: int | None) -> None:
    make_pairs(cast.project, 1)
    with pytest.raises(Invalid):
        answer(hold(cast), value)
    assert not Annotation.objects.exists()


def test_an_empty_answer_is_refused(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    held = hold(cast)
    with pytest.raises(Invalid):
        annotating.submit(desk=desk(held), task_id=held.task_id, judgements=[], commit=Commit("x"))


def test_both_bad_is_apart_from_the_scale(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer(hold(cast), None, both_bad=True)
    assert Preference.objects.get().value is None
    assert Tally.objects.get().outcome == "both_bad"


def test_progress_counts_what_others_closed(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    answer(hold(cast, "bob"))
    answer(hold(cast, "ann"))
    assert left(cast, "ann") == (1, 2) and left(cast, "bob") == (1, 2) and left(cast, "rita") == (0, 2)


def test_progress_under_overlap_leaves_out_what_one_answered_oneself(cast: Cast) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 3)
    answer(hold(cast, "ann"))
    assert left(cast, "ann") == (1, 2) and left(cast, "bob") == (0, 3)
    answer(hold(cast, "bob"))
    assert left(cast, "ann") == (1, 2) and left(cast, "bob") == (1, 2) and left(cast, "rita") == (0, 2)


def test_progress_of_one_who_skipped_what_another_closed(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    held = hold(cast)
    annotating.skip(desk=desk(held), task_id=held.task_id, reason="", commit=Commit("s"))
    assert left(cast) == (0, 1)
    answer(hold(cast, "bob"))
    assert left(cast) == (0, 1)


def test_the_database_refuses_to_change_an_annotation(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    made = Annotation.objects.get(pk=answer(hold(cast)).id)
    made.rationale = "rewritten"
    with pytest.raises(DatabaseError), transaction.atomic():
        made.save()
    with pytest.raises(AppendOnly):
        Annotation.objects.filter(pk=made.pk).update(rationale="rewritten")
    with pytest.raises(AppendOnly):
        made.delete()


def test_a_key_used_for_another_task_is_refused(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer(hold(cast), key="same")
    with pytest.raises(Invalid):
        answer(hold(cast), key="same")


def test_active_time_adds_up(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer(hold(cast))
    answer(hold(cast))
    assert Progress.objects.get(annotator__user=cast.ann).active_ms == 3000
