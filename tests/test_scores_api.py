"""Scores over the API: by item, by model, all as NDJSON, and only to who may read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import Cast, make_pairs, make_project
from tests.conftest import calling
from tests.judging import done, model


@pytest.fixture
def scored(cast: Cast) -> Cast:
    other = make_project("other")
    make_pairs(other, 1)
    make_pairs(cast.project, 5)
    length, brevity = model(), model("brevity", reference="program:brevity")
    for project in (cast.project, other):
        done(project, "score", model=length.pk)
    done(cast.project, "score", model=brevity.pk)
    return cast


def get(cast: Cast, user: Any = None, **query: Any) -> Any:
    return calling(user or cast.vic).get(f"/api/v1/projects/{cast.project.slug}/scores", query)


def test_scores_come_by_item_until_there_are_no_more(scored: Cast) -> None:
    rows, cursor = [], ""
    for _ in range(9):
        told = get(scored, limit=2, **({"cursor": cursor} if cursor else {})).json()
        rows += told["results"]
        cursor = told["next"]
        if cursor is None:
            break
    assert len(rows) == 20
    assert [row["item"] for row in rows[:4]] == ["item-0"] * 4
    first = rows[0]
    assert (first["position"], first["head"], first["value"], first["truncated"]) == (0, "", 4.0, False)
    assert (first["model"]["name"], first["model"]["number"], first["spread"]) == ("length", 1, None)


@pytest.mark.parametrize("named", ["brevity", "brevity@1", "id"])
def test_a_model_can_be_asked_for(scored: Cast, named: str) -> None:
    from curation.models import ModelVersion

    named = str(ModelVersion.objects.get(name="brevity").pk) if named == "id" else named
    rows = get(scored, model=named).json()["results"]
    assert len(rows) == 10 and {row["model"]["name"] for row in rows} == {"brevity"}


@pytest.mark.parametrize("named", ["nothing", "brevity@2", "99999999", "\0"])
def test_a_model_that_there_is_not_is_refused(scored: Cast, named: str) -> None:
    answer = get(scored, model=named + "x")
    assert answer.status_code == 422 or answer.status_code == 400
    assert "model" in answer.content.decode()


def test_all_of_them_come_as_lines(scored: Cast) -> None:
    client = calling(scored.vic)
    address = f"/api/v1/projects/{scored.project.slug}/scores"
    answer = client.get(address, {"model": "length"}, headers={"Accept": "application/x-ndjson"})
    lines = [orjson.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert lines == get(scored, model="length").json()["results"] and len(lines) == 10


def test_a_page_takes_as_many_statements_whatever_its_size(scored: Cast) -> None:
    def statements(limit: int) -> int:
        with CaptureQueriesContext(connection) as found:
            assert get(scored, limit=limit).status_code == 200
        return len(found)

    assert statements(1) == statements(5)
