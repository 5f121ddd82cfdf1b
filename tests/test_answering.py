"""Answers that are more than preferences: what is refused and why, and what is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from curation.access import annotator_for
from curation.errors import Invalid
from curation.models import Annotation, Assignment, Critique, Rank, Tally, Task, TaskKind, Verdict
from curation.protocols import Asked
from curation.services import annotating, assigning, projects, suggesting, tallying
from curation.services.answering import Answer, Judged, Said, check, check_ranks, units_in
from curation.services.desk import Desk, desk_of
from curation.services.reviewing import reviewed_as
from curation.services.taking import ShownResponse
from tests.cast import Cast
from tests.test_suggestions import SKY, ask, item, land, landed, wrong

TEXT = "One 👍 is. Two are. Three too."
SENTENCES = [(0, 9), (10, 18), (19, 29)]
DOCUMENTS = orjson.dumps({"documents": ["Plain words.", {"title": "A", "text": "More 👍 words."}]}).decode()
CRITIQUES = {
    "on": True,
    "types": [{"name": "wrong"}],
    "severities": [{"name": "minor"}],
    "polarities": ["poor", "good"],
    "omission": True,
}
GOOD = Said(start=4, end=5, type="wrong", severity="minor", polarity=-1)
NO_CRITIQUES = {"critiques": {"on": False}}


def response(text: str = TEXT, **more: Any) -> ShownResponse:
    return ShownResponse(**{"id": 1, "text": text, "messages": None, "unit": "", "units": None, **more})


def checked(asked: dict[str, Any], answer: Answer, count: int = 1, *, whole: bool = True) -> Answer:
    protocol = Asked.model_validate({"critiques": CRITIQUES} | asked)
    return check(protocol, [response()] * count, answer, DOCUMENTS, whole=whole)


def refused(asked: dict[str, Any], answer: Answer, **how: Any) -> str:
    with pytest.raises(Invalid) as told:
        checked(asked, answer, **how)
    return str(told.value.field)


# --- Critiques ----------------------------------------------------------------------------------------


def test_a_quote_is_filled_in_and_an_empty_span_is_an_omission() -> None:
    [found] = checked({}, Answer([GOOD])).critiques
    assert (found.quote, found.omission) == ("👍", False)
    [found] = checked({}, Answer([replace(GOOD, end=4, omission=False)])).critiques
    assert (found.quote, found.omission) == ("", True)
    [found] = checked({}, Answer([replace(GOOD, start=None, end=None, quote="made up")])).critiques
    assert (found.start, found.quote, found.omission) == (None, "", False)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"response": 1}, "critiques.0.response"),
        ({"response": -1}, "critiques.0.response"),
        ({"message": 1}, "critiques.0.message"),
        ({"start": -1}, "critiques.0.start"),
        ({"start": 6}, "critiques.0.start"),
        ({"end": 30}, "critiques.0.start"),
        ({"end": None}, "critiques.0.end"),
        ({"start": None}, "critiques.0.end"),
        ({"quote": "👎"}, "critiques.0.quote"),
        ({"quote": ""}, "critiques.0.quote"),
        ({"type": "odd"}, "critiques.0.type"),
        ({"type": ""}, "critiques.0.type"),
        ({"severity": ""}, "critiques.0.severity"),
        ({"severity": "grave"}, "critiques.0.severity"),
        ({"polarity": None}, "critiques.0.polarity"),
        ({"polarity": 0}, "critiques.0.polarity"),
        ({"comment": "a\0"}, "critiques.0.comment"),
        ({"comment": "a" * 20_001}, "critiques.0.comment"),
        ({"edit": "\0"}, "critiques.0.edit"),
        ({"review_ms": -1}, "critiques.0.review_ms"),
        ({"review_ms": 2**31}, "critiques.0.review_ms"),
        ({"rejected": True}, "critiques.0.rejected"),
        ({"evidence": {"document": 2, "start": 0, "end": 1}}, "critiques.0.evidence.document"),
        ({"evidence": {"document": 0, "start": 0, "end": 13}}, "critiques.0.evidence.start"),
        ({"evidence": {"document": 0, "url": "https://a.example"}}, "critiques.0.evidence"),
        ({"evidence": {"url": "ftp://a.example"}}, "critiques.0.evidence.url"),
        ({"evidence": {"document": 1, "start": 5, "end": 6, "quote": "x"}}, "critiques.0.evidence.quote"),
    ],
)
def test_a_critique_that_does_not_fit_is_refused_by_its_field(said: dict[str, Any], field: str) -> None:
    assert refused({}, Answer([replace(GOOD, **said)])) == field


def test_evidence_gets_its_quote() -> None:
    proof = {"document": 1, "start": 5, "end": 6}
    checked({}, Answer([replace(GOOD, evidence=proof)]))
    assert proof["quote"] == "👍"  # type: ignore[comparison-overlap]


def test_what_a_protocol_does_not_ask_is_refused() -> None:
    assert refused(NO_CRITIQUES, Answer([GOOD])) == "critiques"
    bare = {"critiques": {"on": True}}
    assert refused(bare, Answer([GOOD])) == "critiques.0.type"
    assert refused(bare, Answer([Said(start=0, end=0)])) == "critiques.0.omission"
    assert refused(bare, Answer([Said(omission=True)])) == "critiques.0.omission"
    assert refused({}, Answer([GOOD] * 501)) == "critiques"
    assert checked({}, Answer([GOOD] * 500)).critiques[499].quote == "👍"


def test_a_required_comment_may_be_an_edit_and_a_rejection_needs_neither() -> None:
    asked = {"critiques": CRITIQUES | {"comment": "required", "edit": True}}
    assert refused(asked, Answer([replace(GOOD, comment=" ")])) == "critiques.0.comment"
    checked(asked, Answer([replace(GOOD, edit="")]))
    checked(asked, Answer([replace(GOOD, type="", derived_from=1, rejected=True)]))


def test_a_suggestion_may_leave_open_what_a_person_must_say() -> None:
    checked({"questions": [{"name": "q", "question": "?"}]}, Answer([Said(start=0, end=3)]), whole=False)
    assert refused({}, Answer([Said(start=0, end=3, type="odd")]), whole=False) == "critiques.0.type"


# --- Questions ----------------------------------------------------------------------------------------


def questions(*given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"questions": [{"question": "?", **one} for one in given], **more}


@pytest.mark.parametrize(
    ("question", "answers", "others"),
    [
        ({"kind": "yesno"}, [True, False], [1, 0, "yes", None]),
        ({"kind": "rating", "low": -1, "high": 1}, [-1, 0, 1], [2, -2, True, "1", 0.5]),
        ({"kind": "choice", "options": [{"name": "a"}, {"name": "b"}]}, ["a"], ["c", ["a"], True]),
        ({"kind": "choices", "options": [{"name": "a"}, {"name": "b"}]}, [[], ["b", "a"]], ["a", ["a", "a"], ["c"]]),
        ({"kind": "text"}, ["words"], ["", "  ", "a\0", "a" * 20_001, 1]),
    ],
)
def test_what_answers_a_question_has(question: dict[str, Any], answers: list[Any], others: list[Any]) -> None:
    asked = questions({"name": "q", **question})
    for answer in answers:
        checked(asked, Answer(verdicts=[Judged("q", answer)]))
    for answer in others:
        assert refused(asked, Answer(verdicts=[Judged("q", answer)])) == "verdicts.0.answer"


def test_every_required_question_of_every_response_is_answered_once() -> None:
    asked = questions({"name": "q"}, {"name": "extra", "required": False})
    both = [Judged("q", True), Judged("q", False, response=1)]
    checked(asked, Answer(verdicts=both), count=2)
    assert refused(asked, Answer(verdicts=both[:1]), count=2) == "verdicts.q"
    assert refused(asked, Answer(verdicts=[*both, both[0]]), count=2) == "verdicts"
    assert refused(asked, Answer(verdicts=[Judged("other", True)])) == "verdicts.0.question"
    assert refused(asked, Answer(verdicts=[Judged("q", True, start=0, end=9)])) == "verdicts.0.start"


def test_a_question_that_depends_on_another_is_due_only_then() -> None:
    asked = questions({"name": "safe"}, {"name": "bad", "when": {"safe": [False]}})
    checked(asked, Answer(verdicts=[Judged("safe", True)]))
    assert refused(asked, Answer(verdicts=[Judged("safe", False)])) == "verdicts.bad"
    checked(asked, Answer(verdicts=[Judged("safe", False), Judged("bad", True)]))


def test_words_and_evidence_that_are_required() -> None:
    asked = questions({"name": "q", "comment": "required", "evidence": "required"})
    proof = {"document": 0, "start": 0, "end": 5}
    assert refused(asked, Answer(verdicts=[Judged("q", False, comment=" ")])) == "verdicts.0.comment"
    assert refused(asked, Answer(verdicts=[Judged("q", True, comment="So.")])) == "verdicts.0.evidence"
    checked(asked, Answer(verdicts=[Judged("q", False, comment="So.")]))
    checked(asked, Answer(verdicts=[Judged("q", True, comment="So.", evidence=proof)]))


# --- Sentences and steps ------------------------------------------------------------------------------

BY_UNIT = questions({"name": "q", "scope": "unit"}, unit="sentence", **NO_CRITIQUES)
STEPS = questions(
    {"name": "q", "scope": "unit", "kind": "rating", "low": -1, "high": 1, "stop": -1}, unit="sentence", **NO_CRITIQUES
)


def judged(spans: Sequence[tuple[int, int]], answer: Any = True) -> list[Judged]:
    return [Judged("q", answer, start=start, end=end) for start, end in spans]


def test_every_unit_is_judged_and_no_other_span() -> None:
    checked(BY_UNIT, Answer(verdicts=judged(SENTENCES)))
    assert refused(BY_UNIT, Answer(verdicts=judged(SENTENCES[:2]))) == "verdicts.q"
    assert refused(BY_UNIT, Answer(verdicts=judged([*SENTENCES, (0, 8)]))) == "verdicts"
    assert refused(BY_UNIT, Answer(verdicts=judged([*SENTENCES[:2], (19, 28)]))) == "verdicts.start"
    assert refused(BY_UNIT, Answer(verdicts=[Judged("q", True)])) == "verdicts.0.start"
    assert refused(BY_UNIT, Answer(verdicts=judged([(0, 30)]))) == "verdicts.0.start"


def test_judging_stops_at_the_first_wrong_step() -> None:
    checked(STEPS, Answer(verdicts=judged(SENTENCES[:1], -1)))
    checked(STEPS, Answer(verdicts=judged(SENTENCES[:1], 1) + judged(SENTENCES[1:2], -1)))
    assert refused(STEPS, Answer(verdicts=judged(SENTENCES[:1], 1))) == "verdicts.q"
    assert refused(STEPS, Answer(verdicts=judged(SENTENCES[1:2], -1))) == "verdicts.q"


def test_boundaries_mended_by_hand_take_the_place_of_those_given() -> None:
    mended = {0: [(0, 18), (19, 29)]}
    checked(BY_UNIT, Answer(verdicts=judged(mended[0]), units=mended))
    assert refused(BY_UNIT, Answer(verdicts=judged(SENTENCES), units=mended)) == "verdicts.start"


@pytest.mark.parametrize(
    "spans", [[(0, 9), (5, 29)], [(19, 29), (0, 9)], [(0, 0)], [(0, 30)], [(-1, 9)], [(9, 3)], [(0, 9)]]
)
def test_mended_boundaries_lie_in_the_text_in_order_and_apart(spans: list[tuple[int, int]]) -> None:
    assert refused(BY_UNIT, Answer(verdicts=judged([(0, 9)]), units={0: spans})) == "units.0"


def test_boundaries_of_the_import_come_before_those_that_are_found() -> None:
    given = response(unit="sentence", units="[[0, 18], [19, 29]]")
    assert list(units_in(given, "sentence")) == [(0, 18), (19, 29)]
    assert list(units_in(given, "step")) == [(0, 29)] and list(units_in(response(), "sentence")) == SENTENCES


# --- Ranks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [[1, 2, 3], [1, 1, 3], [1, 1, 2], [3, 2, 1], [1, 1, 1]])
def test_places_with_ties(ranks: list[int]) -> None:
    check_ranks(3, ranks)


@pytest.mark.parametrize("ranks", [[], [1, 2], [1, 2, 4], [0, 1, 2], [2, 3, 3], [1, 2, 3, 4]])
def test_places_that_are_none(ranks: list[int]) -> None:
    with pytest.raises(Invalid):
        check_ranks(3, ranks)


# --- What is written ----------------------------------------------------------------------------------


@pytest.fixture
def sky(cast: Cast) -> Cast:
    """Two responses to judge, each with two suggestions."""
    ask(cast.project, TaskKind.RESPONSE, help={"mode": "shown", "holdout": 0.0})
    land(cast.project, item("sky"))
    for place in (0, 1):
        quotes = ("The sky is", "green") if place == 0 else ("The sea is", "blue")
        told = [wrong(quotes[0]), wrong(quotes[1], polarity=1, edit="azure")]
        verdict = {"question": "correct", "answer": False, "comment": "It is not."}
        landed(cast, {"item": "sky", "response": place, "critiques": told, "verdicts": [verdict]})
    return cast


def seated(cast: Cast, name: str = "ann") -> Desk:
    return desk_of(cast.project, annotator_for(cast.people[name], cast.project))


def answer(cast: Cast, said: Sequence[Said] = (), key: str = "k", task: int = 0, **verdict: Any) -> Annotation:
    desk = seated(cast)
    if not task:
        shown = assigning.next_shown(desk=desk)
        assert shown
        task = shown.task_id
    more = Answer(said, [Judged("correct", True, **verdict)])
    made = annotating.submit(desk=desk, task_id=task, commit=annotating.Commit(key), more=more)
    return Annotation.objects.get(pk=made.id)


def as_said(source: Critique, **more: Any) -> Said:
    names = ("start", "end", "quote", "type", "severity", "polarity", "comment", "edit", "omission", "evidence")
    return Said(**{name: getattr(source, name) for name in names} | {"derived_from": source.pk, "review_ms": 7} | more)


def suggested(cast: Cast, place: int = 0) -> list[Critique]:
    return list(Critique.objects.filter(annotation__annotator__kind="model", response__position=place).order_by("pk"))


def test_what_became_of_each_suggestion_is_written(sky: Cast) -> None:
    one, two = suggested(sky)
    made = answer(
        sky,
        [as_said(one), as_said(two, comment="It is grey.", edit="grey"), replace(GOOD, start=0, end=3)],
    )
    accepted, edited, own = made.critiques.order_by("pk")
    assert (accepted.review, accepted.derived_from, accepted.edit_distance, accepted.review_ms) == (
        "accepted",
        one,
        0,
        7,
    )
    assert (edited.review, edited.derived_from, edited.edit_distance) == ("edited", two, 4 + 4)
    assert (own.review, own.derived_from, own.edit_distance, own.review_ms, own.quote) == ("", None, None, None, "The")
    assert made.help == "shown"


@pytest.mark.parametrize(
    "change",
    [{"start": 1, "quote": None}, {"type": "vague"}, {"severity": "minor"}, {"polarity": 1}, {"edit": "x"},
     {"evidence": {"url": "https://a.example"}}],
)  # fmt: skip
def test_whatever_was_changed_makes_it_edited(sky: Cast, change: dict[str, Any]) -> None:
    made = answer(sky, [as_said(suggested(sky)[0], **change)])
    assert made.critiques.get().review == "edited"


def test_a_rejected_suggestion_is_kept_as_it_was(sky: Cast) -> None:
    source = suggested(sky)[0]
    made = answer(
        sky, [as_said(source, rejected=True, start=1, quote=None, type="vague", comment="Mine", unit="response")]
    )
    kept = made.critiques.get()
    names = (
        "response_id",
        "message",
        "unit",
        "start",
        "end",
        "quote",
        "type",
        "severity",
        "polarity",
        "comment",
        "edit",
    )
    assert kept.review == "rejected" and kept.review_ms == 7
    assert [getattr(kept, name) for name in names] == [getattr(source, name) for name in names]


def test_only_suggestions_on_the_same_task_can_be_derived_from(sky: Cast) -> None:
    with pytest.raises(Invalid, match="names no suggestion"):
        answer(sky, [as_said(suggested(sky, 1)[0], start=0, end=3, quote="The")])
    with pytest.raises(Invalid, match="names no suggestion"):
        answer(sky, derived_from=999_999)
    own = answer(sky, [replace(GOOD, start=0, end=3)]).critiques.get()
    with pytest.raises(Invalid, match="names no suggestion"):
        answer(sky, [as_said(own)], "k2", task=own.annotation.task_id)
    assert Annotation.objects.filter(annotator__kind="person").count() == 1


def test_a_suggestion_keeps_a_label_that_the_protocol_no_longer_has(sky: Cast) -> None:
    one, _ = suggested(sky)
    current = sky.project.protocol
    assert current
    projects.revise_protocol(project=sky.project, critiques=current.critiques | {"types": [{"name": "another"}]})
    with pytest.raises(Invalid, match="another"):
        answer(sky, [as_said(one, type="unheard of")])
    kept = answer(sky, [as_said(one)]).critiques.get()
    assert (kept.type, kept.review) == (one.type, "accepted") and one.type not in ("", "another")


def test_a_suggestion_whose_proof_is_a_whole_document_can_be_accepted(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE, help={"mode": "shown", "holdout": 0.0})
    said = wrong("The sky is") | {"start": 0, "end": 10, "evidence": {"document": 0}}
    critic = {"annotator": "critic", "kind": "model", "response": 0, "critiques": [said]}
    land(cast.project, item("sky", SKY, context={"documents": [{"text": "Blue."}]}, answers=[critic]))
    source = Critique.objects.get()
    made = answer(cast, [as_said(source)])
    assert made.critiques.get().review == "accepted" and made.critiques.get().evidence == {"document": 0}


def test_a_verdict_that_says_the_same_is_accepted_and_another_edited(sky: Cast) -> None:
    source = Verdict.objects.filter(response__position=0).get()
    made = answer(sky, derived_from=source.pk, review_ms=5).verdicts.get()
    assert (made.review, made.derived_from, made.review_ms) == ("edited", source, 5)
    task = made.annotation.task_id
    more = Answer(verdicts=[Judged("correct", False, comment="It is not.", derived_from=source.pk)])
    annotating.submit(desk=seated(sky), task_id=task, commit=annotating.Commit("again"), more=more)
    assert Verdict.objects.order_by("-pk")[0].review == "accepted"


def test_the_same_key_twice_is_one_answer(sky: Cast) -> None:
    first = answer(sky, [replace(GOOD, start=0, end=3)])
    again = answer(sky, [replace(GOOD, start=0, end=3)], task=first.task_id)
    assert first == again and Critique.objects.filter(annotation=first).count() == 1


def test_an_answer_is_counted_by_what_it_says_and_uncounted_when_it_goes(sky: Cast) -> None:
    one, two = suggested(sky)
    made = answer(sky, [as_said(one), as_said(two, rejected=True), replace(GOOD, start=0, end=3, type="vague")])
    counted = {("", "answered"): 1, ("correct", "yes"): 1, ("critique", "wrong"): 1, ("critique", "rejected"): 1}
    assert tallies() == counted | {("critique", "vague"): 1}
    answer(sky, [], "k2", task=made.task_id)
    assert tallies() == {("", "answered"): 1, ("correct", "yes"): 1}
    last = Annotation.objects.order_by("-pk")[0]
    annotating.undo(desk=seated(sky), annotation_id=last.pk, commit=annotating.Commit("u"))
    assert tallies() == {} and Task.objects.get(pk=made.task_id).done == 0


def tallies() -> dict[tuple[str, str], int]:
    return {(one.axis, one.outcome): one.count for one in Tally.objects.filter(count__gt=0)}


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        (True, ["yes"]),
        (False, ["no"]),
        (-1, ["-1"]),
        ("minor", ["minor"]),
        (["a", "b"], ["a", "b"]),
        ([], ["none"]),
        ("some words", ["words"]),
        ("x" * 61, ["words"]),
    ],
)
def test_how_a_verdict_is_counted(answer: Any, outcomes: list[str]) -> None:
    assert tallying.outcomes(answer) == outcomes


def test_ranks_are_stored_by_response_whatever_the_order_shown(cast: Cast) -> None:
    ask(cast.project, TaskKind.RANKING)
    land(cast.project, item("sky", "First.", "Second.", "Third."))
    desk = seated(cast)
    shown = assigning.next_shown(desk=desk)
    assert shown
    places = {"First.": 2, "Second.": 1, "Third.": 3}
    ranks = [places[text] for text in shown.texts]
    said = [Judged("correct", True, response=place) for place in range(3)]
    more = Answer(verdicts=said, ranks=ranks)
    annotating.submit(desk=desk, task_id=shown.task_id, commit=annotating.Commit("k"), more=more)
    assert {one.response.text: one.rank for one in Rank.objects.all()} == places
    made = Annotation.objects.get()
    by_id = {response.id: place for place, response in enumerate(shown.responses)}
    assert suggesting.ranks_of(made, by_id) == ranks and made.order == shown.order


def test_evidence_in_the_one_response_of_a_task_stays_there(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, *(item(f"sky{n}", "The sky is blue.") for n in range(8)))
    desk, orders = seated(cast), set()
    proof = {"response": 0, "start": 4, "end": 7, "quote": "sky"}
    for n in range(8):
        shown = assigning.next_shown(desk=desk)
        assert shown and shown.order == ""
        orders.add(Assignment.objects.get(task=shown.task_id).order)
        more = Answer([replace(GOOD, start=0, end=3, evidence=dict(proof))], [Judged("correct", True)])
        annotating.submit(desk=desk, task_id=shown.task_id, commit=annotating.Commit(f"k{n}"), more=more)
    assert orders == {"ab", "ba"}, "both sides of the coin are needed here"
    assert [one.evidence for one in Critique.objects.all()] == [proof] * 8


# --- What is seen of suggestions ------------------------------------------------------------------------


def helped(cast: Cast, mode: str, holdout: float, *, answered: bool = False) -> str:
    projects.revise_protocol(project=cast.project, help={"mode": mode, "holdout": holdout})
    task = Task.objects.order_by("pk")[0]
    return suggesting.help_on(seated(cast), task.pk, answered=answered)


def test_what_somebody_sees_of_the_suggestions(sky: Cast) -> None:
    assert helped(sky, "off", 0) == ""
    assert helped(sky, "shown", 0) == "shown" == helped(sky, "shown", 0, answered=True)
    assert (helped(sky, "reveal", 0), helped(sky, "reveal", 0, answered=True)) == ("before", "revealed")
    assert helped(sky, "shown", 1) == helped(sky, "reveal", 1) == helped(sky, "reveal", 1, answered=True) == "held_out"


def test_without_suggestions_there_is_nothing_to_see(cast: Cast) -> None:
    ask(cast.project, TaskKind.RESPONSE)
    land(cast.project, item("sky"))
    assert helped(cast, "shown", 0) == helped(cast, "reveal", 1) == ""


def test_the_share_that_is_held_out_is_random_by_person_and_task_and_stays(sky: Cast) -> None:
    projects.revise_protocol(project=sky.project, help={"mode": "shown", "holdout": 0.25})
    ann, bob = seated(sky), seated(sky, "bob")
    anns = [suggesting.held_out(ann, task) for task in range(4000)]
    bobs = [suggesting.held_out(bob, task) for task in range(4000)]
    assert 0.22 < sum(anns) / 4000 < 0.28 and 0.22 < sum(bobs) / 4000 < 0.28
    assert anns == [suggesting.held_out(ann, task) for task in range(4000)]
    both = sum(a and b for a, b in zip(anns, bobs, strict=True))
    assert 0.04 < both / 4000 < 0.09, "two people are held out independently"


def test_what_was_revealed_stays_revealed_after_an_undo(sky: Cast) -> None:
    projects.revise_protocol(project=sky.project, help={"mode": "reveal", "holdout": 0.0})
    first = answer(sky)
    second = answer(sky, key="k2", task=first.task_id)
    annotating.undo(desk=seated(sky), annotation_id=second.pk, commit=annotating.Commit("u"))
    third = answer(sky, key="k3", task=first.task_id)
    assert [one.help for one in (first, second, third)] == ["before", "revealed", "revealed"]


def test_reviewed_as_by_its_fields() -> None:
    source = Critique(start=0, end=3, type="wrong", comment="So.")
    row = Critique(start=0, end=3, type="wrong", comment="So.")
    assert reviewed_as(row, source, rejected=False) == "accepted"
    row.comment = "So!"
    assert (reviewed_as(row, source, rejected=False), reviewed_as(row, source, rejected=True)) == ("edited", "rejected")
