"""Pairs out of scored responses: the right two, once, with their tasks and the model's suggestion."""

from __future__ import annotations

from typing import Any

import pytest

from curation.errors import Invalid
from curation.models import Annotation, Item, ModelVersion, Pair, Preference, Project, Response, Run, Score, Task
from curation.services import pairing, running, starting
from tests.cast import Cast
from tests.conftest import calling
from tests.judging import done, model
from workers.pairing import Scored, built

FOUR = [Scored(1, 0.5, "a"), Scored(2, 3.0, "b"), Scored(3, -1.0, "a"), Scored(4, 2.0, "c")]


def ids(found: list[tuple[Scored, Scored]]) -> list[tuple[int, int]]:
    return [(better.id, worse.id) for better, worse in found]


def test_the_best_meets_the_worst_then_the_next() -> None:
    assert ids(built(FOUR, "best-worst")) == [(2, 3)]
    assert ids(built(FOUR, "best-worst", most=5)) == [(2, 3), (4, 1)]
    assert ids(built(FOUR, "best-worst", most=5, margin=2)) == [(2, 3)]
    assert built(FOUR, "best-worst", margin=4.1) == [] == built(FOUR[:1], "best-worst") == built([], "best-random")


def test_the_best_meets_a_random_one_by_the_seed() -> None:
    found = {seed: ids(built(FOUR, "best-random", seed=seed)) for seed in range(40)}
    assert {two for pairs in found.values() for two in pairs} == {(2, 1), (2, 3), (2, 4)}
    assert found[3] == ids(built(FOUR[::-1], "best-random", seed=3)), "whatever the order"
    assert len(built(FOUR, "best-random", most=9)) == 3


def test_responses_of_different_models_meet_those_furthest_apart_first() -> None:
    assert ids(built(FOUR, "models", most=9)) == [(2, 3), (4, 3), (2, 1), (4, 1), (2, 4)]
    assert ids(built(FOUR, "models", most=9, margin=2.6)) == [(2, 3), (4, 3)]


def test_equal_scores_and_equal_words_are_no_pair() -> None:
    assert built([Scored(1, 1.0), Scored(2, 1.0)], "best-worst") == []
    assert built([Scored(1, 1.0, words="x"), Scored(2, 2.0, words="x")], "best-worst") == []


def with_responses(project: Project, values: list[list[float | None]]) -> int:
    """Items with responses of models m0, m1, …, and their scores; the id of the model that scored."""
    judge = model("judge")
    for number, scores in enumerate(values):
        item = Item.objects.create(
            project=project, external_id=f"i{number}", prompt=[{"role": "user", "content": f"Question {number}"}],
            prompt_hash=f"p{number}", content_hash=f"c{number}",
        )  # fmt: skip
        for place, value in enumerate(scores):
            one = Response.objects.create(
                item=item, position=place, text=f"r{place}", model=f"m{place}", text_hash=f"h{place}"
            )
            if value is not None:
                Score.objects.create(model=judge, response=one, value=value)
    Project.objects.filter(pk=project.pk).update(item_count=len(values))
    return judge.pk


def pairs_of(project: Project) -> list[tuple[str, int, int]]:
    rows = Pair.objects.filter(item__project=project).order_by("item_id", "first_id", "second_id")
    return list(rows.values_list("item__external_id", "first__position", "second__position"))


VALUES: list[list[float | None]] = [[0.0, 2.0, 1.0, 4.0], [5.0, None, 1.0], [1.0, 1.0], [None, 3.0], [2.5, 0.5]]


