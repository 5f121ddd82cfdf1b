"""Adjudication: what is disputed is found, decided by hand, goes before every vote, and can be taken back."""

from __future__ import annotations

import re
from typing import Any

from curation.access import annotator_for
from curation.models import Adjudication, Annotation, Annotator, Critique, Decision, Preference, Project, Task, Verdict
from curation.services import projects
from curation.services.adjudicating import deciding as adjudicating
from curation.services.deciding import Filters, decisions
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_people import browser

CRITIQUES = {"on": True, "types": [{"name": "wrong"}, {"name": "vague"}], "severities": [{"name": "major"}]}


def speak(cast: Cast, name: str, task: Task, value: int | None, *, kind: str = "person") -> Annotation:
    """An answer on a pair of somebody who may be no member."""
    annotator, _ = Annotator.objects.get_or_create(project=cast.project, kind=kind, name=name)
    annotation = Annotation.objects.create(
        project=cast.project, task=task, annotator=annotator, protocol=cast.project.protocol, event="answer",
        source="api", order="ab", idempotency_key=f"{name}-{task.pk}",
    )  # fmt: skip
    if value is not None:
        Preference.objects.create(annotation=annotation, axis="overall", value=value)
    return annotation


def mark(annotation: Annotation, start: int, end: int, type_: str = "wrong", edit: str = "") -> Critique:
    response = annotation.task.pair.first if annotation.task.pair else annotation.task.response
    assert response is not None
    return Critique.objects.create(
        annotation=annotation, response=response, start=start, end=end, quote=response.text[start:end], type=type_,
        severity="major", comment=f"{type_} here", edit=edit,
    )  # fmt: skip


def decided(project: Project) -> dict[int, tuple[str, str]]:
    return {one.task_id: (one.outcome, one.how) for one in decisions(project, Filters(axis="overall"))}


def test_disputed_tasks_are_listed_and_what_is_decided_goes_before_the_votes(cast: Cast) -> None:
    agreed, split, slightly = make_pairs(cast.project, 3)
    for name, values in (("ann", (1, 2, 1)), ("bob", (1, 1, 2)), ("cy", (1, -2, 1))):
        for task, value in zip((agreed, split, slightly), values, strict=True):
            speak(cast, name, task, value)
    rows = calling(cast.rita).get("/api/v1/projects/helpfulness/disputed").json()
    assert [row["task"] for row in rows["results"]] == [split.pk, slightly.pk]
    assert decided(cast.project)[split.pk] == ("second", "majority")
    page = browser(cast.rita).get(f"/projects/helpfulness/adjudicate/{split.pk}/").content.decode()
    assert "1 disputed" in page and "2 much better" in page and "both bad" in page
    key = re.search(r'name="key" value="([^"]+)"', page)
    assert key is not None
    form = {"key": key[1], "choice:axis:overall": "-2", "reason": "The first one is true."}
    answer = browser(cast.rita).post(f"/projects/helpfulness/adjudicate/{split.pk}/", form)
    assert answer["Location"] == f"/projects/helpfulness/adjudicate/{slightly.pk}/"
    browser(cast.rita).post(f"/projects/helpfulness/adjudicate/{split.pk}/", form)
    assert Adjudication.objects.count() == 1
    assert decided(cast.project)[split.pk] == ("first", "adjudicated")
    made = Adjudication.objects.get().annotation
    assert (made.annotator, made.counted) == (annotator_for(cast.rita, cast.project), False)
    assert [
        row["task"] for row in calling(cast.rita).get("/api/v1/projects/helpfulness/disputed").json()["results"]
    ] == [slightly.pk]
    browser(cast.mia).post(f"/projects/helpfulness/adjudicate/{split.pk}/back/")
    assert decided(cast.project)[split.pk] == ("second", "majority")


def test_marks_are_laid_over_each_other_and_decided_one_by_one(cast: Cast) -> None:
    projects.revise_protocol(project=cast.project, critiques=CRITIQUES)
    cast.project.refresh_from_db()
    (task,) = make_pairs(cast.project, 1)
    ann, bob, cy = (speak(cast, name, task, 1) for name in ("ann", "bob", "cy"))
    judge = speak(cast, "judge", task, None, kind="model")
    for one, span in ((ann, (0, 6)), (bob, (0, 8)), (judge, (0, 6)), (cy, (9, 13))):
        mark(one, *span)
    told = calling(cast.rita).get(f"/api/v1/tasks/{task.pk}/adjudication").json()
    first, second, overall = told["elements"]
    assert (first["start"], first["end"], first["disputed"]) == (0, 8, True)
    assert [(option["people"], option["machines"]) for option in first["options"]] == [
        (["ann"], ["judge"]), (["bob"], []), (["cy"], []),
    ]  # fmt: skip
    assert second["proposal"] == "rejected" and not overall["disputed"]
    url = f"/api/v1/tasks/{task.pk}/adjudication"
    half = {"choices": {first["place"]: first["options"][1]["key"]}}
    refused = calling(cast.rita).post(url, half, format="json", HTTP_IDEMPOTENCY_KEY="half")
    assert refused.status_code == 422 or refused.status_code == 400
    assert "is not decided yet" in refused.json()["detail"] + str(refused.json())
    whole = {"choices": half["choices"] | {second["place"]: "rejected"}}
    assert calling(cast.rita).post(url, whole, format="json", HTTP_IDEMPOTENCY_KEY="whole").status_code == 200
    made = Adjudication.objects.get().annotation
    kept = made.critiques.get()
    assert (kept.start, kept.end, kept.quote, kept.comment) == (0, 8, "Answer 0", "wrong here")
    assert made.preferences.get().value == 1
    other = {"choices": half["choices"] | {second["place"]: second["options"][0]["key"]}}
    calling(cast.rita).post(url, other, format="json", HTTP_IDEMPOTENCY_KEY="other")
    assert adjudicating.standing(task).annotation.critiques.count() == 2  # type: ignore[union-attr]
    assert calling(cast.ann).get(url).status_code == 403
    assert calling(cast.zed).get(url).status_code == 404


