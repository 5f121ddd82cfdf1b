"""The leaderboard, the page of an evaluation and its rows, over pages and API."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.urls import reverse

from curation.models import Evaluation, Run
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.judging import done, model, teach
from tests.test_evaluating import evaluated
from tests.test_freezing import answer_all
from tests.test_people import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(cast: Cast, monkeypatch: Any) -> Evaluation:
    """A model that prefers the second response, on four decided pairs of which one is the other way round."""
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", 2, 1, -2, 1)
    teach(monkeypatch, "reward", lambda one: {"scores": {"": 1.5 if "Answer 1" in one.text else 0.25}})
    made = model("second", reference="hf:/nowhere")
    run = done(cast.project, "evaluate", cast.olga, model=made.pk, benchmark="gold")
    return Evaluation.objects.get(run=run)


def test_the_leaderboard_shows_value_interval_and_number(cast: Cast, own: Evaluation) -> None:
    page = browser(cast.vic).get(reverse("leaderboard")).content.decode()
    low, high = (f"{100 * own.figure[name]:.1f}" for name in ("low", "high"))  # type: ignore[operator]
    assert ">75.0</a>" in page and f"{low} – {high}" in page and "n = 4" in page
    assert reverse("evaluation", args=[own.pk]) in page and "Evaluate a model" not in page
    stranger = browser(cast.zed).get(reverse("leaderboard")).content.decode()
    assert "75.0" not in stranger and "Nothing evaluated yet" in stranger


def test_a_model_that_was_trained_in_the_project_is_marked(cast: Cast, own: Evaluation) -> None:
    pages = [reverse("leaderboard"), reverse("evaluation", args=[own.pk]), reverse("model", args=[own.model_id])]
    for address in pages:
        assert "trained" not in browser(cast.vic).get(address).content.decode().split("<main")[1].split("Card")[0]
    own.model.made_by = Run.objects.create(project=cast.project, method="train-bradley-terry", state="succeeded")
    own.model.save()
    for address, words in zip(pages, ["trained here", "was trained in this project", "trained here"], strict=True):
        assert words in browser(cast.vic).get(address).content.decode()


def test_a_column_sorts_and_turns(cast: Cast) -> None:
    for name, value in (("worse", 0.2), ("better", 0.8)):
        evaluated(model(name), cast, value)
    client = browser(cast.vic)

    def order(query: str) -> list[str]:
        page = client.get(reverse("leaderboard") + query).content.decode()
        return sorted(("worse", "better"), key=lambda name: page.index(f">{name} v1</a>"))

    assert order("") == ["better", "worse"] == order("?sort=llmbar")
    assert order("?sort=llmbar&order=up") == ["worse", "better"] == order("?sort=model&order=up")
    assert order("?sort=unheard") == ["better", "worse"]
    assert 'aria-sort="descending"' in client.get(reverse("leaderboard") + "?sort=llmbar").content.decode()


def test_the_form_starts_a_run_for_those_who_may(cast: Cast) -> None:
    made = model()
    form = {"project": cast.project.slug, "model": made.pk, "benchmark": "llmbar", "limit": "5"}
    assert browser(cast.vic).post(reverse("leaderboard"), form).status_code == 403
    assert browser(cast.zed).post(reverse("leaderboard"), form).status_code == 404
    answer = browser(cast.olga).post(reverse("leaderboard"), form)
    run = Run.objects.get(method="evaluate")
    assert answer.status_code == 302 and answer.headers["Location"] == run.address
    assert run.params["limit"] == 5 and run.model == made
    refused = browser(cast.olga).post(reverse("leaderboard"), {**form, "benchmark": "processbench"}, follow=True)
    assert "is for models of kind step, critic" in refused.content.decode()
    nothing = browser(cast.olga).post(reverse("leaderboard"), {**form, "model": "x"}, follow=True)
    assert "No such model." in nothing.content.decode() and Run.objects.filter(method="evaluate").count() == 1


def test_an_evaluation_has_its_figures_its_rows_and_where_it_is_wrong(cast: Cast, own: Evaluation) -> None:
    client = browser(cast.vic)
    page = client.get(reverse("evaluation", args=[own.pk])).content.decode()
    assert "agreement: all agreed" in page and "strength: clear" in page
    assert "item-2: 1 or 2" in page and "item-1: 1 or 2" not in page and "-1.250" in page
    assert own.run.address in page
    answer = client.get(reverse("evaluation-results", args=[own.pk]))
    rows = [orjson.loads(line) for line in answer.getvalue().splitlines()]
    assert [row["scores"] for row in rows] == [[0.25, 1.5]] * 4 and [row["truth"]["gold"] for row in rows] == [
        1,
        1,
        0,
        1,
    ]
    assert browser(cast.ann).get(reverse("evaluation", args=[own.pk])).status_code == 404
    model_page = client.get(reverse("model", args=[own.model_id])).content.decode()
    assert reverse("evaluation", args=[own.pk]) in model_page and "75.0" in model_page


def test_the_run_leads_to_its_evaluation(cast: Cast, own: Evaluation) -> None:
    assert reverse("evaluation", args=[own.pk]) in browser(cast.olga).get(own.run.address).content.decode()


def test_the_api_lists_the_newest_and_all_and_the_rows(cast: Cast, own: Evaluation) -> None:
    client = calling(cast.vic)
    first = client.get("/api/v1/leaderboard").json()["results"]
    assert [(one["model_name"], one["benchmark"], one["value"]) for one in first] == [("second v1", "gold", 0.75)]
    assert first[0]["scores"]["accuracy"]["n"] == 4 and first[0]["project"] == cast.project.slug
    again = done(cast.project, "evaluate", cast.olga, model=own.model_id, benchmark="gold", limit=2)
    assert [one["run"] for one in client.get("/api/v1/leaderboard").json()["results"]] == [str(again.pk)]
    assert len(client.get(f"/api/v1/models/{own.model_id}/evaluations").json()["results"]) == 2
    answer = client.get(f"/api/v1/evaluations/{own.pk}/results")
    assert answer.headers["Content-Type"] == "application/x-ndjson" and answer.getvalue().count(b"\n") == 4
    assert calling(cast.zed).get("/api/v1/leaderboard").json()["results"] == []
    assert calling(cast.zed).get(f"/api/v1/evaluations/{own.pk}/results").status_code == 404


def test_an_evaluation_is_started_as_any_run(cast: Cast) -> None:
    body = {"method": "evaluate", "params": {"model": model().pk, "benchmark": "llmbar"}}
    answer = calling(cast.olga).post(f"/api/v1/projects/{cast.project.slug}/runs", body, format="json")
    assert answer.status_code == 202 and answer.json()["params"]["source"] == "auto"
    form = browser(cast.olga).get(reverse("run-new", args=[cast.project.slug]) + "?method=evaluate").content.decode()
    assert '<option value="rmbench">' in form
