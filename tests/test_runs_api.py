"""Runs over the API: methods, starting, watching, shards by cursor, trying again; and from the command line."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from curation.models import ModelVersion, Project, Run, Score
from curation.services import methods, starting
from tests.cast import Cast, make_pairs, make_project
from tests.conftest import calling
from tests.sharded import Deed, begin, break_down, numbers_method, through
from tests.test_admin import act
from tests.test_people import browser


def length_model() -> ModelVersion:
    return ModelVersion.objects.create(
        name="length", kind="reward", reference="program:length", state=ModelVersion.State.READY
    )


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[int, Deed]:
    settings.SHARD_PAUSE_SECONDS = 0
    found: dict[int, Deed] = {}
    monkeypatch.setitem(methods.METHODS, "numbers", numbers_method(found))
    return found


def test_methods_tell_the_schema_of_their_parameters(cast: Cast) -> None:
    told = calling(cast.vic).get("/api/v1/methods").json()["results"]
    score = next(method for method in told if method["name"] == "score")
    assert score["title"] == "Score responses" and score["params"]["properties"]["model"]["choose"] == "model"
    assert "import" not in [method["name"] for method in told]


def test_a_run_is_started_watched_and_ends(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    model = length_model()
    client = calling(cast.sol)
    body = {"method": "score", "params": {"model": model.pk, "items_per_shard": 2}, "queue": "cpu", "seed": 4}
    answer = client.post("/api/v1/projects/helpfulness/runs", body)
    assert answer.status_code == 202, answer.content
    run = Run.objects.get(pk=answer.json()["id"])
    assert (answer.json()["queue"], answer.json()["seed"], answer.json()["model"]) == ("cpu", 4, "length v1")
    through(run)
    told = client.get(f"/api/v1/runs/{run.pk}").json()
    assert (told["state"], told["phase"], told["percent"], told["result"]["scored"]) == ("succeeded", "close", 100, 10)
    assert told["shards"] == {"total": 3, "done": 3, "failed": 0} and told["cost"]["cpu_seconds"] > 0
    assert told["pace"]["done"] == 5 and told["pace"]["rate_overall"] > 0 and told["pace"]["seconds_left"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"method": "nothing"}, "method"),
        ({"method": "score", "params": {}}, "params.model"),
        ({"method": "score", "params": {"model": 0}}, "params.model"),
        ({"method": "score", "params": {"model": 1, "speed": 3}}, "params.speed"),
        ({"method": "score", "queue": "quantum"}, "queue"),
        ({"method": "score", "seed": -1}, "seed"),
    ],
)
def test_a_wrong_start_names_the_field(cast: Cast, body: dict[str, Any], field: str) -> None:
    answer = calling(cast.mia).post("/api/v1/projects/helpfulness/runs", body)
    assert answer.status_code in (400, 422) and field in [error["field"] for error in answer.json()["errors"]]


def test_set_aside_shards_are_listed_by_cursor_and_tried_again(cast: Cast, deeds: dict[int, Deed]) -> None:
    deeds.update({0: break_down, 10: break_down})
    run = through(begin(cast.project, count=50))
    client = calling(cast.sol)
    address = f"/api/v1/runs/{run.pk}/shards?state=failed&limit=1"
    first = client.get(address).json()
    second = client.get(f"{address}&cursor={first['next']}").json()
    assert [page["results"][0]["number"] for page in (first, second)] == [0, 1] and second["next"] is None
    assert "ZeroDivisionError" in first["results"][0]["error"] and first["results"][0]["spec"] == {"from": 0, "to": 10}
    assert len(client.get(f"/api/v1/runs/{run.pk}/shards").json()["results"]) == 5
    assert client.get(f"/api/v1/runs/{run.pk}/shards?state=odd").status_code == 422
    deeds.clear()
    assert client.post(f"/api/v1/runs/{run.pk}/retry").json()["state"] == "running"
    assert through(run).state == "succeeded"
    assert client.post(f"/api/v1/runs/{run.pk}/retry").status_code == 409


def test_work_on_the_installation_is_seen_by_staff_alone(cast: Cast) -> None:
    run = Run.objects.create(method="freeze")
    assert calling(cast.ada).get(f"/api/v1/runs/{run.pk}").json()["project"] is None
    assert calling(cast.olga).get(f"/api/v1/runs/{run.pk}").status_code == 404


def test_an_administrator_starts_a_run_again_with_the_same_parameters(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = through(begin(cast.project, count=20))
    staff: Client = browser(cast.ada)
    assert "1 runs started" in act(staff, "run", "again", run.pk)
    another = Run.objects.exclude(pk=run.pk).get()
    assert (another.params, another.state, another.created_by) == (run.params, "queued", cast.ada)
    assert starting.again(run, None).params == run.params


# --- From the command line --------------------------------------------------------------------------


def command(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("run", *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def crowd(transactional_db: None) -> Project:
    project = make_project("crowd")
    make_pairs(project, 7)
    return project


def test_the_command_does_a_run_here_and_prints_its_result(crowd: Project) -> None:
    said = command("score", "crowd", "--param", f"model={length_model().pk}", "--param", "items_per_shard=2")
    assert "succeeded: scored 14" in said and Score.objects.count() == 14


def test_the_command_leaves_a_run_to_the_workers(cast: Cast) -> None:
    said = command("score", "helpfulness", "--param", f"model={length_model().pk}", "--queue-only", "--seed", "5")
    run = Run.objects.get()
    assert str(run.pk) in said and (run.state, run.seed) == ("queued", 5)


def test_the_command_says_what_is_wrong_and_what_there_is(cast: Cast) -> None:
    assert "score" in command()
    for arguments, told in (
        (("nothing", "helpfulness"), "no method 'nothing'"),
        (("score",), "score needs a project"),
        (("score", "nowhere"), "no project nowhere"),
        (("score", "helpfulness", "--param", "model"), "NAME=VALUE"),
        (("score", "helpfulness", "--param", "model=word"), "params.model"),
    ):
        with pytest.raises(CommandError, match=told):
            command(*arguments)


def test_the_command_fails_when_the_run_does(crowd: Project, deeds: dict[int, Deed]) -> None:
    deeds[0] = break_down
    with pytest.raises(CommandError, match="1 of 4 shards were set aside"):
        command("numbers", "crowd")
