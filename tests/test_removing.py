"""Items that people take out and bring back: what leaves with them, what stays, and that every counter says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from curation.errors import Invalid, Withdrawn
from curation.models import Annotation, Change, Item, Project, Task, TaskKind
from curation.services import annotating, drafting, freezing, queueing, removing
from curation.services.answering import Answer
from curation.services.browsing import Choice, list_page
from curation.services.desk import desk_in
from tests.cast import Cast
from tests.conftest import calling
from tests.critics import frozen, item, poor, responses, say
from tests.imports import bring, in_order, row
from tests.test_importing_changes import answer, left, skip, take


@pytest.fixture
def worked(cast: Cast) -> Cast:
    """Four items, two answers wanted: the first half answered, the second answered by both, the third skipped."""
    Project.objects.filter(pk=cast.project.pk).update(overlap=2)
    bring(cast.project, *(row(str(n)) for n in range(4)))
    answer(cast.ann, cast.project)
    answer(cast.ann, cast.project)
    skip(cast.ann, cast.project)
    for _ in range(2):
        answer(cast.bob, cast.project)
    bob = annotating.last_of(desk=desk_in(cast.bob, cast.project.slug))
    assert bob is not None
    undo(cast, "bob", bob.pk)
    return cast


def undo(cast: Cast, who: str, annotation: int) -> None:
    desk = desk_in(cast.people[who], cast.project.slug)
    annotating.undo(desk=desk, annotation_id=annotation, commit=annotating.Commit(f"undo-{annotation}"))


def names(project: Project, **choice: bool) -> list[str]:
    return sorted(one.item.external_id for one in list_page(project, Choice(**choice), 50).rows)


def ids(project: Project, *wanted: str) -> list[int]:
    return list(Item.objects.filter(project=project, external_id__in=wanted).values_list("pk", flat=True))


def test_all_go_and_all_come_back(worked: Cast) -> None:
    """Whatever state their tasks were in, and for everybody who worked on them."""
    project = worked.project
    in_order(project)
    before = {task.pk: task.state for task in Task.objects.all()}
    lefts = [left(who, project) for who in (worked.ann, worked.bob)]
    everything = ids(project, "0", "1", "2", "3")
    assert removing.remove(project=project, ids=everything, user=worked.mia, reason="not ours") == 4
    in_order(project)
    assert project.item_count == 0 and not Task.objects.filter(state="open").exists()
    assert [left(who, project) for who in (worked.ann, worked.bob)] == [0, 0]
    assert names(project) == [] and names(project, removed=True) == ["0", "1", "2", "3"]
    assert removing.remove(project=project, ids=everything, user=worked.mia) == 0
    kinds = Change.objects.values_list("kind", "made_by__username", "reason").distinct()
    assert list(kinds) == [("deleted", "mia", "not ours")]
    assert removing.restore(project=project, ids=everything, user=worked.olga) == 4
    in_order(project)
    assert {task.pk: task.state for task in Task.objects.all()} == before and project.item_count == 4
    assert [left(who, project) for who in (worked.ann, worked.bob)] == lefts
    assert Change.objects.filter(kind="restored", made_by=worked.olga).count() == 4


def test_others_are_asked_as_before(worked: Cast) -> None:
    project = worked.project
    gone = take(worked.rita, project)
    removing.remove(project=project, ids=ids(project, "2"), user=worked.mia)
    assert Task.objects.get(pk=gone).pair.item.external_id == "2"  # type: ignore[union-attr]
    assert take(worked.rita, project) != gone
    in_order(project)


def test_an_answer_on_its_way_is_kept_and_its_author_told_why(worked: Cast) -> None:
    project = worked.project
    task = take(worked.rita, project)
    drafting.keep(annotator_id=desk_in(worked.rita, project.slug).annotator_id, task_id=task, body=b'{"a": 1}')
    removing.remove(project=project, ids=ids(project, "2"), user=worked.mia)
    for _ in range(2):
        with pytest.raises(Withdrawn, match="taken out meanwhile; your answer is kept") as told:
            annotating.submit(
                desk=desk_in(worked.rita, project.slug),
                task_id=task,
                judgements=[annotating.Judgement("overall", 1)],
                commit=annotating.Commit("late"),
            )
    assert not Annotation.objects.get(pk=told.value.annotation_id).counted
    in_order(project)
    removing.restore(project=project, ids=ids(project, "2"), user=worked.mia)
    in_order(project)


def test_what_is_taken_back_meanwhile_is_asked_again_with_the_item(worked: Cast) -> None:
    """A task that was complete is not asked while its item is away."""
    project = worked.project
    task = Task.objects.filter(pair__item__external_id="0")
    assert task.get().state == "complete"
    removing.remove(project=project, ids=ids(project, "0"), user=None)
    mine = Annotation.objects.answers().get(task=task.get(), annotator__name="@ann")
    undo(worked, "ann", mine.pk)
    assert task.get().state == "complete"
    in_order(project)
    assert left(worked.rita, project) == 3
    removing.restore(project=project, ids=ids(project, "0"), user=None)
    in_order(project)
    assert task.get().state == "open" and left(worked.rita, project) == 4


def test_nothing_else_puts_them_back_into_the_queue(worked: Cast) -> None:
    project = worked.project
    everything = Task.objects.all()
    queueing.retire(tasks=everything.filter(pair__item__external_id="3"))
    removing.remove(project=project, ids=ids(project, "0", "1", "2", "3"), user=None)
    assert queueing.reopen(tasks=everything) == 0 and queueing.set_overlap(tasks=everything, overlap=5) == 0
    removing.restore(project=project, ids=ids(project, "0", "1", "2", "3"), user=None)
    assert Task.objects.get(pair__item__external_id="3").state == "retired", "set aside by hand it stays"
    assert left(worked.rita, project) == 2


def test_a_later_import_brings_them_back_corrected(worked: Cast) -> None:
    project = worked.project
    removing.remove(project=project, ids=ids(project, "0", "1"), user=None)
    bring(project, row("0"), row("1", "another", "pair"))
    assert project.item_count == 4 and names(project, removed=True) == []
    changes = Change.objects.filter(kind="restored").order_by("pk")
    assert [one.fields for one in changes] == [[], ["responses"]]
    assert all(one.run is not None and one.run.method == "import" for one in changes)
    assert Task.objects.get(pair__item__external_id="0").state == "complete"


@pytest.mark.parametrize("kind", [TaskKind.RESPONSE, TaskKind.RANKING])
def test_other_kinds_of_task_go_and_come_back(cast: Cast, kind: TaskKind, rank: Callable[[Cast], None]) -> None:
    if kind == TaskKind.RANKING:
        rank(cast)
    else:
        responses(cast, item("q", "One.", "Two."))
    project = cast.project
    before = project.task_count
    removing.remove(project=project, ids=ids(project, "q"), user=None)
    project.refresh_from_db()
    assert project.task_count == 0 and project.item_count == 0
    removing.restore(project=project, ids=ids(project, "q"), user=None)
    project.refresh_from_db()
    assert project.task_count == before > 0 and Task.objects.filter(state="open").count() == before


@pytest.fixture
def rank() -> Callable[[Cast], None]:
    from tests.critics import ask, land

    def made(cast: Cast) -> None:
        ask(cast.project, TaskKind.RANKING, critiques={"on": False}, questions=[])
        land(cast.project, item("q", "One.", "Two.", "Three."))
        cast.project.refresh_from_db()

    return made


def test_new_versions_leave_them_out(cast: Cast) -> None:
    responses(cast, item("q", "One. And two."), item("r", "Three. And four."))
    for _ in range(2):
        say(cast, "ann", Answer([poor(0, 3)]))
    removing.remove(project=cast.project, ids=ids(cast.project, "q"), user=None)
    assert frozen(cast.project, "w3c").counts["total"] == 1
    removing.restore(project=cast.project, ids=ids(cast.project, "q"), user=None)
    assert frozen(cast.project, "w3c").counts["total"] == 2
    assert freezing.offered(cast.project)


def test_only_items_of_the_project_and_with_a_reason_that_can_be_kept(cast: Cast) -> None:
    from tests.cast import make_pairs, make_project

    other = make_project("other")
    make_pairs(other, 1)
    assert removing.remove(project=cast.project, ids=ids(other, "item-0"), user=None) == 0
    for reason in ("x" * 301, "\0"):
        with pytest.raises(Invalid) as told:
            removing.remove(project=other, ids=ids(other, "item-0"), user=None, reason=reason)
        assert told.value.field == "reason"
    assert Change.objects.count() == 0 and Item.objects.get().deleted_at is None


# --- The doors ----------------------------------------------------------------------------------------


def test_by_the_api_as_it_was_read(worked: Cast) -> None:
    client, url = calling(worked.mia), f"/api/v1/projects/{worked.project.slug}/items"
    one = client.get(url).json()["results"][0]
    read = client.get(f"{url}/{one['id']}")
    assert read.json() | one == read.json() and read.json()["removed_at"] is None
    assert client.get(f"{url}/{one['id']}", HTTP_IF_NONE_MATCH=read["ETag"]).status_code == 304
    late = client.delete(f"{url}/{one['id']}", HTTP_IF_MATCH='"older"')
    assert late.status_code == 412 and read["ETag"] in late.json()["detail"]
    assert client.delete(f"{url}/{one['id']}?reason=spam", HTTP_IF_MATCH=read["ETag"]).status_code == 204
    assert client.delete(f"{url}/{one['id']}").status_code == 204, "it is gone already"
    assert Change.objects.get().reason == "spam" and Change.objects.get().made_by == worked.mia
    assert one["id"] not in [row["id"] for row in client.get(url).json()["results"]]
    assert [row["id"] for row in client.get(f"{url}?removed=yes").json()["results"]] == [one["id"]]
    assert client.get(f"{url}?removed=maybe").status_code == 422
    gone = client.get(f"{url}/{one['id']}")
    assert gone.json()["removed_at"] and gone["ETag"] != read["ETag"]
    wrong = client.post(f"{url}/{one['id']}/restore", {}, HTTP_IF_MATCH=read["ETag"])
    assert wrong.status_code == 412
    back = client.post(f"{url}/{one['id']}/restore", {"reason": "ham"}, HTTP_IF_MATCH=gone["ETag"])
    assert back.status_code == 200 and back.json()["removed_at"] is None and back["ETag"] == read["ETag"]
    assert client.delete(f"{url}/{one['id']}?reason={'x' * 301}").status_code == 422
    for number in (2**63, 999_999):
        assert client.get(f"{url}/{number}").status_code == 404
    in_order(worked.project)


def test_from_the_list_and_from_its_page(worked: Cast) -> None:
    project, browser = worked.project, Client()
    browser.force_login(worked.mia, backend="django.contrib.auth.backends.ModelBackend")
    items = f"/projects/{project.slug}/items/"
    first, second, *_ = ids(project, "0", "1", "2", "3")
    assert f'name="item" value="{first}"' in browser.get(items).content.decode()
    went = browser.post(f"{items}remove/", {"item": [first, second], "reason": "spam", "back": "order=oldest&evil=1"})
    assert went.status_code == 302 and went.headers["Location"] == f"{items}?order=oldest"
    told = browser.get(went.headers["Location"]).content.decode()
    assert "2 items removed." in told and f'value="{first}"' not in told
    assert f'value="{first}"' in browser.get(f"{items}?removed=yes").content.decode()
    page = browser.get(f"{items}{first}/").content.decode()
    assert "Removed by mia" in page and "spam" in page and "Bring it back" in page
    back = browser.post(f"{items}restore/", {"item": first})
    assert back.headers["Location"] == f"{items}{first}/"
    assert "Remove this item" in browser.get(back.headers["Location"]).content.decode()
    assert b"No item was ticked" in browser.post(f"{items}restore/", {"back": ""}, follow=True).content
    for wrong in ("x", "-1", "1" * 30):
        assert browser.post(f"{items}remove/", {"item": wrong}).status_code == 422
    browser.force_login(worked.rita, backend="django.contrib.auth.backends.ModelBackend")
    for address in (items, f"{items}{first}/", f"{items}{second}/"):
        seen = browser.get(address).content.decode()
        assert 'name="item"' not in seen and "Remove" not in seen.replace("Removed", "")


def test_the_annotator_is_told_by_the_api(worked: Cast) -> None:
    task = take(worked.rita, worked.project)
    removing.remove(project=worked.project, ids=ids(worked.project, "2"), user=None)
    said = {"preferences": [{"axis": "overall", "value": 1}]}
    answered = calling(worked.rita).post(f"/api/v1/tasks/{task}/submit", said, HTTP_IDEMPOTENCY_KEY="k")
    assert answered.status_code == 409 and answered.json()["kept"] is True
    assert answered.json()["title"] == "No longer asked" and "taken out" in answered.json()["detail"]
