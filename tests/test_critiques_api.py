"""Items for outside critics, and everybody's critiques and verdicts: by page, as a stream, filtered."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from curation.models import Annotation, Critique, Item, Project, Response, Task, TaskKind, Verdict
from curation.services import browsing
from tests.cast import Cast, make_pairs, make_project
from tests.conftest import calling
from tests.test_suggestions import SEA, SKY, ask, item, land, landed, wrong

NDJSON = {"accept": "application/x-ndjson"}
PERSON = {
    "annotator": "w1",
    "critiques": [
        {"start": 0, "end": 7, "type": "wrong", "severity": "minor", "polarity": -1, "comment": "No."},
        {"start": 8, "end": 10, "polarity": 1},
    ],
    "verdicts": [{"question": "correct", "answer": False}],
}


@pytest.fixture
def sky(cast: Cast) -> Cast:
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("sky", answers=[PERSON | {"response": 1}]), item("sea", SEA))
    landed(cast, {"item": "sky", "response": 0, "score": 0.5, "critiques": [wrong()]})
    return cast


def get(cast: Cast, path: str, **headers: Any) -> Any:
    return calling(cast.vic).get(f"/api/v1/projects/{cast.project.slug}/{path}", headers=headers)


def pages(cast: Cast, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor, turns = "", 0
    while cursor is not None:
        page = get(cast, f"{path}{'&' if '?' in path else '?'}cursor={cursor}").json()
        rows, cursor, turns = rows + page["results"], page["next"], turns + 1
        assert turns < 50
    return rows


def stream(cast: Cast, path: str) -> list[dict[str, Any]]:
    told = get(cast, path, **NDJSON)
    return [orjson.loads(line) for line in b"".join(told.streaming_content).splitlines()]


def review(project: Project, source: Critique, verb: str, **more: Any) -> Critique:
    """What a person made of a suggestion, written by hand."""
    from curation.access import annotator_for
    from curation.models import User

    made = Annotation.objects.create(
        project=project,
        task=source.annotation.task,
        annotator=annotator_for(User.objects.get(username="ann"), project),
        protocol=project.protocol,
        event="answer",
        source="web",
        idempotency_key=f"{verb}-{Annotation.objects.count()}",
    )
    names = ("response_id", "start", "end", "quote", "type", "severity", "polarity")
    same = {name: getattr(source, name) for name in names}
    return Critique.objects.create(annotation=made, derived_from=source, review=verb, review_ms=900, **same | more)


def test_critiques_tell_where_they_stand_and_who_said_them(sky: Cast) -> None:
    rows = get(sky, "critiques").json()["results"]
    assert [(r["item"], r["response"], r["start"], r["end"], r["quote"]) for r in rows] == [
        ("sky", 1, 0, 7, "The sea"),
        ("sky", 1, 8, 10, "is"),
        ("sky", 0, 0, 17, "The sky is green."),
    ]
    assert rows[0]["annotator"] == {"kind": "person", "name": "w1"} and rows[0]["severity"] == "minor"
    assert rows[2]["annotator"] == {"kind": "model", "name": "critic"} and rows[2]["source"] == "api"
    assert rows[2]["task"] == Task.objects.get(response__position=0, response__item__external_id="sky").pk
    assert (rows[2]["version"], rows[2]["score"], rows[2]["review"], rows[2]["derived_from"]) == ("1", 0.5, "own", None)


def test_pages_and_stream_say_the_same(sky: Cast) -> None:
    whole = get(sky, "critiques").json()
    assert whole["next"] is None
    for limit in (1, 2, 3):
        assert pages(sky, f"critiques?limit={limit}") == whole["results"]
    assert stream(sky, "critiques") == whole["results"]
    assert pages(sky, "verdicts?limit=1") == stream(sky, "verdicts") != []
    told = stream(sky, "verdicts")[0]
    assert (told["question"], told["answer"], told["item"], told["response"]) == ("correct", False, "sky", 1)


@pytest.mark.parametrize("piece", [1, 200])
def test_filters_leave_the_others_out(sky: Cast, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(browsing, "PIECE", piece)  # with pages of one row, pieces of two
    source = Critique.objects.get(annotation__annotator__name="critic")
    review(sky.project, source, "rejected")
    assert len(pages(sky, "critiques?annotator_kind=model")) == 1
    assert len(pages(sky, "critiques?annotator_kind=person&limit=1")) == 3
    [rejected] = pages(sky, "critiques?review=rejected")
    assert rejected["derived_from"]["annotator"] == {"kind": "model", "name": "critic"}
    assert rejected["review_ms"] == 900 and rejected["derived_from"]["id"] == source.pk
    assert len(pages(sky, "critiques?review=own&limit=1")) == 3
    assert [row["quote"] for row in pages(sky, "critiques?type=wrong&review=own")] == ["The sea", "The sky is green."]
    assert pages(sky, "critiques?type=unheard") == [] == pages(sky, "verdicts?type=unheard")
    assert len(pages(sky, "verdicts?type=correct&review=own&annotator_kind=person")) == 1


def test_what_was_superseded_or_undone_is_left_out(sky: Cast) -> None:
    landed(sky, {"item": "sky", "response": 0, "critiques": [wrong(comment="Anew.")]})
    assert [row["comment"] for row in pages(sky, "critiques?annotator_kind=model")] == ["Anew."]


def test_a_response_that_was_put_away_has_no_place(sky: Cast) -> None:
    Response.objects.filter(text=SKY).update(deleted_at="2026-01-01T00:00:00Z")
    rows = pages(sky, "critiques")
    assert [row["response"] for row in rows] == [0, 0, None]


@pytest.mark.parametrize("query", ["cursor=3", "cursor=a-b", f"cursor={9**30}-1", "review=maybe", "annotator_kind=cat"])
def test_a_wrong_query_is_a_problem_that_names_it(sky: Cast, query: str) -> None:
    response = get(sky, f"critiques?{query}")
    assert response.status_code == 422 and response.json()["errors"][0]["field"] == query.split("=")[0]


def test_another_project_is_not_told(sky: Cast) -> None:
    other = make_project("other")
    make_pairs(other, 2)
    told = calling(sky.ada).get("/api/v1/projects/other/critiques").json()
    assert told == {"results": [], "next": None}


def test_items_come_with_all_that_a_critic_needs(sky: Cast) -> None:
    rows = get(sky, "items").json()["results"]
    assert [row["external_id"] for row in rows] == ["sky", "sea"]
    assert rows[0]["prompt"] == [{"role": "user", "content": "What of sky?"}] and rows[0]["context"] == {}
    assert [(r["place"], r["text"], r["units"]) for r in rows[0]["responses"]] == [(0, SKY, None), (1, SEA, None)]
    assert [(t["kind"], t["response"]) for t in rows[0]["tasks"]] == [("response", 0), ("response", 1)]
    assert [row["external_id"] for row in pages(sky, "items?limit=1")] == ["sky", "sea"]
    for row in rows:
        for task in row["tasks"]:
            landed(sky, {"task": task["id"], "critiques": []}, name="fast")
    assert Annotation.objects.filter(annotator__name="fast").count() == 3


def test_units_of_sentences_and_the_pairs_of_an_item(cast: Cast) -> None:
    ask(cast.project, TaskKind.PREFERENCE, unit="sentence")
    land(cast.project, item("sky"))
    [row] = get(cast, "items").json()["results"]
    assert row["responses"][0]["units"] == [[0, 17], [18, len(SKY)]] and row["responses"][0]["unit"] == "sentence"
    assert row["tasks"][0]["kind"] == "preference" and row["tasks"][0]["responses"] == [0, 1]


def test_what_an_annotator_spoke_on_is_left_out(sky: Cast) -> None:
    def left(name: str) -> list[tuple[str, list[int]]]:
        return [
            (row["external_id"], [task["response"] for task in row["tasks"]])
            for row in pages(sky, f"items?without={name}&limit=1")
        ]

    assert left("nobody") == [("sky", [0, 1]), ("sea", [0])]
    assert left("critic") == [("sky", [1]), ("sea", [0])]
    landed(sky, {"item": "sky", "response": 1})
    assert left("critic") == [("sea", [0])]
    landed(sky, {"item": "sea"})
    assert left("critic") == []


def test_a_critic_walks_over_what_it_did_without_losing_its_way(
    sky: Cast, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    land(sky.project, *(item(f"n{n}", f"Text {n}.") for n in range(30)))
    landed(sky, *({"item": f"n{n}"} for n in range(25)))
    monkeypatch.setattr(browsing, "LOOKED_AT", 10)
    names = [row["external_id"] for row in pages(sky, "items?without=critic&limit=2")]
    assert names == ["sky", "sea", *(f"n{n}" for n in range(25, 30))]
    with django_assert_max_num_queries(15):
        get(sky, "items?without=critic&limit=5")


def test_the_number_of_statements_does_not_grow_with_the_page(sky: Cast, django_assert_max_num_queries: Any) -> None:
    land(sky.project, *(item(f"n{n}", f"This is text {n}.", answers=[{**PERSON, "response": 0}]) for n in range(40)))
    assert Verdict.objects.count() > 40 < Item.objects.count()
    for path in ("critiques?limit=100", "verdicts?limit=100", "items?limit=100"):
        with django_assert_max_num_queries(10):
            assert len(get(sky, path).json()["results"]) >= 40
