"""The page of agreement and its call of the API: figures, a matrix of people and models, the items behind each."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from django.test import Client

from curation.models import AgreementState, Annotation, Annotator, Preference, Project, Task, Verdict
from curation.services import running, starting
from curation.services.concord import keeping
from tests.cast import Cast
from tests.conftest import calling
from tests.test_concord import KEYS, annotators, asking, say
from workers.agreeing.counts import Counts, alpha, pattern_of
from workers.agreeing.kappas import kappa

__all__ = ["asking"]


def look(cast: Cast, query: str = "", path: str = "", who: str = "vic", **headers: str) -> str:
    client = Client()
    client.force_login(cast.people[who], backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(f"/projects/{cast.project.slug}/agreement/{path}{query}", headers=headers)
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


def told(cast: Cast, query: str = "", status: int = 200) -> dict[str, Any]:
    response = calling(cast.vic).get(f"/api/v1/projects/{cast.project.slug}/agreement{query}")
    assert response.status_code == status, response.content
    return response.json()


def listed(page: str) -> list[str]:
    return re.findall(r'class="items__id"><a href="[^"]*">([^<]*)<', page)


def answers(task: Task, via: str = "api", **said: Any) -> None:
    """One preference and one verdict by each annotator."""
    for name, (value, true) in said.items():
        one = annotators(task.project, name)[0]
        made = Annotation.objects.create(
            project=task.project,
            task=task,
            annotator=one,
            protocol=task.project.protocol,
            event="answer",
            source=via,
            idempotency_key=f"k{next(KEYS)}",
        )
        Preference.objects.create(annotation=made, axis="overall", value=value)
        Verdict.objects.create(annotation=made, response=task.pair.first, question="true", answer=true)


@pytest.fixture
def answered(asking: Project) -> list[Task]:
    """Two people and a model on twelve pairs; ann and ben differ on the last two, the model on every third."""
    tasks = list(Task.objects.filter(project=asking).order_by("pk").select_related("project__protocol", "pair__first"))
    for n, task in enumerate(tasks):
        value = 1 if n % 2 else -1
        answers(
            task, ann=(value, True), ben=(-value if n >= 10 else value, n != 5), bot=(2 if n % 3 == 0 else value, True)
        )
    return tasks


def test_the_figures_are_those_of_the_coefficients(cast: Cast, answered: list[Task]) -> None:
    found = told(cast, "?label=axis|overall")
    assert found["complete"] and found["chosen"] == "axis|overall"
    sides = [["s" if n % 2 else "f", ("f" if n % 2 else "s") if n >= 10 else "s" if n % 2 else "f"] for n in range(12)]
    patterns: dict[Any, int] = {}
    for pair in sides:
        patterns[pattern_of(pair)] = patterns.get(pattern_of(pair), 0) + 1
    named = {one["name"]: one["figure"] for one in found["labels"][0]["measures"]}
    assert named["alpha_nominal"]["value"] == pytest.approx(alpha(Counts.of(patterns)).value)
    assert named["percent"]["value"] == pytest.approx(10 / 12) and named["percent"]["n"] == 12
    assert named["alpha_nominal"]["low"] < named["alpha_nominal"]["value"] < named["alpha_nominal"]["high"]
    cells = {(one["a"], one["b"]): one for one in found["matrix"]}
    names = {one["id"]: one["name"] for one in found["annotators"]}
    assert sorted(names.values()) == ["ann", "ben", "bot"] and len(cells) == 3
    [both] = [one for (a, b), one in cells.items() if {names[a], names[b]} == {"ann", "ben"}]
    table: dict[Any, int] = {}
    for one, other in sides:
        table[one, other] = table.get((one, other), 0) + 1
    assert both["n"] == 12 and both["beyond"]["value"] == pytest.approx(kappa(table).value)


def test_models_count_where_they_are_asked_for(cast: Cast, answered: list[Task]) -> None:
    sides = [told(cast, f"?label=axis|overall&who={who}")["labels"][0]["measures"] for who in ("people", "all")]
    percent = [next(one["figure"]["value"] for one in side if one["name"] == "percent") for side in sides]
    assert percent[0] == pytest.approx(10 / 12) and percent[1] != percent[0]


def test_slices_and_weeks(cast: Cast, answered: list[Task]) -> None:
    found = told(cast, "?label=axis|overall&field=metadata.domain")
    assert {one["key"]: one["units"] for one in found["slices"]} == {"code": 6, "prose": 6}
    code = told(cast, "?label=axis|overall&field=metadata.domain&slice=code")
    assert code["labels"][0]["units"] == 6 and len(code["slices"]) == 2
    [week] = found["weeks"]
    assert week["units"] == 12
    assert told(cast, f"?label=axis|overall&first={week['key']}")["labels"][0]["units"] == 12
    assert told(cast, "?label=axis|overall&last=2001-01-01")["labels"][0]["units"] == 0


def test_what_dominates_is_named_and_ac1_stands_beside_alpha(cast: Cast, answered: list[Task]) -> None:
    page = look(cast, "?label=question|true")
    assert "96 % of the answers are “yes”" in page and "AC1" in page
    assert "AC1</dt>" not in look(cast, "?label=axis|overall")


def test_a_figure_leads_to_the_items_that_cause_it(cast: Cast, answered: list[Task]) -> None:
    page = look(cast, "?label=axis|overall")
    [href] = re.findall(r'<a class="button" href="([^"]*)">See the disputed items', page)
    assert listed(look(cast, "?" + href.replace("&amp;", "&").partition("?")[2], "items/")) == ["item-11", "item-10"]
    ids = {one.name: one.pk for one in Annotator.objects.all()}
    two = look(cast, f"?label=axis|overall&a={ids['ann']}&b={ids['bot']}", "items/")
    assert "Cohen’s kappa" in two and "Kappa, quadratic weights" in two
    assert listed(two) == ["item-9", "item-6", "item-3", "item-0"]
    said = look(
        cast, f"?label=axis|overall&a={ids['ann']}&b={ids['ben']}&said=second+better&and=first+better", "items/"
    )
    assert listed(said) == ["item-11"]


def test_the_cells_of_the_matrix_lead_to_their_two(cast: Cast, answered: list[Task]) -> None:
    page = look(cast, "?label=axis|overall").replace("&amp;", "&")
    ids = {one.name: one.pk for one in Annotator.objects.all()}
    hrefs = re.findall(r'matrix__cell--\w+"><a href="[^"]*\?([^"]*)"', page)
    assert len(hrefs) == 6
    assert any(f"a={ids['ben']}&b={ids['bot']}" in href for href in hrefs)
    only = look(cast, "?label=axis|overall&kind=model")
    assert "Nobody to compare" in only


def test_disputes_by_the_api_page_by_key(cast: Cast, answered: list[Task]) -> None:
    path = f"/api/v1/projects/{cast.project.slug}/agreement/items?label=axis|overall&who=all&limit=2"
    found, cursor = [], ""
    for _ in range(10):
        page = calling(cast.vic).get(f"{path}&cursor={cursor}").json()
        found += [one["item"] for one in page["results"]]
        cursor = page["next"]
        if not cursor:
            break
    assert found == ["item-11", "item-10", "item-9", "item-6", "item-3", "item-0"]


def test_spans_types_and_their_disputes(cast: Cast, asking: Project) -> None:
    chance = Random(2)
    for task in Task.objects.filter(project=asking).select_related("project__protocol", "pair__first", "pair__second"):
        for one in annotators(asking, "ann", "ben", "bot"):
            say(task, one, chance)
    found = told(cast, "?label=spans&who=all")
    spans = next(one for one in found["labels"] if one["key"] == "spans")
    named = {one["name"]: one["figure"]["value"] for one in spans["measures"]}
    assert spans["units"] == 24 and named["f1_place"] > named["f1_type"] > named["f1_severity"] > 0
    assert -1 < named["alpha_characters"] < 1
    wrong = next(one for one in found["labels"] if one["key"] == "type|wrong")
    assert wrong["units"] == 24  # those on which nobody said so among them
    both = told(cast, "?label=type|wrong&kind=person")["matrix"]
    assert [one["n"] for one in both] == [24]
    for label in ("spans", "type|wrong"):
        assert 'class="items__id"' in look(cast, f"?label={label}", "items/")
    assert "Soft F1, place" in look(cast, "?label=spans") and "Not measured yet" in look(
        cast, "?label=spans", who="olga"
    )


def test_gamma_is_measured_by_a_run_and_told_on_the_page(cast: Cast, asking: Project) -> None:
    chance = Random(2)
    for task in Task.objects.filter(project=asking)[:3]:
        for one in annotators(asking, "ann", "ben"):
            say(task, one, chance)
    run = starting.start(project=asking, method="gamma", params={"texts": 3, "precision": 0.2}, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    result = run.result
    assert result["texts"] == 3 and result["left_out"] == 0 and result["samples"] >= 90
    assert result["gamma"]["value"] < 1 and set(result["alpha_u_types"]) <= {"wrong", "vague"}
    assert result["u_alpha"]["value"] < 1 and result["u_alpha_marked"]["n"] == result["u_alpha"]["n"] > 0
    page = look(cast, "?label=spans")
    assert f"{abs(result['gamma']['value']):.2f}" in page and "Of 3 texts" in page


def test_a_long_count_shows_how_far_it_is_and_goes_on(
    cast: Cast, answered: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "ROWS", 10)
    monkeypatch.setattr("curation.views.agreement.PATIENCE", 0)
    first = look(cast)
    assert "Answers are being counted" in first and "<progress" in first
    pages = [look(cast, **{"HX-Request": "true"}) for _ in range(8)]
    assert "<html" not in pages[0] and AgreementState.objects.get().task is None
    assert "See the disputed items" in look(cast)


def test_nothing_to_tell_yet_and_what_cannot_be_asked(cast: Cast) -> None:
    assert "No answers yet" in look(cast)
    assert told(cast)["labels"] == []
    assert told(cast, "?who=some", 422)["errors"][0]["field"] == "who"
    assert told(cast, "?first=yesterday", 422)["errors"][0]["field"] == "first"
    assert told(cast, "?field=domain", 422)["errors"][0]["field"] == "field"
    assert told(cast, "?most=9999", 422)["errors"][0]["field"] == "most"
    assert "must be people or all" in look(cast, "?who=some")


def test_it_says_so_when_the_chosen_response_of_imported_pairs_always_stands_first(
    cast: Cast, answered: list[Task]
) -> None:
    words = "so <em>imported</em> always says first"
    for task in answered[:4]:
        answers(task, via="import", imported=(-1, True))
    assert words in look(cast)
    answers(answered[4], via="import", imported=(1, True))
    assert words not in look(cast), "a winner may be either"
