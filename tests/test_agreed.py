"""Cards tell how far those behind a version agree on critiques, questions and rankings, or why that is undefined."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from curation.models import AgreementState, Annotation, DatasetVersion, Project, Task, TaskKind
from curation.services import freezing, protocols, running
from curation.services.answering import Answer
from tests import critics
from tests.cast import Cast, make_pairs
from tests.critics import ask, item, land
from tests.test_concord import annotators, say
from tests.test_concord import asking as asking
from tests.test_freezing import answer_all, frozen
from tests.test_people import browser

TARGET = "touchstone"


@pytest.fixture
def spoken(asking: Project) -> list[Task]:
    """Three people and a model on twelve pairs, by chance; nobody else on the last two."""
    chance, tasks = Random(4), list(Task.objects.order_by("pk"))
    people = annotators(asking, "p1", "p2", "p3")
    for task in tasks:
        for one in people[: 1 if task in tasks[-2:] else 3]:
            say(task, one, chance)
        say(task, *annotators(asking, "bot"), chance)
    return tasks


def told(version: DatasetVersion) -> dict[str, dict[str, Any]]:
    return {
        one["label"]: {figure["name"]: figure for figure in one["figures"]} | {"units": one["units"]}
        for one in version.facts["agreement_beside"]
    }


def test_a_card_tells_spans_verdicts_and_ratings(cast: Cast, spoken: list[Task]) -> None:
    version = frozen(cast, target=TARGET)
    found = told(version)
    assert list(found) == ["question|true", "question|grade", "spans"], "what is written in words is no label"
    assert found["question|true"]["units"] == 20 and found["spans"]["units"] == 20
    assert "alpha_ordinal" in found["question|grade"] and "alpha_interval" not in found["question|grade"]
    f1 = found["spans"]["f1_place"]
    assert 0 < f1["value"] < 1 and f1["low"] < f1["value"] < f1["high"]
    assert f"| Spans of critiques | 20 | Soft F1, place | {f1['value']:.3f} |" in version.card
    assert "| Is it true? | 20 | Percent agreement |" in version.card
    page = browser(cast.mia).get(f"/projects/{cast.project.slug}/datasets/prefs/1/").content.decode()
    assert "Soft F1, place" in page and f"{f1['value']:.3f}" in page
    croissant = (version.folder / "croissant.json").read_text()
    assert f"Spans of critiques: Soft F1, place {f1['value']}" in croissant


def test_sums_and_answers_one_by_one_tell_the_same(cast: Cast, spoken: list[Task]) -> None:
    everybody = told(frozen(cast, target=TARGET))
    walked = told(frozen(cast, target=TARGET, filters={"names": ["p1", "p2", "p3"]}))
    assert walked == everybody
    with_models = told(frozen(cast, target=TARGET, filters={"annotators": "all"}))
    assert with_models["spans"]["units"] == 24
    names = ["p1", "p2", "p3", "bot"]
    assert told(frozen(cast, target=TARGET, filters={"annotators": "all", "names": names})) == with_models
    two = told(frozen(cast, target=TARGET, filters={"names": ["p1", "p2"]}))
    assert two["spans"]["units"] == 20 and two != everybody


def test_what_was_answered_later_is_taken_away_from_the_sums(cast: Cast, spoken: list[Task]) -> None:
    before = told(frozen(cast, target=TARGET))
    version = freezing.request_version(project=cast.project, dataset_name="late", target=TARGET, user=cast.olga)
    chance, [new, p1] = Random(5), annotators(cast.project, "p4", "p1")
    for task in spoken:
        say(task, new, chance)
    mine = Annotation.objects.filter(annotator=p1).order_by("pk")[0]
    say(mine.task, p1, chance, over=mine)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert told(version) == before
    assert told(frozen(cast, target=TARGET)) != before


def test_what_no_two_answered_is_undefined_with_the_reason(cast: Cast, asking: Project) -> None:
    say(Task.objects.order_by("pk")[0], *annotators(asking, "p1"), Random(1))
    version = frozen(cast, target=TARGET)
    found = told(version)
    assert set(found) == {"question|true", "question|grade", "spans"}
    for label in found.values():
        assert all(one["value"] is None and one["why"] for name, one in label.items() if name != "units")
    assert "| Spans of critiques | 0 | Soft F1, place | undefined: no text was read by two annotators |" in version.card


def test_only_what_the_target_holds_is_told(cast: Cast, spoken: list[Task]) -> None:
    questions = [{"name": "correct", "question": "Right?"}, {"name": "true", "question": "True?"}]
    protocols.revise_protocol(project=cast.project, questions=questions)
    cast.project.refresh_from_db()
    assert set(told(frozen(cast, target="trl-unpaired"))) == {"question|correct"}
    assert set(told(frozen(cast, target="critique-verdict"))) == {"question|correct", "spans"}


def test_plain_preferences_cost_nothing_more(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", -1, 1)
    version = frozen(cast)
    assert version.facts["agreement_beside"] == [] and not AgreementState.objects.exists()
    assert "Soft F1" not in version.card


def test_rankings_are_told_by_w(cast: Cast) -> None:
    cast.project.overlap = 2
    ask(cast.project, TaskKind.RANKING, critiques={"on": False}, questions=[])
    land(cast.project, item("q", "A", "B", "C"))
    for name in ("ann", "bob"):
        critics.say(cast, name, Answer(ranks=(1, 2, 3)))
    version = critics.frozen(cast.project, "trl-preference")
    assert set(told(version)) == {"ranking"}
    assert told(version)["ranking"]["w"]["value"] == 1 and told(version)["ranking"]["units"] == 1
    assert "| Ranking | 1 | Kendall’s W, mean | 1.000 |" in version.card
