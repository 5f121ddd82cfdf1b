"""What to label next: a learning curve of planted labels, its page and buttons, and queues ordered by vectors."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from curation.models import Embedding, LearningCurve, ModelVersion, Progress, Run, Source, Task
from curation.services import prioritising, running, starting
from curation.services.learning import acquiring, vectors
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.judging import done, model
from tests.test_checks import speak
from tests.test_people import browser

PAGE = "/projects/helpfulness/next/"
WIDTH = 8


def embed(project: Any, tasks: list[Task], seed: int) -> tuple[ModelVersion, dict[int, np.ndarray]]:
    """A vector for each response of some tasks; the model, and the difference of both by task."""
    embedder = ModelVersion.objects.filter(name="vectors").first() or model("vectors", kind="embedder")
    chance = np.random.default_rng(seed)
    differences = {}
    rows = []
    for task in tasks:
        assert task.pair is not None
        first, second = chance.normal(size=(2, WIDTH)).astype(np.float16)
        for response, vector in ((task.pair.first_id, first), (task.pair.second_id, second)):
            rows.append(Embedding(model=embedder, item_id=task.pair.item_id, response_id=response,
                                  vector=struct.pack(f"<{WIDTH}e", *vector)))  # fmt: skip
        differences[task.pk] = second.astype(float) - first.astype(float)
    Embedding.objects.bulk_create(rows)
    return embedder, differences


@pytest.fixture
def taught(cast: Cast) -> Cast:
    """A hundred and fifty labels by a plane, half of them of each source, and thirty open tasks with vectors."""
    tasks = make_pairs(cast.project, 180)
    _, differences = embed(cast.project, tasks, 1)
    truth = np.random.default_rng(2).normal(size=WIDTH) * 2
    chance = np.random.default_rng(3)
    said = {pk: 1 if chance.random() < 1 / (1 + np.exp(-d @ truth)) else -1 for pk, d in differences.items()}
    for n, name in enumerate(("forum", "manual")):
        source = Source.objects.create(project=cast.project, name=name)
        for task in tasks[n::2]:
            assert task.pair is not None
            item = task.pair.item
            item.source = source
            item.save()
    speak(cast, "ann", "person", tasks[:150], {task.pk: ("ab", said[task.pk]) for task in tasks[:150]}, ms=36_000)
    bob = {task.pk: ("ab", said[task.pk] if n % 6 else -said[task.pk]) for n, task in enumerate(tasks[:60])}
    speak(cast, "bob", "person", tasks[:60], bob, ms=36_000)
    Task.objects.filter(pk__in=[task.pk for task in tasks[:150]]).update(state="complete", done=1, taken=1)
    return cast


def embedder() -> int:
    return ModelVersion.objects.get(name="vectors").pk


def test_a_curve_is_drawn_with_its_cost_and_its_back_test(taught: Cast) -> None:
    project = taught.project
    project.hourly_cost = 20
    project.save()
    annotator = project.annotators.get(name="ann")
    Progress.objects.create(project=project, annotator=annotator, done=100, returned=0, active_ms=3_600_000)
    run = done(project, "learning-curve", taught.mia, model=embedder(), seeds=3)
    assert run.state == "succeeded", run.error
    told = LearningCurve.objects.get().told
    labels = 150 - 10  # bob contradicts ann in ten, which are then undecided
    assert told["labels"] == labels == run.result["labels"] and told["prompts"] == labels
    assert told["points"][0][1] > told["points"][-1][1], "more labels, less error"
    assert told["by"] == "source" and {one["name"]: one["labels"] for one in told["slices"]}.keys() == {
        "forum",
        "manual",
    }
    assert sum(one["disagreement"]["count"] for one in told["slices"]) == 10
    assert sum(one["disagreement"]["n"] for one in told["slices"]) == 60
    votes = (90 + 2 * 50) / labels
    assert told["cost"]["amount"] == pytest.approx(100 * votes * 20 / 100)
    gain = told["gains"][0]
    assert gain["low"] <= gain["value"] <= gain["high"] and gain["labels"] == 100
    assert told["back"] is not None and told["back"]["before"] < told["back"]["after"]
    page = browser(taught.vic).get(PAGE).content.decode()
    assert "plot__learning" in page and "What the second half brought" in page and "Order the queue" not in page
    found = calling(taught.vic).get("/api/v1/projects/helpfulness/learning-curves").json()["results"]
    assert [one["run"] for one in found] == [str(run.pk)]


def test_the_buttons_start_what_is_advised(taught: Cast) -> None:
    client = browser(taught.mia)
    answer = client.post(PAGE, {"model": str(embedder()), "slices": "cluster"})
    first = Run.objects.get(method="learning-curve")
    assert answer["Location"] == first.address and first.params["slices"] == "cluster"
    running.execute(str(first.pk))
    curve = LearningCurve.objects.get()
    slices = curve.told["slices"]
    assert len(slices) == len(curve.told["middles"]) > 1 and all(one["title"].startswith("like “") for one in slices)
    apart = [one["disagreement"] for one in slices]
    assert (sum(one["count"] for one in apart), sum(one["n"] for one in apart)) == (10, 60), "also where nobody won"
    client.post(PAGE, {"act": "order", "slice": slices[0]["name"]})
    run = Run.objects.get(method="prioritise")
    assert (
        run.params["slices"] == "cluster" and run.params["value"] == slices[0]["name"] and run.params["by"] == "mixed"
    )
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded" and 0 < run.result["in the slice"] < 30, run.error
    client.post(PAGE, {"act": "order", "slice": "nowhere"})
    assert Run.objects.filter(method="prioritise").count() == 1
    assert "Put first" in client.get(PAGE).content.decode()


def queue(project: Any) -> list[Task]:
    return list(Task.objects.filter(project=project, state="open").order_by("position"))


@pytest.mark.parametrize("by", ["change", "disagreement", "coverage"])
def test_a_way_orders_all_but_the_random_share(taught: Cast, by: str) -> None:
    run = done(taught.project, "prioritise", model=embedder(), by=by, seed=1)
    assert run.state == "succeeded", run.error
    tasks = queue(taught.project)
    assert len(tasks) == 30 and 0 < run.result["random"] < 15
    picked = [task.pk for task in tasks if task.pick == by]
    assert len(picked) + run.result["random"] == 30
    upto = run.checkpoint["upto"]
    vectors_of = ModelVersion.objects.get(pk=embedder())
    keys = acquiring.keys(taught.project, vectors_of, "overall", by, 1, upto, None)
    key = dict(zip(keys.tasks, keys.found, strict=True))
    assert [key[pk] for pk in picked] == sorted(key[pk] for pk in picked)
    assert len(set(keys.found)) > 20, "the ways tell tasks apart"


def test_mixed_says_of_each_task_how_it_came(taught: Cast) -> None:
    done(taught.project, "prioritise", model=embedder(), by="mixed", seed=1)
    picks = [task.pick for task in queue(taught.project)]
    assert set(picks) == {"change", "disagreement", "coverage", "random"}


def test_a_slice_comes_first_and_the_rest_follows(taught: Cast) -> None:
    run = done(taught.project, "prioritise", model=embedder(), by="change", slices="source", value="manual", seed=1)
    assert run.result["in the slice"] == 15
    names = [
        task.pair.item.source.name
        for task in Task.objects.filter(state="open").select_related("pair__item__source").order_by("position")
        if task.pick == "change" and task.pair and task.pair.item.source
    ]
    assert names == sorted(names, reverse=True) and {"forum", "manual"} == set(names)


def test_a_run_that_fell_goes_on_to_the_same_end(taught: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(prioritising, "AT_ONCE", 10)
    params = {"model": embedder(), "by": "mixed"}
    done(taught.project, "prioritise", seed=4, **params)
    whole = [(task.pk, task.priority, task.pick) for task in queue(taught.project)]
    Task.objects.filter(state="open").update(priority=0, pick="")

    class Killed(BaseException):
        pass

    place, calls = prioritising.queueing.place, []

    def falling(**given: Any) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise Killed
        place(**given)

    run = starting.start(project=taught.project, method="prioritise", params=params, user=None, seed=4)
    monkeypatch.setattr(prioritising.queueing, "place", falling)
    with pytest.raises(Killed):
        running.execute(str(run.pk))
    monkeypatch.setattr(prioritising.queueing, "place", place)
    last = Task.objects.filter(state="complete").order_by("-pk")[0]
    speak(taught, "late", "person", [last], {last.pk: ("ab", -1)})  # must not change what was begun
    Run.objects.filter(pk=run.pk).update(lease_until=run.created_at)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    assert [(task.pk, task.priority, task.pick) for task in queue(taught.project)] == whole


def test_hashed_words_need_no_embedder(taught: Cast) -> None:
    assert len(vectors.vectors(None, list(Embedding.objects.values_list("response_id", flat=True)[:4]))) == 4
    assert done(taught.project, "prioritise", by="coverage").state == "succeeded"
    assert done(taught.project, "learning-curve", seeds=3).state == "succeeded"
    assert LearningCurve.objects.get().told["model"] == {"id": None, "name": "hashed words"}


def test_what_cannot_be_done_says_why(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    page = browser(cast.mia).get(PAGE).content.decode()
    assert "No learning curve yet" in page and "Hashed words" in page
    ready = model("vectors", kind="embedder")
    words = {
        ("prioritise", "margin"): ({"by": "margin"}, "margin needs a model"),
        ("prioritise", "embedder"): ({"by": "change", "model": model().pk}, "gives no vectors"),
        ("prioritise", "slice"): ({"by": "change", "slices": "metadata.none"}, "must be one of"),
        ("prioritise", "scores"): ({"by": "value", "model": model("b").pk, "slices": "source"}, "means nothing"),
    }
    for (method, _), (params, problem) in words.items():
        with pytest.raises(Exception, match=problem):
            starting.start(project=cast.project, method=method, params=params, user=None)
    for method, params, problem in (
        ("learning-curve", {}, "there are 0 decided pairs"),
        ("prioritise", {"by": "change"}, "'coverage' needs none"),
        ("prioritise", {"by": "coverage", "model": ready.pk}, "a run of 'embed' gives them"),
        ("prioritise", {"by": "coverage", "slices": "cluster", "value": "0"}, "make one first"),
    ):
        run = done(cast.project, method, **params)
        assert run.state == "failed" and problem in run.error, (method, run.error)
    browser(cast.mia).post(PAGE, {"act": "order"})
    assert Run.objects.filter(method="prioritise", state="queued").count() == 0
