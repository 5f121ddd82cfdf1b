"""Outside critics over the API: what lands, what comes back with a reason, and what never moves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from curation.models import (
    Annotation,
    Annotator,
    Critique,
    Preference,
    Progress,
    Project,
    Protocol,
    Rank,
    Tally,
    Task,
    TaskKind,
    Verdict,
)
from curation.services import importing
from tests.cast import Cast
from tests.conftest import calling
from tests.imports import file_of

CRITIQUES = {
    "on": True,
    "types": [{"name": "wrong"}, {"name": "vague"}],
    "severities": [{"name": "minor"}, {"name": "major"}],
    "polarities": ["poor", "good"],
    "edit": True,
    "omission": True,
    "evidence": True,
}
CORRECT = {"name": "correct", "question": "Is it correct?"}
SKY = "The sky is green. Rayleigh scattering makes it so, and the sky is green at night."
SEA = "The sea is blue."


def ask(project: Project, kind: str, **protocol: Any) -> None:
    project.kind = kind
    project.protocol = Protocol.objects.create(
        project=project, version=2, critiques=CRITIQUES, questions=[CORRECT], **protocol
    )
    project.save()


def land(project: Project, *rows: dict[str, Any]) -> None:
    run = importing.import_now(project=project, user=None, path=file_of(rows))
    assert run.state == "succeeded", run.log


def item(name: str, *texts: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "prompt": f"What of {name}?", "responses": list(texts or (SKY, SEA)), **more}


@pytest.fixture
def sky(cast: Cast) -> Cast:
    """A project in which single responses are judged, of two items."""
    ask(cast.project, TaskKind.RESPONSE)
    land(
        cast.project,
        item("sky"),
        item("sea", SEA, context={"documents": [{"title": "Atlas", "text": "Water is blue."}]}),
    )
    return cast


def say(cast: Cast, *suggestions: Any, name: str = "critic", version: str = "1", **headers: str) -> Any:
    body = {"annotator": {"name": name, "kind": "model", "version": version}, "suggestions": list(suggestions)}
    return calling(cast.sol).post(
        f"/api/v1/projects/{cast.project.slug}/suggestions", body, format="json", headers=headers
    )


def landed(cast: Cast, *suggestions: Any, **how: Any) -> dict[str, Any]:
    response = say(cast, *suggestions, **how)
    assert response.status_code == 200, response.content
    return dict(response.json())


def refusal(cast: Cast, suggestion: Any) -> tuple[str, str]:
    told = landed(cast, suggestion)
    assert (told["created"], len(told["rejected"])) == (0, 1), told
    assert told["rejected"][0]["index"] == 0
    return told["rejected"][0]["field"], told["rejected"][0]["reason"]


def wrong(quote: str = "The sky is green.", **more: Any) -> dict[str, Any]:
    return {"quote": quote, "type": "wrong", "severity": "major", "polarity": -1, "comment": "It is blue.", **more}


def test_a_suggestion_lands_with_everything_it_says(sky: Cast) -> None:
    proof = {"document": 0, "quote": "Water is blue"}
    said = {
        "item": "sea",
        "score": 0.75,
        "rationale": "As water is.",
        "critiques": [{"start": 0, "end": 7, "quote": "The sea", "polarity": 1, "edit": "Water", "evidence": proof}],
        "verdicts": [{"question": "correct", "answer": True, "comment": "It is.", "evidence": proof}],
    }
    assert landed(sky, said) == {"created": 1, "replaced": 0, "unchanged": 0, "rejected": [], "placed": []}
    made = Annotation.objects.get()
    assert (made.event, made.source, made.counted, made.order, made.help) == ("answer", "api", True, "", "")
    assert (made.version, made.score, made.rationale) == ("1", 0.75, "As water is.")
    assert (made.annotator.kind, made.annotator.name, made.protocol.version) == ("model", "critic", 2)
    critique, verdict = Critique.objects.get(), Verdict.objects.get()
    assert (critique.quote, critique.polarity, critique.edit) == ("The sea", 1, "Water")
    assert critique.evidence == verdict.evidence == {"document": 0, "start": 0, "end": 13, "quote": "Water is blue"}
    assert (verdict.question, verdict.answer, verdict.comment) == ("correct", True, "It is.")


def test_nothing_of_a_suggestion_moves_a_counter(sky: Cast) -> None:
    before = list(Task.objects.order_by("pk").values())
    landed(sky, {"item": "sea", "critiques": [wrong("The sea")]})
    assert list(Task.objects.order_by("pk").values()) == before
    assert not Progress.objects.exists() and not Tally.objects.exists()
    sky.project.refresh_from_db()
    assert sky.project.vote_count == 0


def test_a_quote_finds_its_span_and_what_is_doubtful_is_told(sky: Cast) -> None:
    told = landed(
        sky,
        {"item": "sky", "response": 0, "critiques": [wrong("Raleigh scattering makes it so"), wrong("sky is green")]},
    )
    nearly, twice = told["placed"]
    assert (nearly["index"], nearly["field"], nearly["how"]) == (0, "critiques.0.quote", "fuzzy")
    assert nearly["quote"] == "Rayleigh scattering makes it so" and 0.85 <= nearly["score"] < 1
    assert (twice["field"], twice["how"], twice["places"], twice["start"]) == ("critiques.1.quote", "ambiguous", 2, 4)
    assert [c.quote for c in Critique.objects.order_by("pk")] == [nearly["quote"], "sky is green"]


def test_good_ones_land_and_bad_ones_come_back_in_their_order(sky: Cast) -> None:
    told = landed(
        sky,
        {"item": "sky", "response": 9},
        {"item": "sky", "response": 0, "critiques": [wrong()]},
        "no suggestion",
        {"item": "sea", "critique": []},
        {"item": "sea", "critiques": [wrong("nowhere to be found in there")]},
        {"item": "sea", "critiques": [wrong("The sea")]},
    )
    assert told["created"] == 2
    assert [(r["index"], r["field"]) for r in told["rejected"]] == [
        (0, "response"), (2, ""), (3, "critique"), (4, "critiques.0.quote")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("suggestion", "field"),
    [
        ({}, "task"),
        ({"item": "unknown"}, "item"),
        ({"task": 999_999}, "task"),
        ({"task": 2**63}, "task"),
        ({"item": "sky"}, "response"),
        ({"item": "sky", "response": -1}, "response"),
        ({"item": "sky", "responses": [0, 1]}, "response"),
        ({"item": "sea", "critiques": [{"start": 3, "end": 99}]}, "critiques.0.start"),
        ({"item": "sea", "critiques": [{"start": 0, "end": 3, "quote": "Sea"}]}, "critiques.0.quote"),
        ({"item": "sea", "critiques": [wrong("The sea", type="unheard of")]}, "critiques.0.type"),
        ({"item": "sea", "critiques": [wrong("The sea", response=1)]}, "critiques.0.response"),
        ({"item": "sea", "critiques": [wrong("The sea", message=1)]}, "critiques.0.message"),
        ({"item": "sea", "critiques": [wrong("The sea", colour="red")]}, "critiques.0.colour"),
        ({"item": "sea", "critiques": [wrong("The sea", evidence={"quote": "x"})]}, "critiques.0.evidence.response"),
        (
            {"item": "sea", "critiques": [wrong("The sea", evidence={"url": "javascript:x"})]},
            "critiques.0.evidence.url",
        ),
        ({"item": "sea", "verdicts": [{"question": "correct", "answer": "yes"}]}, "verdicts.0.answer"),
        ({"item": "sea", "verdicts": [{"question": "unasked", "answer": True}]}, "verdicts.0.question"),
        ({"item": "sea", "preferences": [{"axis": "overall", "value": 1}]}, "preferences.0"),
        ({"item": "sea", "ranks": [1]}, "ranks"),
        ({"item": "sea", "score": "nan"}, "score"),
        ({"item": "sea", "rationale": "\0"}, ""),
        ({"item": "sea", "critiques": [wrong("The sea", evidence={"url": "https://x/\0"})]}, ""),
    ],
)
def test_what_does_not_fit_names_its_field(sky: Cast, suggestion: Any, field: str) -> None:
    given, reason = refusal(sky, suggestion)
    assert given == field or (field == "preferences.0" and given == "preferences"), (given, reason)
    assert reason and not Annotation.objects.exists()


@pytest.mark.parametrize(
    ("annotator", "field"),
    [
        ({"name": "@ann", "kind": "person"}, "annotator.kind"),
        ({"name": "", "kind": "model"}, "annotator.name"),
        ({"name": "c", "kind": "model", "version": "v" * 101}, "annotator.version"),
    ],
)
def test_only_models_and_programs_speak_here(sky: Cast, annotator: Any, field: str) -> None:
    body = {"annotator": annotator, "suggestions": [{"item": "sea"}]}
    response = calling(sky.sol).post(f"/api/v1/projects/{sky.project.slug}/suggestions", body, format="json")
    assert response.status_code == 400 and response.json()["errors"][0]["field"] == field
    assert not Annotator.objects.exists()


def test_the_same_again_changes_nothing_and_another_takes_its_place(sky: Cast) -> None:
    first, second = ({"item": "sea", "critiques": [wrong("The sea", comment=words)]} for words in ("One.", "Two."))
    assert landed(sky, first)["created"] == 1
    assert landed(sky, first)["unchanged"] == 1
    assert landed(sky, second)["replaced"] == 1
    assert landed(sky, second, first, first) == {
        "created": 0, "replaced": 1, "unchanged": 2, "rejected": [], "placed": []
    }  # fmt: skip
    assert landed(sky, first, version="2")["replaced"] == 1
    [standing] = Annotation.objects.answers()
    assert standing.critiques.get().comment == "One." and standing.version == "2"
    assert landed(sky, first, name="another")["created"] == 1
    assert Annotation.objects.answers().count() == 2


def test_a_task_and_its_item_name_the_same(sky: Cast) -> None:
    task = Task.objects.get(response__item__external_id="sea")
    assert landed(sky, {"task": task.pk, "critiques": [wrong("The sea")]})["created"] == 1
    assert landed(sky, {"item": "sea", "response": 0, "critiques": [wrong("The sea")]})["unchanged"] == 1
    Task.objects.filter(pk=task.pk).update(state=Task.State.RETIRED)
    assert refusal(sky, {"task": task.pk})[0] == "task"


def test_a_pair_is_named_in_either_order(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE)
    land(cast.project, item("sky"))
    leaning = {"axis": "overall", "value": -2, "probability": 0.25}
    said = {"preferences": [leaning], "critiques": [wrong(evidence={"response": 0, "quote": "night"})]}
    assert landed(cast, {"item": "sky", "responses": [0, 1], **said})["created"] == 1
    turned = {"preferences": [leaning], "critiques": [wrong("The sea", evidence={"response": 1, "quote": "night"})]}
    assert landed(cast, {"item": "sky", "responses": [1, 0], **turned}, name="other")["created"] == 1
    one, other = Preference.objects.order_by("pk")
    assert (one.value, one.probability) == (-2, 0.25) and (other.value, other.probability) == (2, 0.75)
    for critique, position in zip(Critique.objects.order_by("pk"), (0, 1), strict=True):
        assert critique.response.position == position
        assert critique.evidence and critique.evidence["response"] == 0
    assert refusal(cast, {"item": "sky", "responses": [0, 0]})[0] == "responses"
    assert refusal(cast, {"item": "sky", "preferences": [{"axis": "overall"}]})[0] == "preferences.0.value"
    assert refusal(cast, {"item": "sky", "preferences": [leaning | {"axis": "b"}]})[0] == "preferences.0.axis"
    assert refusal(cast, {"item": "sky", "preferences": [leaning, leaning]})[0] == "preferences"
    assert landed(cast, {"item": "sky", "preferences": [{"axis": "overall", "both_bad": True}]})["replaced"] == 1


def test_a_ranking_is_of_the_responses_in_their_order(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("sky", "one", "two", "three"), item("sea", "four", "five"))
    told = landed(
        cast, {"item": "sky", "ranks": [2, 1, 3]}, {"item": "sea", "ranks": [1, 1]}, {"item": "sea", "ranks": [1]}
    )
    assert (told["created"], told["rejected"][0]["field"]) == (2, "ranks")
    rows = Rank.objects.filter(response__item__external_id="sky").order_by("response__position")
    assert [row.rank for row in rows] == [2, 1, 3]


def test_the_same_idempotency_key_lands_once(sky: Cast) -> None:
    first = say(sky, {"item": "sea"}, **{"idempotency-key": "k"})
    again = say(sky, {"item": "sea"}, **{"idempotency-key": "k"})
    assert first.json() == again.json() and again["Idempotency-Replayed"] == "true"
    assert say(sky, {"item": "sky"}, **{"idempotency-key": "k"}).status_code == 422


def test_another_project_is_out_of_reach(sky: Cast) -> None:
    from tests.cast import make_pairs, make_project

    [task] = make_pairs(make_project("other"), 1)
    assert refusal(sky, {"task": task.pk})[0] == "task"
    assert refusal(sky, {"item": "item-0"})[0] == "item"


def test_many_land_in_few_statements_and_a_thousand_is_the_most(sky: Cast, django_assert_max_num_queries: Any) -> None:
    land(sky.project, *(item(f"n{n}", f"Text number {n}.") for n in range(120)))
    many = [{"item": f"n{n}", "critiques": [wrong(f"number {n}", comment="No.")]} for n in range(120)]
    with django_assert_max_num_queries(60 + 2 * 120):
        assert landed(sky, *many)["created"] == 120
    with django_assert_max_num_queries(60):
        assert landed(sky, *many)["unchanged"] == 120
    assert say(sky, *({"item": "sea"} for _ in range(1001))).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_two_at_once_leave_one_standing(transactional_db: None) -> None:
    from tests.cast import assemble

    cast = assemble()
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("sky"), item("sea", SEA))

    def speak(number: int) -> dict[str, Any]:
        try:
            return landed(cast, {"item": "sea", "critiques": [wrong("The sea", comment=f"{number % 3}")]})
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(speak, range(12)))
    assert sum(one["created"] for one in told) == 1
    assert sum(one["created"] + one["replaced"] + one["unchanged"] for one in told) == 12
    assert Annotation.objects.answers().count() == 1
    assert Annotation.objects.count() == sum(one["created"] + one["replaced"] for one in told)


@pytest.mark.django_db(transaction=True)
def test_the_critic_of_the_docs_works_and_goes_on_where_it_stopped(
    live_server: Any, transactional_db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    from django.conf import settings

    from tests.cast import assemble, token_for

    cast = assemble()
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("sky", "It is really, really so.", "Quite so."), item("sea", "Very deep."))
    [code] = re.findall(r"```python\n(.*?)```", (settings.BASE_DIR / "docs" / "api.md").read_text(), re.DOTALL)
    code = code.replace("http://localhost:8000/api/v1/projects/mine", f"{live_server.url}/api/v1/projects/helpfulness")
    code = code.replace("ts_…", token_for(cast.sol, "write"))
    exec(compile(code, "docs/api.md", "exec"), {})
    assert Annotation.objects.filter(annotator__name="fillers", annotator__kind="program").count() == 3
    assert Critique.objects.get().quote == "really"
    assert "'created': 3" in capsys.readouterr().out
    exec(compile(code, "docs/api.md", "exec"), {})
    assert not capsys.readouterr().out
