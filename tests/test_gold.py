"""Gold: asked unseen among the other tasks, judged with the answer, and what follows from it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.access import annotator_for
from curation.errors import Conflict, Invalid, Paused
from curation.models import Annotation, Assignment, Gold, GoldResult, Progress, Project, Task, User
from curation.services import annotating, assigning, protocols
from curation.services.annotating import Commit, Judgement
from curation.services.desk import desk_of
from curation.services.gold import checking, marking, rules
from tests.cast import Cast, make_pairs

SIDE = {-1: "first", 0: "tie", 1: "second"}


def make_gold(cast: Cast, tasks: list[Task], *sides: int, **more: Any) -> list[Gold]:
    """The tasks made gold, one right side after the other."""
    rows = [
        marking.Marked(task.pk, {"preferences": {"overall": [SIDE[sides[n % len(sides)]]]}})
        for n, task in enumerate(tasks)
    ]
    return marking.mark(project=cast.project, rows=rows, made_from="decision", by=cast.mia, **more)


class Person:
    """Somebody at the desk, as the screen and the API have it: the next task, an answer, an undo."""

    def __init__(self, cast: Cast, user: User) -> None:
        self.cast, self.user, self.keys = cast, user, 0
        self.annotator = annotator_for(user, cast.project)

    @property
    def desk(self) -> Any:
        self.cast.project.refresh_from_db()
        return desk_of(self.cast.project, self.annotator)

    def next(self, *exclude: int) -> Any:
        """None also while paused."""
        try:
            return assigning.next_shown(desk=self.desk, exclude=exclude)
        except Paused:
            return None

    def commit(self) -> Commit:
        self.keys += 1
        return Commit(f"{self.user}-{self.keys}")

    def answer(self, task_id: int, stored: int = -1) -> annotating.Committed:
        """`stored` is the value in the order of the pair."""
        order = Assignment.objects.get(task=task_id, annotator=self.annotator).order
        said = [Judgement("overall", -stored if order == "ba" else stored)]
        return annotating.submit(desk=self.desk, task_id=task_id, judgements=said, commit=self.commit())

    def undo(self, made: annotating.Committed) -> None:
        annotating.undo(desk=self.desk, annotation_id=made.id, commit=self.commit())

    @property
    def counters(self) -> tuple[int, int]:
        return Progress.objects.values_list("gold_right", "gold_answered").get(annotator=self.annotator)


def is_gold(task_id: int) -> bool:
    return Gold.objects.filter(task=task_id).exists()


def work(person: Person, most: int, stored: Any = lambda task: -1) -> list[int]:
    """Answer up to so many tasks; their ids in order."""
    done = []
    for _ in range(most):
        shown = person.next()
        if shown is None:
            break
        person.answer(shown.task_id, stored(shown.task_id))
        done.append(shown.task_id)
    return done


@pytest.fixture
def golden(cast: Cast) -> Cast:
    """Sixty tasks, of which twenty are gold: in turn the first and the second response is right."""
    tasks = make_pairs(cast.project, 60)
    make_gold(cast, tasks[:20], -1, 1)
    rules.change_rules(project=cast.project, changes={"rate": 25})
    return cast


def expected(task_id: int) -> int:
    """What is right on gold; the first on any other task."""
    gold = Gold.objects.filter(task=task_id).first()
    return -1 if gold is None or gold.side == "first" else 1


# --- Among the others -----------------------------------------------------------------------------------


def test_gold_comes_at_its_rate_and_each_task_once(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    done = work(ann, 200, expected)
    assert len(done) == len(set(done)) == 40 + sum(map(is_gold, done))
    places = [n for n, task in enumerate(done) if is_gold(task)]
    assert 12 <= len(places) <= 14 and places[0] < 4
    assert all(later - earlier < 8 for earlier, later in zip(places, places[1:], strict=False))
    assert ann.counters == (len(places), len(places))


def test_each_annotator_meets_gold_at_other_places(golden: Cast) -> None:
    golden.project.tasks.update(overlap=2)
    found = [[is_gold(task) for task in work(Person(golden, golden.people[name]), 30)] for name in ("ann", "bob")]
    assert found[0] != found[1]


def test_right_answers_stand_left_and_right_first_and_second_equally_often(golden: Cast) -> None:
    work(Person(golden, golden.ann), 200, expected)
    shown = Counter((side, order) for side, order in GoldResult.objects.values_list("gold__side", "annotation__order"))
    assert set(shown) == {(side, order) for side in ("first", "second") for order in ("ab", "ba")}
    left = shown["first", "ab"] + shown["second", "ba"]
    assert abs(2 * left - shown.total()) <= 3


@pytest.mark.parametrize("seed", [0, 5])  # of 5 a turn for gold comes behind the last task
def test_what_is_left_never_tells_gold_from_other_tasks(golden: Cast, seed: int) -> None:
    Project.objects.update(seed=seed)
    golden.project.refresh_from_db()
    ann = Person(golden, golden.ann)
    totals, lefts = set(), []
    while (shown := ann.next()) is not None:
        totals.add(ann.desk.progress.total)
        made = ann.answer(shown.task_id)
        totals.add(made.progress.total)
        lefts.append(ann.desk.progress.left)
    assert len(totals) == 1 and lefts == list(range(len(lefts) - 1, -1, -1))


def test_several_tasks_in_hand_and_given_back_tell_nothing_either(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    total = ann.desk.progress.total
    held: list[int] = []
    for _ in range(9):
        held.append(ann.next(*held).task_id)
        assert ann.desk.progress.total == total
    assert any(map(is_gold, held)) and not all(map(is_gold, held))
    for task_id in held[::-2]:
        ann.answer(task_id)
        assert ann.desk.progress.total == total
    for task_id in held[-2::-2]:
        assigning.release(annotator_id=ann.annotator.pk, task_id=task_id)
        assert ann.desk.progress.total == total
    for _ in range(9):
        shown = ann.next()
        annotating.skip(desk=ann.desk, task_id=shown.task_id, reason="", commit=ann.commit())
        total -= 1
        assert ann.desk.progress.total == total
        assert ann.desk.progress.left == total - ann.desk.progress.done


def test_the_same_gold_is_given_until_it_is_answered(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    for _ in range(12):
        shown = ann.next()
        assert ann.next().task_id == shown.task_id
        ann.answer(shown.task_id)
    assert GoldResult.objects.count() == Assignment.objects.filter(task__golds__isnull=False).count() >= 2


def test_gold_fills_no_overlap_and_completes_nothing(golden: Cast) -> None:
    everybody = [Person(golden, golden.people[name]) for name in ("ann", "bob", "rita")]
    done = [work(person, 15) for person in everybody]
    ordinary = [task for some in done for task in some if not is_gold(task)]
    assert len(ordinary) == len(set(ordinary))
    assert Progress.objects.filter(closed__gt=0).count() == 3
    assert sum(Progress.objects.values_list("closed", flat=True)) == len(ordinary)
    assert set(Task.objects.filter(golds__isnull=False).values_list("state", flat=True)) == {"gold"}


def test_a_project_without_gold_asks_the_database_nothing_more(cast: Cast) -> None:
    make_pairs(cast.project, 6)
    ann = Person(cast, cast.ann)
    work(ann, 2)
    before = statements(ann)
    rules.change_rules(project=cast.project, changes={"rate": 50, "training": 10, "pause_below": 70})
    assert statements(ann) == before


def statements(person: Person) -> int:
    with CaptureQueriesContext(connection) as found:
        desk = person.desk
        shown = assigning.next_shown(desk=desk)
        person.answer(shown.task_id)
    return len(found)


def test_the_cost_of_gold_does_not_grow_with_how_much_there_is(golden: Cast) -> None:
    ann, bob = (Person(golden, golden.people[name]) for name in ("ann", "bob"))
    few = max(statements(ann) for _ in range(8))
    make_gold(golden, make_pairs(golden.project, 100), -1, 1)
    assert max(statements(bob) for _ in range(8)) <= few + 8  # which of them have gold among them is chance


def test_when_no_gold_is_left_unseen_work_goes_on_without_it(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 30)
    make_gold(cast, tasks[:2], -1)
    rules.change_rules(project=cast.project, changes={"rate": 50})
    ann = Person(cast, cast.ann)
    done = work(ann, 100)
    assert len(done) == 30 and sum(map(is_gold, done)) == 2 and ann.desk.progress.left == 0
    make_gold(cast, [*make_pairs(cast.project, 1)], -1)
    make_pairs(cast.project, 3)
    assert sum(map(is_gold, work(ann, 10))) == 1


# --- Judged ---------------------------------------------------------------------------------------------


def first_gold(person: Person) -> int:
    while not is_gold((shown := person.next()).task_id):
        person.answer(shown.task_id)
    return shown.task_id


def test_an_answer_to_gold_is_kept_like_any_other_and_judged(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    task = first_gold(ann)
    made = ann.answer(task, -expected(task))
    assert Annotation.objects.answers().filter(pk=made.id, task=task).exists()
    result = GoldResult.objects.get()
    assert (result.correct, result.score, result.annotation_id) == (False, 0.0, made.id)
    assert ann.counters == (0, 1)


def test_an_edit_or_undo_of_an_answer_changes_its_result(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    task = first_gold(ann)
    ann.answer(task, -expected(task))
    made = ann.answer(task, expected(task))
    assert GoldResult.objects.get().correct and ann.counters == (1, 1)
    assert Gold.objects.values_list("answered", "missed").get(task=task) == (1, 0)
    ann.undo(made)
    assert not GoldResult.objects.exists() and ann.counters == (0, 0)
    assert Gold.objects.values_list("answered", "missed").get(task=task) == (0, 0)


def test_an_answer_from_before_is_none_to_gold(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 2)
    ann = Person(cast, cast.ann)
    shown = ann.next()
    ann.answer(shown.task_id, 1)
    make_gold(cast, tasks, -1)
    ann.answer(shown.task_id, 1)
    assert not GoldResult.objects.exists()


def test_gold_is_read_under_the_names_that_labels_have_now(golden: Cast) -> None:
    protocols.revise_protocol(
        project=golden.project,
        axes=[{"name": "whole", "question": "Which?"}],
        relabelled={"axes": {"overall": "whole"}},
    )
    ann = Person(golden, golden.ann)
    while True:
        shown = ann.next()
        order = Assignment.objects.get(task=shown.task_id, annotator=ann.annotator).order
        value = -1 if order == "ab" else 1
        annotating.submit(
            desk=ann.desk, task_id=shown.task_id, judgements=[Judgement("whole", value)], commit=ann.commit()
        )
        if is_gold(shown.task_id):
            break
    assert GoldResult.objects.get().correct == (Gold.objects.get(task=shown.task_id).side == "first")


def test_gold_is_made_from_an_answer_with_its_reason(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    ann = Person(cast, cast.ann)
    shown = ann.next()
    annotating.submit(
        desk=ann.desk,
        task_id=shown.task_id,
        judgements=[Judgement("overall", 0)],
        rationale="Alike.",
        commit=Commit("x"),
    )
    made = marking.mark_from_answer(project=cast.project, annotation_id=Annotation.objects.get().pk, by=cast.mia)
    assert made.expected == {"preferences": {"overall": ["tie"]}} and made.explanation == "Alike."
    assert Task.objects.get().state == "gold"
    with pytest.raises(Conflict):
        marking.mark_from_answer(project=cast.project, annotation_id=Annotation.objects.get().pk)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "expected"),
        ({"nothing": 1}, "expected.nothing"),
        ({"preferences": {"other": "first"}}, "expected.preferences.other"),
        ({"preferences": {"overall": "left"}}, "expected.preferences.overall"),
        ({"verdicts": [{"question": "x", "answer": True}]}, "expected.verdicts.0.question"),
        ({"ranks": {"1": 1}}, "expected.ranks"),
        ({"critiques": []}, "expected.critiques"),
    ],
)
def test_what_cannot_be_expected_is_refused_by_its_place(cast: Cast, given: Any, field: str) -> None:
    task = make_pairs(cast.project, 1)[0]
    with pytest.raises(Invalid) as refused:
        marking.mark_by_hand(project=cast.project, task_id=task.pk, expected=given, phase="hidden")
    assert refused.value.field == field and not Gold.objects.exists()


# --- What follows ---------------------------------------------------------------------------------------


def test_who_is_right_too_seldom_is_paused_and_shown_why(golden: Cast) -> None:
    rules.change_rules(project=golden.project, changes={"rate": 50, "pause_below": 70, "pause_after": 5})
    eve = Person(golden, golden.bob)
    done = work(eve, 100, lambda task: -expected(task))
    eve.annotator.refresh_from_db()
    assert len(done) < 15 and eve.annotator.paused_at
    assert eve.annotator.paused_reason == (
        "0 of 5 checks were right: with 95 % confidence at most 43 %, and 70 % are needed."
    )
    assert eve.next() is None
    results = GoldResult.objects.filter(annotator=eve.annotator)
    assert results.count() == 5 and not results.filter(revealed_at=None).exists()
    ann = Person(golden, golden.ann)
    assert len(work(ann, 100, expected)) > 30
    ann.annotator.refresh_from_db()
    assert not ann.annotator.paused_at


def test_who_always_takes_the_left_one_is_found(golden: Cast) -> None:
    rules.change_rules(project=golden.project, changes={"rate": 50, "pause_below": 85, "pause_after": 5})
    eve = Person(golden, golden.bob)

    def left(task_id: int) -> int:
        return -1 if Assignment.objects.get(task=task_id, annotator=eve.annotator).order == "ab" else 1

    work(eve, 100, left)
    eve.annotator.refresh_from_db()
    assert eve.annotator.paused_at and GoldResult.objects.filter(annotator=eve.annotator, correct=True).exists()


def test_what_was_shown_is_burned_and_a_new_count_begins(golden: Cast) -> None:
    rules.change_rules(project=golden.project, changes={"rate": 50, "pause_below": 70, "pause_after": 5})
    eve = Person(golden, golden.bob)
    before = work(eve, 100, lambda task: -expected(task))
    checking.resume(eve.annotator)
    assert eve.counters == (0, 0)
    after = work(eve, 8, expected)
    assert after and not set(before) & set(after) and eve.counters[0] == eve.counters[1] > 0
    mended = next(task for task in before if is_gold(task))
    eve.answer(mended, expected(mended))
    assert not GoldResult.objects.get(gold__task=mended).correct


def test_gold_that_good_annotators_miss_is_suspect_and_counts_for_nobody(
    golden: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    rules.change_rules(project=golden.project, changes={"rate": 50})
    golden.project.tasks.update(overlap=9)
    wrong = Gold.objects.order_by("pk")[0]
    Gold.objects.filter(pk=wrong.pk).update(expected={"preferences": {"overall": ["second"]}}, side="second")
    everybody = [Person(golden, golden.people[name]) for name in ("ann", "bob", "rita", "mia")]
    with django_capture_on_commit_callbacks(execute=True):
        for person in everybody[:3]:
            work(person, 200, lambda task: -1 if task == wrong.task_id else expected(task))
    wrong.refresh_from_db()
    assert wrong.suspect_at and wrong.suspicion["missed"] == wrong.suspicion["good"] == 3
    assert all(person.counters[0] == person.counters[1] for person in everybody[:3])
    assert wrong.task_id not in work(everybody[3], 200)
    marking.correct(gold=wrong, expected={"preferences": {"overall": "first"}})
    assert set(wrong.results.values_list("correct", flat=True)) == {True}
    assert Gold.objects.values_list("answered", "missed", "suspect_at").get(pk=wrong.pk) == (3, 0, None)


def test_gold_that_was_taken_back_counts_no_more_and_may_be_made_again(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    task = first_gold(ann)
    ann.answer(task, -expected(task))
    assert marking.retire(golds=Gold.objects.filter(task=task)) == 1
    assert ann.counters == (0, 0) and Task.objects.get(pk=task).state == "complete"
    golden.project.refresh_from_db()
    assert golden.project.gold_count == 19
    assert make_gold(golden, [Task.objects.get(pk=task)], 1) and Gold.objects.filter(task=task).count() == 2


def test_suspect_gold_may_be_kept(golden: Cast) -> None:
    ann = Person(golden, golden.ann)
    task = first_gold(ann)
    ann.answer(task, -expected(task))
    Gold.objects.filter(task=task).update(suspect_at="2026-01-01T00:00Z")
    assert marking.keep(golds=Gold.objects.all()) == 1
    kept = Gold.objects.get(task=task)
    assert kept.suspect_at is None and kept.kept_at and ann.counters == (0, 1)


# --- Training -------------------------------------------------------------------------------------------


@pytest.fixture
def school(cast: Cast) -> Cast:
    """Twelve tasks of training before twenty others; five make a round, of which four must be right."""
    tasks = make_pairs(cast.project, 32)
    make_gold(cast, tasks[:12], -1, 1, phase="training")
    rules.change_rules(project=cast.project, changes={"training": 5, "pass_share": 80, "tries": 2})
    return cast


def test_a_new_annotator_trains_first_one_task_at_a_time(school: Cast) -> None:
    ann = Person(school, school.ann)
    for _ in range(5):
        shown = ann.next()
        assert is_gold(shown.task_id) and ann.next(shown.task_id) is None
        ann.answer(shown.task_id, expected(shown.task_id))
    assert not any(map(is_gold, work(ann, 50)))
    assert Progress.objects.get(annotator=ann.annotator).trained_at and GoldResult.objects.count() == 5
    assert not GoldResult.objects.filter(revealed_at=None).exists()


def test_who_does_not_pass_trains_again_and_is_then_paused(school: Cast) -> None:
    eve = Person(school, school.bob)
    done = work(eve, 50, lambda task: -expected(task))
    eve.annotator.refresh_from_db()
    assert len(set(done)) == 10 and all(map(is_gold, done))
    assert eve.annotator.paused_reason == "0 of 5 tasks of the training were right, and 80 % are needed."
    checking.resume(eve.annotator)
    assert not any(map(is_gold, work(eve, 3)))


def test_who_works_already_needs_no_training(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    ann = Person(cast, cast.ann)
    work(ann, 1)
    make_gold(cast, make_pairs(cast.project, 2), -1, phase="training")
    rules.change_rules(project=cast.project, changes={"training": 2})
    assert not is_gold(ann.next().task_id)
    assert is_gold(Person(cast, cast.bob).next().task_id)


def test_where_nothing_is_left_to_train_on_work_begins(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    ann = Person(cast, cast.ann)
    rules.change_rules(project=cast.project, changes={"training": 5})
    make_gold(cast, tasks[:1], -1, phase="training")
    done = work(ann, 10)
    assert len(done) == 4 and is_gold(done[0])


def test_rules_are_checked_by_field(cast: Cast) -> None:
    with pytest.raises(Invalid) as refused:
        rules.change_rules(project=cast.project, changes={"rate": 51})
    assert refused.value.field == "rate"
