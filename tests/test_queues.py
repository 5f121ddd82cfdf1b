"""Work goes to whom it is meant for, in order, as often as is wanted, whenever that is changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from curation.access import annotator_for, capabilities
from curation.errors import Conflict, Invalid, Paused
from curation.models import Annotation, Annotator, Assignment, Item, Membership, Progress, Project, Queue, Task
from curation.services import assigning, grouping, pausing, projects, queueing, queues, running, starting
from curation.services.desk import progress_now
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_assigning import answer, reserve
from tests.test_people import browser


def who(cast: Cast, name: str) -> Annotator:
    return annotator_for(cast.people[name], cast.project)


def queue(cast: Cast, name: str, tasks: list[Task], **given: object) -> Queue:
    made = queues.add(project=cast.project, user=cast.mia, name=name, **given)
    queues.move(project=cast.project, ids=[task.pk for task in tasks], queue=made)
    made.refresh_from_db()
    return made


def finish(cast: Cast, name: str) -> list[int]:
    """Everything that a person is given, answered; the tasks in their order."""
    done = []
    while held := reserve(cast, name):
        answer(cast, held)
        done.append(held.task_id)
    return done


def test_a_queue_for_some_is_for_nobody_else(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    team = grouping.add(project=cast.project, name="Team", members=[who(cast, "bob").pk])
    queue(cast, "for ann", tasks[:1], people=[who(cast, "ann").pk])
    queue(cast, "for the team", tasks[1:2], groups=[team.pk])
    assert finish(cast, "rita") == [tasks[2].pk, tasks[3].pk]
    assert finish(cast, "ann") == [tasks[0].pk] and finish(cast, "bob") == [tasks[1].pk]


def test_a_skill_is_needed_besides(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 1)
    french = grouping.add(project=cast.project, name="French", members=[who(cast, "bob").pk])
    queue(cast, "French", tasks, skill=french.pk, people=[who(cast, n).pk for n in ("ann", "bob")])
    assert finish(cast, "ann") == []
    grouping.change(french, members=[who(cast, n).pk for n in ("ann", "bob")])
    assert finish(cast, "ann") == [tasks[0].pk]
    with pytest.raises(Conflict):
        grouping.remove(french)


def test_priority_then_deadline_then_the_projects_own(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 5)
    soon = timezone.now() + timedelta(days=1)
    queue(cast, "last", tasks[:1], priority=-1)
    queue(cast, "usual", tasks[1:2])
    queue(cast, "soon", tasks[2:3], deadline=soon)
    queue(cast, "first", tasks[3:4], priority=5)
    assert finish(cast, "ann") == [tasks[n].pk for n in (3, 2, 1, 4, 0)]


def test_a_change_of_queues_reaches_who_is_at_work(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    answer(cast, reserve(cast, "ann"))
    urgent = queue(cast, "urgent", tasks[3:], priority=1)
    assert reserve(cast, "ann").task_id == tasks[3].pk
    assigning.release(annotator_id=who(cast, "ann").pk, task_id=tasks[3].pk)
    queues.change(urgent, paused=True)
    assert reserve(cast, "ann").task_id == tasks[1].pk
    projects.change_project(project=cast.project, paused=True)
    assert reserve(cast, "bob") is None
    queues.change(urgent, paused=False)
    assert reserve(cast, "bob").task_id == tasks[3].pk


def test_a_quota_is_the_most_of_one_person(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 6)
    made = queue(cast, "fair", tasks, quota=2)
    first, second = reserve(cast, "ann"), reserve(cast, "ann", exclude=(tasks[0].pk,))
    assert {first.task_id, second.task_id} == {tasks[0].pk, tasks[1].pk}
    assert reserve(cast, "ann", exclude=(tasks[0].pk, tasks[1].pk)) is None
    assert progress_now(first.annotator_id).left == 2
    for held in (first, second):
        answer(cast, held)
    assert reserve(cast, "ann") is None and progress_now(first.annotator_id).left == 0
    queues.change(made, quota=3)
    assert len(finish(cast, "ann")) == 1 and len(finish(cast, "bob")) == 3


def test_overlap_of_a_queue_opens_and_completes_its_tasks(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 3)
    made = queue(cast, "twice", tasks[:2], overlap=2)
    own = Task.objects.filter(pk=tasks[1].pk)
    queueing.set_overlap(tasks=own, overlap=4)
    finish(cast, "ann")
    assert list(made.tasks.order_by("pk").values_list("state", "overlap")) == [("open", 2), ("open", 4)]
    queues.change(made, overlap=1)
    assert list(made.tasks.order_by("pk").values_list("state", "overlap")) == [("complete", 1), ("open", 4)]
    queues.change(made, overlap=None)  # as in the project
    projects.change_project(project=cast.project, overlap=3)
    assert list(Task.objects.order_by("pk").values_list("overlap", flat=True)) == [3, 4, 3]
    assert finish(cast, "bob") == [task.pk for task in tasks]
    queues.remove(made)
    assert not Queue.objects.exists() and set(Task.objects.values_list("queue", flat=True)) == {None}
    assert Annotation.objects.answers().count() == 6
    assert progress_now(who(cast, "bob").pk).left == 0 and progress_now(who(cast, "rita").pk).left == 3


def test_one_item_may_ask_for_more(cast: Cast) -> None:
    first, second = make_pairs(cast.project, 2)
    finish(cast, "ann")
    address = f"/api/v1/projects/{cast.project.slug}/items/{first.pair.item_id}/overlap"
    assert calling(cast.mia).post(address, {"overlap": 3}, format="json").json() == {"changed": 1}
    assert finish(cast, "bob") == [first.pk]
    page = browser(cast.mia).post(
        f"/projects/{cast.project.slug}/items/{first.pair.item_id}/overlap/", {"overlap": "2"}
    )
    assert page.status_code == 302
    assert list(Task.objects.order_by("pk").values_list("state", "overlap")) == [("complete", 2), ("complete", 1)]
    projects.change_project(project=cast.project, overlap=2)
    assert finish(cast, "rita") == [second.pk]


def test_items_taken_out_and_brought_back_are_counted_in_their_queue(cast: Cast) -> None:
    from curation.services import removing

    tasks = make_pairs(cast.project, 3)
    made = queue(cast, "some", tasks)
    answer(cast, reserve(cast, "ann"))
    gone = tasks[1].pair.item_id
    removing.remove(project=cast.project, ids=[gone], user=cast.mia)
    made.refresh_from_db()
    assert made.task_count == 2 and progress_now(who(cast, "ann").pk).left == 1
    removing.restore(project=cast.project, ids=[gone], user=cast.mia)
    made.refresh_from_db()
    assert made.task_count == 3 and progress_now(who(cast, "ann").pk).left == 2


def test_a_paused_person_gets_nothing_and_holds_nothing(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    held = reserve(cast, "ann")
    annotator = pausing.pause(who(cast, "ann"), "Too fast: 3 s an answer", cast.mia)
    assert Task.objects.get(pk=held.task_id).taken == 0
    with pytest.raises(Paused, match="Too fast"):
        reserve(cast, "ann")
    answer(cast, held)  # what was said is not lost
    assert Annotation.objects.answers().count() == 1
    assert cast.mia in pausing.to_ask(cast.project, annotator.pk)
    pausing.resume(annotator)
    assert reserve(cast, "ann") is not None


def test_a_deactivated_member_is_a_stranger_whose_answers_stay(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer(cast, reserve(cast, "ann"))
    in_hand = reserve(cast, "ann")
    member = Membership.objects.get(user=cast.ann)
    pausing.deactivate(project=cast.project, by=cast.mia, membership_id=member.pk)
    assert capabilities(cast.ann, cast.project) == frozenset()
    assert Annotation.objects.answers().count() == 1
    assert Assignment.objects.get(pk=in_hand.pk).state == "released"
    pausing.reactivate(project=cast.project, by=cast.mia, membership_id=member.pk)
    assert capabilities(cast.ann, cast.project)
    owner = Membership.objects.get(user=cast.olga)
    with pytest.raises(Conflict):
        pausing.deactivate(project=cast.project, by=cast.olga, membership_id=owner.pk)


@pytest.mark.parametrize(
    ("field", "value"), [("overlap", 51), ("cap", 0), ("quota", 0), ("people", [10**9]), ("name", " "), ("skill", 99)]
)
def test_what_a_queue_cannot_be_is_refused_by_name(cast: Cast, field: str, value: object) -> None:
    with pytest.raises(Invalid) as told:
        queues.add(**{"project": cast.project, "user": cast.mia, "name": "q", field: value})
    assert told.value.field == field and not Queue.objects.exists()


def test_a_next_task_costs_the_same_however_many_queues_there_are(cast: Cast) -> None:
    def statements() -> int:
        held = reserve(cast, "ann")
        answer(cast, held)
        with CaptureQueriesContext(connection) as seen:
            assert reserve(cast, "ann") is not None
        return len(seen)

    make_pairs(cast.project, 30)
    before = statements()
    tasks = make_pairs(cast.project, 20)
    for number, task in enumerate(tasks):
        queue(cast, f"queue {number}", [task], people=[who(cast, "bob").pk])
    queue(cast, "mine", make_pairs(cast.project, 10), priority=3)
    reserve(cast, "ann")
    assert statements() <= before + 1  # the name of the queue, for the test's own way in


def test_counters_add_up_to_what_a_project_says(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    queue(cast, "two", tasks[:2])
    finish(cast, "ann")
    project = Project.objects.get()
    progress = Progress.objects.get()
    assert (project.task_count, project.queued_count, progress.closed, progress.queue_closed) == (4, 2, 4, 2)


def test_tasks_are_put_into_a_queue_by_a_filter(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 6)
    Item.objects.filter(pk__in=[task.pair.item_id for task in tasks[:4]]).update(metadata={"topic": "code"})
    answer(cast, reserve(cast, "ann"))
    made = queues.add(project=cast.project, user=cast.mia, name="code")
    where = [{"field": "item.metadata.topic", "op": "eq", "value": "code"}]
    params = {"queue": made.pk, "where": where, "state": "unanswered", "most": 2}
    run = starting.start(project=cast.project, method="assign", params=params, user=cast.mia)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.result == {"moved": 2, "queue": "code", "fitting": 3}, run.error
    assert list(made.tasks.order_by("pk")) == tasks[1:3]
    by_name = {"queue": made.pk, "items": ["item-5"], "where": []}
    running.execute(str(starting.start(project=cast.project, method="assign", params=by_name, user=cast.mia).pk))
    assert list(made.tasks.order_by("pk")) == [*tasks[1:3], tasks[5]]
    with pytest.raises(Invalid):
        starting.start(project=cast.project, method="assign", params={"queue": 10**6}, user=cast.mia)


def test_queues_over_the_api_and_its_pages(cast: Cast) -> None:
    tasks, call, root = make_pairs(cast.project, 3), calling(cast.mia), f"/api/v1/projects/{cast.project.slug}"
    bob = who(cast, "bob").pk
    group = call.post(f"{root}/groups", {"name": "Team", "members": [bob]}, format="json").json()
    given = {"name": "Batch 1", "groups": [group["id"]], "deadline": "2030-01-01T00:00:00Z", "quota": 5, "overlap": 2}
    made = call.post(f"{root}/queues", given, format="json")
    assert made.status_code == 201 and made.json()["groups"] == [group["id"]] and made.json()["tasks"] == 0
    address = f"{root}/queues/{made.json()['id']}"
    assert call.post(f"{address}/tasks", {"tasks": [tasks[0].pk]}, format="json").json() == {"moved": 1}
    etag = call.get(address)["ETag"]
    changed = call.patch(address, {"paused": True, "priority": 4}, format="json", HTTP_IF_MATCH=etag).json()
    assert (changed["paused"], changed["priority"], changed["tasks"]) == (True, 4, 1)
    wrong = call.post(f"{root}/queues", {"name": "Batch 1"}, format="json")
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "name"
    assert call.post(f"{root}/annotators/{bob}/pause", {"reason": "Holiday"}, format="json").json()["paused"]
    refused = calling(cast.bob).post(f"{root}/tasks/next", {})
    assert refused.status_code == 403 and "Holiday" in refused.json()["detail"]
    page = browser(cast.bob).get(f"/projects/{cast.project.slug}/annotate/").content.decode()
    assert "You are paused" in page and "Holiday" in page and "mia" in page
    assert not call.post(f"{root}/annotators/{bob}/resume").json()["paused"]
    client = browser(cast.mia)
    listed = client.get(f"/projects/{cast.project.slug}/work/").content.decode()
    assert "Batch 1" in listed and "Team" in listed and "Paused" in listed
    form = {"name": "By hand", "priority": "0", "people": [bob]}
    assert client.post(f"/projects/{cast.project.slug}/work/queues/new/", form).status_code == 302
    assert Queue.objects.get(name="By hand").people.get().pk == bob
    assert call.delete(address).status_code in (204, 428) and call.get(f"{root}/annotators").json()["results"]


def test_one_task_asks_for_another_number_of_answers_over_the_api(cast: Cast) -> None:
    first, second = make_pairs(cast.project, 2)

    def ask(user: Any, overlap: int, task: Any = first) -> Any:
        return calling(user).post(f"/api/v1/tasks/{task.pk}/overlap", {"overlap": overlap}, format="json")

    assert ask(cast.mia, 3).json() == {"changed": 1} and ask(cast.mia, 3).json() == {"changed": 0}
    assert list(Task.objects.order_by("pk").values_list("overlap", flat=True)) == [3, second.overlap]
    assert ask(cast.mia, 0).status_code == 400 and ask(cast.rita, 2).status_code == 403
    assert ask(cast.zed, 2).status_code == 404
    Task.objects.filter(pk=second.pk).update(state="retired")
    assert ask(cast.mia, 5, second).json() == {"changed": 0}, "it is out of the queue"
