"""Exports of Argilla 2.8.0, Label Studio 1.23.2 and doccano 1.8.4, read as protocols and rows.

The files in `tests/exports/` were written by these packages; `tests/exports/make_*.py` makes them again.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from workers.readers import Options, readers
from workers.rows import AnswerRow, ItemRow, RowError, VoteRow
from workers.switching import Plan, Wanted, opened
from workers.switching.asked import Option, Question, kind_of, protocol_of, uses_of
from workers.switching.export import Export, Unreadable
from workers.switching.fields import Field, roles_of
from workers.switching.labelling import config_of
from workers.switching.preferring import BOTH_BAD as BAD
from workers.switching.preferring import centred, preferences
from workers.switching.regions import Dialogue, Page, Plain
from workers.switching.said import Opinion, Record, Speaker

EXPORTS = Path(__file__).parent / "exports"
ANN, BOB = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")


class Read(NamedTuple):
    tool: str
    plan: Plan
    items: dict[str, ItemRow]
    left: dict[str, int]
    problems: list[RowError]


def read(path: Path, *beside: Path, tool: str = "auto", wanted: Wanted | None = None) -> Read:
    """An export with all its rows, as the reader of our own format takes them."""
    touchstone = readers.get("touchstone")
    items: dict[str, ItemRow] = {}
    problems = []
    with Export(path, longest=2**20, beside={one.name: one for one in beside}) as export:
        found, export_of = opened(export, tool, wanted)
        left = Counter(export_of.plan.left)
        for row in export_of.rows(left):
            if row.row is None:
                assert row.problem
                problems.append(row.problem)
                continue
            item = touchstone.read(row.row, Options())
            assert isinstance(item, ItemRow)
            items[str(item.external_id)] = item
    return Read(found.name, export_of.plan, items, dict(left), problems)


def votes(item: ItemRow) -> list[tuple[str, str, str, int | None]]:
    return [(one.annotator, one.kind, one.axis, one.value) for one in item.votes]


def verdicts(answer: AnswerRow) -> dict[str, Any]:
    return {one.question: one.answer for one in answer.verdicts}


def marked(answer: AnswerRow, text: str) -> list[tuple[str, str]]:
    """The words that an answer marks, with their types."""
    return [(text[one.start : one.end], one.type) for one in answer.critiques]


def answers_of(item: ItemRow, who: str) -> list[AnswerRow]:
    return [one for one in item.answers if one.annotator == who]


# --- Argilla ------------------------------------------------------------------------------------------


def test_argilla_pairs_become_an_axis_a_question_and_a_rationale() -> None:
    found = read(EXPORTS / "argilla" / "pairs")
    protocol = found.plan.protocol
    assert (found.tool, found.plan.kind) == ("argilla", "preference")
    assert (found.plan.prompts, found.plan.responses) == (("instruction",), ("response_1", "response_2"))
    assert protocol["axes"] == [{"name": "preference", "question": "Which is better?"}]
    assert (protocol["strengths"], protocol["allow_tie"], protocol["allow_both_bad"]) == (1, True, True)
    assert (protocol["rationale"], protocol["guidelines"]) == (
        "optional",
        "Choose the answer you would rather *have had*.",
    )
    (quality,) = protocol["questions"]
    assert quality | {"question": ""} == {
        "name": "quality", "question": "", "kind": "rating", "required": False, "low": 1, "high": 5,
    }  # fmt: skip
    assert quality["question"] == "How good is this response?"


def test_argilla_pairs_become_votes_and_verdicts_of_people_and_models() -> None:
    found = read(EXPORTS / "argilla" / "pairs")
    first, second, third = (found.items[name] for name in ("p1", "p2", "p3"))
    assert votes(first) == [
        (ANN, "person", "preference", -1),
        (BOB, "person", "preference", 0),
        ("judge-7b", "model", "preference", -1),
    ]
    assert first.votes[0].rationale == "The sea is not why."
    assert [(one.response, verdicts(one)) for one in answers_of(first, ANN)] == [
        (0, {"quality": 5}),
        (1, {"quality": 1}),
    ]
    assert first.metadata == {"lot": "first", "words": 4}
    assert second.votes == [VoteRow(ANN, None, both_bad=True, axis="preference")]
    assert second.context["documents"] == [{"title": "context", "text": "Seven minutes leave the yolk soft."}]
    assert not third.votes and not third.answers and [one.text for one in third.responses] == ["Hello!", "Hi 👋"]


def test_argilla_names_what_it_does_not_take() -> None:
    left = read(EXPORTS / "argilla" / "pairs").left
    assert left.pop("vectors embedding") == 1
    assert left.pop("answers of topic: it is about the whole record, not about one response") == 1
    assert left.pop("the answer 'unsure' of preference: it prefers no response") == 1
    assert left.pop("scores of suggestions for preference") == 1
    ((status, count),) = left.items()
    assert "drafts and discarded ones are taken too" in status and count == 4


def test_argilla_spans_from_the_hub_stand_at_their_code_points() -> None:
    found = read(EXPORTS / "argilla" / "spans")
    protocol, item = found.plan.protocol, found.items["s1"]
    assert found.plan.kind == "response" and protocol["unit"] == "span"
    assert protocol["critiques"]["types"] == [
        {"name": "fact", "label": "Wrong fact"},
        {"name": "style", "label": "Bad style"},
    ]
    assert [(one["name"], one["kind"]) for one in protocol["questions"]] == [
        ("correct", "yesno"),
        ("kinds", "choices"),
        ("better", "text"),
    ]
    assert [message["role"] for message in item.prompt] == ["user", "assistant", "user"]
    (answer,) = answers_of(item, ANN)
    assert marked(answer, item.responses[0].text) == [("2 million", "fact"), ("🌊", "style")]
    assert verdicts(answer) == {"correct": False, "kinds": ["short", "funny"], "better": "Ulm lies on the Danube."}


def test_argilla_drafts_and_discarded_answers_are_counted_and_not_taken() -> None:
    found = read(EXPORTS / "argilla" / "spans")
    assert [(one.annotator, one.kind) for one in found.items["s1"].answers] == [(ANN, "person"), ("critic-1", "model")]
    assert (found.left["answers that are drafts"], found.left["answers that are discarded"]) == (1, 1)


def test_argilla_suggestions_keep_the_labels_that_the_hub_writes_as_numbers() -> None:
    items = read(EXPORTS / "argilla" / "spans").items
    assert [verdicts(one)["correct"] for one in answers_of(items["s1"], "critic-1")] == [False]
    (sure,) = answers_of(items["s2"], "critic-1")
    assert verdicts(sure) == {"correct": True} and sure.score == 0.8


def test_an_argilla_answer_without_spans_says_that_nothing_is_marked() -> None:
    (answer,) = answers_of(read(EXPORTS / "argilla" / "spans").items["s2"], BOB)
    assert answer.critiques == [] and verdicts(answer) == {"correct": True}


def test_an_argilla_ranking_is_one_here() -> None:
    found = read(EXPORTS / "argilla" / "ranking")
    assert found.plan.kind == "ranking" and found.plan.protocol["axes"][0]["question"] == "Best first"
    assert [(one.annotator, one.ranks) for one in found.items["r1"].answers] == [
        (ANN, [1, 3, 2]),
        ("ranker", [2, 3, 1]),
    ]


def test_a_folder_and_its_zip_are_the_same(tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "pairs"), "zip", EXPORTS / "argilla", "pairs")
    assert read(Path(archive)).items == read(EXPORTS / "argilla" / "pairs").items


def test_the_responses_may_be_told() -> None:
    found = read(EXPORTS / "argilla" / "pairs", wanted=Wanted(responses=("response_2",)))
    assert found.plan.kind == "response" and found.items["p3"].responses[0].text == "Hi 👋"
    with pytest.raises(Unreadable, match="no field 'answer'") as told:
        read(EXPORTS / "argilla" / "pairs", wanted=Wanted(responses=("answer",)))
    assert told.value.field == "response_fields"


# --- Label Studio -------------------------------------------------------------------------------------


def test_label_studio_regions_become_critiques_with_what_is_said_of_them() -> None:
    found = read(EXPORTS / "label_studio" / "critique")
    item = found.items["1"]
    text = item.responses[0].text
    (answer,) = answers_of(item, "ann@example.org")
    assert found.plan.responses == ("answer",) and item.prompt[0]["content"] == "Where is Ulm?"
    assert marked(answer, text) == [
        ("2 million", "Wrong fact"),
        ("🌊", "style"),
        ("🌊", "Wrong fact"),
        ("Ulm", "style"),
    ]
    assert answer.critiques[3].start == text.rindex("Ulm")
    wrong = answer.critiques[0]
    assert (wrong.severity, wrong.comment) == ("major", "surely: guess\nSome 130 000.")
    assert answer.active_ms == 12_500


def test_label_studio_controls_become_questions() -> None:
    found = read(EXPORTS / "label_studio" / "critique")
    protocol = found.plan.protocol
    assert protocol["guidelines"] == "Mark errors."
    assert [one["name"] for one in protocol["critiques"]["types"]] == ["Wrong fact", "style"]
    assert protocol["critiques"]["types"][1]["label"] == "Style"
    assert [one["name"] for one in protocol["critiques"]["severities"]] == ["minor", "major"]
    assert {one["name"]: one["kind"] for one in protocol["questions"]} == {
        "correct": "yesno", "tone": "choices", "stars": "rating", "kind": "choices", "doubts": "text", "better": "text",
    }  # fmt: skip
    assert [one["name"] for one in protocol["questions"][3]["options"]] == ["Geo", "Geo / Towns", "Geo / Rivers"]
    (answer,) = answers_of(found.items["1"], "ann@example.org")
    assert verdicts(answer) == {
        "correct": False,
        "tone": ["dry", "warm"],
        "stars": 3,
        "kind": ["Geo / Towns", "Geo"],
        "doubts": "2",
        "better": "Ulm lies on the Danube.\nIt has a minster.",
    }


def test_label_studio_keeps_the_last_answer_and_counts_the_rest() -> None:
    found = read(EXPORTS / "label_studio" / "critique")
    assert [(one.annotator, verdicts(one)) for one in found.items["2"].answers] == [
        ("bob@example.org", {"correct": False})
    ]
    assert found.left == {
        "results of type relation": 1,
        "drafts": 1,
        "tasks that somebody skipped": 1,
        "earlier answers of the same person": 1,
    }


def test_label_studio_predictions_of_a_snapshot_are_suggestions() -> None:
    item = read(EXPORTS / "label_studio" / "critique").items["1"]
    (said,) = answers_of(item, "critic-2")
    assert (said.kind, said.score, marked(said, item.responses[0].text)) == ("model", 0.75, [("🌊", "style")])


def test_label_studio_pairs_become_axes_and_a_question_of_both_sides() -> None:
    found = read(EXPORTS / "label_studio" / "pairs")
    protocol = found.plan.protocol
    assert found.plan.kind == "preference" and found.plan.responses == ("first_answer", "second_answer")
    assert [axis["name"] for axis in protocol["axes"]] == ["better", "how_much"]
    assert (protocol["strengths"], protocol["allow_tie"], protocol["allow_both_bad"]) == (2, True, False)
    assert [one["name"] for one in protocol["questions"]] == ["quality"]
    first, second = found.items["3"], found.items["4"]
    assert votes(first) == [("1", "person", "better", -1), ("1", "person", "how_much", -2)]
    assert first.votes[0].rationale == "The sea is not why."
    assert [(one.response, verdicts(one)) for one in first.answers] == [(0, {"quality": 5}), (1, {"quality": 1})]
    assert votes(second) == [("2", "person", "how_much", 0)]
    assert sorted(found.left.values()) == [1, 1]
    assert any(words.startswith("predictions: the export has only their numbers") for words in found.left)


def test_label_studio_html_is_read_as_its_text() -> None:
    item = read(EXPORTS / "label_studio" / "html").items["5"]
    text = item.responses[0].text
    assert text == "Ulm 🌊\nIt lies on the Danube.\nTom & I   saw it.\nThe end."
    assert marked(item.answers[0], text) == [("Danube", "Good"), ("Tom & I   saw", "Bad"), ("🌊", "Good")]


def test_label_studio_dialogues_are_read_as_one_text() -> None:
    item = read(EXPORTS / "label_studio" / "dialogue").items["6"]
    text = item.responses[0].text
    assert text == "Guest: Good 🌞 day!\n\nHost: What do you want?"
    assert marked(item.answers[0], text) == [("What do you want", "Rude"), ("day!\n\nHost: What", "Kind")]


def test_a_label_studio_ranker_orders_the_items_of_its_list() -> None:
    found = read(EXPORTS / "label_studio" / "ranker")
    item = found.items["7"]
    assert found.plan.kind == "ranking" and [one.text for one in item.responses] == ["Seven.", "Nine.", "Two?"]
    assert item.answers[0].ranks == [2, 3, 1] and item.responses[0].metadata == {"title": "m1"}


def test_label_studio_without_its_configuration_is_read_from_the_answers() -> None:
    found = read(EXPORTS / "label_studio" / "critique" / "export.json")
    (answer,) = answers_of(found.items["1"], "ann@example.org")
    assert ("2 million", "Wrong fact") in marked(answer, found.items["1"].responses[0].text)
    assert answer.critiques[0].severity == "major" and verdicts(answer)["stars"] == 3
    assert any(words.startswith("the labelling configuration: none was given") for words in found.left)


def test_a_configuration_may_be_given_beside(tmp_path: Path) -> None:
    told = json.loads((EXPORTS / "label_studio" / "critique" / "project.json").read_text())
    (tmp_path / "config.xml").write_text(told["label_config"])
    given = read(EXPORTS / "label_studio" / "critique" / "export.json", tmp_path / "config.xml")
    assert given.items == read(EXPORTS / "label_studio" / "critique").items
    (tmp_path / "config.xml").write_text("<!DOCTYPE x><View/>")
    with pytest.raises(Unreadable, match="document type"):
        read(EXPORTS / "label_studio" / "critique" / "export.json", tmp_path / "config.xml")


def tasks(tmp_path: Path, config: str, *rows: Mapping[str, Any]) -> Read:
    """An export of Label Studio, of a configuration and tasks in the documented shape."""
    (tmp_path / "config.xml").write_text(config)
    (tmp_path / "tasks.json").write_text(json.dumps(list(rows)))
    return read(tmp_path)


SIMPLE = '<View><Text name="t" value="$text"/><Labels name="l" toName="t"><Label value="X"/></Labels></View>'


def region(start: int, end: int, text: str | None) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": ["X"]} | ({} if text is None else {"text": text})
    return {"id": "r", "from_name": "l", "to_name": "t", "type": "labels", "value": value}


@pytest.mark.parametrize(
    ("start", "end", "quote", "words"),
    [(4, 6, "bc", "bc"), (3, 5, "bc", "bc"), (4, 6, None, "bc"), (0, 2, "bc", "bc"), (2, 3, "🌊", None)],
    ids=["utf-16", "code points", "no quote", "misplaced", "not there"],
)
def test_label_studio_offsets_are_checked_against_their_text(
    tmp_path: Path, start: int, end: int, quote: str | None, words: str | None
) -> None:
    text = "👋 abcd"
    said = {"completed_by": 1, "result": [region(start, end, quote)]}
    found = tasks(tmp_path, SIMPLE, {"id": 1, "data": {"text": text}, "annotations": [said]})
    (answer,) = found.items["1"].answers
    assert marked(answer, text) == ([(words, "X")] if words else [])
    assert found.left == ({} if words else {"regions of l whose text is not at their offsets": 1})


def test_a_task_of_another_shape_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    good = {"id": 2, "data": {"text": "b"}, "annotations": []}
    found = tasks(tmp_path, SIMPLE, good, {"id": 1, "data": {"text": "a"}, "annotations": [{"result": 7}]})
    assert list(found.items) == ["2"] and "another shape" in found.problems[0].reason


def test_regions_of_pictures_and_other_objects_are_named(tmp_path: Path) -> None:
    config = (
        '<View><Image name="i" value="$image"/><Text name="t" value="$text"/><RectangleLabels name="box" toName="i">'
        '<Label value="cat"/></RectangleLabels><Choices name="c" toName="t"><Choice value="x"/></Choices></View>'
    )
    result = {"id": "r", "from_name": "box", "to_name": "i", "type": "rectanglelabels", "value": {"x": 1}}
    task = {"id": 1, "data": {"image": "x.png", "text": "a"}, "annotations": [{"completed_by": 1, "result": [result]}]}
    left = tasks(tmp_path, config, task).left
    assert left == {
        "answers of box: RectangleLabels is not about text": 0,
        "the field image: it is image": 1,
        "results of type rectanglelabels": 1,
    }


# --- doccano ------------------------------------------------------------------------------------------


def doccano(name: str, *, labels: bool = True) -> Read:
    beside = EXPORTS / "doccano" / f"{name}_label_config.json"
    return read(EXPORTS / "doccano" / f"{name}.zip", *([beside] if labels else []))


def test_doccano_spans_of_each_person_are_their_answers() -> None:
    found = doccano("spans")
    item = found.items["1"]
    text = item.responses[0].text
    assert found.plan.kind == "response"
    assert [one["name"] for one in found.plan.protocol["critiques"]["types"]] == ["river", "place"]
    assert [(one.annotator, marked(one, text)) for one in item.answers] == [
        ("ann", [("Ulm", "place"), ("Danube 🌊", "river")]),
        ("bob", [("🌊", "river")]),
    ]
    assert item.answers[0].rationale == "Which bank?" and item.metadata == {"lot": 1}
    assert [(one.annotator, one.critiques, one.rationale) for one in found.items["2"].answers] == [
        ("bob", [], "Truly nothing.")
    ]
    assert list(found.left.values()) == [1]
    assert "no label" in next(iter(found.left))


def test_doccano_relations_are_named() -> None:
    found = doccano("relations", labels=False)
    (answer,) = found.items["3"].answers
    assert marked(answer, "Ulm, Danube") == [("Ulm", "place"), ("Danube", "place")]
    assert (answer.annotator, answer.rationale) == ("imported", "A pair.")
    assert found.left["relations between spans"] == 1


def test_doccano_categories_are_a_choice_of_all_that_the_project_has() -> None:
    found = doccano("categories")
    (question,) = found.plan.protocol["questions"]
    assert question["kind"] == "choices" and [one["name"] for one in question["options"]] == [
        "good",
        "bad",
        "never used",
    ]
    assert [verdicts(one) for item in found.items.values() for one in item.answers] == [
        {"category": ["good"]},
        {"category": ["bad", "good"]},
    ]


def test_doccano_texts_are_told_from_categories() -> None:
    found = doccano("texts", labels=False)
    assert [(one["name"], one["kind"]) for one in found.plan.protocol["questions"]] == [("answer", "text")]
    assert verdicts(found.items["7"].answers[0]) == {"answer": "Good day\nHello"}


def test_doccano_intents_have_a_category_and_spans() -> None:
    found = doccano("intents", labels=False)
    (answer,) = found.items["9"].answers
    assert marked(answer, "To Ulm ✈") == [("Ulm", "City")] and verdicts(answer) == {"category": "Flight"}


# --- What words mean ----------------------------------------------------------------------------------

SIDES = ("response_a", "response_b")


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        (["A", "B", "tie"], {"A": -1, "B": 1, "tie": 0}),
        (["response_a", "response_b"], {"response_a": -1, "response_b": 1}),
        (["A>>B", "A>B", "A=B", "B>A", "B>>A"], {"A>>B": -2, "A>B": -1, "A=B": 0, "B>A": 1, "B>>A": 2}),
        (
            ["A is much better", "A is better", "A is slightly better", "About the same", "B is a bit better"],
            {"A is much better": -3, "A is better": -2, "A is slightly better": -1}
            | {"About the same": 0, "B is a bit better": 1},
        ),
        (["left", "right", "both are bad", "both good"], {"left": -1, "right": 1, "both are bad": BAD, "both good": 0}),
        (["-2", "0", "2"], {"-2": -2, "0": 0, "2": 2}),
        (["1", "2", "3", "4", "5"], {}),
        (["yes", "no"], {}),
        (["A: too long", "B: too long"], {}),
        (["physics", "cooking"], {}),
    ],
    ids=lambda value: ",".join(value)[:30] if isinstance(value, list) else "",
)  # fmt: skip
def test_options_are_a_preference_only_where_they_name_both_sides(options: list[str], meant: dict[str, Any]) -> None:
    assert preferences([(one, "") for one in options], SIDES) == meant


def test_a_scale_is_a_preference_only_where_it_is_called_one() -> None:
    assert centred("preference", [1, 2, 3, 4, 5, 6, 7])[1] == -3
    assert centred("helpfulness", [1, 2, 3, 4, 5]) == {}
    assert centred("preference", [1, 2, 3, 4]) == {}


def test_the_best_of_several_is_compared_with_each_other(tmp_path: Path) -> None:
    names = ("r1", "r2", "r3")
    use = uses_of([Question("best", "label", options=tuple(map(Option, names)))], names)
    assert (use[0].becomes, kind_of(use), use[0].values) == ("best", "preference", {"r1": 0, "r2": 1, "r3": 2})


@pytest.mark.parametrize(
    ("names", "prompts", "responses"),
    [
        (["prompt", "chosen", "rejected"], ("prompt",), ("chosen", "rejected")),
        (["instruction", "input", "output"], ("instruction", "input"), ("output",)),
        (["question", "answer_a", "answer_b", "source"], ("question", "source"), ("answer_a", "answer_b")),
        (["text"], (), ("text",)),
        (["title", "body"], ("title",), ("body",)),
    ],
)
def test_prompt_and_responses_are_told_by_their_names(
    names: list[str], prompts: tuple[str, ...], responses: tuple[str, ...]
) -> None:
    found = roles_of([Field(name) for name in names], Wanted())
    assert (found.prompts, found.responses) == (prompts, responses)


def test_a_protocol_has_no_more_than_it_may() -> None:
    questions = [Question(f"q{n}", "label", options=(Option("x"), Option("y"))) for n in range(25)]
    uses = uses_of(questions, ["response"])
    assert len(protocol_of(uses, "")["questions"]) == 20
    assert [use.why for use in uses if use.becomes == "nothing"] == ["a protocol has at most 20 questions"] * 5


def test_names_are_made_fit_and_kept_apart() -> None:
    long = "n" * 70
    options = (Option(f"{long}1"), Option(f"{long}2"), Option("a|b"))
    (use,) = uses_of([Question("skip", "label", options=options)], ["response"])
    assert use.name == "skip_" and len(set(use.values.values())) == 3
    assert all(len(name) <= 60 and "|" not in name for name in use.values.values())


# --- Regions and files --------------------------------------------------------------------------------


def test_a_place_without_quote_outside_the_text_is_none() -> None:
    assert Plain("ab").place({"start": 1, "end": 5}) is None
    assert Plain("👋").place({"start": 1, "end": 2, "text": "x"}) is None
    assert Dialogue([], "author", "text").place({"start": "0", "end": "0"}) is None


def test_offsets_that_count_line_breaks_are_known() -> None:
    page = Page("a<br>b<br>cd")
    assert page.text == "a\nb\ncd"
    for start in (2, 4):
        place = page.place({"globalOffsets": {"start": start, "end": start + 2}, "text": "cd"})
        assert place is not None and page.text[place[0] : place[1]] == "cd"


def test_a_labelling_configuration_that_is_no_xml_is_refused() -> None:
    with pytest.raises(Unreadable, match="is not XML"):
        config_of("<View>")


def test_what_no_tool_wrote_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prompt": "?", "responses": ["a", "b"]}\n')
    with pytest.raises(Unreadable, match=r"no export of Argilla, doccano, Label Studio \(it holds x.jsonl\)"):
        read(tmp_path)
    with pytest.raises(Unreadable, match="no tool 'prodigy'"):
        read(tmp_path, tool="prodigy")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("all.jsonl", b" " * 70 * 2**20)
    with Export(path, longest=2**20) as export, pytest.raises(Unreadable, match="unpacks to over 200 times"):
        export.path("all.jsonl")


def test_a_zip_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    whole = (EXPORTS / "doccano" / "spans.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:100])
    with pytest.raises(Unreadable, match="no good ZIP"):
        read(tmp_path / "cut.zip")


# --- Exports that somebody has changed ----------------------------------------------------------------


def lines(path: Path, *rows: Mapping[str, Any]) -> None:
    path.write_text("\n".join(json.dumps(row) for row in rows))


def test_two_texts_under_one_id_stay_two(tmp_path: Path) -> None:
    lines(tmp_path / "ann.jsonl", {"id": 1, "text": "a", "label": [[0, 1, "x"]], "Comments": []})
    lines(tmp_path / "bob.jsonl", {"id": 1, "text": "b", "label": [[0, 1, "y"]], "Comments": []})
    with Export(tmp_path, longest=2**20) as export:
        rows = [row.row for row in opened(export)[1].rows(Counter()) if row.row]
    assert [(row["id"], row["responses"], row["answers"][0]["annotator"]) for row in rows] == [
        (1, ["a"], "ann"),
        (1, ["b"], "bob"),
    ]


def test_doccano_labels_of_another_shape_are_refused_alone(tmp_path: Path) -> None:
    good = {"id": 2, "text": "b", "label": [[0, 1, "x"]], "Comments": []}
    lines(tmp_path / "all.jsonl", {"id": 1, "text": "a", "label": [[0, 1]], "Comments": []}, good)
    found = read(tmp_path)
    assert list(found.items) == ["2"] and found.problems[0].reason == "must be a start, an end and a label"


def test_settings_of_another_shape_are_refused(tmp_path: Path) -> None:
    shutil.copytree(EXPORTS / "argilla" / "pairs", tmp_path / "pairs")
    path = tmp_path / "pairs" / ".argilla" / "settings.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"fields": [{"title": "nameless"}]}))
    with pytest.raises(Unreadable, match="another shape than exports of Argilla"):
        read(tmp_path / "pairs")


def test_labels_without_what_no_label_may_hold() -> None:
    (use,) = uses_of([Question("q", "label", title="a\0b", options=(Option("x\0", "y\0z"),))], ["response"])
    (asked,) = protocol_of([use], "g\0")["questions"]
    assert asked["question"] == "a b" and asked["options"] == [{"name": "x", "label": "y z"}]


def test_an_answer_with_an_option_that_the_settings_lack_is_kept_and_named(tmp_path: Path) -> None:
    config = '<View><Text name="t" value="$text"/><Choices name="c" toName="t"><Choice value="x"/></Choices></View>'
    result = {"id": "r", "from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": ["new"]}}
    task = {"id": 1, "data": {"text": "a"}, "annotations": [{"completed_by": 1, "result": [result]}]}
    found = tasks(tmp_path, config, task)
    assert verdicts(found.items["1"].answers[0]) == {"c": "new"}
    assert found.left == {"the option 'new' of c in the protocol (its answers are kept)": 1}


def test_ratings_of_two_responses_without_a_preference_judge_each(tmp_path: Path) -> None:
    names = ("response_a", "response_b")
    numbers = tuple(map(Option, range(1, 6)))
    uses = uses_of(
        [Question("rating_a", "rating", options=numbers), Question("rating_b", "rating", options=numbers)], names
    )
    assert kind_of(uses) == "response" and [(use.name, use.response) for use in uses] == [("rating", 0), ("rating", 1)]


def test_a_rating_around_zero_prefers() -> None:
    (use,) = uses_of(
        [Question("score", "rating", options=tuple(map(Option, range(-3, 4))))], ("response_a", "response_b")
    )
    assert use.becomes == "axis" and (use.values[-3], use.values[0], use.values[3]) == (-3, 0, 3)


def test_left_and_right_follow_their_fields(tmp_path: Path) -> None:
    config = (
        '<View><Text name="p" value="$prompt"/><Text name="a" value="$answer_a"/><Text name="b" value="$answer_b"/>'
        '<Pairwise name="better" toName="a,b"/><RectangleLabels name="box" toName="a"/></View>'
    )
    pair = {"id": "r", "from_name": "better", "to_name": "a,b", "type": "pairwise", "value": {"selected": "right"}}
    task = {
        "id": 1,
        "data": {"prompt": "?", "answer_a": "x", "answer_b": "y"},
        "annotations": [{"completed_by": 1, "result": [pair]}],
    }
    (tmp_path / "config.xml").write_text(config)
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    turned = read(tmp_path, wanted=Wanted(responses=("answer_b", "answer_a")))
    straight = read(tmp_path)
    assert [one.text for one in turned.items["1"].responses] == ["y", "x"]
    assert (turned.items["1"].votes[0].value, straight.items["1"].votes[0].value) == (-1, 1)


def test_a_ranking_beside_a_preference_becomes_votes() -> None:
    names = ("response_1", "response_2", "response_3")
    best, order = (
        Question("best", "label", options=tuple(map(Option, names))),
        Question("order", "ranking", options=tuple(map(Option, names))),
    )
    left: Counter[str] = Counter()
    speaker = Speaker(uses_of([best, order], names), left)
    ranked = [("response_2", 1), ("response_1", 2), ("response_3", 2)]
    row = speaker.row(
        Record(1, "?", ["a", "b", "c"], opinions=[Opinion("ann", said={"best": "response_2", "order": ranked})])
    )
    assert [(one["axis"], one["first"], one["second"], one["value"]) for one in row["votes"]] == [
        ("best", 1, 0, -1), ("best", 1, 2, -1), ("order", 0, 1, 1), ("order", 0, 2, 0), ("order", 1, 2, -1),
    ]  # fmt: skip
    assert not left


def test_the_buckets_of_a_ranker_are_places_that_items_share(tmp_path: Path) -> None:
    config = (
        '<View><Text name="p" value="$prompt"/><List name="l" value="$items"/><Ranker name="rank" toName="l">'
        '<Bucket name="good"/><Bucket name="bad"/></Ranker></View>'
    )
    ranked = {"good": ["x", "z"], "bad": ["y"]}
    result = {"id": "r", "from_name": "rank", "to_name": "l", "type": "ranker", "value": {"ranker": ranked}}
    items = [{"id": name, "body": f"Answer {name}"} for name in "xyz"]
    task = {"id": 1, "data": {"prompt": "?", "items": items}, "annotations": [{"completed_by": 1, "result": [result]}]}
    found = tasks(tmp_path, config, task, task | {"id": 2, "annotations": []})
    assert found.items["1"].answers[0].ranks == [1, 2, 1] and not found.items["2"].answers


def test_spans_on_a_prompt_are_named(tmp_path: Path) -> None:
    config = (
        '<View><Text name="p" value="$prompt"/><Text name="a" value="$answer"/><Labels name="l" toName="p">'
        '<Label value="X"/></Labels><Rating name="stars" toName="a"/></View>'
    )
    marks = region(0, 1, "?") | {"to_name": "p"}
    stars = {"id": "s", "from_name": "stars", "to_name": "a", "type": "rating", "value": {"rating": 4}}
    said = {"completed_by": 1, "result": [marks, stars]}
    found = tasks(tmp_path, config, {"id": 1, "data": {"prompt": "?", "answer": "x"}, "annotations": [said]})
    assert verdicts(found.items["1"].answers[0]) == {"stars": 4}
    assert found.left == {"answers of l: it marks a text that is no response": 1}


def test_a_file_beside_does_not_take_the_place_of_the_export(tmp_path: Path) -> None:
    told = EXPORTS / "label_studio" / "critique"
    shutil.copy(told / "project.json", tmp_path / "export.json")
    given = read(told / "export.json", tmp_path / "export.json")
    assert given.items == read(told).items
