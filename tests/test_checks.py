"""Checks of how people answer: planted habits are named on the page and over the API, honest people are not."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from django.utils import timezone

from curation.models import Annotation, Annotator, Check, Critique, Preference, Run, Task
from curation.services import running, starting
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_people import browser

PEOPLE = "honestly wrong here maybe guess missed weird looks off because nobody checks numbers again"
MACHINES = "overall response demonstrates furthermore comprehensive clarity accurate ensures context"


def speak(
    cast: Cast,
    name: str,
    kind: str,
    tasks: list[Task],
    say: dict[int, tuple[str, int]],
    ms: int = 9_000,
    via: str = "api",
) -> None:
    """Answers of one annotator: the shown order and the value on each task."""
    annotator = Annotator.objects.create(project=cast.project, kind=kind, name=name)
    for task in tasks:
        order, value = say[task.pk]
        annotation = Annotation.objects.create(
            project=cast.project, task=task, annotator=annotator, protocol=cast.project.protocol, event="answer",
            source=via, order=order, active_ms=ms, idempotency_key=f"{name}-{task.pk}",
        )  # fmt: skip
        Preference.objects.create(annotation=annotation, axis="overall", value=value)


@pytest.fixture
def planted(cast: Cast) -> Cast:
    """Four who read, one who takes the left, one who copies the model, one who is asleep, and the model."""
    make_pairs(cast.project, 60)
    tasks = list(Task.objects.select_related("pair"))
    chance = Random(7)
    truth = {task.pk: chance.choice([-1, 1]) for task in tasks}
    model = {pk: value if chance.random() < 0.6 else -value for pk, value in truth.items()}

    def orders() -> dict[int, str]:
        return {task.pk: chance.choice(["ab", "ba"]) for task in tasks}

    for n in range(4):
        shown = orders()
        honest = {pk: (shown[pk], v if chance.random() < 0.85 else -v) for pk, v in truth.items()}
        speak(cast, f"reader {n}", "person", tasks, honest)
    shown = orders()
    left = {pk: -1 if order == "ab" else 1 for pk, order in shown.items()}
    speak(cast, "left", "person", tasks, {pk: (shown[pk], left[pk]) for pk in shown}, ms=8_000)
    speak(cast, "echo", "person", tasks, {pk: (shown[pk], v) for pk, v in model.items()})
    speak(cast, "asleep", "person", tasks, {pk: (shown[pk], chance.choice([-1, 1])) for pk in shown}, ms=90)
    speak(cast, "judge", "model", tasks, {pk: ("", v) for pk, v in model.items()})
    return cast


def checked(cast: Cast) -> Run:
    run = starting.start(project=cast.project, method="check", params={}, user=cast.mia)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return run


def test_planted_habits_are_named_and_readers_are_not(planted: Cast) -> None:
    run = checked(planted)
    assert run.result == {"annotators": 8, "answers": 480, "flagged": 3}
    flags = {str(check.annotator): check.flags for check in Check.objects.exclude(annotator=None)}
    assert "position" in flags["left"] and "rest" in flags["left"]
    assert "model" in flags["echo"]
    assert "rest" in flags["asleep"]
    assert {name for name, named in flags.items() if named} == {"left", "echo", "asleep"}
    page = browser(planted.rita).get("/projects/helpfulness/checks/").content.decode()
    assert "preferred the left response in 100 % of 60 answers; the coin that places them gives 50 %" in page
    assert "sides with the model in" in page
    rows = calling(planted.vic).get("/api/v1/projects/helpfulness/checks").json()["results"]
    assert {row["annotator"]: row["flags"] for row in rows} == flags
    again = Check.objects.count()
    run.state = Run.State.QUEUED
    run.save()
    running.execute(str(run.pk))
    assert Check.objects.count() == again


def test_the_detector_names_who_pastes_and_shows_its_limits(cast: Cast) -> None:
    make_pairs(cast.project, 50)
    tasks, chance = list(Task.objects.select_related("pair")), Random(3)
    writers = (("careful", "person", PEOPLE), ("quick", "person", PEOPLE), ("pasting", "person", MACHINES))
    for name, kind, words in (*writers, ("critic", "model", MACHINES)):
        speak(cast, name, kind, tasks, {task.pk: ("ab", chance.choice([-1, 1])) for task in tasks})
        for annotation in Annotation.objects.filter(annotator__name=name).select_related("task__pair"):
            common = "the a of to and in is it that for was on with as this but not are from"
            text = [chance.choice(words.split() if chance.random() < 0.4 else common.split()) for _ in range(50)]
            response = annotation.task.pair.first
            Critique.objects.create(annotation=annotation, response=response, comment=" ".join(text))
    checked(cast)
    flags = {str(check.annotator): check.flags for check in Check.objects.exclude(annotator=None)}
    assert "origin" in flags["pasting"]
    assert "origin" not in flags["careful"] and "origin" not in flags["quick"]
    page = browser(cast.mia).get("/projects/helpfulness/checks/").content.decode()
    assert "Whoever tunes against it escapes it" in page and "Tuned on half of the people’s texts" in page
    Run.objects.filter(method="check").update(ended_at=timezone.now() - timedelta(days=91))
    assert "Older than 90 days" in browser(cast.mia).get("/projects/helpfulness/checks/").content.decode()


def test_nothing_to_check_says_what_to_do(cast: Cast) -> None:
    page = browser(cast.mia).get("/projects/helpfulness/checks/").content.decode()
    assert "Nothing checked yet" in page and "Check now" in page
    assert "Check now" not in browser(cast.vic).get("/projects/helpfulness/checks/").content.decode()
    answer = browser(cast.mia).post("/projects/helpfulness/checks/")
    run = Run.objects.get(method="check")
    assert answer["Location"] == run.address
    running.execute(str(run.pk))
    assert "No answers yet" in browser(cast.mia).get("/projects/helpfulness/checks/").content.decode()
    assert calling(cast.rita).get("/api/v1/projects/helpfulness/checks").json()["results"] == []
