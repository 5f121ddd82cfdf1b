"""Pre-labels: numbers become suggestions on the protocol's scale, once, and give way to better ones."""

from __future__ import annotations

import math
from typing import Any

import pytest

from curation.models import (
    Annotation,
    Calibration,
    Critique,
    ModelVersion,
    Preference,
    Project,
    Protocol,
    Rank,
    Response,
    Score,
    Task,
    TaskKind,
    Verdict,
)
from curation.services import importing, opinions
from curation.services.projects import create_project
from tests.cast import Cast, make_pairs
from tests.imports import file_of
from tests.judging import done, model, teach
from workers.judging import Mapped


@pytest.fixture
def tasks(cast: Cast) -> list[Task]:
    """Three pairs; the first response is longer by 4, the second by 1, both equal."""
    tasks = make_pairs(cast.project, 3)
    for task, (first, second) in zip(tasks, ((6, 2), (3, 4), (5, 5)), strict=True):
        assert task.pair is not None
        Response.objects.filter(pk=task.pair.first_id).update(text=" ".join(["word"] * first))
        Response.objects.filter(pk=task.pair.second_id).update(text=" ".join(["word"] * second))
    return tasks


def standing() -> list[Preference]:
    answers = Annotation.objects.answers()
    return list(Preference.objects.filter(annotation__in=answers).order_by("annotation__task_id"))


def protocol(project: Project, **fields: Any) -> None:
    Protocol.objects.filter(pk=project.protocol_id).update(**fields)
    project.refresh_from_db()


def test_a_margin_becomes_a_preference_with_its_probability(cast: Cast, tasks: list[Task]) -> None:
    run = done(cast.project, "prelabel", model=model().pk)
    assert (run.state, run.result["created"], run.result["scored"]) == ("succeeded", 3, 6), run.error
    sure = [1 / (1 + math.exp(4)), 1 / (1 + math.exp(-1)), 0.5]
    found = standing()
    assert [one.probability for one in found] == pytest.approx(sure)
    assert [one.value for one in found] == [-2, 1, 0]
    made = Annotation.objects.order_by("task_id").first()
    assert made is not None
    assert (made.annotator.kind, made.annotator.name, made.version) == ("model", "length", "v1")
    assert made.score == pytest.approx(1 - sure[0])
    assert run.result["probabilities"].startswith("not calibrated")


def test_of_a_cost_model_the_cheaper_response_is_better(cast: Cast, tasks: list[Task]) -> None:
    done(cast.project, "prelabel", model=model("cost", kind="cost").pk)
    assert [one.value for one in standing()] == [2, -1, 0]


@pytest.mark.parametrize(
    ("strengths", "allow_tie", "probability", "value"),
    [
        (1, True, 0.54, 0),
        (1, False, 0.54, 1),
        (1, True, 0.999, 1),
        (2, True, 0.89, 1),
        (2, True, 0.9, 2),
        (2, True, 0.05, -2),
        (3, True, 0.6, 1),
        (3, True, 0.7, 2),
        (3, True, 0.95, 3),
        (3, False, 0.46, -1),
        (2, True, 0.5, 0),
        (2, False, 0.5, None),
    ],
)
def test_strength_by_probability(strengths: int, allow_tie: bool, probability: float, value: int | None) -> None:
    said = opinions.leaning("overall", probability, Protocol(strengths=strengths, allow_tie=allow_tie), tie=0.05)
    assert (said.value if said else None) == value


def test_no_tie_is_suggested_where_none_may_be_said(cast: Cast, tasks: list[Task]) -> None:
    protocol(cast.project, allow_tie=False)
    run = done(cast.project, "prelabel", model=model().pk)
    assert (run.result["created"], run.result["refused"]) == (2, 0)
    assert [one.value for one in standing()] == [-2, 1]


def test_the_same_again_changes_nothing(cast: Cast, tasks: list[Task]) -> None:
    length = model()
    done(cast.project, "prelabel", model=length.pk)
    before = Annotation.objects.count()
    run = done(cast.project, "prelabel", model=length.pk, items_per_shard=1)
    assert (run.result["unchanged"], run.result["created"], run.result["scored"]) == (3, 0, 0)
    assert Annotation.objects.count() == before


