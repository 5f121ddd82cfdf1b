"""The order of the queue by scores, with a random share that is even in every beginning of it."""

from __future__ import annotations

from typing import Any

import pytest

from curation.models import Progress, Project, Response, Run, Score, Task, TaskKind
from curation.services import prioritising, running, starting
from curation.services.desk import FRONT
from tests.cast import Cast, make_pairs
from tests.judging import done, model, teach


def scored(project: Project, count: int, monkeypatch: Any, *, spread: bool = False, name: str = "judge") -> int:
    """Pairs whose margin is their number; the id of the model."""
    tasks = make_pairs(project, count)
    for number, task in enumerate(tasks):
        assert task.pair is not None
        Response.objects.filter(pk=task.pair.first_id).update(text="0")
        Response.objects.filter(pk=task.pair.second_id).update(text=str(number * 7 % count))
    teach(
        monkeypatch,
        "program",
        lambda candidate: {
            "scores": {"": float(candidate.text)},
            "spread": float(candidate.text) if spread else None,
        },
    )
    judge = model(name)
    done(project, "score", model=judge.pk)
    return judge.pk


def queue(project: Project) -> list[Task]:
    return list(Task.objects.filter(project=project, state="open").select_related("pair__second").order_by("position"))


def number(task: Task) -> int:
    assert task.pair is not None
    return int(task.pair.second.text)


def test_the_least_sure_come_first(cast: Cast, monkeypatch: Any) -> None:
    judge = scored(cast.project, 40, monkeypatch)
    run = done(cast.project, "prioritise", model=judge, seed=1)
    assert (run.state, run.result["tasks"], run.done) == ("succeeded", 40, 40), run.error
    tasks = queue(cast.project)
    chosen = [task for task in tasks if task.pick == "margin"]
    assert len(chosen) + run.result["random"] == 40 and 0 < run.result["random"] < 20
    numbers = [number(task) for task in chosen]
    assert numbers == sorted(numbers)
    assert [task.priority for task in tasks] == sorted((task.priority for task in tasks), reverse=True)


@pytest.mark.parametrize(("first", "rising"), [("low", True), ("high", False)])
def test_by_value_either_end_comes_first(cast: Cast, monkeypatch: Any, first: str, rising: bool) -> None:
    judge = scored(cast.project, 20, monkeypatch)
    Score.objects.filter(response__position=0).update(value=50.0 if rising else -50.0)
    done(cast.project, "prioritise", model=judge, by="value", first=first, seed=1)
    numbers = [number(task) for task in queue(cast.project) if task.pick == "value"]
    assert numbers == sorted(numbers, reverse=not rising) and len(numbers) > 5


def test_by_spread_what_the_ensemble_differs_on_comes_first(cast: Cast, monkeypatch: Any) -> None:
    judge = scored(cast.project, 20, monkeypatch, spread=True)
    done(cast.project, "prioritise", model=judge, by="spread", seed=1)
    numbers = [number(task) for task in queue(cast.project) if task.pick == "spread"]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) > 5


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_any_beginning_of_the_queue_has_its_random_share(share: float) -> None:
    count, seed = 20_000, 11
    tasks = range(1, count + 1)
    keys = [float(n * 7919 % count) for n in tasks]
    chosen = prioritising.drawn(tasks, seed, share)
    places = prioritising.placed(tasks, keys, chosen, seed)
    ordered = sorted(range(count), key=places.__getitem__)
    for length in (200, 1000, 5000, 20_000):
        beginning = ordered[:length]
        random = [n for n in beginning if chosen[n]]
        error = 4 * (share * (1 - share) / length) ** 0.5
        assert abs(len(random) / length - share) < error, length
        if len(random) >= 100:
            mean = sum(keys[n] for n in random) / len(random) / count
            assert abs(mean - 0.5) < 4 * (1 / 12 / len(random)) ** 0.5, "random tasks are like all tasks"
        others = [keys[n] for n in beginning if not chosen[n]]
        assert others == sorted(others)


