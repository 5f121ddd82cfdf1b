"""How good the labels of a version are, on its card; and only the answers of those who were right on gold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from curation.errors import Invalid
from curation.models import DatasetVersion, Gold, GoldResult, Progress, Project, Task
from curation.services import fits
from curation.services.filtering import Filters, who
from curation.services.freezing import facts
from curation.services.gold import marking
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_decide import answered, checked, fit
from tests.test_freezing import frozen, lines
from tests.test_gold import Person, expected, is_gold, make_gold
from tests.test_people import browser


def right(task: int) -> int:
    return expected(task)


def wrong(task: int) -> int:
    return -expected(task) if is_gold(task) else 1


@pytest.fixture
def people(cast: Cast) -> Cast:
    """Eight plain pairs and four gold ones, all answered by ann, who is right on gold, and bob, who never is."""
    tasks = make_pairs(cast.project, 12)
    make_gold(cast, tasks[:4], -1, 1)
    cast.project.refresh_from_db()
    Task.objects.update(overlap=2)
    for name, says in (("ann", right), ("bob", wrong)):
        answer_everything(cast, name, says)
    return cast


def answer_everything(cast: Cast, name: str, says: Callable[[int], int]) -> None:
    """Gold too, in the order of the tasks, as if its turn had come."""
    from curation.services.gold import serving

    person = Person(cast, cast.people[name])
    while (shown := person.next()) is not None:
        person.answer(shown.task_id, says(shown.task_id))
    for task in Task.objects.filter(golds__phase="hidden").order_by("pk"):
        shown = person.desk
        assert serving.reserve(shown, task.pk, "ab", Project.objects.get().created_at)
        person.answer(task.pk, says(task.pk))


def row_of(version: DatasetVersion) -> dict[str, Any]:
    told: dict[str, Any] = version.facts["agreement"]["overall"]
    return told


def test_the_card_tells_agreement_with_intervals_and_accuracy_on_gold(people: Cast) -> None:
    version = frozen(people, filters={"gold": "include"})
    told = row_of(version)
    assert (told["pairs"], told["unanimous"], told["percent"]) == (12, 0, 0.0)
    assert told["alpha_nominal"] < 0 and set(told["intervals"]) >= {"percent", "ac1"} and not told["why"]
    low, high = told["intervals"]["ac1"]
    assert low <= told["ac1"] <= high
    gold = version.facts["gold"]
    assert "reliability" not in version.facts
    assert (gold["annotators"], gold["answers"], gold["right"], gold["share"]) == (2, 8, 4, 0.5)
    assert 0.2 < gold["low"] < 0.3 and "of which 50.0 % were right" in version.card
    assert "AC1, sides" in version.card and " to " in version.card.split("AC1, sides")[1].split("Alpha is")[0]
    page = browser(people.rita).get(f"/projects/helpfulness/datasets/prefs/{version.number}/").content.decode()
    assert "AC1, sides" in page and "of which 50.0 % were right" in page
    assert "ann" not in version.card.replace("annot", ""), "nobody is named"
    later = Person(people, people.rita)
    Task.objects.filter(golds=None).update(overlap=3, state="open")
    answer_everything(people, "rita", right)
    assert later.counters == (4, 4)
    assert facts.facts_of(version) == version.facts, "what came later is not in it"
    only = frozen(people, filters={"gold": "include", "names": ["@bob"]})
    assert (only.facts["gold"]["annotators"], only.facts["gold"]["right"]) == (1, 0)
    assert row_of(only)["alpha_nominal"] is None and "no unit has two answers" in only.card
    assert set(row_of(only)["why"]) == {"percent", "alpha_nominal", "alpha_ordinal", "ac1"}


def test_the_card_tells_how_reliable_the_fit_finds_them(cast: Cast) -> None:
    answered(cast, 20)
    run = fit(cast.project)
    version = frozen(cast, filters={"decided_by": str(run.pk)})
    told = version.facts["reliability"]
    assert told["annotators"] > 2 and told["least"] <= told["median"] <= told["most"] and told["undefined"] == 0
    assert f"By that fit {told['annotators']} annotators here are right in {100 * told['median']:.1f} %" in version.card
    assert "accuracy on it is undefined" in version.card
    fit(cast.project, "majority")
    assert facts.facts_of(version) == version.facts, "a later fit changes nothing of it"


def test_only_the_answers_of_those_who_were_right_on_gold(people: Cast) -> None:
    wanted = {"gold": "include", "gold_score": {"min": 0.8, "of": 4}}
    version = frozen(people, filters=wanted)
    ann = Progress.objects.get(annotator__user=people.ann).annotator_id
    assert version.filters["gold_score"] == {"min": 0.8, "of": 4, "annotators": [ann]}
    assert {row["votes"] for row in lines(version, "lineage")} == {1}
    assert version.facts["annotators"]["person"]["annotators"] == 1
    assert "80.0 % of at least 4, then true of 1 annotator" in version.card
    GoldResult.objects.filter(annotator=ann).update(correct=False)
    Progress.objects.filter(annotator=ann).update(gold_total_right=0)
    marking.retire(golds=Gold.objects.filter(side="first"))
    assert checked(people, version)["same"], "it is as it was asked for, whatever became of the gold"
    nobody = frozen(people, filters=wanted)
    assert nobody.filters["gold_score"]["annotators"] == [] and nobody.counts["total"] == 0
    raw = frozen(people, target="annotations", filters={"gold_score": {"min": 0, "of": 1}})
    assert {row["annotator"] for row in lines(raw, "lineage")} == {"@ann", "@bob"}


def test_the_filter_is_checked_and_reads_the_present_where_no_version_is_asked_for(people: Cast) -> None:
    for given, field in (
        ({"min": 2}, "filters.gold_score.min"),
        ({"min": 0.5, "of": 0}, "filters.gold_score.of"),
        ({}, "filters.gold_score.min"),
        ({"min": 0.5, "by": 1}, "filters.gold_score.by"),
    ):
        with pytest.raises(Invalid) as told:
            frozen(people, filters={"gold_score": given})
        assert told.value.field == field
    run = fit(people.project)
    fits.use(people.project, run)
    with pytest.raises(Invalid, match="excludes gold_score"):
        frozen(people, filters={"decided_by": "in-use", "gold_score": {"min": 0.5}})
    condition, params = who(Filters.model_validate({"gold_score": {"min": 0.8, "of": 4}}))
    assert "curation_progress" in condition and params == [4, 0.8]


def test_the_form_and_the_api_take_it(people: Cast) -> None:
    page = browser(people.mia).get("/projects/helpfulness/datasets/new/").content.decode()
    assert 'name="min_gold"' in page and 'name="gold_of"' in page
    body = {
        "name": "prefs", "target": "trl-preference", "test_share": 0, "seed": 0, "annotators": "people",
        "min_annotations": 1, "min_confidence": 0, "labels": "decided", "axis": "overall", "gold": "include",
        "min_gold": 0.8, "gold_of": 4, "split_by": "prompt", "score_of": "any", "decided_by": "majority",
    }  # fmt: skip
    asked = browser(people.mia).post("/projects/helpfulness/datasets/new/", body)
    assert asked.status_code == 302, asked.content.decode()[-3000:]
    told = DatasetVersion.objects.latest("pk").filters["gold_score"]
    assert (told["min"], told["of"], len(told["annotators"])) == (0.8, 4, 1)
    wrong = calling(people.mia).post(
        "/api/v1/projects/helpfulness/runs",
        {"method": "freeze", "params": {"filters": {"gold_score": {"min": -1}}}},
        format="json",
    )
    assert wrong.status_code == 422 and "gold_score" in str(wrong.json())
