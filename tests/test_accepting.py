"""Suggestions accepted at once: marked as such, counted like answers, audited in part, and taken back one by one."""

from __future__ import annotations

from typing import Any

import pytest

from curation.access import annotator_for
from curation.errors import Invalid
from curation.models import Annotation, Annotator, Critique, Preference, Progress, Review, Run, Task, TaskKind, Verdict
from curation.services import projects, reviews, running, starting
from curation.services.suggestions import Leaning, Suggestion, suggest
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.critics import ask
from tests.test_assigning import answer, reserve
from tests.test_people import browser


def judge(cast: Cast, tasks: list[Task], probability: list[float]) -> Annotator:
    """A model's preferences for the second response, with how likely they are."""
    given = [
        (n, Suggestion(task=task.pk, preferences=[Leaning("overall", 1 if p > 0.5 else -1, probability=p)]))
        for n, (task, p) in enumerate(zip(tasks, probability, strict=True))
    ]
    landed = suggest(project=cast.project, kind="model", name="judge", given=given)
    assert landed.created == len(tasks), landed.rejected
    return Annotator.objects.get(name="judge")


def accept(cast: Cast, critic: Annotator, **params: Any) -> Run:
    run = starting.start(project=cast.project, method="accept", params={"critic": critic.pk, **params}, user=cast.mia)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return run


def test_what_is_sure_enough_is_accepted_in_the_managers_name(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 6)
    critic = judge(cast, tasks, [0.95, 0.55, 0.05, 0.9, 0.99, 0.97])
    held = reserve(cast, "ann")  # the first one: it is ann's
    run = accept(cast, critic, least=0.9, audit=0.0)
    mia = annotator_for(cast.mia, cast.project)
    done = Annotation.objects.answers().filter(annotator=mia)
    assert list(done.order_by("pk").values_list("task", flat=True)) == [tasks[n].pk for n in (2, 3, 4, 5)]
    assert set(done.values_list("source", "help", "active_ms")) == {("bulk", "", None)}
    values = Preference.objects.filter(annotation__in=done).order_by("annotation").values_list("value", flat=True)
    assert list(values) == [-1, 1, 1, 1]
    assert run.result["accepted"] == 4 and run.result["already answered, or in others' hands"] == 1
    assert Progress.objects.get(annotator=mia).done == 4
    answer(cast, held)
    assert Task.objects.filter(state="complete").count() == 5


def test_a_random_part_is_audited_by_others_and_each_is_taken_back(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 30)
    run = accept(cast, judge(cast, tasks, [0.9] * 30), audit=0.4)
    assert 4 <= Review.objects.filter(why="audit").count() == run.result["audited"] <= 20
    assert reviews.next_for(cast.project, cast.mia) is None
    assert reviews.next_for(cast.project, cast.rita).why == "audit"
    client, root = browser(cast.olga), f"/projects/{cast.project.slug}/work/accepted"
    page = client.get(f"{root}/{run.pk}/").content.decode()
    assert page.count("Take back the answer") == 30
    first = Annotation.objects.answers().filter(source="bulk").order_by("pk")[0]
    client.post(f"{root}/{first.pk}/undo/", {"run": str(run.pk)})
    task = Task.objects.get(pk=first.task_id)
    assert (task.state, task.taken, task.done) == ("open", 0, 0)
    assert client.get(f"{root}/{run.pk}/").content.decode().count("Take back the answer") == 29
    second = Annotation.objects.answers().filter(source="bulk").order_by("pk")[0]
    undo = f"/api/v1/projects/{cast.project.slug}/accepted/{second.pk}/undo"
    assert calling(cast.olga).post(undo).status_code == 204
    assert reserve(cast, "ann").task_id == first.task_id
    assert Progress.objects.get(annotator__user=cast.mia).done == 28


def test_as_many_as_are_wanted_and_nothing_twice(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    critic = judge(cast, tasks, [0.9] * 4)
    done = [accept(cast, critic, most=most, audit=0.0).result["accepted"] for most in (1, 2, None, None)]
    assert done == [1, 2, 1, 0]
    assert Annotation.objects.answers().filter(source="bulk").count() == 4


def test_critiques_and_answers_are_accepted_with_where_they_came_from(cast: Cast) -> None:
    question = {"name": "correct", "question": "Is it?", "kind": "yesno"}
    ask(cast.project, TaskKind.RESPONSE, questions=[question], help={"mode": "shown", "holdout": 0.5})
    tasks = []
    for pair in make_pairs(cast.project, 2):
        Task.objects.filter(pk=pair.pk).update(kind="response", pair=None, response=pair.pair.first)
        tasks.append(Task.objects.get(pk=pair.pk))
    from curation.services.answering import Answer, Judged

    whole = Suggestion(task=tasks[0].pk, answer=Answer(verdicts=[Judged("correct", True)]), score=0.8)
    partly = Suggestion(task=tasks[1].pk, rationale="Hm", score=0.9)
    landed = suggest(project=cast.project, kind="model", name="judge", given=[(0, whole), (1, partly)])
    assert landed.created == 2, landed.rejected
    run = accept(cast, Annotator.objects.get(name="judge"), audit=0.0)
    assert run.result["accepted"] == 1 and run.result["say less than is asked"] == 1
    said = Verdict.objects.get(annotation__source="bulk")
    assert said.answer is True and said.derived_from == Verdict.objects.get(annotation__annotator__name="judge")
    assert not Critique.objects.exists() and set(Task.objects.values_list("taken", flat=True)) == {0, 1}


def test_only_a_machine_of_the_project_is_accepted(cast: Cast) -> None:
    ann = annotator_for(cast.ann, cast.project)
    for critic in (ann.pk, 10**6):
        with pytest.raises(Invalid) as told:
            starting.start(project=cast.project, method="accept", params={"critic": critic}, user=cast.mia)
        assert told.value.field == "params.critic"
    assert projects.change_project(project=cast.project, review_levels=1).review_levels == 1