def test_tasks_without_a_score_come_last_and_are_random_all_the_same(cast: Cast, monkeypatch: Any) -> None:
    judge = scored(cast.project, 30, monkeypatch)
    make_pairs(cast.project, 30)
    run = done(cast.project, "prioritise", model=judge, seed=2)
    assert run.result["without a score"] == 30
    scores = set(Score.objects.values_list("response_id", flat=True))
    told = [task.pair.first_id in scores for task in queue(cast.project) if task.pick == "margin" and task.pair]
    assert told == sorted(told, reverse=True) and not all(told)
    drawn = [task.pair.first_id in scores for task in queue(cast.project) if task.pick == "random" and task.pair]
    assert any(drawn) and not all(drawn)


def test_only_open_tasks_of_this_project_move(cast: Cast, monkeypatch: Any) -> None:
    judge = scored(cast.project, 10, monkeypatch)
    closed = Task.objects.order_by("pk")[0]
    Task.objects.filter(pk=closed.pk).update(state="complete", taken=1, done=1)
    before = Task.objects.values().get(pk=closed.pk)
    run = done(cast.project, "prioritise", model=judge)
    assert run.result["tasks"] == 9
    assert Task.objects.values().get(pk=closed.pk) == before


def test_everybodys_search_begins_at_the_front_again(cast: Cast, monkeypatch: Any) -> None:
    from curation.access import annotator_for

    judge = scored(cast.project, 5, monkeypatch)
    annotator = annotator_for(cast.ann, cast.project)
    Progress.objects.update_or_create(project=cast.project, annotator=annotator, defaults={"cursor": 999})
    done(cast.project, "prioritise", model=judge)
    assert Progress.objects.get(annotator=annotator).cursor == FRONT


def test_the_same_seed_gives_the_same_order_and_another_one_another(cast: Cast, monkeypatch: Any) -> None:
    judge = scored(cast.project, 40, monkeypatch)

    def order(seed: int) -> list[tuple[int, str]]:
        done(cast.project, "prioritise", model=judge, seed=seed)
        return [(task.pk, task.pick) for task in queue(cast.project)]

    assert order(1) == order(1) != order(2)


def test_a_run_that_fell_goes_on_to_the_same_end(cast: Cast, monkeypatch: Any) -> None:
    judge = scored(cast.project, 25, monkeypatch)
    monkeypatch.setattr(prioritising, "AT_ONCE", 4)
    done(cast.project, "prioritise", model=judge, seed=5)
    whole = [(task.pk, task.priority, task.pick) for task in queue(cast.project)]
    Task.objects.update(priority=0, pick="")

    class Killed(BaseException):
        pass

    run = starting.start(project=cast.project, method="prioritise", params={"model": judge}, user=None, seed=5)
    place, calls = prioritising.queueing.place, []

    def falling(**given: Any) -> None:
        calls.append(given)
        if len(calls) == 4:
            raise Killed
        place(**given)

    monkeypatch.setattr(prioritising.queueing, "place", falling)
    with pytest.raises(Killed):
        running.execute(str(run.pk))
    Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded" and len(calls) == 3 + 1 + 4
    assert [(task.pk, task.priority, task.pick) for task in queue(cast.project)] == whole


def test_without_scores_it_says_what_is_missing(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 3)
    run = done(cast.project, "prioritise", model=model().pk)
    assert run.state == "failed" and "a run of 'score'" in run.error
    judge = scored(cast.project, 3, monkeypatch)
    run = done(cast.project, "prioritise", model=judge, by="spread")
    assert run.state == "failed" and "ensembles" in run.error


def test_rankings_go_by_their_closest_best_and_responses_by_value(cast: Cast) -> None:
    assert prioritising.margin([(1.0, None), (5.0, None), (4.5, None)]) == 0.5
    assert prioritising.keys("value", "high")([(1.0, None), (5.0, None)]) == -5.0
    Project.objects.filter(pk=cast.project.pk).update(kind=TaskKind.RESPONSE)
    run = done(Project.objects.get(pk=cast.project.pk), "prioritise", model=model().pk)
    assert run.state == "failed" and "no margin" in run.error


@pytest.mark.parametrize("count", [1, 7, 1000, 3_000_000])
def test_priorities_stay_within_their_bounds(count: int) -> None:
    told = [prioritising.priority(place, count) for place in (0.0, 0.25, 0.5, 0.999999999)]
    assert told == sorted(told, reverse=True)
    assert all(-(2**19) <= one <= 2**19 for one in told)
