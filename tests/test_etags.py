"""Edits with If-Match: made on what was read, refused on anything else."""

from __future__ import annotations

import pytest

from curation.models import Run
from curation.services import starting
from tests.cast import Cast
from tests.conftest import calling

EDITED = {
    "": {"name": "Another name"},
    "/protocol": {"guidelines": "Read both."},
}


@pytest.mark.parametrize("path", EDITED)
def test_an_edit_on_what_was_read_is_made_and_a_second_one_refused(cast: Cast, path: str) -> None:
    client, url = calling(cast.olga), f"/api/v1/projects/{cast.project.slug}{path}"
    tag = client.get(url)["ETag"]
    made = client.patch(url, EDITED[path], HTTP_IF_MATCH=f'"other", {tag}')
    assert made.status_code == 200 and made["ETag"] != tag
    late = client.patch(url, EDITED[path], HTTP_IF_MATCH=tag)
    assert late.status_code == 412 and late["Content-Type"] == "application/problem+json"
    assert made["ETag"] in late.json()["detail"]
    assert client.get(url)["ETag"] == made["ETag"]
    assert client.patch(url, EDITED[path], HTTP_IF_MATCH="*").status_code == 200


@pytest.mark.parametrize("path", EDITED)
def test_what_is_there_already_is_not_sent_again(cast: Cast, path: str) -> None:
    client, url = calling(cast.olga), f"/api/v1/projects/{cast.project.slug}{path}"
    first = client.get(url)
    again = client.get(url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])


def test_a_stranger_learns_no_etag(cast: Cast) -> None:
    url = f"/api/v1/projects/{cast.project.slug}"
    assert calling(cast.zed).patch(url, {"name": "x"}, HTTP_IF_MATCH='"x"').status_code == 404
    assert calling(cast.vic).patch(url, {"name": "x"}, HTTP_IF_MATCH="*").status_code == 403


def test_a_schedule_is_deleted_only_as_it_was_read(cast: Cast) -> None:
    client, url = calling(cast.olga), f"/api/v1/projects/{cast.project.slug}/schedules"
    made = client.post(url, {"method": "freeze", "cron": "0 4 * * *"}).json()
    tag = client.get(f"{url}/{made['id']}")["ETag"]
    client.patch(f"{url}/{made['id']}", {"enabled": False})
    assert client.delete(f"{url}/{made['id']}", HTTP_IF_MATCH=tag).status_code == 412
    assert client.delete(f"{url}/{made['id']}").status_code == 204


def test_runs_are_paged_from_the_newest(cast: Cast) -> None:
    for _ in range(5):
        starting.start(project=cast.project, method="freeze", params={}, user=cast.olga)
    wanted = [str(run.pk) for run in Run.objects.order_by("-created_at", "-pk")]
    client, cursor, seen = calling(cast.olga), "", []
    while cursor is not None:
        page = client.get(f"/api/v1/projects/{cast.project.slug}/runs", {"limit": 2, "cursor": cursor}).json()
        seen += [run["id"] for run in page["results"]]
        cursor = page["next"]
    assert seen == wanted


@pytest.mark.parametrize("cursor", ["1", "1-x", "99999999999999999999-" + "a" * 36, "é-", "-1-2"])
def test_what_no_page_gave_is_no_cursor(cast: Cast, cursor: str) -> None:
    answer = calling(cast.olga).get(f"/api/v1/projects/{cast.project.slug}/runs", {"cursor": cursor})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "cursor"


def test_nothing_under_the_api_is_a_problem(cast: Cast) -> None:
    for answer in (calling(None).get("/api/v1/nothing"), calling(cast.olga).post("/api/v1/projects/a b/c", {})):
        assert answer.status_code == 404 and answer["Content-Type"] == "application/problem+json"
