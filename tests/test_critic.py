"""What a critic is asked and how its answers are read: every way of asking, without any model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from curation.models import TaskKind
from curation.presets import PRESETS
from curation.protocols import Asked, Question
from tests.answering import Answering, Step, said
from workers.criticising import Heard, Subject, Wanted, request, ways
from workers.critics.pairwise import vote
from workers.judging import Candidate, Given, Spec, Unusable, judges
from workers.replies import read

TEXT = "The sky is green. It is green because of dust. Dust is small."
UNITS = [(0, 17), (18, 46), (47, 61)]
ASK = [{"role": "user", "content": "Why is the sky blue?"}]
SUBJECT = Subject(ASK, [[TEXT]], ["Rayleigh scattering makes the sky blue."], UNITS)
PAIR = Subject(ASK, [["It scatters."], ["Because of the sea."]])
CRITIQUES = {
    "on": True,
    "types": [{"name": "wrong", "label": "Wrong", "about": "not true"}],
    "severities": [{"name": "minor"}, {"name": "major"}],
    "polarities": ["poor", "good"],
    "edit": True,
    "omission": True,
    "evidence": True,
}
SPANS = Wanted(critiques=CRITIQUES)


def questions(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return [Question.model_validate({"question": "?", **one}).model_dump() for one in given]


def place(quote: str, **more: Any) -> dict[str, Any]:
    given = {"quote": quote, "comment": "No.", "evidence": None, "type": "wrong", "severity": "major"}
    return {**given, "polarity": "poor", "edit": None, "missing": False, **more}


def heard(way: str, wanted: Wanted, subject: Subject, answer: Any) -> Heard:
    """What an answer says, after it was checked against the schema that was asked for."""
    chosen = ways.get(way)
    Draft202012Validator(chosen.schema(wanted, subject)).validate(answer)
    return chosen.read(wanted, subject, answer)


def critiques(*places: dict[str, Any], subject: Subject = SUBJECT) -> Heard:
    return heard("spans", SPANS, subject, {"overall": "Wrong.", "critiques": list(places)})


def test_every_preset_is_asked_in_at_least_one_way_with_a_sound_schema() -> None:
    for preset in PRESETS.values():
        shape = preset.asked.model_dump()
        axes = preset.axes if preset.kind == TaskKind.PREFERENCE else ()
        wanted = Wanted(shape["unit"], shape["critiques"], shape["questions"], axes, preset.strengths)
        fitting = [way for way in ways if way.fits(wanted)]
        assert fitting or preset.kind == TaskKind.RANKING, preset.name
        for way in fitting:
            asked = request(way, wanted, PAIR if way.pair else SUBJECT)
            Draft202012Validator.check_schema(asked.schema)
            assert strict(asked.schema), (preset.name, way.name)


def strict(schema: Any) -> bool:
    """Whether every object requires all of its fields and allows no other, as constrained decoding wants it."""
    if isinstance(schema, list):
        return all(map(strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        whole = schema["required"] == list(schema["properties"]) and schema["additionalProperties"] is False
        return whole and all(map(strict, schema["properties"].values()))
    return all(map(strict, schema.values()))


def test_questions_on_one_response_begin_alike() -> None:
    """A server that caches prefixes reads prompt, documents, response and guidelines once."""
    wanted = replace(
        SPANS, unit="step", guidelines="Be strict.", questions=questions({"name": "a"}, {"name": "b", "scope": "unit"})
    )
    asked = [request(way, wanted, SUBJECT).messages[0]["content"] for way in ways if way.fits(wanted)]
    shared = asked[0][: asked[0].index("</guidelines>")]
    assert len(asked) == 3 and all(one.startswith(shared) for one in asked)
    for part in ("Why is the sky blue?", "Rayleigh", TEXT, "Be strict."):
        assert part in shared


# --- Spans -------------------------------------------------------------------------------------------


def test_a_quote_becomes_a_span() -> None:
    told = critiques(place("green because of dust", edit="blue"))
    (one,) = told.critiques
    assert TEXT[one["start"] : one["end"]] == one["quote"] == "green because of dust"
    assert (one["how"], one["unit"], one["type"], one["severity"]) == ("exact", "span", "wrong", "major")
    assert (one["polarity"], one["comment"], one["edit"], told.rationale) == (-1, "No.", "blue", "Wrong.")


def test_a_quote_is_found_though_it_is_not_exact() -> None:
    near = critiques(place("“it is  GREEN because of dust”"), place("It is green becuase of dust")).critiques
    assert [one["how"] for one in near] == ["normalised", "fuzzy"]
    assert all(TEXT[one["start"] : one["end"]] == one["quote"] for one in near)


def test_a_quote_that_stands_twice_is_noted() -> None:
    assert critiques(place("is green")).critiques[0]["how"] == "ambiguous"


def test_a_made_up_quote_has_no_place_and_is_kept() -> None:
    (one,) = critiques(place("The sea reflects the sky", edit="x")).critiques
    assert (one["start"], one["end"], one["how"], one["unit"]) == (None, None, "unmatched", "response")
    assert one["quote"] == "The sea reflects the sky" and one["edit"] is None


def test_what_is_missing_speaks_of_the_whole_response() -> None:
    (one,) = critiques(place("The sky", missing=True)).critiques
    assert (one["start"], one["omission"], one["how"]) == (None, True, "")


def test_a_quote_is_looked_for_in_every_message() -> None:
    subject = replace(SUBJECT, responses=[["Let me see.", TEXT]])
    (one,) = critiques(place("Dust is small"), subject=subject).critiques
    assert (one["message"], one["start"], one["end"]) == (1, 47, 60)


def test_evidence_is_placed_in_its_document_or_left_out_and_counted() -> None:
    told = critiques(
        place("green", evidence={"document": 1, "quote": "scattering makes"}),
        place("green", evidence={"document": 1, "quote": "nothing of the kind at all"}),
    )
    assert told.critiques[0]["evidence"] == {"document": 0, "start": 9, "end": 25, "quote": "scattering makes"}
    assert told.critiques[1]["evidence"] is None and told.unproved == 1


def test_only_what_the_protocol_asks_is_in_the_schema() -> None:
    plain = Wanted(critiques={"on": True, "polarities": ["poor"]})
    schema = ways.get("spans").schema(plain, SUBJECT)
    assert list(schema["properties"]["critiques"]["items"]["properties"]) == ["quote", "comment", "polarity"]
    foreign = {"overall": "", "critiques": [{"quote": "a", "comment": "b", "polarity": "neutral"}]}
    assert not Draft202012Validator(schema).is_valid(foreign)


# --- Verdicts ----------------------------------------------------------------------------------------

SEVERAL = questions(
    {"name": "correct", "comment": "required"},
    {"name": "kind", "kind": "choices", "options": [{"name": "a"}, {"name": "b"}], "when": {"correct": [False]}},
    {"name": "rating", "kind": "rating", "low": -1, "high": 1, "required": False},
    {"name": "words", "kind": "text", "evidence": "optional"},
)


def test_questions_are_answered_after_their_reasons() -> None:
    wanted = Wanted(questions=SEVERAL)
    schema = ways.get("verdicts").schema(wanted, SUBJECT)
    assert list(schema["properties"]["correct"]["properties"]) == ["comment", "answer"]
    told = heard(
        "verdicts",
        wanted,
        SUBJECT,
        {
            "correct": {"comment": "No.", "answer": False},
            "kind": {"comment": "-", "answer": ["a", "a"]},
            "rating": {"comment": "-", "answer": 1.0},
            "words": {"comment": "-", "evidence": {"document": 1, "quote": "Rayleigh"}, "answer": "Light."},
        },
    )
    answers = {one["question"]: (one["answer"], one["comment"]) for one in told.verdicts}
    assert answers == {"correct": (False, "No."), "kind": (["a"], ""), "rating": (1, ""), "words": ("Light.", "")}
    assert type(told.verdicts[2]["answer"]) is int
    assert told.verdicts[3]["evidence"]["quote"] == "Rayleigh"


def test_a_question_that_is_not_asked_after_this_answer_stays_open() -> None:
    answer = {
        "correct": {"comment": "Yes.", "answer": True},
        "kind": {"comment": "-", "answer": ["a"]},
        "rating": {"comment": "-", "answer": None},
        "words": {"comment": "-", "evidence": None, "answer": "  "},
    }
    assert [one["question"] for one in heard("verdicts", Wanted(questions=SEVERAL), SUBJECT, answer).verdicts] == [
        "correct"
    ]


def test_an_answer_outside_the_scale_does_not_fit_the_schema() -> None:
    schema = ways.get("verdicts").schema(Wanted(questions=SEVERAL[2:3]), SUBJECT)
    for wrong in (2, True, "1", 0.5):
        assert not Draft202012Validator(schema).is_valid({"rating": {"comment": "", "answer": wrong}})


# --- Steps and sentences -----------------------------------------------------------------------------

STEPS = Wanted(
    unit="step",
    questions=questions(
        {"name": "step", "kind": "rating", "low": -1, "high": 1, "scope": "unit", "stop": -1, "comment": "optional"}
    ),
)


def rated(number: int, answer: int, comment: str = "") -> dict[str, Any]:
    return {"number": number, "answers": {"step": {"comment": comment, "answer": answer}}}


def test_steps_are_judged_by_number_up_to_the_first_wrong_one() -> None:
    answer = {"units": [rated(1, 1), rated(3, 1), rated(2, -1, "Dust?")]}
    told = heard("steps", STEPS, SUBJECT, answer).verdicts
    assert [(one["start"], one["end"], one["answer"], one["comment"]) for one in told] == [
        (0, 17, 1, ""),
        (18, 46, -1, "Dust?"),
    ]


def test_the_first_answer_on_a_step_counts() -> None:
    told = heard("steps", STEPS, SUBJECT, {"units": [rated(1, 1), rated(1, -1)]}).verdicts
    assert [one["answer"] for one in told] == [1]


def test_there_is_no_step_beyond_the_last() -> None:
    schema = ways.get("steps").schema(STEPS, SUBJECT)
    assert not Draft202012Validator(schema).is_valid({"units": [rated(4, 1)]})
    assert "[3] Dust is small." in ways.get("steps").words(STEPS, SUBJECT)


def test_sentences_are_asked_against_their_documents() -> None:
    preset = Asked.model_validate(PRESETS["grounded-sentences"].asked.model_dump()).model_dump()
    wanted = Wanted("sentence", preset["critiques"], preset["questions"])
    assert [way.name for way in ways if way.fits(wanted)] == ["sentences"]
    no = {"evidence": None, "answer": False}
    answers = {"faithful": no, "reason": {"answer": "Dust."}, "correct": {"answer": False}}
    told = heard(
        "sentences",
        wanted,
        SUBJECT,
        {"units": [{"number": 2, "answers": {**answers, "contradiction": {"answer": "Atlas"}}}]},
    )
    assert [(one["question"], one["answer"], one["start"]) for one in told.verdicts] == [
        ("faithful", False, 18),
        ("reason", "Dust.", 18),
        ("correct", False, 18),
    ]


# --- Pairs -------------------------------------------------------------------------------------------

COMPARED = Wanted(axes=[{"name": "overall", "question": "Which is better?"}], strengths=3)


def preferring(preferred: str, strength: int = 2, confidence: int = 80, turned: bool = False) -> Heard:
    one = {"preferred": preferred, "strength": strength, "confidence": confidence}
    answer = {"differences": "Response 1 is right, Response 2 is not.", "axes": {"overall": one}}
    return heard("pairwise", COMPARED, replace(PAIR, turned=turned), answer)


def leaning(told: Heard) -> tuple[Any, ...]:
    (one,) = told.preferences
    return one["value"], one["both_bad"], one["probability"]


def test_a_preference_has_a_sign_a_strength_and_a_probability() -> None:
    assert leaning(preferring("1")) == (-2, False, 0.2)
    assert leaning(preferring("2", 3, 95)) == (3, False, 0.95)
    assert leaning(preferring("tie")) == (0, False, 0.5)
    assert leaning(preferring("both bad")) == (None, True, None)


def test_the_order_in_which_a_pair_was_named_is_undone() -> None:
    told = preferring("1", turned=True)
    assert leaning(told) == (2, False, 0.8)
    assert told.rationale == "Response 2 is right, Response 1 is not."


def test_what_the_scale_does_not_allow_cannot_be_answered() -> None:
    strict = replace(COMPARED, tie=False, both_bad=False, strengths=1)
    axes = ways.get("pairwise").schema(strict, PAIR)["properties"]["axes"]["properties"]
    assert axes["overall"]["properties"]["preferred"]["enum"] == ["1", "2"]
    assert axes["overall"]["properties"]["strength"]["maximum"] == 1


def test_of_several_samples_the_majority_counts_and_the_share_is_the_probability() -> None:
    samples = [preferring("2", 1), preferring("2", 3), preferring("2", 3), preferring("1")]
    assert leaning(vote(COMPARED, samples)) == (3, False, 0.75)
    assert leaning(vote(COMPARED, [preferring("2"), preferring("tie"), preferring("2")])) == (2, False, 5 / 6)
    assert leaning(vote(COMPARED, [preferring("both bad")] * 2 + [preferring("1")])) == (None, True, None)


def test_split_votes_are_a_tie_or_nothing() -> None:
    split = [preferring("1"), preferring("2")]
    assert leaning(vote(COMPARED, split)) == (0, False, 0.5)
    assert vote(replace(COMPARED, tie=False), split).preferences == []
    assert vote(COMPARED, [preferring("1"), preferring("both bad")]).preferences == []


# --- The judge on its shelf --------------------------------------------------------------------------


def test_a_served_critic_judges_every_candidate() -> None:
    """As when a model is tried out: spans without a protocol, the raw text kept where nothing could be read."""
    given = Given(1, ASK, [Candidate(7, TEXT), Candidate(8, "The sea.")])

    def answer(body: dict[str, Any], n: int) -> Step:
        if TEXT not in body["messages"][0]["content"]:
            return Step("I like it.")
        one = {"quote": "green", "comment": "No.", "polarity": "poor", "edit": "blue"}
        return said({"overall": "Wrong.", "critiques": [one]})

    with Answering(answer) as there:
        critic = judges.get("critic").open(Spec(1, "critic", f"openai:{there.url}#tiny"))
        first, second = critic.judge([given])
    assert (first.key, first.status, first.critiques[0]["start"], first.tokens) == (7, "ok", 11, 100)
    assert (second.key, second.status, second.critiques, second.raw) == (8, "unparsed", (), "I like it.")


def test_a_critic_made_for_one_way_is_asked_in_that_one_only() -> None:
    open_critic = judges.get("critic").open
    critic = open_critic(Spec(1, "critic", "openai:http://x/v1#m", config={"prompt": "verdicts"}))
    wanted = replace(SPANS, questions=questions({"name": "a"}))
    assert [way.name for way in critic.fits(wanted)] == ["verdicts"]  # type: ignore[attr-defined]
    with pytest.raises(Unusable, match="no way of asking 'poems'"):
        open_critic(Spec(1, "critic", "openai:http://x/v1#m", config={"prompt": "poems"}))


def test_an_answer_with_more_than_was_asked_is_read_without_it() -> None:
    text = '{"overall": "Fine.", "score": 9, "critiques": []}'
    assert read(text, ways.get("spans").schema(SPANS, SUBJECT)) == ({"overall": "Fine.", "critiques": []}, "repaired")