def test_the_ends_of_a_chosen_mark_are_moved(cast: Cast) -> None:
    projects.revise_protocol(project=cast.project, critiques=CRITIQUES)
    cast.project.refresh_from_db()
    (task,) = make_pairs(cast.project, 1)
    ann, bob = (speak(cast, name, task, 1) for name in ("ann", "bob"))
    mark(ann, 0, 6, edit="Reply")
    mark(bob, 0, 8)
    url = f"/api/v1/tasks/{task.pk}/adjudication"
    element = calling(cast.rita).get(url).json()["elements"][0]
    place, key = element["place"], element["options"][0]["key"]

    def send(ends: list[int], chosen: str = key, name: str = "", at: str = place) -> tuple[int, str]:
        body = {"choices": {place: chosen}, "bounds": {at: ends}}
        told = calling(cast.rita).post(url, body, format="json", HTTP_IDEMPOTENCY_KEY=name or str(ends))
        return told.status_code, told.content.decode()

    for ends, words in (([4, 4], "a start before an end"), ([0, 99], "a start before an end"), ([9, 13], "share some")):
        status, told = send(ends)
        assert status == 422 and words in told, told
    assert send([0, 13], "rejected")[0] == 422 and send([0, 13], at="axis:overall")[0] == 422
    assert send([0, 13], at="span:0:0:0")[0] == 409 and not Adjudication.objects.exists()
    assert send([0, 13])[0] == 200
    made = Adjudication.objects.get().annotation.critiques.get()
    assert (made.start, made.end, made.quote, made.edit, made.comment) == (0, 13, "Answer 0 to 0", "", "wrong here")
    label = Decision.objects.get(task=task, kind="span")
    assert (label.start, label.end, label.place) == (0, 13, place)
    assert send([0, 6], name="same")[0] == 200
    assert Critique.objects.latest("pk").edit == "Reply", "ends that stay where they were change nothing"
    form = {"key": "k", f"choice:{place}": key, f"bounds:{place}": "0,x"}
    page = browser(cast.rita).post(f"/projects/helpfulness/adjudicate/{task.pk}/", form)
    assert page.status_code == 422 and "0,x" in page.content.decode()
    browser(cast.rita).post(f"/projects/helpfulness/adjudicate/{task.pk}/", form | {f"bounds:{place}": "0,8"})
    assert Critique.objects.latest("pk").quote == "Answer 0"


