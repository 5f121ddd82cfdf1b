"""The registry over the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.models import ModelVersion, Run
from curation.services import running
from tests.cast import Cast
from tests.conftest import calling
from tests.models import files, laid
from tests.test_models_page import made

MODELS = "/api/v1/models"


def test_a_model_is_registered_checked_read_and_retired(cast: Cast, tmp_path: Path) -> None:
    client = calling(cast.ada)
    body = {"name": "tiny", "kind": "reward", "reference": laid(tmp_path, files()), "config": {"max_length": 64}}
    reply = client.post(MODELS, body, format="json")
    assert reply.status_code == 201, reply.content
    pk = reply.json()["id"]
    assert reply.json()["state"] == "new" and reply.json()["project"] is None
    running.execute(str(Run.objects.get(method="check-model").pk))
    told = client.get(f"{MODELS}/{pk}").json()
    assert told["state"] == "ready" and told["licence"] == "mit" and told["card"].startswith("# A tiny model")
    checked = client.post(f"{MODELS}/{pk}/check")
    assert checked.status_code == 202 and checked.json()["method"] == "check-model"
    assert client.post(f"{MODELS}/{pk}/check").status_code == 409
    assert client.post(f"{MODELS}/{pk}/retire").json()["retired_at"]
    assert client.post(f"{MODELS}/{pk}/retire").status_code == 409


def test_a_repeat_with_the_same_key_registers_once(cast: Cast) -> None:
    client = calling(cast.ada)
    body = {"name": "length", "kind": "reward", "reference": "program:length"}
    replies = [client.post(MODELS, body, format="json", HTTP_IDEMPOTENCY_KEY="k").json()["id"] for _ in range(2)]
    assert replies[0] == replies[1] and ModelVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [({"reference": "x"}, "reference"), ({"config": {"nonsense": 1}}, "config"), ({"trust": "no"}, "trust")],
)
def test_what_is_wrong_is_a_problem_with_its_field(cast: Cast, change: dict[str, object], field: str) -> None:
    body = {"name": "tiny", "kind": "reward", "reference": "hf:a/b"} | change
    reply = calling(cast.ada).post(MODELS, body, format="json")
    assert reply.status_code == 422 and reply.json()["errors"][0]["field"] == field


def test_registering_takes_staff_and_the_scope_to_manage(cast: Cast) -> None:
    body = {"name": "length", "kind": "reward", "reference": "program:length"}
    assert calling(cast.olga).post(MODELS, body, format="json").status_code == 403
    assert calling(cast.ada, "read", "write").post(MODELS, body, format="json").status_code == 403
    body["project"] = cast.project.slug
    assert calling(cast.ada).post(MODELS, body, format="json").json()["project"] == cast.project.slug


def test_the_list_is_paged_by_cursor_and_hides_other_projects(cast: Cast) -> None:
    for number in range(1, 4):
        made(number=number)
    made("own", project=cast.project)
    first = calling(cast.zed).get(MODELS, {"limit": 2}).json()
    second = calling(cast.zed).get(MODELS, {"limit": 2, "cursor": first["next"]}).json()
    assert [row["number"] for row in first["results"] + second["results"]] == [1, 2, 3]
    assert second["next"] is None
    assert [row["name"] for row in calling(cast.vic).get(MODELS).json()["results"]].count("own") == 1


def test_a_try_is_a_run_whose_result_is_the_answer(cast: Cast) -> None:
    client = calling(cast.ada)
    body = {"prompt": "Q?", "responses": ["one", "one two three"]}
    reply = client.post(f"{MODELS}/{made().pk}/try", body, format="json")
    assert reply.status_code == 202
    running.execute(reply.json()["id"])
    result = client.get(f"/api/v1/runs/{reply.json()['id']}").json()["result"]
    assert result["margin"] == 2.0 and [one["scores"] for one in result["responses"]] == [{"": 1.0}, {"": 3.0}]
    assert calling(cast.olga).get(f"/api/v1/runs/{reply.json()['id']}").status_code == 404
