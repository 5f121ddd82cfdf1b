"""The bias report of a project and of a version: planted pulls are on the page and in the API, with their items."""

from __future__ import annotations

from typing import Any

import pytest

from curation.models import BiasReport, Response, Run, Task
from curation.services import cards, freezing, running
from curation.services.bias import telling
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.judging import done
from tests.test_checks import speak
from tests.test_people import browser

PAGE = "/projects/helpfulness/bias/"


@pytest.fixture
def pulled(cast: Cast) -> Cast:
    """Forty pairs: the second has a list and is longer, and is chosen in thirty; ann saw it on the left each time."""
    tasks = make_pairs(cast.project, 40)
    Response.objects.filter(position=1).update(text="- a list\n- of two things", model="gpt-4")
    Response.objects.filter(position=0).update(text="plain", model="llama-2")
    speak(cast, "ann", "person", tasks, {task.pk: ("ba", 1 if n < 30 else -2) for n, task in enumerate(tasks)})
    ties = make_pairs(cast.project, 2)
    speak(cast, "bob", "person", ties, {task.pk: ("ab", 0) for task in ties})
    return cast


def figures(report: BiasReport) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["signal"], row["name"]): row for row in report.told["figures"]}


def test_planted_pulls_are_told_with_their_items(pulled: Cast) -> None:
    run = done(pulled.project, "bias-report", pulled.mia)
    assert run.state == "succeeded", run.error
    assert (run.result["pairs"], run.result["answers"]) == (40, 40)
    report = BiasReport.objects.get()
    told = figures(report)
    for key in (
        ("markdown", "lists"),
        ("length", "longer at all"),
        ("family", "gpt"),
        ("position", "shown on the left"),
    ):
        assert (told[key]["count"], told[key]["n"], told[key]["marked"]) == (30, 40, True), key
    assert (told["annotator", "ann"]["count"], told["family", "llama"]["count"]) == (30, 10)
    assert told["markdown", "headers"]["share"] is None
    assert {name for signal, name in told if signal == "hour"}, "given here"
    assert set(report.told["style"]["raw"]) == {"gpt-4", "llama-2"}
    page = browser(pulled.vic).get(PAGE).content.decode()
    assert "75.0 %" in page and "undefined" in page and "40 decided pairs" in page
    rows = browser(pulled.vic).get(f"{PAGE}items/?report={report.pk}&signal=markdown&name=lists&side=rejected")
    content = rows.content.decode()
    assert content.count("/items/") >= 10 and "item-39" in content and "item-29<" not in content
    found = calling(pulled.vic).get("/api/v1/projects/helpfulness/bias-reports").json()["results"]
    assert [one["told"]["pairs"] for one in found] == [40] and found[0]["run"] == str(run.pk)


def test_items_are_paged_by_their_tasks(pulled: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    done(pulled.project, "bias-report", style=False)
    monkeypatch.setattr(telling, "AT_ONCE", 7)
    monkeypatch.setattr(telling, "SHOWN", 10)
    report, key, seen = BiasReport.objects.get(), 0, []
    while key is not None:
        page = telling.items(report, "length", "longer at all", chosen=True, after=key)
        seen += [row.item.external_id for row in page.rows]
        key = page.next
    assert seen == [f"item-{n}" for n in range(30)]


def test_a_version_has_its_own_report_and_tells_it(pulled: Cast) -> None:
    version = freezing.request_version(project=pulled.project, dataset_name="preferences", user=pulled.olga)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    address = "/projects/helpfulness/datasets/preferences/1/"
    assert "Make a bias report" in browser(pulled.mia).get(address).content.decode()
    answer = browser(pulled.mia).post(PAGE, {"version": "preferences@1"})
    run = Run.objects.get(method="bias-report")
    assert answer["Location"] == run.address
    running.execute(str(run.pk))
    report = BiasReport.objects.get(version=version)
    whole = done(pulled.project, "bias-report")
    of_project = BiasReport.objects.get(run=whole)
    assert report.told["figures"] == of_project.told["figures"], "the version holds all that is decided"
    page = browser(pulled.vic).get(address).content.decode()
    assert f"{PAGE}?report={report.pk}" in page and "length: longer at all" in page
    assert (
        "longer at all" in cards.card(version, list(version.files.all()), repo="us/them") and "Bias" not in version.card
    )
    items = browser(pulled.vic).get(f"{PAGE}items/?report={report.pk}&signal=family&name=llama&side=chosen")
    assert "item-30" in items.content.decode()
    some = telling.items(report, "length", "longer at all", chosen=True, after=25)
    assert [row.item.external_id for row in some.rows] == [f"item-{n}" for n in range(25, 30)], "by rows of the lineage"


def test_a_run_that_is_done_again_writes_one_report(pulled: Cast) -> None:
    run = done(pulled.project, "bias-report", seed=3)
    before = BiasReport.objects.get().told
    Run.objects.filter(pk=run.pk).update(state=Run.State.QUEUED)
    running.execute(str(run.pk))
    assert BiasReport.objects.get().told == before


def test_what_is_no_report_is_refused(cast: Cast) -> None:
    client = browser(cast.mia)
    page = client.get(PAGE).content.decode()
    assert "No report yet" in page and "All decided pairs of the project" in page
    assert "All decided pairs of the project" not in browser(cast.vic).get(PAGE).content.decode()
    for query in ("?report=99", "?report=x", "items/", "items/?report=99"):
        assert client.get(f"{PAGE}{query}").status_code == 404, query
    client.post(PAGE, {"version": "nothing@3"})
    assert not Run.objects.filter(method="bias-report").exists()
    run = done(cast.project, "bias-report")
    assert run.result == {"pairs": 0, "answers": 0, "stands out": []}
    assert "Nothing is decided yet" in client.get(PAGE).content.decode()
    assert client.get(f"{PAGE}items/?signal=weather&name=rain").status_code == 404
    assert Task.objects.count() == 0


def test_the_hour_of_an_import_is_nobodys_hour(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 30)
    Response.objects.filter(position=1).update(text="longer than the other")
    speak(cast, "ann", "person", tasks, {task.pk: ("", 1) for task in tasks}, via="import")
    run = done(cast.project, "bias-report", cast.mia)
    assert run.state == "succeeded" and run.result["answers"] == 30, run.error
    told = figures(BiasReport.objects.get())
    assert told["annotator", "ann"]["n"] == 30 and not [name for signal, name in told if signal == "hour"]
    assert "+0.00 (+0.00" not in browser(cast.vic).get(PAGE).content.decode(), "no header anywhere: undefined"