def test_what_is_chosen_is_kept_with_other_labels_and_words(cast: Cast) -> None:
    polarities = {"polarities": ["poor", "good"], "edit": True}
    asked = [{"name": "why", "question": "Why?", "kind": "text"}, {"name": "true", "question": "True?"}]
    projects.revise_protocol(project=cast.project, critiques=CRITIQUES | polarities, questions=asked)
    cast.project.refresh_from_db()
    (task,) = make_pairs(cast.project, 1)
    assert task.pair is not None
    ann, bob = (speak(cast, name, task, 1) for name in ("ann", "bob"))
    mark(ann, 0, 6, edit="Reply")
    mark(bob, 0, 8)
    for one, words, answer in ((ann, "It is false.", True), (bob, "So.", False)):
        for question, said in (("why", words), ("true", answer)):
            Verdict.objects.create(annotation=one, response=task.pair.first, question=question, answer=said)
    url = f"/api/v1/tasks/{task.pk}/adjudication"
    elements = {one["place"]: one for one in calling(cast.rita).get(url).json()["elements"]}
    places = {one["kind"] + one["title"][-4:]: place for place, one in elements.items()}
    why, true = places["questionWhy?"], places["questionrue?"]
    (span,) = (place for place in elements if place.startswith("span"))
    assert elements[why]["in_words"] and not elements[true]["in_words"]
    assert (elements[span]["options"][0]["comment"], elements[span]["options"][0]["edit"]) == ("wrong here", "Reply")
    choices = {place: elements[place]["options"][0]["key"] for place in (span, why, true)}

    def send(edits: dict[str, Any], **more: Any) -> tuple[int, str]:
        body = {"choices": choices, "edits": edits, **more}
        key = f"k{len(str(edits))}{Adjudication.objects.count()}"
        told = calling(cast.rita).post(url, body, format="json", HTTP_IDEMPOTENCY_KEY=key)
        return told.status_code, told.content.decode()

    for place, edit, words in (
        (span, {"type": "rude"}, "no type of this project"), (span, {"severity": ["major"]}, "no severity"),
        (span, {"polarity": True}, "no polarity"), (span, {"comment": "x\0"}, "must be text"),
        (span, {"answer": "x"}, "has no answer"), (why, {"answer": " "}, "needs some"),
        (why, {"type": "wrong"}, "has no type"), (true, {"answer": "yes"}, "has no answer"),
        ("axis:overall", {"comment": "x"}, "only a mark or an answer"),
    ):  # fmt: skip
        status, told = send({place: edit})
        assert status == 422 and words in told, (place, edit, told)
    assert send({"span:0:0:0": {"type": "vague"}})[0] == 409 and not Adjudication.objects.exists()
    edits = {span: {"type": "vague", "polarity": 1, "comment": "Unclear."}, why: {"answer": "It is, in fact, false."}}
    assert send(edits | {true: {"comment": "See the source."}})[0] == 200
    made = Adjudication.objects.get().annotation
    kept = made.critiques.get()
    assert (kept.type, kept.severity, kept.polarity, kept.comment) == ("vague", "major", 1, "Unclear.")
    assert (kept.quote, kept.edit) == ("Answer", "Reply")
    said = dict(made.verdicts.values_list("question", "answer"))
    assert said == {"why": "It is, in fact, false.", "true": True}
    assert made.verdicts.get(question="true").comment == "See the source."
    labels = dict(Decision.objects.filter(task=task).values_list("place", "outcome"))
    assert labels[span] == "vague" and labels[why] == "It is, in fact, false."
    assert Decision.objects.get(task=task, kind="span").answer == {"severity": "major", "polarity": 1}
    assert send({span: {"edit": "A reply"}}, bounds={span: [0, 8]})[0] == 200
    kept = Critique.objects.latest("pk")
    assert (kept.quote, kept.edit, kept.type) == ("Answer 0", "A reply", "wrong"), "written for the text it has now"
    form = {"key": "k", f"edited:{span}": "[1]"} | {f"choice:{place}": key for place, key in choices.items()}
    page = browser(cast.rita).post(f"/projects/helpfulness/adjudicate/{task.pk}/", form)
    assert page.status_code == 422 and "[1]" in page.content.decode()
    sent = form | {f"edited:{span}": '{"type": "vague"}'}
    browser(cast.rita).post(f"/projects/helpfulness/adjudicate/{task.pk}/", sent)
    assert Critique.objects.latest("pk").type == "vague"


def test_answers_that_came_meanwhile_are_not_decided_unseen(cast: Cast) -> None:
    projects.revise_protocol(project=cast.project, critiques=CRITIQUES)
    cast.project.refresh_from_db()
    (task,) = make_pairs(cast.project, 1)
    mark(speak(cast, "ann", task, 1), 0, 6)
    speak(cast, "bob", task, 1)
    url = f"/api/v1/tasks/{task.pk}/adjudication"
    (element, _) = calling(cast.rita).get(url).json()["elements"]
    chosen = {"choices": {element["place"]: element["options"][0]["key"]}}
    mark(speak(cast, "cy", task, -1), 9, 13, "vague")
    assert calling(cast.rita).post(url, chosen, format="json", HTTP_IDEMPOTENCY_KEY="late").status_code in (400, 422)
    assert not Adjudication.objects.exists()


def test_a_decided_case_is_quoted_in_the_guidelines(cast: Cast) -> None:
    (task,) = make_pairs(cast.project, 1)
    speak(cast, "ann", task, 1)
    speak(cast, "bob", task, -1)
    root = "/projects/helpfulness"
    assert browser(cast.rita).post(f"{root}/adjudicate/{task.pk}/quote/", {"words": "x"}).status_code == 404
    browser(cast.rita).post(f"{root}/adjudicate/{task.pk}/", {"key": "k", "choice:axis:overall": "1"})
    browser(cast.rita).post(f"{root}/adjudicate/{task.pk}/quote/", {"words": "A **true** answer wins."})
    page = re.sub("<[^>]+>", "", browser(cast.ann).get(f"{root}/guidelines/").content.decode())
    assert "A true answer wins." in page and "overall: response 2 better" in page and "Take it out" not in page
    (row,) = calling(cast.vic).get("/api/v1/projects/helpfulness/cases").json()["results"]
    assert (row["task"], row["words"], row["by"]) == (task.pk, "A **true** answer wins.", "rita")
    browser(cast.mia).post(f"{root}/guidelines/", {"guidelines": "Truth first."})
    page = browser(cast.mia).get(f"{root}/guidelines/").content.decode()
    assert "<ins>Truth first.</ins>" in page and "Take it out" in page
    browser(cast.rita).post(f"{root}/guidelines/{row['id']}/withdraw/")
    assert "answer wins" not in browser(cast.ann).get(f"{root}/guidelines/").content.decode()