def test_a_calibration_takes_the_place_of_what_was_said(cast: Cast, tasks: list[Task]) -> None:
    length = model()
    done(cast.project, "prelabel", model=length.pk)
    Calibration.objects.create(
        model=length, project=cast.project, axis="overall", method="temperature", params={"temperature": 4.0},
        report={"n": 77},
    )  # fmt: skip
    run = done(cast.project, "prelabel", model=length.pk)
    assert (run.result["replaced"], run.result["unchanged"]) == (2, 1)
    assert run.result["probabilities"] == "calibrated by temperature on 77 decided pairs"
    assert [one.probability for one in standing()] == pytest.approx([1 / (1 + math.e), 1 / (1 + math.exp(-0.25)), 0.5])
    assert Annotation.objects.answers().count() == 3


def test_a_new_version_takes_the_place_of_the_old_one(cast: Cast, tasks: list[Task]) -> None:
    done(cast.project, "prelabel", model=model().pk)
    done(cast.project, "prelabel", model=model(number=2, reference="program:brevity").pk)
    assert [one.value for one in standing()] == [2, -1, 0]
    assert set(Annotation.objects.answers().values_list("version", flat=True)) == {"v2"}
    assert Annotation.objects.count() == 6


def test_only_open_tasks_are_pre_labelled(cast: Cast, tasks: list[Task]) -> None:
    Task.objects.filter(pk=tasks[0].pk).update(state="complete", taken=1, done=1)
    Task.objects.filter(pk=tasks[1].pk).update(state="retired")
    run = done(cast.project, "prelabel", model=model().pk)
    assert (run.result["tasks"], run.result["created"], Score.objects.count()) == (1, 1, 2)
    assert list(Annotation.objects.values_list("task_id", flat=True)) == [tasks[2].pk]


def test_nothing_of_it_moves_a_task(cast: Cast, tasks: list[Task]) -> None:
    before = list(Task.objects.order_by("pk").values())
    done(cast.project, "prelabel", model=model().pk)
    assert list(Task.objects.order_by("pk").values()) == before


def test_the_axis_is_the_models_own_or_the_one_asked_for(cast: Cast, tasks: list[Task]) -> None:
    axes = [{"name": "helpful", "question": "?"}, {"name": "harmless", "question": "?"}]
    protocol(cast.project, axes=axes)
    own = model("own", config={"axis": "harmless"})
    done(cast.project, "prelabel", model=own.pk)
    assert {one.axis for one in standing()} == {"harmless"}
    done(cast.project, "prelabel", model=own.pk, axis="helpful")
    assert {one.axis for one in standing()} == {"helpful"}
    run = done(cast.project, "prelabel", model=own.pk, axis="honest")
    assert (run.state, run.error) == ("failed", "must be one of: helpful, harmless")


def test_the_result_says_whether_annotators_see_it(cast: Cast, tasks: list[Task]) -> None:
    length = model()
    off = done(cast.project, "prelabel", model=length.pk).result["seen by annotators"]
    assert off.startswith("no:") and f"/projects/{cast.project.slug}/protocol/" in off
    protocol(cast.project, help={"mode": "reveal"})
    assert done(cast.project, "prelabel", model=length.pk).result["seen by annotators"].startswith("yes, once")


# --- Other kinds of project -------------------------------------------------------------------------


def project_of(cast: Cast, preset: str, *rows: dict[str, Any]) -> Project:
    project = create_project(slug=preset, name=preset, user=cast.olga, preset=preset)
    run = importing.import_now(project=project, user=None, path=file_of(rows))
    assert run.state == "succeeded", run.log
    project.refresh_from_db()
    return project


def test_a_ranking_is_suggested_from_scores_with_ties(cast: Cast) -> None:
    texts = ["a b", "a b c d", "a", "a b"]
    project = project_of(cast, "ranking", {"id": "x", "prompt": "?", "responses": texts})
    assert project.kind == TaskKind.RANKING
    run = done(project, "prelabel", model=model().pk)
    assert run.result["created"] == 1, run.error
    ranks = Rank.objects.order_by("response__position").values_list("rank", flat=True)
    assert list(ranks) == [2, 1, 4, 2]


def steps_of(project: Project) -> list[tuple[int, int]]:
    from curation.services.locating import places_of

    task = Task.objects.get(project=project)
    place = places_of(project, [(task.pk, "", ())])[0]
    from curation.services.answering import units_in

    return list(units_in(place.responses[0], "step"))  # type: ignore[union-attr]