def test_pairs_come_with_tasks_and_the_models_suggestion(cast: Cast) -> None:
    judge = with_responses(cast.project, VALUES)
    run = done(cast.project, "build-pairs", model=judge)
    assert run.state == "succeeded", run.error
    assert run.result == {
        "items": 5, "pairs": 3, "there already": 0, "suggested": 3, "items without two scores": 1,
        "items without a pair": 1,
    }  # fmt: skip
    assert pairs_of(cast.project) == [("i0", 0, 3), ("i1", 0, 2), ("i4", 0, 1)]
    tasks = Task.objects.filter(project=cast.project, state="open", kind="preference")
    cast.project.refresh_from_db()
    assert tasks.count() == 3 == cast.project.task_count
    said = Preference.objects.order_by("annotation__task_id").values_list("value", "annotation__annotator__kind")
    assert [(value > 0, kind) for value, kind in said] == [(True, "model"), (False, "model"), (False, "model")]


def test_the_same_again_changes_nothing_and_another_way_adds(cast: Cast) -> None:
    judge = with_responses(cast.project, VALUES)
    done(cast.project, "build-pairs", model=judge)
    before = (list(Pair.objects.values()), list(Annotation.objects.values()), list(Task.objects.values()))
    again = done(cast.project, "build-pairs", model=judge)
    assert (again.result["pairs"], again.result["there already"], again.result["suggested"]) == (0, 3, 0)
    assert (list(Pair.objects.values()), list(Annotation.objects.values()), list(Task.objects.values())) == before
    more = done(cast.project, "build-pairs", model=judge, how="models", most=3, margin=1.5, suggest=False)
    assert (more.result["pairs"], more.result["there already"], more.result["suggested"]) == (2, 3, 0)


def test_on_policy_pairs_are_of_the_named_models_only(cast: Cast) -> None:
    judge = with_responses(cast.project, VALUES)
    run = done(cast.project, "build-pairs", model=judge, written_by=["m1", "m2"], suggest=False)
    assert pairs_of(cast.project) == [("i0", 1, 2)] and run.result["items without two scores"] == 4


def test_a_cost_is_the_better_the_lower(cast: Cast) -> None:
    judge = with_responses(cast.project, [[0.0, 2.0, 1.0]])
    ModelVersion.objects.filter(pk=judge).update(kind="cost")
    run = done(cast.project, "build-pairs", model=judge)
    assert run.state == "succeeded" and pairs_of(cast.project) == [("i0", 0, 1)]
    assert Preference.objects.get().value < 0


def test_a_run_that_fell_goes_on_to_the_same_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = with_responses(cast.project, [[float(n % 3), 5.0, -1.0] for n in range(10)])
    monkeypatch.setattr(pairing, "AT_ONCE", 3)
    write, calls = pairing.suggested, []

    class Killed(BaseException):
        pass

    def falling(*given: Any) -> int:
        calls.append(given)
        if len(calls) == 3:
            raise Killed
        return write(*given)

    monkeypatch.setattr(pairing, "suggested", falling)
    run = starting.start(project=cast.project, method="build-pairs", params={"model": judge}, user=None)
    with pytest.raises(Killed):
        running.execute(str(run.pk))
    assert Pair.objects.count() == 6, "the step that fell left nothing"
    Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.result["pairs"] == 10 == Pair.objects.count() == Task.objects.count() == Preference.objects.count()


def test_what_is_missing_is_said(cast: Cast) -> None:
    judge = with_responses(cast.project, [[None, None]])
    run = done(cast.project, "build-pairs", model=judge)
    assert run.state == "failed" and "a run of 'score'" in run.error
    Project.objects.filter(pk=cast.project.pk).update(kind="response")
    with pytest.raises(Invalid, match="no pairs are compared"):
        done(Project.objects.get(pk=cast.project.pk), "build-pairs", model=judge)


def test_managers_may_start_it_over_the_api_and_annotators_may_not(cast: Cast) -> None:
    given = {"method": "build-pairs", "params": {"model": with_responses(cast.project, VALUES), "margin": 3}}
    where = f"/api/v1/projects/{cast.project.slug}/runs"
    assert calling(cast.ann).post(where, given, format="json").status_code == 403
    made = calling(cast.mia).post(where, given, format="json")
    assert made.status_code in (201, 202), made.json()
    running.execute(made.json()["id"])
    assert pairs_of(cast.project) == [("i0", 0, 3), ("i1", 0, 2)]
