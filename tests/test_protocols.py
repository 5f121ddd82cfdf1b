"""Protocols: checked field by field, revised into versions, told apart; by service and over the API."""

from __future__ import annotations

from typing import Any

import pytest

from curation.errors import Conflict, Invalid
from curation.models import Project, TaskKind
from curation.presets import PRESETS
from curation.services import protocols
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_relabelling import HARM, SAFE, revised, said, types

RATING = {"name": "quality", "question": "How good?", "kind": "rating"}


def faults(**changes: Any) -> dict[str, str]:
    return protocols.faults_of(protocols.fresh() | changes, TaskKind.PREFERENCE)


# --- Checking -----------------------------------------------------------------------------------------


def test_a_fresh_protocol_and_every_preset_are_right() -> None:
    assert not faults()
    for preset in PRESETS.values():
        made = {name: value for name, value in preset.protocol().items() if name != "preset"}
        assert not protocols.faults_of(protocols.fresh() | made, preset.kind), preset.name


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"guidelines": 3}, ["guidelines"]),
        ({"strengths": 4, "allow_tie": "no"}, ["strengths", "allow_tie"]),
        ({"rationale": "maybe"}, ["rationale"]),
        ({"unit": "word"}, ["unit"]),
        ({"axes": []}, ["axes"]),
        ({"axes": [{"name": "a b", "question": "?"}]}, ["axes.0.name"]),
        ({"axes": [{"name": "a", "question": "?"}, {"name": "c", "question": " "}]}, ["axes.1.question"]),
        (types("a", "", "a|b"), ["critiques.types.1.name", "critiques.types.2.name"]),
        (types("a", "b", "a"), ["critiques.types.2.name"]),
        ({"critiques": {"types": [{"name": "a", "color": "mauve"}]}}, ["critiques.types.0.color"]),
        ({"critiques": {"types": [{"name": "a", "key": "k"}, {"name": "b", "key": "k"}]}}, ["critiques.types.1.key"]),
        ({"critiques": {"types": [{"name": "a", "key": "?"}]}}, ["critiques.types.0.key"]),
        ({"critiques": {"severities": [{"name": "a", "weight": "much"}]}}, ["critiques.severities.0.weight"]),
        ({"critiques": {"colour": "red"}}, ["critiques.colour"]),
        ({"critiques": []}, ["critiques"]),
        ({"questions": [{"name": "q"}]}, ["questions.0.question"]),
        ({"questions": [HARM | {"options": []}]}, ["questions.0.options"]),
        ({"questions": [RATING | {"low": 5, "high": 5}]}, ["questions.0.high"]),
        ({"questions": [SAFE | {"scope": "unit"}]}, ["questions.0.scope"]),
        ({"questions": [SAFE | {"name": "skip"}]}, ["questions.0.name"]),
        ({"questions": [HARM | {"when": {"safe": [False]}}, SAFE]}, ["questions.0.when"]),
        ({"questions": [SAFE, HARM | {"when": {"safe": ["perhaps"]}}]}, ["questions.1.when"]),
        ({"questions": [SAFE, HARM | {"when": {"safe": [{}]}}]}, ["questions.1.when"]),
        ({"questions": [SAFE | {"scope": "unit", "stop": -1}], "unit": "step"}, ["questions.0.stop"]),
        ({"questions": [SAFE | {"comment_for": ["maybe"]}]}, ["questions.0.comment_for"]),
        ({"questions": ["safe"]}, ["questions.0"]),
        ({"help": {"mode": "shown", "holdout": 1.5}}, ["help.holdout"]),
        ({"help": {"mode": "always"}}, ["help.mode"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_field(changes: dict[str, Any], paths: list[str]) -> None:
    found = faults(**changes)
    assert list(found) == paths
    assert not any("Input should" in words or "pattern" in words for words in found.values()), found


def test_a_task_on_one_response_asks_something(cast: Cast) -> None:
    Project.objects.update(kind=TaskKind.RESPONSE)
    cast.project.refresh_from_db()
    with pytest.raises(Invalid) as refused:
        revised(cast.project, rationale="off")
    assert refused.value.field == "questions"


# --- Versions -----------------------------------------------------------------------------------------


def test_saying_the_same_in_fewer_words_makes_no_version(cast: Cast) -> None:
    revised(cast.project, **types("a"), questions=[SAFE])
    assert revised(cast.project, **types("a"), questions=[SAFE | {"kind": "yesno"}]).version == 2


def test_the_kind_of_task_may_change_until_there_are_tasks(cast: Cast) -> None:
    made = protocols.revise_protocol(project=cast.project, kind=TaskKind.RESPONSE, questions=[SAFE])
    assert made.version == 2 and Project.objects.get(pk=cast.project.pk).kind == TaskKind.RESPONSE
    protocols.revise_protocol(project=cast.project, kind=TaskKind.PREFERENCE)
    make_pairs(cast.project, 1)
    with pytest.raises(Conflict):
        protocols.revise_protocol(project=cast.project, kind=TaskKind.RANKING)


def test_two_versions_are_told_apart_by_what_came_went_and_changed() -> None:
    before = protocols.checked(protocols.fresh() | types("a", "b", "c") | {"questions": [HARM]}, "preference")
    critiques = {
        "on": True,
        "comment": "required",
        "types": [{"name": "c"}, {"name": "a", "color": "red"}, {"name": "d"}],
    }
    harm = HARM | {"options": [{"name": "fraud"}, {"name": "spam"}]}
    after = protocols.checked(
        before | {"critiques": critiques, "strengths": 3, "questions": [harm, SAFE]}, "preference"
    )
    assert [str(change) for change in protocols.differences(before, after)] == [
        "Scale changed: 2 → 3",
        "Type “d” came",
        "Type “b” went",
        "Type “a” changed: colour",
        "Type changed: the order",
        "Critiques “comment” changed: optional → required",
        "Question “safe” came",
        "Option of harm: “spam” came",
        "Option of harm: “abuse” went",
    ]
    assert protocols.differences(before, before) == []


# --- API ----------------------------------------------------------------------------------------------


def test_the_api_reads_revises_replaces_and_lists(cast: Cast) -> None:
    address = f"/api/v1/projects/{cast.project.slug}/protocol"
    client = calling(cast.mia)
    made = client.patch(address, {**types("a"), "guidelines": "Be fair."}, format="json").json()
    assert made["version"] == 2 and made["critiques"]["types"][0]["name"] == "a" and made["relabelled"] == {}
    replaced = client.put(address, types("b"), format="json").json()
    assert replaced["version"] == 3 and replaced["guidelines"] == "" and client.get(address).json() == replaced
    listed = client.get(f"{address}/versions?limit=2").json()
    assert [row["version"] for row in listed["results"]] == [1, 2] and listed["next"]
    assert client.get(f"{address}/versions/2").json()["guidelines"] == "Be fair."
    assert client.get(f"{address}/versions/9").status_code == 404


def test_the_api_tells_what_a_change_would_do_and_does_it_with_decisions(cast: Cast) -> None:
    revised(cast.project, **types("wrong", "style"))
    said(cast, "wrong")
    address = f"/api/v1/projects/{cast.project.slug}/protocol"
    client = calling(cast.mia)
    told = client.post(f"{address}/preview", types("factual", "style"), format="json").json()
    assert told["version"] == 2 and {change["what"] for change in told["changes"]} == {"came", "went"}
    effect = {"family": "types", "name": "wrong", "count": 1, "versions": [2], "suggested": "factual"}
    assert effect.items() <= told["effects"][0].items() and told["effects"][0]["targets"] == ["factual", "style"]
    assert cast.project.protocols.count() == 2
    body = types("factual", "style") | {"relabelled": {"types": {"wrong": "factual"}}}
    assert client.patch(address, body, format="json").json()["relabelled"] == body["relabelled"]
    assert client.patch(address, types("style"), format="json").json()["version"] == 4, "without decisions too"


def test_a_refusal_of_the_api_names_the_field(cast: Cast) -> None:
    address = f"/api/v1/projects/{cast.project.slug}/protocol"
    reply = calling(cast.mia).patch(address, types("a", "b", "a"), format="json")
    assert reply.status_code == 422 and reply.json()["errors"][0]["field"] == "critiques.types.2.name"
    reply = calling(cast.mia).post(f"{address}/preview", {"relabelled": {"types": {"x": None}}}, format="json")
    assert reply.status_code == 422 and reply.json()["errors"][0]["field"] == "relabelled.types.x"
