"""Labels renamed, merged and split: what a change would do, and how answers of any version are read afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from curation.access import annotator_for
from curation.errors import Invalid
from curation.models import Annotation, Critique, Preference, Project, Protocol, Verdict
from curation.services import protocols, relabelling
from curation.services.label_names import Reading
from tests.cast import Cast, make_pairs

HARM = {"name": "harm", "question": "Which?", "kind": "choices", "options": [{"name": "fraud"}, {"name": "abuse"}]}
SAFE = {"name": "safe", "question": "Is it safe?"}


def types(*names: str) -> dict[str, Any]:
    return {"critiques": {"on": True, "types": [{"name": name} for name in names]}}


def revised(project: Project, relabelled: dict[str, Any] | None = None, **changes: Any) -> Protocol:
    return protocols.revise_protocol(project=project, relabelled=relabelled, **changes)


def after(project: Project, **changes: Any) -> dict[str, Any]:
    return protocols.checked(protocols.values_of(project.protocol) | changes, project.kind)


def said(
    cast: Cast, *critiques: str, severity: str = "", verdicts: tuple[tuple[str, Any], ...] = (), **fields: Any
) -> Annotation:
    """A standing answer of ann under the current version."""
    task = make_pairs(cast.project, 1)[0]
    fields = {"event": "answer", "source": "web", "idempotency_key": f"k{task.pk}", **fields}
    made = Annotation.objects.create(
        project=cast.project,
        task=task,
        annotator=annotator_for(cast.ann, cast.project),
        protocol=cast.project.protocol,
        **fields,
    )
    for name in critiques:
        Critique.objects.create(annotation=made, response=task.pair.first, type=name, severity=severity)
    for question, answer in verdicts:
        Verdict.objects.create(annotation=made, response=task.pair.first, question=question, answer=answer)
    return made


# --- Reading ------------------------------------------------------------------------------------------


def test_a_label_is_read_through_every_version_in_between(cast: Cast) -> None:
    revised(cast.project, **types("wrong", "style"))
    revised(cast.project, {"types": {"wrong": "factual"}}, **types("factual", "style"))
    revised(cast.project, {"types": {"factual": "content", "style": "content"}}, **types("content"))
    names = relabelling.current_names(cast.project.protocol)
    assert [names.since(version).type("wrong") for version in (2, 3, 4)] == ["content", "wrong", "wrong"]
    assert [names.since(version).type("style") for version in (2, 3, 4)] == ["content", "content", "style"]
    assert names.since(2).type("") == "" and names.since(2).type("other") == "other"
    third = relabelling.current_names(Protocol.objects.get(project=cast.project, version=3))
    assert third.since(2).type("wrong") == "factual" and third.since(4).type("content") == "content"


def test_a_label_that_is_named_back_is_itself_again(cast: Cast) -> None:
    revised(cast.project, **types("a", "b"))
    first = said(cast, "a")
    revised(cast.project, {"types": {"a": "b", "b": "a"}}, **types("a", "b", "c"))
    second = said(cast, "a")
    revised(cast.project, {"types": {"a": "b", "b": "a"}}, **types("a", "b"))
    names = relabelling.current_names(cast.project.protocol)
    assert names.of(first.protocol_id).type("a") == "a", "there and back"
    assert names.of(second.protocol_id).type("a") == "b"


def test_a_split_label_is_read_as_none_whatever_comes_later(cast: Cast) -> None:
    revised(cast.project, **types("style"))
    revised(cast.project, {"types": {"style": None}}, **types("tone", "grammar"))
    revised(cast.project, **types("tone", "grammar", "style"))
    names = relabelling.current_names(cast.project.protocol)
    assert names.since(2).type("style") is None and names.since(3).type("style") == "style"


def test_an_option_follows_its_question_and_is_read_in_lists() -> None:
    first = {"options": {"harm": {"fraud": "scam", "abuse": None}}, "questions": {"harm": "risk"}}
    second = {"options": {"risk": {"scam": "crime"}}}
    reading = Reading((first, second))
    assert reading.question("harm") == "risk" and reading.option("harm", "fraud") == "crime"
    assert reading.answer("harm", ["abuse", "fraud", "other"]) == ["crime", "other"]
    assert reading.answer("harm", "abuse") is None and reading.answer("harm", True) is True
    assert Reading(({"questions": {"harm": None}},)).option("harm", "fraud") is None


def test_an_answer_is_read_whole_and_of_two_merged_the_namesake_stays() -> None:
    reading = Reading(
        ({"axes": {"help": "overall"}, "types": {"wrong": "factual", "style": None}, "questions": {"ok": None}},)
    )
    given = {
        "preferences": [{"axis": "help", "value": 1}, {"axis": "overall", "value": -1}],
        "critiques": [{"type": "wrong", "severity": "major"}, {"type": "style", "severity": ""}],
        "verdicts": [
            {"question": "ok", "answer": True, "response": 0, "start": None},
            {"question": "safe", "answer": False, "response": 0, "start": None},
        ],
        "rationale": "Because.",
    }
    read = reading.shown(given)
    assert read["preferences"] == [{"axis": "overall", "value": -1}]
    assert [critique["type"] for critique in read["critiques"]] == ["factual", ""]
    assert [verdict["question"] for verdict in read["verdicts"]] == ["safe"]
    assert read["rationale"] == "Because." and given["critiques"][0]["type"] == "wrong"


# --- Decisions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"types": {"nothing": "factual"}}, "relabelled.types.nothing"),
        ({"types": {"wrong": "nothing"}}, "relabelled.types.wrong"),
        ({"types": []}, "relabelled.types"),
        ({"colours": {}}, "relabelled.colours"),
        ({"options": {"harm": {"fraud": "nothing"}}}, "relabelled.options.harm.fraud"),
    ],
)
def test_a_decision_about_labels_that_are_not_there_is_refused(cast: Cast, given: dict[str, Any], field: str) -> None:
    revised(cast.project, **types("wrong"), questions=[HARM])
    with pytest.raises(Invalid) as refused:
        revised(cast.project, given, **types("factual"))
    assert refused.value.field == field and cast.project.protocols.count() == 2


def test_a_label_that_went_earlier_may_be_decided_on_later(cast: Cast) -> None:
    revised(cast.project, **types("wrong"))
    revised(cast.project, **types("factual"))
    made = revised(cast.project, {"types": {"wrong": "factual", "factual": "factual"}})
    assert made.version == 4 and made.relabelled == {"types": {"wrong": "factual"}}
    assert relabelling.current_names(made).since(2).type("wrong") == "factual"


# --- What a change would do ---------------------------------------------------------------------------


def test_the_preview_counts_what_stands_and_tells_the_versions(cast: Cast) -> None:
    revised(cast.project, **types("wrong", "style", "unused"))
    said(cast, "wrong", "wrong", "style")
    gone = said(cast, "wrong")
    Annotation.objects.create(
        project=cast.project, task=gone.task, annotator=gone.annotator, protocol=gone.protocol, event="undo",
        source="web", idempotency_key="undo", supersedes=gone,
    )  # fmt: skip
    said(cast, "wrong", counted=False)
    rejected = said(cast)
    Critique.objects.create(
        annotation=rejected, response=rejected.task.pair.first, type="wrong", review=Critique.Review.REJECTED
    )
    revised(cast.project, {"types": {"wrong": "factual"}}, **types("factual", "style", "unused"))
    said(cast, "factual")
    effects = relabelling.preview(cast.project, after(cast.project, **types("style", "claims")))
    assert [(e.family, e.name, e.count, e.versions, e.row) for e in effects] == [
        ("types", "factual", 3, (2, 3), "critique")
    ]
    assert effects[0].others == ["style"] and effects[0].came == ["claims"] and effects[0].suggested is None


def test_the_preview_knows_every_family_of_labels(cast: Cast) -> None:
    severities = {"severities": [{"name": "minor"}, {"name": "major"}]}
    critiques = {"on": True, "types": [], **severities}
    revised(cast.project, critiques=critiques, questions=[HARM, SAFE])
    made = said(cast, "", severity="minor", verdicts=(("harm", ["fraud", "abuse"]), ("safe", False)))
    Preference.objects.create(annotation=made, axis="overall", value=1)
    new = after(
        cast.project,
        axes=[{"name": "helpfulness", "question": "?"}],
        critiques=critiques | {"severities": [{"name": "major"}]},
        questions=[HARM | {"options": [{"name": "scam"}, {"name": "abuse"}]}],
    )
    effects = relabelling.preview(cast.project, new)
    found = {e.key: (e.count, e.row, e.suggested) for e in effects}
    assert found == {
        "severities|minor": (1, "critique", None),
        "axes|overall": (1, "preference", "helpfulness"),
        "questions|safe": (1, "verdict", None),
        "options|harm|fraud": (1, "verdict", "scam"),
    }


def test_what_was_renamed_in_place_is_suggested(cast: Cast) -> None:
    revised(cast.project, **types("a", "b"), questions=[HARM])
    said(cast, "a", "b", verdicts=(("harm", ["fraud"]),))
    renamed = {"types": {"a": "x", "b": "y"}, "questions": {"harm": "risk"}, "options": {"harm": {"fraud": "scam"}}}
    risk = HARM | {"name": "risk", "options": [{"name": "scam"}, {"name": "abuse"}]}
    effects = relabelling.preview(cast.project, after(cast.project, **types("y", "x"), questions=[risk]), renamed)
    assert {e.name: e.suggested for e in effects} == {"a": "x", "b": "y", "harm": "risk", "fraud": "scam"}


def test_counting_stops_and_says_so(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    revised(cast.project, **types("a"))
    said(cast, *["a"] * 5)
    monkeypatch.setattr(relabelling, "MOST_COUNTED", 3)
    effects = relabelling.preview(cast.project, after(cast.project, **types("b")))
    assert [(e.count, e.at_least) for e in effects] == [(3, True)]


def test_what_was_split_is_listed_until_it_is_answered_anew(cast: Cast) -> None:
    revised(cast.project, **types("style"))
    first = said(cast, "style")
    made = revised(cast.project, {"types": {"style": None}}, **types("tone", "grammar", "style"))
    said(cast, "style")
    assert [entry.row.annotation_id for entry in relabelling.to_look_at_again(made)] == [first.pk]
    Annotation.objects.create(
        project=cast.project, task=first.task, annotator=first.annotator, protocol=made, event="answer",
        source="web", idempotency_key="again", supersedes=first,
    )  # fmt: skip
    assert not relabelling.to_look_at_again(made)


def test_no_row_changes_when_labels_do(cast: Cast) -> None:
    revised(cast.project, **types("wrong"))
    said(cast, "wrong")
    before = list(Critique.objects.values())
    revised(cast.project, {"types": {"wrong": "factual"}}, **types("factual"))
    assert list(Critique.objects.values()) == before
