"""Many annotators at once against a served instance: nothing given out twice, nothing lost."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from curation.models import Annotation, Membership, Progress, Project, Role, Share, Task, User
from curation.services import projects, queues
from curation.services.desk import progress_now
from tests.calling import Caller
from tests.cast import make_pairs, make_project, token_for

pytestmark = pytest.mark.django_db(transaction=True)


def crew(count: int, **project_fields: object) -> tuple[Any, list[str]]:
    project = make_project("crowded", **project_fields)
    tokens = []
    for n in range(count):
        user = User.objects.create_user(f"person{n}")
        Membership.objects.create(user=user, project=project, role=Role.ANNOTATOR)
        tokens.append(token_for(user))
    return project, tokens


def work(url: str, token: str, most: int) -> list[int]:
    """Take and answer tasks until none is left; the ids of the tasks that were given."""
    call, given = Caller(url, token), []
    for n in range(most):
        status, body = call("POST", "projects/crowded/tasks/next", {})
        if status == 204:
            break
        assert status == 200, body
        task = body["task"]["id"]
        given.append(task)
        answer = {"preferences": [{"axis": "overall", "value": -1 if n % 2 else 1}], "active_ms": 10}
        status, body = call("POST", f"tasks/{task}/submit", answer, **{"Idempotency-Key": f"{token}{task}"})
        assert status == 200, body
    call.close()
    return given


@pytest.mark.parametrize("overlap", [1, 2])
def test_no_pair_is_given_out_more_often_than_its_overlap(live_server: Any, overlap: int) -> None:
    people = 32 if connection.vendor == "postgresql" else 8
    project, tokens = crew(people, overlap=overlap)
    make_pairs(project, 100)
    with ThreadPoolExecutor(people) as pool:
        given = [t for ids in pool.map(lambda token: work(live_server.url, token, 200), tokens) for t in ids]
    counts = Counter(given)
    assert set(counts.values()) == {overlap} and len(counts) == 100
    assert Annotation.objects.answers().count() == 100 * overlap
    assert not Task.objects.exclude(state="complete", taken=overlap, done=overlap).exists()
    for row in Progress.objects.select_related("annotator"):
        assert progress_now(row.annotator_id).left == 0


def test_the_same_submit_many_times_at_once_is_one_answer(live_server: Any) -> None:
    project, tokens = crew(1)
    make_pairs(project, 1)
    _, body = Caller(live_server.url, tokens[0])("POST", "projects/crowded/tasks/next", {})
    task = body["task"]["id"]

    def submit(_: int) -> int:
        answer = {"preferences": [{"axis": "overall", "value": 1}]}
        caller = Caller(live_server.url, tokens[0])
        return caller("POST", f"tasks/{task}/submit", answer, **{"Idempotency-Key": "once"})[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(submit, range(8))) == {200}
    assert Annotation.objects.count() == 1 and Task.objects.get().done == 1


def test_many_tabs_of_one_person_take_no_more_than_they_show(live_server: Any) -> None:
    project, tokens = crew(1)
    make_pairs(project, 40)

    def ask(_: int) -> int:
        return Caller(live_server.url, tokens[0])("POST", "projects/crowded/tasks/next", {})[1]["task"]["id"]

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(ask, range(24)))
    assert Task.objects.filter(taken=1).count() == len(seen) <= 8


def test_nothing_overshoots_while_overlap_and_queues_change(live_server: Any) -> None:
    people = 7 if connection.vendor == "postgresql" else 5
    project, tokens = crew(people)
    tasks = [task.pk for task in make_pairs(project, 40)]
    batch = queues.add(project=project, user=None, name="batch", quota=30)

    def manage() -> None:
        for overlap, queue, some in ((2, batch, tasks[:20]), (2, None, tasks[:5]), (3, batch, tasks[30:])):
            projects.change_project(project=Project.objects.get(), overlap=overlap)
            queues.move(project=Project.objects.get(), ids=some, queue=queue)
        connection.close()

    with ThreadPoolExecutor(people + 1) as pool:
        managing = pool.submit(manage)
        list(pool.map(lambda token: work(live_server.url, token, 200), tokens))
        managing.result()
        list(pool.map(lambda token: work(live_server.url, token, 200), tokens))
    assert not Task.objects.exclude(state="complete", taken=3, done=3, overlap=3).exists()
    assert Annotation.objects.answers().count() == 120
    assert sum(Share.objects.values_list("done", flat=True)) == 3 * batch.tasks.count() == 3 * 25
    assert max(Share.objects.values_list("done", flat=True)) <= 30
    assert sum(Progress.objects.values_list("closed", flat=True)) == 40
    for row in Progress.objects.select_related("annotator"):
        assert progress_now(row.annotator_id).left == 0
