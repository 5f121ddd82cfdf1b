"""The pages, the API and the admin of schedules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from curation.models import Run, Schedule
from curation.services import machines, scheduling
from tests.cast import Cast
from tests.conftest import calling
from tests.test_people import browser

WEEKLY = {"run_cron": "0 6 * * 1", "dataset": "weekly", "target": "trl-preference", "seed": "0"}


def made(cast: Cast, **fields: Any) -> Schedule:
    schedule = scheduling.add(
        project=cast.project, method="freeze", params={"dataset": "nightly"}, cron="0 3 * * *", user=cast.olga
    )
    Schedule.objects.filter(pk=schedule.pk).update(**fields)
    schedule.refresh_from_db()
    return schedule


@pytest.fixture
def root(cast: Cast) -> str:
    return f"/projects/{cast.project.slug}/schedules/"


@pytest.fixture
def mia(cast: Cast) -> Client:
    return browser(cast.mia)


def said(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_a_schedule_is_made_on_its_page(cast: Cast, root: str, mia: Client) -> None:
    assert "No schedules yet" in said(mia, root)
    assert "?method=freeze" in said(mia, f"{root}new/") and "?method=import" not in said(mia, f"{root}new/")
    form = said(mia, f"{root}new/?method=freeze")
    assert 'name="run_cron"' in form and 'name="dataset"' in form and "run_queue" not in form
    answer = mia.post(f"{root}new/?method=freeze", WEEKLY, follow=True).content.decode()
    assert "The schedule is made." in answer and "0 6 * * 1" in answer and "none yet" in answer
    schedule = Schedule.objects.get()
    assert (schedule.params["dataset"], schedule.created_by) == ("weekly", cast.mia)
    assert schedule.next_at and schedule.next_at.isoweekday() == 1


@pytest.mark.parametrize(
    ("wrong", "place", "words"),
    [
        ({"run_cron": "0 6 * *"}, "id_run_cron_error", "Five fields are wanted"),
        ({"run_cron": "0 99 * * *"}, "id_run_cron_error", "Hour &#x27;99&#x27;"),
        ({"splits": "{nonsense"}, "id_splits_error", "This is not JSON"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    root: str, mia: Client, wrong: dict[str, str], place: str, words: str
) -> None:
    answer = mia.post(f"{root}new/?method=freeze", {**WEEKLY, **wrong})
    page = answer.content.decode()
    assert answer.status_code == 422 and not Schedule.objects.exists()
    assert f'id="{place}"' in page and words in page


def test_a_schedule_is_changed_paused_and_deleted(cast: Cast, root: str, mia: Client) -> None:
    schedule = made(cast)
    form = said(mia, f"{root}{schedule.pk}/")
    assert 'value="nightly"' in form and 'value="0 3 * * *"' in form
    mia.post(f"{root}{schedule.pk}/", {**WEEKLY, "dataset": "other"})
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.params["dataset"], schedule.created_by) == ("0 6 * * 1", "other", cast.mia)
    assert "is paused" in mia.post(f"{root}{schedule.pk}/pause/", follow=True).content.decode()
    assert "Paused" in said(mia, root) and "Go on" in said(mia, root)
    assert "goes on" in mia.post(f"{root}{schedule.pk}/pause/", follow=True).content.decode()
    assert "its runs stay" in mia.post(f"{root}{schedule.pk}/delete/", follow=True).content.decode()
    assert not Schedule.objects.exists()


def test_the_list_shows_the_last_run_and_why_one_did_not_start(cast: Cast, root: str) -> None:
    schedule = made(cast, problem="skipped: the run before was still at work")
    for state, hours in (("succeeded", 48), ("failed", 24)):
        then = timezone.now() - timedelta(hours=hours)
        run = Run.objects.create(project=cast.project, method="freeze", schedule=schedule, state=state, created_at=then)
    page = said(browser(cast.vic), root)
    assert f"runs/{run.pk}/" in page and "Failed" in page and "Succeeded" not in page
    assert "Skipped: the run before was still at work" in page
    assert "Delete" not in page and "New schedule" not in page


def test_a_schedule_of_another_project_is_not_there(cast: Cast, root: str, mia: Client) -> None:
    from tests.cast import make_project

    other = made(cast, project=make_project("other"))
    assert mia.get(f"{root}{other.pk}/").status_code == 404
    assert mia.post(f"{root}{other.pk}/delete/").status_code == 404 and Schedule.objects.exists()


def test_schedules_over_the_api(cast: Cast) -> None:
    client, address = calling(cast.sol), f"/api/v1/projects/{cast.project.slug}/schedules"
    sent = {"method": "freeze", "cron": "0  3 * * *", "params": {"dataset": "nightly"}}
    new = client.post(address, sent, format="json", HTTP_IDEMPOTENCY_KEY="once")
    again = client.post(address, sent, format="json", HTTP_IDEMPOTENCY_KEY="once")
    assert new.status_code == 201 and again.json()["id"] == new.json()["id"]
    assert new.json()["cron"] == "0 3 * * *" and new.json()["enabled"] and new.json()["next_at"]
    assert [row["id"] for row in client.get(address).json()["results"]] == [new.json()["id"]]
    one = f"{address}/{new.json()['id']}"
    changed = client.patch(one, {"enabled": False}, format="json").json()
    assert changed["enabled"] is False and changed["next_at"] is None and changed["params"]["dataset"] == "nightly"
    assert client.delete(one).status_code == 204 and client.get(one).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field", "status"),
    [
        ({"cron": "every day"}, "cron", 422),
        ({"method": "import"}, "method", 422),
        ({"params": {"colour": 1}}, "params.colour", 422),
        ({"params": "x"}, "params", 400),
    ],
)
def test_the_api_names_the_wrong_field(cast: Cast, wrong: dict[str, Any], field: str, status: int) -> None:
    sent = {"method": "freeze", "cron": "0 3 * * *", **wrong}
    answer = calling(cast.sol).post(f"/api/v1/projects/{cast.project.slug}/schedules", sent, format="json")
    assert answer.status_code == status and answer.json()["errors"][0]["field"] == field, answer.json()


def test_the_admin_lists_workers_and_schedules(cast: Cast) -> None:
    made(cast, problem="out of order")
    machines.report(machines.Self("gpu0@there", ("gpu",), 1, "NVIDIA H100"))
    staff = browser(cast.ada)
    assert "NVIDIA H100" in said(staff, "/admin/curation/worker/")
    assert "out of order" in said(staff, "/admin/curation/schedule/")
