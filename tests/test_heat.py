"""The heat map is for who may see it, when they may, of models whose token rewards mean something."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from curation.access import annotator_for
from curation.models import Annotation, Project, Response, Task, User
from curation.services import annotating, assigning, heating
from curation.services.desk import desk_of
from tests.cast import Cast, make_pairs
from tests.critics import item, land
from tests.heat import by_word, judge, model, responses_of, with_help


def ask(user: User, task: Task) -> Any:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser.get(f"/projects/{task.project.slug}/annotate/heat/{task.pk}/")


def seen(user: User, task: Task) -> dict[str, Any]:
    response = ask(user, task)
    assert response.status_code == 200, response.content
    return dict(response.json())


def hold(user: User, project: Project) -> Any:
    held = assigning.next_for(project=project, annotator=annotator_for(user, project))
    assert held is not None
    return held


def answer(user: User, project: Project, task: Task, key: str = "k") -> Annotation:
    desk = desk_of(project, annotator_for(user, project))
    said = [annotating.Judgement("overall", 1)]
    made = annotating.submit(desk=desk, task_id=task.pk, judgements=said, commit=annotating.Commit(key))
    return Annotation.objects.get(pk=made.id)


@pytest.fixture
def task(cast: Cast) -> Task:
    """A task in ann's hands, with help shown."""
    with_help(cast.project)
    [task] = make_pairs(cast.project, 1)
    hold(cast.ann, cast.project)
    return task


def test_the_holder_sees_the_responses_as_shown_without_their_ids(cast: Cast, task: Task) -> None:
    judge(cast.project, model(), value=lambda word: float(word) if word.isdigit() else 0.5)
    found = seen(cast.ann, task)
    mine = annotating.own(desk_of(cast.project, annotator_for(cast.ann, cast.project)), task.pk)
    texts = [one.text for one in responses_of(task)]
    shown = texts[::-1] if mine.order == "ba" else texts
    assert (found["model"], found["kind"]) == ("spans v1", "token")
    for text, [message] in zip(shown, found["responses"], strict=True):
        assert message["message"] == 0
        words = [text[start:end] for start, end in message["offsets"]]
        assert words == text.split()
        assert message["values"] == [float(word) if word.isdigit() else 0.5 for word in words]
    assert not {"id", "response"} & {key for messages in found["responses"] for one in messages for key in one}


def test_a_stranger_and_who_does_not_hold_it_see_nothing(cast: Cast, task: Task) -> None:
    judge(cast.project, model())
    assert [ask(user, task).status_code for user in (cast.zed, cast.bob)] == [404, 404]
    assert seen(cast.vic, task)["responses"] and seen(cast.rita, task)["responses"]


def test_what_was_released_or_skipped_is_no_longer_shown(cast: Cast, task: Task) -> None:
    judge(cast.project, model())
    desk = desk_of(cast.project, annotator_for(cast.ann, cast.project))
    annotating.skip(desk=desk, task_id=task.pk, reason="no", commit=annotating.Commit("s"))
    assert ask(cast.ann, task).status_code == 404


@pytest.mark.parametrize(("mode", "holdout", "why"), [("off", 0, "none"), ("shown", 1, "held_out")])
def test_without_help_there_is_no_heat_map(cast: Cast, task: Task, mode: str, holdout: float, why: str) -> None:
    judge(cast.project, model())
    with_help(cast.project, mode, holdout)
    assert seen(cast.ann, task) == {"why": why}


def test_help_that_is_revealed_comes_after_the_answer(cast: Cast, task: Task) -> None:
    judge(cast.project, model())
    with_help(cast.project, "reveal")
    assert seen(cast.ann, task) == {"why": "before"}
    first = answer(cast.ann, cast.project, task)
    assert "responses" in seen(cast.ann, task)
    again = answer(cast.ann, cast.project, task, "again")
    assert (first.help, again.help) == ("before", "revealed")


def test_an_answer_beside_a_heat_map_was_helped(cast: Cast, task: Task) -> None:
    judge(cast.project, model())
    assert answer(cast.ann, cast.project, task).help == "shown"


def test_an_answer_without_anything_to_see_was_not_helped(cast: Cast, task: Task) -> None:
    judge(cast.project, model(state="broken"))
    assert seen(cast.ann, task) == {"why": "none"}
    assert answer(cast.ann, cast.project, task).help == ""


@pytest.mark.parametrize(("probe", "there"), [({}, False), ({"passed": False}, False), ({"passed": True}, True)])
def test_an_implicit_reward_is_shown_only_with_a_passing_probe(
    cast: Cast, task: Task, probe: dict[str, Any], there: bool
) -> None:
    judge(cast.project, model(kind="implicit", probe=probe))
    assert ("responses" in seen(cast.ann, task)) == there


def test_the_model_of_another_project_shows_nothing_here(cast: Cast, task: Task) -> None:
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    judge(cast.project, model(project=elsewhere))
    assert seen(cast.ann, task) == {"why": "none"}


def test_the_newest_model_on_all_responses_is_shown(cast: Cast, task: Task) -> None:
    judge(cast.project, model("old"))
    judge(cast.project, model("whole"))
    judge(cast.project, model("half"), responses_of(task)[0])
    assert seen(cast.ann, task)["model"] == "whole v1"


def test_both_sides_share_a_scale_that_one_outlier_does_not_set(cast: Cast, task: Task) -> None:
    with_help(cast.project)
    land(cast.project, item("long", "word " * 99 + "odd", "short"))
    first = Response.objects.get(text__endswith="odd")
    judge(
        cast.project, model(), first, first.item.responses.get(text="short"), value=lambda w: -90 if w == "odd" else 1
    )
    found = heating.of(cast.project.pk, list(first.item.responses.order_by("position")))
    assert found["scale"] == 1.0
    assert found["responses"][0][0]["values"][-1] == -90


def test_places_of_several_messages_are_told_by_message(cast: Cast) -> None:
    turns = [
        {"role": "assistant", "content": "Look it up 🌊."},
        {"role": "tool", "content": "blue"},
        {"role": "assistant", "content": "It is blue."},
    ]
    land(cast.project, item("turns", turns, "It is green."))
    response = Response.objects.get(messages__isnull=False)
    words = by_word(response.text, len)
    found = list(heating.by_message(response, list(words.offsets), list(words.values)))
    assert [one["message"] for one in found] == [0, 1, 2]
    for one, turn in zip(found, turns, strict=True):
        assert [turn["content"][start:end] for start, end in one["offsets"]] == turn["content"].split()
