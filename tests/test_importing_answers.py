"""Files with answers in them: one bad row stops no import, the same again changes nothing, nobody is heard twice."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from curation.access import annotator_for
from curation.models import (
    Annotation,
    Annotator,
    Critique,
    Progress,
    Project,
    Rank,
    Response,
    Run,
    Task,
    TaskKind,
    Verdict,
)
from curation.services import annotating, assigning, importing, queueing
from curation.services.answering import Answer, Judged
from curation.services.desk import desk_of, progress_now
from tests.cast import Cast
from tests.conftest import calling
from tests.critics import ask, item
from tests.imports import file_of, progress_in_order, tasks_in_order

KINDS = ("preference", "response", "ranking")
HELP = {"mode": "shown", "holdout": 0.0}
RIGHT = {"question": "correct", "answer": True}


def bring(project: Project, *rows: dict[str, Any]) -> Run:
    run = importing.import_now(project=project, user=None, path=file_of(rows))
    project.refresh_from_db()
    assert run.state == "succeeded", run.log
    return run


def answer(response: int = 0, annotator: str = "w", **more: Any) -> dict[str, Any]:
    return {"annotator": annotator, "response": response, **more}


def everything() -> list[Any]:
    tables = (Annotation, Critique, Verdict, Rank, Response, Task)
    return [list(table._default_manager.order_by("pk").values_list()) for table in tables]


def standing() -> list[tuple[str, str]]:
    """What is said of which response, over everything that stands."""
    rows = Critique.objects.filter(annotation__in=Annotation.objects.answers())
    return sorted((one.response.text, one.comment) for one in rows.select_related("response"))


def seen(cast: Cast) -> None:
    """The screen and the API show what was imported, however odd."""
    browser, root = Client(raise_request_exception=False), f"/projects/{cast.project.slug}/annotate/"
    browser.force_login(cast.ann)
    assert browser.get(root).status_code == 200
    api = calling(cast.ann)
    api.raise_request_exception = False
    assert api.post(f"/api/v1/projects/{cast.project.slug}/tasks/next", {}, format="json").status_code == 200


ELSEWHERE = {"comment": "x", "evidence": {"response": 1, "start": 0, "end": 1}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "answers",
    [
        [answer()],
        [answer(verdicts=[RIGHT]), answer(kind="model", verdicts=[RIGHT]), answer(kind="program", verdicts=[RIGHT])],
        [answer(ranks=[1, 2], critiques=[{"start": 0, "end": 3, "quote": "Yes"}], verdicts=[RIGHT])],
        [answer(1, ranks=[1, 32_767], critiques=[{"start": 0, "end": 2, "quote": "No"}])],
        [answer(annotator="@ann", verdicts=[RIGHT]), answer(annotator="w" * 200, verdicts=[RIGHT])],
        [answer(kind="model", critiques=[ELSEWHERE, {"comment": "x", "evidence": {"response": 1}}])],
        [answer(kind="model", critiques=[{"comment": "x", "evidence": {"url": "javascript:x", "start": [1]}}])],
        [answer(kind="model", version="v" * 500, score=1e308, verdicts=[{**RIGHT, "answer": 2**63}])],
        [answer(critiques=[{"start": 3, "end": 3}, {"start": 9, "end": 10, "quote": "\U0001d518"}])],
        [answer(critiques=[{"comment": "x" * 10**6}], verdicts=[{**RIGHT, "answer": "x" * 10**5}])],
    ],
)
def test_answers_land_once_and_can_be_shown(cast: Cast, answers: list[Any], kind: str) -> None:
    ask(cast.project, kind, help=HELP)
    given = item("a", "Yes it \r\n\U0001d518 is.", "No it is not.", answers=answers)
    votes = [{"annotator": "w", "value": 1}]
    assert bring(cast.project, {**given, "votes": votes}).result["rejected"] == 0
    before = everything()
    assert bring(cast.project, {**given, "votes": votes}).result["unchanged"] == 1
    assert bring(cast.project, {**given, "votes": votes, "metadata": {"seen": 2}}).result["answers"] == 0
    assert everything() == before
    seen(cast)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ([answer(verdicts=[RIGHT, RIGHT])], "answers.0.verdicts.1.question"),
        ([answer(verdicts=[RIGHT]), answer(verdicts=[{**RIGHT, "answer": False}])], "answers.1.verdicts.0.question"),
        ([answer(ranks=[1, 2]), answer(ranks=[2, 1])], "answers.1.ranks"),
        ([answer(ranks=[1, 2**15])], "answers.0.ranks"),
        ([answer(active_ms=2**31, verdicts=[RIGHT])], "answers.0.active_ms"),
        ([answer(active_ms=-1, verdicts=[RIGHT])], "answers.0.active_ms"),
        ([answer(critiques=[{"comment": "x", "message": 1}])], "answers.0.critiques.0.message"),
        ([answer(critiques=[{"comment": "x\0"}])], "answers.0.critiques.0.comment"),
        ([answer(critiques=[{"comment": "x", "type": "t" * 61}])], "answers.0.critiques.0.type"),
    ],
)
def test_a_bad_answer_costs_its_row_and_no_other(cast: Cast, answers: list[Any], field: str, kind: str) -> None:
    ask(cast.project, kind)
    good = item("b", "Yes.", "No.", answers=[answer(verdicts=[RIGHT])])
    result = bring(cast.project, item("a", "Yes.", "No.", answers=answers), good).result
    assert (result["created"], result["rejected"], result["answers"]) == (1, 1, 1)
    assert result["problems"][0]["field"] == field


@pytest.mark.parametrize("kind", ["response", "ranking"])
def test_responses_that_are_alike_stay_apart(cast: Cast, kind: str) -> None:
    ask(cast.project, kind)
    said = [answer(n, verdicts=[RIGHT], critiques=[{"comment": f"{n}"}]) for n in range(3)]
    row = item("a", "The same.", "The same.", "Another.", answers=[*said, answer(annotator="r", ranks=[3, 2, 1])])
    bring(cast.project, row)
    before = everything()
    bring(cast.project, {**row, "metadata": {"seen": 2}})
    assert everything() == before
    if kind == "ranking":
        places = Rank.objects.order_by("response__position").values_list("rank", flat=True)
        assert list(places) == [3, 2, 1]


def test_a_critique_beside_ranks_is_of_the_response_it_names(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING)
    critiques = [{"quote": "No.", "comment": "c"}]
    bring(cast.project, item("a", "Yes.", "No.", answers=[answer(1, ranks=[1, 2], critiques=critiques)]))
    made = Critique.objects.get()
    assert (made.response.text, made.start, made.end) == ("No.", 0, 3)


def test_evidence_of_an_import_names_a_response_of_the_item(cast: Cast) -> None:
    """On the screen it names one that is shown, in whichever order, or none."""
    cast.project.overlap = 3
    ask(cast.project, TaskKind.RANKING, help=HELP)
    proof = {"response": 2, "start": 0, "end": 5}
    said = answer(0, kind="model", critiques=[{"comment": "x", "evidence": proof}])
    row = item("a", "First.", "Second.", "Third.", answers=[said])
    bring(cast.project, row)
    for client in (cast.ann, cast.bob, cast.rita):
        api = calling(client)
        task = api.post(f"/api/v1/projects/{cast.project.slug}/tasks/next", {}, format="json").json()["task"]
        [critique] = task["suggestions"][0]["critiques"]
        texts = [response["text"] for response in task["responses"]]
        assert (texts[critique["response"]], texts[critique["evidence"]["response"]]) == ("First.", "Third.")
        assert critique["evidence"]["quote"] == "Third"
    bring(cast.project, item("a", "First.", "Second."))
    task = calling(cast.ann).post(f"/api/v1/projects/{cast.project.slug}/tasks/next", {}, format="json").json()["task"]
    assert [critique["evidence"] for critique in task["suggestions"][0]["critiques"]] == [None]


def test_nobody_says_the_same_twice_when_pairs_change(cast: Cast) -> None:
    """What is said of a response moves with it to another task: it stands once, whatever it is compared with."""
    ask(cast.project, TaskKind.PREFERENCE)
    texts = ["First.", "Second.", "Third."]
    answers = [answer(n, kind="model", critiques=[{"start": 0, "end": 1, "comment": f"{n}"}]) for n in range(3)]
    row = item("a", *texts, answers=answers)
    bring(cast.project, row)
    for changed in ("Fourth.", "First."):
        row["responses"][0] = changed
        bring(cast.project, row)
        assert standing() == sorted((text, f"{n}") for n, text in enumerate([changed, *texts[1:]]))
        before = everything()
        bring(cast.project, {**row, "metadata": {"seen": changed}})
        assert everything() == before
    for pairs in ([[0, 1]], [[1, 2]], [[0, 2]], [[0, 1], [0, 2]], [[1, 2]], [[0, 1], [0, 2], [1, 2]], [[0, 1], [1, 2]]):
        bring(cast.project, {**row, "pairs": pairs})
        compared = sorted({place for pair in pairs for place in pair})
        found = standing()
        assert len(set(found)) == len(found)
        assert {(texts[place], f"{place}") for place in compared} <= set(found)


def test_a_changed_answer_takes_the_place_of_the_one_before(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    for words in ("one", "two", "one"):
        said = [answer(critiques=[{"comment": words}]), answer(annotator="x", critiques=[{"comment": "x"}])]
        bring(cast.project, item("a", "Yes.", answers=said))
        assert standing() == [("Yes.", words), ("Yes.", "x")]
    assert Annotation.objects.count() == 4
    bring(cast.project, item("a", "No.", answers=[answer(critiques=[{"comment": "one"}])]))
    assert Task.objects.exclude(state="retired").get().response.text == "No."
    assert Annotation.objects.answers().filter(task__state="open").count() == 1


def test_a_task_set_aside_by_hand_is_not_taken_up_by_a_changed_row(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    bring(cast.project, item("a", "Yes.", "No."))
    queueing.retire(tasks=Task.objects.filter(response__text="No."))
    bring(cast.project, item("a", "Yes.", "No.", metadata={"seen": 2}))
    assert Task.objects.get(response__text="No.").state == "retired"


def test_a_task_answered_while_it_was_set_aside_comes_back_complete(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    bring(cast.project, item("a", "Yes."))
    annotator = annotator_for(cast.ann, cast.project)
    desk = desk_of(cast.project, annotator)
    shown = assigning.next_shown(desk=desk)
    assert shown is not None
    queueing.retire(tasks=Task.objects.all())
    more = Answer(verdicts=[Judged("correct", True)])
    annotating.submit(desk=desk, task_id=shown.task_id, commit=annotating.Commit("k"), more=more)
    bring(cast.project, item("a", "No."))
    bring(cast.project, item("a", "Yes."))
    assert Task.objects.get(pk=shown.task_id).state == "complete"
    assert cast.project.task_count == Task.objects.exclude(state="retired").count() == 1
    tasks_in_order(cast.project)
    progress_in_order(cast.project, Progress.objects.get())
    assert progress_now(annotator.pk).left == 0


def test_annotators_of_a_file_are_told_apart_by_kind_and_never_one_of_us(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    mine = annotator_for(cast.ann, cast.project)
    said = [answer(annotator=mine.name, kind=kind, verdicts=[RIGHT]) for kind in ("person", "model", "program")]
    bring(cast.project, item("a", "Yes.", answers=said))
    assert Annotator.objects.filter(annotations__isnull=False).count() == 3
    assert not Annotation.objects.filter(annotator=mine).exists()