def test_steps_are_rated_up_to_the_first_wrong_one(cast: Cast, monkeypatch: Any) -> None:
    text = "First, two and two.\n\nThen they are four.\n\nSo it is five.\n\nAnd so on."
    project = project_of(cast, "step-critique", {"id": "s", "prompt": "2+2?", "responses": [text]})
    units = steps_of(project)
    assert len(units) == 4
    values = [0.95, 0.5, 0.1, 0.9]
    teach(monkeypatch, "step", lambda candidate: {"maps": [Mapped("step", units, values)], "scores": {"": 0.1}})
    judge = model("prm", kind="step", reference="hf:x")
    run = done(project, "prelabel", model=judge.pk)
    assert (run.state, run.result["created"]) == ("succeeded", 1), run.error
    told = Verdict.objects.order_by("start").values_list("start", "end", "answer", "question")
    assert list(told) == [(*unit, answer, "step") for unit, answer in zip(units, [1, 0, -1], strict=False)]


def test_a_whole_response_is_as_good_as_its_weakest_step(cast: Cast, monkeypatch: Any) -> None:
    project = project_of(cast, "verdict-critique", {"id": "s", "prompt": "2+2?", "responses": ["Four. Five."]})
    teach(monkeypatch, "step", lambda candidate: {"maps": [Mapped("step", [(0, 5), (6, 11)], [0.9, 0.2])]})
    judge = model("prm", kind="step", reference="hf:x")
    done(project, "prelabel", model=judge.pk)
    assert [(v.question, v.answer, v.start) for v in Verdict.objects.all()] == [("correct", False, None)]
    done(project, "prelabel", model=judge.pk, threshold=0.1)
    latest = Verdict.objects.order_by("-id").first()
    assert latest is not None and latest.answer is True


def token_project(cast: Cast, monkeypatch: Any) -> tuple[Project, ModelVersion]:
    project = project_of(cast, "span-critique", {"id": "s", "prompt": "?", "responses": ["The sky is green today."]})
    offsets = [(0, 3), (4, 7), (8, 10), (11, 16), (17, 22)]
    values = [0.1, 0.9, 0.0, -2.0, -0.7]
    teach(monkeypatch, "token", lambda candidate: {"maps": [Mapped("token", offsets, values)]})
    return project, model("spans", kind="token", reference="hf:x")


def test_tokens_beyond_a_threshold_become_spans(cast: Cast, monkeypatch: Any) -> None:
    project, spans = token_project(cast, monkeypatch)
    wanted = project.protocol.critiques if project.protocol else {}
    run = done(project, "prelabel", model=spans.pk)
    assert (run.state, run.result["created"], run.result["refused"]) == ("succeeded", 1, 0), run.error
    told = [(one.quote, one.polarity) for one in Critique.objects.order_by("start")]
    if "good" in wanted["polarities"]:
        assert told == [("sky", 1), ("green today", -1)]
    else:
        assert [quote for quote, _ in told] == ["green today"]
    done(project, "prelabel", model=spans.pk, threshold=1.0)
    latest = Annotation.objects.answers().get()
    assert [one.quote for one in latest.critiques.all()] == ["green"]


def test_a_label_that_the_protocol_has_not_is_refused(cast: Cast, monkeypatch: Any) -> None:
    project, spans = token_project(cast, monkeypatch)
    run = done(project, "prelabel", model=spans.pk, type="no such type")
    assert run.state == "failed" and run.error.startswith("must be one of:")
    assert not Annotation.objects.exists()


def test_an_implicit_reward_marks_nothing_before_it_has_passed_its_probe(cast: Cast, monkeypatch: Any) -> None:
    project, _ = token_project(cast, monkeypatch)
    teach(monkeypatch, "implicit", lambda candidate: {"maps": [Mapped("token", [(0, 7)], [-3.0])], "scores": {"": 1.0}})
    policy = model("dpo", kind="implicit", reference="hf:x")
    assert "probe" in done(project, "prelabel", model=policy.pk).error
    ModelVersion.objects.filter(pk=policy.pk).update(probe={"passed": True})
    assert done(project, "prelabel", model=policy.pk).result["created"] == 1


def test_a_reward_model_is_refused_where_nothing_is_compared(cast: Cast) -> None:
    project = project_of(cast, "span-critique", {"id": "s", "prompt": "?", "responses": ["The sky."]})
    run = done(project, "prelabel", model=model().pk)
    assert run.state == "failed" and "judged alone" in run.error
