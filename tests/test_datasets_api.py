"""Datasets over REST: made, described, downloaded whole and in parts; raw rows by page and as a stream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client

from curation.models import Annotation, Annotator, Run, Task
from curation.services import running
from tests.cast import Cast, make_pairs, make_project
from tests.conftest import calling
from tests.test_freezing import answer_all


@pytest.fixture
def base(cast: Cast) -> str:
    make_pairs(cast.project, 5)
    answer_all(cast, "ann", -1, 2, 1)
    return f"/api/v1/projects/{cast.project.slug}"


def make(cast: Cast, base: str, **body: Any) -> Any:
    response = calling(cast.sol).post(f"{base}/datasets/prefs/versions", body)
    assert response.status_code == 202, response.content
    running.execute(response.json()["id"])
    return calling(cast.vic).get(f"{base}/datasets/prefs/versions/1").json()


def test_a_version_is_made_and_pulled(cast: Cast, base: str) -> None:
    version = make(cast, base, target="trl-preference", splits={"train": 1.0}, seed=0, filters={})
    assert version["state"] == "ready" and version["counts"]["total"] == 3
    file = next(f for f in version["files"] if f["name"] == "train.jsonl")
    response = calling(cast.vic).get(file["url"])
    assert response["ETag"] == f'"{file["sha256"]}"'
    assert len(b"".join(response.streaming_content).splitlines()) == 3


def test_ranges_and_tags(cast: Cast, base: str) -> None:
    make(cast, base)
    url, client = f"{base}/datasets/prefs/versions/1/files/train.parquet", calling(cast.vic)
    head = client.head(url)
    assert head["Accept-Ranges"] == "bytes" and int(head["Content-Length"]) > 100
    part = client.get(url, headers={"range": "bytes=0-3"})
    assert part.status_code == 206 and b"".join(part.streaming_content) == b"PAR1"
    assert client.get(url, headers={"if-none-match": head["ETag"]}).status_code == 304
    assert client.get(url, headers={"range": "bytes=999999999-"}).status_code == 416
    other = client.get(url, headers={"range": "bytes=0-3", "if-range": '"another"'})
    assert other.status_code == 200


def test_an_unready_or_unknown_file_says_so(cast: Cast, base: str) -> None:
    calling(cast.sol).post(f"{base}/datasets/prefs/versions", {})
    url, client = f"{base}/datasets/prefs/versions/1/files/train.jsonl", calling(cast.vic)
    assert client.get(url).status_code == 409
    running.execute(str(Run.objects.get().pk))
    assert client.get(url.replace("train.jsonl", "secrets.txt")).status_code == 404
    assert client.get(url.replace("train.jsonl", "..%2F..%2Fkey")).status_code == 404


def test_the_same_idempotency_key_makes_one_version(cast: Cast, base: str) -> None:
    client, url = calling(cast.sol), f"{base}/datasets/prefs/versions"
    first, again = (client.post(url, {}, headers={"idempotency-key": "k"}) for _ in range(2))
    assert first.json() == again.json() and again["Idempotency-Replayed"] == "true"
    assert client.post(url, {"seed": 1}, headers={"idempotency-key": "k"}).status_code == 422
    assert Run.objects.count() == 1


def test_annotations_by_page_and_as_a_stream(cast: Cast, base: str) -> None:
    client = calling(cast.vic)
    page = client.get(f"{base}/annotations?limit=2").json()
    rest = client.get(f"{base}/annotations?limit=2&cursor={page['next']}").json()
    assert len(page["results"]) == 2 and len(rest["results"]) == 1 and rest["next"] is None
    stream = client.get(f"{base}/annotations", headers={"accept": "application/x-ndjson"})
    rows = [orjson.loads(line) for line in b"".join(stream.streaming_content).splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in page["results"] + rest["results"]]
    assert rows[0]["preferences"][0]["value"] == -1 and rows[0]["annotator"] == {"kind": "person", "name": "@ann"}


def test_decisions_by_page_and_as_a_stream(cast: Cast, base: str) -> None:
    client, seen, cursor = calling(cast.vic), [], "0"
    while cursor:
        page = client.get(f"{base}/decisions?limit=2&cursor={cursor}").json()
        seen += page["results"]
        cursor = page["next"]
    assert [row["outcome"] for row in seen] == ["first", "second", "second"]
    stream = client.get(f"{base}/decisions", headers={"accept": "application/x-ndjson"})
    assert [orjson.loads(line) for line in b"".join(stream.streaming_content).splitlines()] == seen


def test_a_page_of_tasks_without_a_decision_is_not_the_end(cast: Cast, base: str) -> None:
    judge = Annotator.objects.create(project=cast.project, kind="model", name="judge")
    for task in Task.objects.filter(state="open"):
        Annotation.objects.create(
            project=cast.project,
            task=task,
            annotator=judge,
            protocol=cast.project.protocol,
            event="answer",
            source="import",
            idempotency_key=str(task.pk),
        )
    make_pairs(cast.project, 1, priority=5)
    answer_all(cast, "bob", -2)
    client, outcomes, cursor = calling(cast.vic), [], "0"
    while cursor:
        page = client.get(f"{base}/decisions?limit=1&cursor={cursor}").json()
        outcomes += [row["outcome"] for row in page["results"]]
        cursor = page["next"]
    assert outcomes == ["first", "second", "second", "first"]


@pytest.mark.parametrize("query", ["limit=x", "cursor=-1", "cursor=99999999999999999999", "limit=%F0%9F%92%A9"])
def test_a_wrong_query_is_a_problem_that_names_it(cast: Cast, base: str, query: str) -> None:
    response = calling(cast.vic).get(f"{base}/annotations?{query}")
    assert response.status_code == 422 and response["Content-Type"] == "application/problem+json"
    assert response.json()["errors"][0]["field"] == query.split("=")[0]


def test_the_form_lets_those_decide_who_answered_here(cast: Cast, base: str) -> None:
    other = make_project("untouched")
    make_pairs(other, 1)
    browser = Client()
    browser.force_login(cast.ada, backend="django.contrib.auth.backends.ModelBackend")
    for slug, chosen in ((cast.project.slug, "signed-in"), (other.slug, "people")):
        form = browser.get(f"/projects/{slug}/datasets/new/").content.decode()
        assert f'<option value="{chosen}" selected>' in form
