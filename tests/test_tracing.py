"""From a training row back to the annotations, the people and the minutes behind it; and two versions compared."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from curation.models import Annotation, DatasetVersion, Item, Run, Source
from curation.services import annotating, freezing, running, starting
from curation.services.freezing import comparing, tracing
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.imports import bring
from tests.imports import row as given
from tests.test_freezing import answer_all, frozen, lines
from tests.test_people import browser


@pytest.fixture
def answered(cast: Cast) -> Cast:
    """Three people on two of four pairs each; with time."""
    cast.project.overlap = 2
    cast.project.save()
    make_pairs(cast.project, 4)
    Item.objects.update(source=Source.objects.create(project=cast.project, name="A set", licence="MIT"))
    answer_all(cast, "ann", -1, 2, 1, -2)
    answer_all(cast, "bob", -2, 2)
    return cast


def page(cast: Cast, name: str, path: str) -> Any:
    browser = Client()
    browser.force_login(cast.people[name], backend="django.contrib.auth.backends.ModelBackend")
    return browser.get(f"/projects/{cast.project.slug}/datasets/{path}")


def test_every_row_names_what_is_behind_it(answered: Cast) -> None:
    version = frozen(answered, splits={"train": 0.5, "test": 0.5})
    for split in version.filled_splits:
        for number, row in enumerate(lines(version, split)):
            found = tracing.trace(version, split, number)
            assert found.row == row
            assert {one.pk for one in found.annotations} == set(found.lines[0]["annotations"])
            assert found.item is not None and found.item.source is not None and found.item.source.name == "A set"
            chosen = [one for one in found.annotations if any(p.value for p in one.preferences.all())]
            assert chosen and found.minutes is None


def test_minutes_are_those_measured(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    from curation.access import annotator_for
    from curation.services import assigning
    from curation.services.desk import desk_in

    desk = desk_in(cast.ann, cast.project.slug)
    held = assigning.next_for(project=cast.project, annotator=annotator_for(cast.ann, cast.project))
    assert held is not None
    commit = annotating.Commit("k", active_ms=90_000)
    annotating.submit(desk=desk, task_id=held.task_id, judgements=[annotating.Judgement("overall", 1)], commit=commit)
    again = annotating.Commit("again", active_ms=30_000)  # as after a look at what models say
    annotating.submit(desk=desk, task_id=held.task_id, judgements=[annotating.Judgement("overall", 1)], commit=again)
    version = frozen(cast)
    assert tracing.trace(version, "train", 0).minutes == 2.0
    assert version.facts["annotators"]["person"] == {"annotators": 1, "answers": 1, "minutes": 2.0}
    seen = page(cast, "vic", "prefs/1/rows/train/0/").content.decode()
    assert "minutes measured" in seen and ">2 min<" in seen
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1/rows/train/0"
    [told] = calling(cast.vic).get(url).json()["annotations"]
    assert (told["active_ms"], told["looked_ms"]) == (30_000, 120_000)
    assert ">2 min<" in browser(cast.ann).get(f"/projects/{cast.project.slug}/me/").content.decode()


@pytest.mark.parametrize(("split", "row"), [("train", 99), ("nothing", 0), ("annotations", 0)])
def test_a_row_that_is_not_there(answered: Cast, split: str, row: int) -> None:
    frozen(answered)
    url = f"/api/v1/projects/{answered.project.slug}/datasets/prefs/versions/1/rows/{split}/{row}"
    assert calling(answered.vic).get(url).status_code == 404


def test_the_api_tells_it(answered: Cast) -> None:
    frozen(answered)
    url = f"/api/v1/projects/{answered.project.slug}/datasets/prefs/versions/1/rows/train/0"
    told = calling(answered.vic).get(url).json()
    assert told["row"].keys() == {"prompt", "chosen", "rejected"} and told["minutes"] is None
    assert told["item"]["source"] == {"name": "A set", "licence": "MIT"}
    assert [one["annotator"] for one in told["annotations"]] == ["@ann", "@bob"]
    assert told["lineage"][0]["how"] == "majority" and told["annotations"][0]["protocol"] == 1


def test_the_page_tells_it(answered: Cast) -> None:
    frozen(answered)
    seen = page(answered, "vic", "prefs/1/rows/train/0/").content.decode()
    for words in ("Train row 0", "@ann", "@bob", "item-0", "A set (MIT)", "no time was measured", "Next row"):
        assert words in seen, words
    files = page(answered, "vic", "prefs/1/").content.decode()
    assert "table--stack" in files and 'data-label="Rows"' in files  # a phone shows Download below the name
    assert page(answered, "vic", "prefs/1/rows/?split=train&row=1").url.endswith("/rows/train/1/")
    assert page(answered, "vic", "prefs/1/rows/?split=x&row=-1").status_code == 404


def test_the_page_says_it_in_terms_of_the_row(cast: Cast) -> None:
    cast.project.overlap = 2
    cast.project.save()
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -2, 1)
    answer_all(cast, "bob", -1, 1)
    frozen(cast)
    seen = page(cast, "vic", "prefs/1/rows/train/0/").content.decode()
    assert seen.count(">chosen much better<") == 1 and seen.count(">chosen better<") == 1
    assert '<p class="turn__role">User</p>' in seen and "overall: " not in seen


def test_who_was_outvoted_is_said_to_have_preferred_the_rejected_one(cast: Cast) -> None:
    cast.project.overlap = 3
    cast.project.protocol.strengths = 3
    cast.project.protocol.save()
    cast.project.save()
    make_pairs(cast.project, 1)
    for name, value in (("ann", 1), ("bob", 3), ("mia", -2)):
        answer_all(cast, name, value)
    frozen(cast)
    seen = page(cast, "vic", "prefs/1/rows/train/0/").content.decode()
    told = ("chosen slightly better", "chosen much better", "rejected better")
    assert [seen.count(f">{words}<") for words in told] == [1, 1, 1]


def test_a_critique_target_is_traced_too(answered: Cast) -> None:
    version = frozen(answered, target="annotations")
    found = tracing.trace(version, "train", 0)
    assert [one.pk for one in found.annotations] == [found.lines[0]["annotation"]] and not found.suggestions


def compared(cast: Cast, a: DatasetVersion, b: DatasetVersion) -> dict[str, Any]:
    params = {"dataset": "prefs", "number": a.number, "other": b.number}
    run = starting.start(project=cast.project, method="compare", params=params, user=cast.olga)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return {**run.result, "run": run}


def test_two_versions_of_the_same_are_the_same(answered: Cast) -> None:
    a, b = frozen(answered), frozen(answered)
    told = compared(answered, a, b)
    assert a.hash == b.hash and told["in_both"] == 4
    assert [told[kind] for kind in comparing.KINDS] == [0] * len(comparing.KINDS)


def test_what_changed_is_told_by_row_label_and_annotator(answered: Cast) -> None:
    """A pair decided otherwise, one that came, one that went, another split, other annotators."""
    first = frozen(answered, splits={"train": 0.5, "test": 0.5})
    last = Annotation.objects.filter(annotator__name="@ann").order_by("-pk")[0]
    from curation.services.desk import desk_in

    annotating.undo(
        desk=desk_in(answered.ann, answered.project.slug), annotation_id=last.pk, commit=annotating.Commit("u")
    )
    answer_all(answered, "bob", 1)
    second = frozen(answered, splits={"train": 0.5, "test": 0.5}, seed=7)
    told = compared(answered, first, second)
    assert told["rows"] == [first.counts["total"], second.counts["total"]]
    assert told["removed"] + told["in_both"] == first.counts["total"]
    assert told["people"]["@bob"][0] < told["people"]["@bob"][1]
    assert sum(told[kind] for kind in comparing.KINDS) > 0
    kinds = [kind for kind in comparing.KINDS if told[kind]]
    assert told["run"].done == told["removed"] + told["added"] + told["in_both"], "the list of runs tells it"
    for kind in kinds:
        assert len(comparing.examples(told["run"], kind)) == min(20, told[kind])
    seen = page(answered, "vic", f"compared/{told['run'].pk}/").content.decode()
    assert f"only in prefs v{second.number}" in seen and f"<th>prefs v{first.number}</th>" in seen
    assert "What differs" in seen and all(kind.capitalize() in seen for kind in kinds)
    rows = page(answered, "vic", f"compared/{told['run'].pk}/differences.jsonl")
    assert len(b"".join(rows.streaming_content).splitlines()) == sum(told[kind] for kind in kinds)


def test_the_page_goes_from_the_older_to_the_newer_and_the_api_as_it_is_asked(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    answer_all(cast, "ann", -1, -1)
    first = frozen(cast)
    answer_all(cast, "ann", -1)
    second = frozen(cast)
    browser = Client()
    browser.force_login(cast.olga, backend="django.contrib.auth.backends.ModelBackend")
    for own, other in ((first, second), (second, first)):
        url = f"/projects/{cast.project.slug}/datasets/prefs/{own.number}/compare/"
        asked = browser.post(url, {"other": f"prefs@{other.number}"})
        run = Run.objects.get(pk=asked.url.rstrip("/").rsplit("/", 1)[-1])
        running.execute(str(run.pk))
        run.refresh_from_db()
        assert (run.result["added"], run.result["removed"]) == (1, 0)
    url = f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions"
    found = {}
    for own, other in ((first, second), (second, first)):
        asked = calling(cast.olga).post(f"{url}/{own.number}/compare", {"other": other.number})
        running.execute(asked.json()["id"])
        found[own.number] = Run.objects.get(pk=asked.json()["id"])
    assert [(one.result["added"], one.result["removed"]) for one in found.values()] == [(1, 0), (0, 1)]
    for run in found.values():
        told = page(cast, "vic", f"compared/{run.pk}/").context["told"]
        kinds = {kind["name"]: kind for kind in told.kinds}
        assert (kinds["added"]["count"], kinds["removed"]["count"], list(told.rows)) == (1, 0, [2, 3])
        (one,) = kinds["added"]["examples"]
        assert one["older"] is None and one["newer"]["row"] == 2 and one["prompt"] == "Question 2?"
        seen = page(cast, "vic", f"compared/{run.pk}/").content.decode()
        assert "From prefs v1 to prefs v2" in seen and "only in prefs v2" in seen and told.people == {"@ann": [2, 3]}


def test_a_corrected_item_is_one_difference(cast: Cast) -> None:
    """With other responses, and with another prompt before the same ones."""
    vote = {"votes": [{"annotator": "w", "value": -1}]}
    bring(cast.project, *(given(name, **vote) for name in "abc"))
    first = frozen(cast)
    again = given("b", **vote) | {"prompt": "Another question?"}
    bring(cast.project, given("a", "yes indeed", "no a", **vote), again, given("c", **vote))
    told = compared(cast, first, frozen(cast))
    assert [told[kind] for kind in ("added", "removed", "corrected", "in_both")] == [0, 0, 2, 1]
    seen = page(cast, "vic", f"compared/{told['run'].pk}/")
    (corrected,) = [kind for kind in seen.context["told"].kinds if kind["examples"]]
    assert {(one["item"], one["older"] is None) for one in corrected["examples"]} == {("a", False), ("b", False)}
    assert "Another question?" in seen.content.decode() and "the same item with other content" in seen.content.decode()


def test_another_confidence_is_told_as_such(cast: Cast) -> None:
    cast.project.overlap = 3
    cast.project.save()
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", -1)
    answer_all(cast, "bob", -1)
    first = frozen(cast)
    answer_all(cast, "rita", 1)
    told = compared(cast, first, frozen(cast))
    assert told["strength"] == 1
    seen = page(cast, "vic", f"compared/{told['run'].pk}/")
    (one,) = next(kind["examples"] for kind in seen.context["told"].kinds if kind["name"] == "strength")
    assert (one["older"]["said"], one["newer"]["said"]) == (["confidence 1"], ["confidence 0.667"])
    assert "Strength or confidence" in seen.content.decode()


def test_versions_of_different_kinds_are_not_compared(answered: Cast) -> None:
    frozen(answered)
    frozen(answered, target="annotations")
    url = f"/api/v1/projects/{answered.project.slug}/datasets/prefs/versions/1/compare"
    assert calling(answered.olga).post(url, {"other": 2}).status_code == 422
    assert calling(answered.olga).post(url, {"other": 9}).json()["errors"][0]["field"] == "params.other"
    making = freezing.request_version(project=answered.project, dataset_name="prefs", user=answered.olga)
    assert calling(answered.olga).post(url, {"other": making.number}).status_code == 409
