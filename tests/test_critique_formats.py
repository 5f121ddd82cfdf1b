"""Critiques go out and come back: each format holds what it says it holds, whatever the text is made of.

What a format cannot hold is told by its `held` function here, and in docs/formats.md.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.files import read_rows
from workers.readers import Options, readers, recognise
from workers.rows import AnswerRow, ComparedRow, CritiquedRow, CritiqueRow, ItemRow, RowError, VerdictRow
from workers.spans import cut
from workers.tables import Table
from workers.writers import Dropped, targets

NASTY = {
    "emoji before and inside": "A 👍🏽 good 👩‍👩‍👧‍👦 family, a 👍🏽 again 🏴󠁧󠁢󠁥󠁮󠁧󠁿.",
    "combining marks": "Cafe\u0301 is café, man\u0303ana, Z\u0351\u036fa.",
    "line ends of Windows": "one\r\ntwo\r\n\r\nthree\r\n",
    "right to left": "שלום \u202bעולם\u202c, مرحبا 123 \u200fok",
    "astral letters": "𝔘𝔫𝔦 𐍈 before, 𝔘𝔫𝔦 inside 𠀋𠀋",
    "repeated quotes": "no no no. no no, No no",
    "quotes, tabs and signs": "\"a\tb\", <i>x</i> & \\n 'c' “d” \u2028 e\u0085f",
    "Chinese": "第一句。第二句！没有空格。",
    "one letter": "x",
}
PROMPT = [{"role": "user", "content": "Why 🤔?\r\nسؤال"}]


def spans_in(text: str) -> list[tuple[int, int]]:
    """Nested, overlapping, zero wide at both ends and in the middle, the whole, and single characters."""
    size, half = len(text), len(text) // 2
    some = [(0, size), (0, half), (half // 2, size), (half, half), (0, 0), (size, size), (half, min(half + 1, size))]
    return some + [(n, n + 1) for n in range(0, size, max(1, size // 5))]


def critiques_on(text: str) -> list[CritiqueRow]:
    """Every span of the text with changing things said of it, and two critiques of the whole."""
    found = []
    for n, (start, end) in enumerate(spans_in(text)):
        found.append(
            CritiqueRow(
                start=start,
                end=end,
                quote=text[start:end],
                type=("", "Accuracy/Omission", "τύπος 👍")[n % 3],
                severity=("", "major", "leicht")[n % 3],
                polarity=(None, -1, 0, 1)[n % 4],
                comment=("", "so\r\nso", 'a "b"\t👩‍👧', "c")[n % 4],
                edit=(None, "", "𝔘 x")[n % 3],
                omission=start == end,
                evidence=({"document": 0, "start": 2, "end": 4, "quote": "é👍"}, None)[n % 2],
            )
        )
    whole = CritiqueRow(unit="response", type="missing", polarity=-1, comment="nothing on it", omission=True)
    return [*found, whole, CritiqueRow(unit="response", comment="🙂", polarity=1, edit="all new")]


VERDICTS = [
    VerdictRow("correct", False, comment="it is\r\nnot 👎"),
    VerdictRow("clarity", 4),
    VerdictRow("harm", ["Violence", "ß"], evidence={"url": "https://example.org/x"}),
    VerdictRow("tone", "stiff"),
]


def critiqued(text: str, critiques: list[CritiqueRow] | None = None, **more: Any) -> CritiquedRow:
    answer = AnswerRow(
        annotator="w 1",
        kind=more.pop("kind", "person"),
        critiques=critiques_on(text) if critiques is None else critiques,
        verdicts=more.pop("verdicts", VERDICTS),
        rationale=more.pop("rationale", "On the whole\n👍🏽"),
    )
    row = CritiquedRow(
        item="q/1",
        response_id=7,
        prompt=PROMPT,
        context={"documents": [{"title": "source", "text": "caé👍 x"}]},
        response=text,
        model="m1",
        unit="",
        units=[],
        answer=answer,
        annotation=12,
        created_at="2026-01-02T03:04:05.000000+00:00",
    )
    return replace(row, **more)


def written(format: str, row: Any) -> list[dict[str, Any]]:
    """The rows of a target as lines of JSON give them back."""
    return [orjson.loads(orjson.dumps(made)) for made in targets.get(format).rows(row)]


def read(format: str, rows: list[dict[str, Any]]) -> ItemRow:
    """An item from rows that are recognised as the format's."""
    found = recognise(rows)
    assert found is not None and found.name == format
    item = found.read_many(list(rows), Options()) if found.read_many else found.read(rows[0], Options())
    assert isinstance(item, ItemRow)
    return item


def back(format: str, row: CritiquedRow) -> ItemRow:
    return read(format, written(format, row))


# --- What each format holds of critiques ---------------------------------------------------------------


def placed(row: CritiquedRow, *, wide: bool) -> list[CritiqueRow]:
    found = [one for one in row.answer.critiques if one.start is not None and one.end is not None]
    return [one for one in found if one.start != one.end] if wide else found


def all_of_it(row: CritiquedRow) -> list[CritiqueRow]:
    return row.answer.critiques


def spans_with_types(row: CritiquedRow) -> list[CritiqueRow]:
    return [CritiqueRow(one.start, one.end, one.quote, type=one.type) for one in placed(row, wide=True)]


def good_and_poor_spans(row: CritiquedRow) -> list[CritiqueRow]:
    """Good spans before poor ones, with their comments and types; none that is white space only."""
    spans = [one for one in placed(row, wide=True) if one.quote.strip()]
    return [
        CritiqueRow(s.start, s.end, s.quote, type=s.type, polarity=p, comment=s.comment)
        for p in (1, -1)
        for s in spans
        if s.polarity == p
    ]


def all_but_unit_omission_and_evidence(row: CritiquedRow) -> list[CritiqueRow]:
    return [replace(one, unit="span", omission=False, evidence=None) for one in row.answer.critiques]


def errors(row: CritiquedRow) -> list[CritiqueRow]:
    """All but praise, as errors; a category says whether something is missing; edits are not held."""
    return [
        replace(
            one,
            polarity=-1,
            edit=None,
            omission="Omission" in one.type,
            unit="response" if one.start is None else "span",
            evidence=one.evidence and {**one.evidence},
        )
        for one in row.answer.critiques
        if one.polarity != 1
    ]


HELD: dict[str, Callable[[CritiquedRow], list[CritiqueRow]]] = {
    "w3c": all_of_it,
    "text2grad": good_and_poor_spans,
    "argilla-spans": spans_with_types,
    "label-studio": all_but_unit_omission_and_evidence,
    "doccano": spans_with_types,
    "mqm-tsv": errors,
}


def assert_held(format: str, row: CritiquedRow, item: ItemRow) -> None:
    held = HELD[format](row)
    (response,) = item.responses
    assert response.text == row.response
    assert [replace(one, anchor="") for answer in item.answers for one in answer.critiques] == held
    assert all(response.text[one.start : one.end] == one.quote for one in held if one.start is not None)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("format", HELD)
def test_critiques_come_back_as_they_went(format: str, text: str) -> None:
    row = critiqued(text)
    item = back(format, row)
    assert_held(format, row, item)
    (answer,) = item.answers
    assert answer.annotator == "w 1" and answer.kind == "person"
    assert item.responses[0].model == "m1"
    if format != "mqm-tsv":
        assert item.prompt == PROMPT


WEIRD = st.text(
    st.one_of(
        st.sampled_from("ab .,\r\n\t\"'<>\\é\u0301\u200d\u200f👍🏽👩𝔘𠀋שم\u2028\ufeff"),
        st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"),
    ),
    min_size=1,
    max_size=60,
).filter(lambda text: bool(text.strip()))


@pytest.mark.parametrize("format", HELD)
@given(data=st.data(), text=WEIRD)
@settings(max_examples=60, deadline=None)
def test_any_spans_of_any_text_come_back(format: str, data: st.DataObject, text: str) -> None:
    place = st.integers(0, len(text))
    spans = data.draw(st.lists(st.tuples(place, place), max_size=6))
    critiques = [
        CritiqueRow(min(span), max(span), text[min(span) : max(span)], type="t", polarity=(-1, 1)[n % 2], comment="c")
        for n, span in enumerate(spans)
    ]
    row = critiqued(text, critiques)
    assert_held(format, row, back(format, row))


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_model_stays_a_model(text: str) -> None:
    row = critiqued(text, kind="model")
    row = replace(row, answer=replace(row.answer, version="v2", score=0.25, active_ms=40))
    for format in ("w3c", "argilla-spans", "label-studio"):
        (answer,) = back(format, row).answers
        assert (answer.annotator, answer.kind) == ("w 1", "model")
        assert answer.score == 0.25


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_an_annotation_page_holds_a_whole_answer(text: str) -> None:
    row = critiqued(text, units=[(0, len(text.rstrip()))], unit="sentence")
    row = replace(row, answer=replace(row.answer, version="v2", score=0.25, active_ms=40, kind="program"))
    item = back("w3c", row)
    assert item.answers == [row.answer]
    assert item.context == row.context and item.external_id == "q/1"
    assert (item.responses[0].unit, item.responses[0].units) == ("sentence", row.units)


def test_an_answer_that_found_nothing_is_an_answer_all_the_same() -> None:
    row = critiqued("all good", [], verdicts=[])
    for format in ("w3c", "argilla-spans", "label-studio", "doccano", "mqm-tsv"):
        (answer,) = back(format, row).answers
        assert answer.annotator == "w 1" and answer.critiques == []


# --- Touchstone's own format -----------------------------------------------------------------------------


def as_touchstone(row: CritiquedRow) -> dict[str, Any]:
    """An item with one answer, as a file of ours has it."""
    critiques = [
        {name: getattr(one, name) for name in CritiqueRow.__dataclass_fields__ if name != "anchor"}
        for one in row.answer.critiques
    ]
    verdicts = [{name: getattr(one, name) for name in VerdictRow.__dataclass_fields__} for one in row.answer.verdicts]
    answer = {"annotator": "w 1", "critiques": critiques, "verdicts": verdicts, "rationale": row.answer.rationale}
    response = {"text": row.response, "model": row.model}
    return {"prompt": row.prompt, "responses": [response], "context": row.context, "answers": [answer]}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_an_item_of_ours_brings_its_answers(text: str) -> None:
    row = critiqued(text)
    item = read("touchstone", [orjson.loads(orjson.dumps(as_touchstone(row)))])
    assert item.answers == [row.answer] and item.responses[0].text == text


def test_steps_and_sentences_are_joined_with_their_places() -> None:
    responses = [{"steps": ["First 👍.", "Then so."]}, {"sentences": ["One. ", "Two."]}, {"sentences": ["A.", "B."]}]
    item = read("touchstone", [{"prompt": "Why?", "responses": responses}])
    assert [(one.text, one.unit) for one in item.responses] == [
        ("First 👍.\nThen so.", "step"),
        ("One. Two.", "sentence"),
        ("A. B.", "sentence"),
    ]
    assert [[one.text[start:end] for start, end in one.units] for one in item.responses] == [
        ["First 👍.", "Then so."],
        ["One.", "Two."],
        ["A.", "B."],
    ]


def test_ranks_and_an_answer_on_the_second_response() -> None:
    answers = [{"annotator": "w", "ranks": [2, 1, 1]}, {"annotator": "w", "response": 1, "critiques": [{"quote": "b"}]}]
    item = read("touchstone", [{"prompt": "?", "responses": ["a", "b b", "c"], "answers": answers}])
    assert item.answers[0].ranks == [2, 1, 1]
    (critique,) = item.answers[1].critiques
    assert (critique.start, critique.end, critique.anchor) == (0, 1, "ambiguous")


# --- Verdicts ----------------------------------------------------------------------------------------------


def units_in(text: str, parts: int = 3) -> list[tuple[int, int]]:
    """Units that have no white space at their ends."""
    bounds = [len(text) * n // parts for n in range(parts + 1)]
    units = []
    for start, end in zip(bounds, bounds[1:], strict=False):
        part = text[start:end]
        if part.strip():
            units.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return units


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_sentence_labels_come_back_with_their_evidence(text: str) -> None:
    units = units_in(text)
    evidence = {"document": 0, "start": 2, "end": 4, "quote": "é👍"}
    verdicts = []
    for n, (start, end) in enumerate(units):
        verdicts.append(VerdictRow("faithful", n % 2 == 0, start=start, end=end, evidence=None if n % 2 else evidence))
        if n % 2:
            verdicts.append(VerdictRow("reason", 'because\r\n"👍"', start=start, end=end))
        verdicts.append(VerdictRow("correct", n % 3 == 0, start=start, end=end))
    item = back("sentence-labels", critiqued(text, [], unit="sentence", units=units, verdicts=verdicts))
    assert item.answers[0].verdicts == verdicts
    assert item.responses[0].text == text and item.responses[0].units == units
    assert item.context["documents"] == [{"title": "source", "text": "caé👍 x"}] and item.prompt == PROMPT


def stepwise(text: str, answers: list[Any], units: list[tuple[int, int]] | None = None) -> CritiquedRow:
    units = units or units_in(text)
    verdicts = [VerdictRow("step", said, start=at[0], end=at[1]) for said, at in zip(answers, units, strict=False)]
    return critiqued(text, [], unit="step", units=units, verdicts=verdicts)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_completions_joined_are_the_response(text: str) -> None:
    units = units_in(text)
    row = stepwise(text, [True] * len(units))
    (made,) = written("trl-stepwise", row)
    assert list(made) == ["prompt", "completions", "labels"]
    assert "".join(made["completions"]) == text and made["labels"] == [True] * len(units)


def test_steps_come_back_where_white_space_parts_them() -> None:
    text = "First 👍.\r\nThen 𝔘.\n\n So."
    units = [(0, 8), (10, 17), (20, 23)]
    row = stepwise(text, [True, True, False], units)
    item = back("trl-stepwise", row)
    assert item.responses[0].text == text and item.responses[0].units == units
    assert item.answers[0].verdicts == row.answer.verdicts


def test_a_list_of_steps_ends_with_the_first_wrong_one() -> None:
    text = "a\nb\nc\nd"
    units = [(0, 1), (2, 3), (4, 5), (6, 7)]
    for said, labels in (
        ([1, 0, -1, 1], [True, True, False]),
        ([True, False, True, True], [True, False]),
        (["1", "-1"], [True, False]),
        ([1, 1], [True, True]),
        ([1, 1, 1, 1], [True] * 4),
    ):
        (made,) = written("trl-stepwise", stepwise(text, said, units))
        assert made["labels"] == labels and made["completions"] == ["a\n", "b\n", "c\n", "d"][: len(labels)]


def test_steps_without_white_space_between_them_come_back_on_lines() -> None:
    """The one thing that completions cannot tell: whether a separator was left out or never there."""
    text = NASTY["Chinese"]
    item = back("trl-stepwise", stepwise(text, [True] * 3, [(0, 4), (4, 8), (8, 13)]))
    assert item.responses[0].text == "第一句。\n第二句！\n没有空格。"


@given(text=WEIRD, cuts=st.sets(st.integers(1, 59), max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_text_cut_at_its_units_is_whole_again(text: str, cuts: set[int]) -> None:
    bounds = [0, *sorted(at for at in cuts if at < len(text)), len(text)]
    assert "".join(cut(text, list(zip(bounds, bounds[1:], strict=False)))) == text


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_verdict_comes_back_with_its_critique(text: str) -> None:
    row = critiqued(text)
    item = back("critique-verdict", row)
    (answer,) = item.answers
    assert answer.verdicts == [VerdictRow("correct", False, comment="it is\r\nnot 👎")]
    types = list(dict.fromkeys(one.type for one in row.answer.critiques if one.type and (one.polarity or 0) <= 0))
    kept = [one.type for one in answer.critiques]
    assert set(kept) <= set(types) and item.responses[0].text == text and item.prompt == PROMPT


@pytest.mark.parametrize("said", [True, False])
def test_a_yes_or_no_becomes_an_unpaired_preference(said: bool) -> None:
    row = critiqued("x", [], verdicts=[VerdictRow("safe", said), VerdictRow("correct", True, start=0, end=1)])
    assert written("trl-unpaired", row) == [
        {"prompt": PROMPT, "completion": [{"role": "assistant", "content": "x"}], "label": said}
    ]


COMPARED = ComparedRow(
    item="q1",
    prompt=PROMPT,
    context={},
    responses=(NASTY["emoji before and inside"], NASTY["line ends of Windows"]),
    models=("m1", "m2"),
    preferences={"helpfulness": -2.0, "harmlessness": 1.0},
    verdicts=({"safe": False, "harm": ["Violence", "Drugs"], "severity": "moderate"}, {"safe": True}),
)


def test_a_safety_pair_comes_back() -> None:
    item = read("pku-saferlhf", written("pku-saferlhf", COMPARED))
    assert tuple(one.text for one in item.responses) == COMPARED.responses
    assert {vote.axis: vote.value for vote in item.votes} == {"helpfulness": -1, "harmlessness": 1}
    said = [{one.question: one.answer for one in answer.verdicts} for answer in item.answers]
    assert said == [
        {"safe": False, "harm": ["Violence", "Drugs"], "severity": "moderate"},
        {"safe": True, "harm": [], "severity": "none"},
    ]


@pytest.mark.parametrize(
    ("format", "row", "reason"),
    [
        ("pku-saferlhf", replace(COMPARED, preferences={"helpfulness": 1.0}), "no decision on harmlessness"),
        ("pku-saferlhf", replace(COMPARED, preferences={"helpfulness": 0.0}), "a tie on helpfulness"),
        (
            "pku-saferlhf",
            replace(COMPARED, verdicts=({"safe": True, "harm": ["Odd"]}, {"safe": True})),
            "'Odd' is none",
        ),
        ("pku-saferlhf", replace(COMPARED, verdicts=({}, {})), "not judged safe"),
        ("pku-saferlhf", replace(COMPARED, verdicts=({"safe": False}, {"safe": True})), "without a severity"),
        ("trl-stepwise", critiqued("x"), "no steps"),
        ("trl-stepwise", stepwise("a b", []), "not judged"),
        ("trl-stepwise", stepwise("a b", ["maybe"]), "neither true or false"),
        ("trl-unpaired", critiqued("x", [], verdicts=[]), "no verdict"),
        ("critique-verdict", critiqued("x", [], verdicts=[]), "no verdict"),
        ("sentence-labels", critiqued("x"), "no sentences"),
        ("text2grad", critiqued("x", [], rationale=""), "no feedback"),
        ("mqm-tsv", critiqued("a <v> b"), "holds <v>"),
    ],
)
def test_what_a_target_cannot_hold_is_dropped_with_the_reason(format: str, row: Any, reason: str) -> None:
    with pytest.raises(Dropped, match=reason):
        targets.get(format).rows(row)


# --- Files ---------------------------------------------------------------------------------------------------


SENTENCE = [VerdictRow("faithful", True, start=0, end=1), VerdictRow("step", 1, start=0, end=1)]


@pytest.mark.parametrize("target", [one.name for one in targets if one.source in ("critiqued", "compared")])
def test_a_target_is_written_as_lines_and_as_parquet(target: str, tmp_path: Path) -> None:
    found = targets.get(target)
    unit = "sentence" if target == "sentence-labels" else "step"
    one = critiqued("x y", unit=unit, units=[(0, 1), (2, 3)], verdicts=[*VERDICTS, *SENTENCE])
    rows = found.rows(COMPARED if found.source == "compared" else one)
    assert set(found.columns) == set(rows[0]) and found.schema().names == list(found.columns)
    with Table(tmp_path, "train", found.schema()) as table:
        for row in rows:
            table.add(row)
    lines = [found.row for found in read_rows(tmp_path / "train.jsonl", longest=2**20)]
    assert lines == [orjson.loads(orjson.dumps(row)) for row in rows]
    again = [found.row or {} for found in read_rows(tmp_path / "train.parquet", longest=2**20)]
    if target in ("touchstone", "label-studio", "doccano", "trl-unpaired"):
        assert len(again) == len(rows)
    else:
        first, second = (read(target, [dict(row or {}) for row in each]) for each in (lines, again))
        assert first.answers == second.answers and first.responses == second.responses


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_translators_errors_survive_a_file_of_tabs(text: str, tmp_path: Path) -> None:
    row = critiqued(text)
    path = tmp_path / "mqm.tsv"
    rows = written("mqm-tsv", row)
    with path.open("w", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        sheet.writeheader()
        sheet.writerows(rows)
    found = [one.row for one in read_rows(path, longest=2**20)]
    assert_held("mqm-tsv", row, read("mqm-tsv", [dict(one or {}) for one in found]))


# --- Files of others ---------------------------------------------------------------------------------------------


def test_label_studio_counts_in_units_of_utf_16_or_in_characters() -> None:
    text = "💩This is an annotation."

    def marked(start: int, end: int, **more: Any) -> CritiqueRow:
        result = {"type": "labels", "value": {"start": start, "end": end, "labels": ["X"], **more}}
        item = read("label-studio", [{"data": {"text": text}, "annotations": [{"result": [result]}]}])
        return item.answers[0].critiques[0]

    assert marked(13, 23, text="annotation").start == 12
    assert marked(12, 22, text="annotation").start == 12
    assert marked(13, 23).quote == "annotation"
    with pytest.raises(RowError, match="the quote begins at 12") as told:
        marked(3, 13, text="annotation")
    assert told.value.field == "annotations.0.result.0.value.start"
    with pytest.raises(RowError, match="no place in the text") as told:
        marked(1, 5)
    assert told.value.field == "annotations.0.result.0.value.start"


def test_argilla_of_both_versions() -> None:
    span = [{"start": 0, "end": 1, "label": "L", "score": 0.5}]
    old = {
        "fields": {"text": "👍 x"},
        "responses": [{"user_id": "u1", "values": {"spans": {"value": span}, "rating": {"value": 3}}}],
        "suggestions": [{"question_name": "spans", "value": span, "agent": "bot"}],
    }
    new = {
        "fields": {"text": "👍 x"},
        "responses": {"spans": [{"value": span, "user_id": "u1"}], "rating": [{"value": 3, "user_id": "u1"}]},
        "suggestions": {"spans": {"value": span, "agent": "bot", "score": None}},
    }
    for row in (old, new):
        item = read("argilla-spans", [row])
        assert [(one.annotator, one.kind, one.critiques[0].quote) for one in item.answers] == [
            ("u1", "person", "👍"),
            ("bot", "model", "👍"),
        ]


def test_doccano_with_entities() -> None:
    row = {"text": "👍 x", "entities": [{"id": 1, "label": "L", "start_offset": 2, "end_offset": 3}], "relations": []}
    assert read("doccano", [row]).answers[0].critiques == [CritiqueRow(2, 3, "x", type="L")]


def test_a_web_annotation_with_a_quote_alone_is_found_by_what_is_around() -> None:
    selector = {"type": "TextQuoteSelector", "exact": "no", "prefix": "no ", "suffix": "."}
    page = {
        "type": "AnnotationPage",
        "items": [
            {
                "type": "Annotation",
                "creator": "w1",
                "body": "plain",
                "target": {"source": "urn:x", "selector": selector},
            },
            {"type": "Annotation", "creator": {"name": "m", "type": "Software"}, "target": "urn:x"},
        ],
        "touchstone": {"response": NASTY["repeated quotes"]},
    }
    first, second = read("w3c", [page]).answers
    assert (first.annotator, first.critiques) == ("w1", [CritiqueRow(6, 8, "no", comment="plain", anchor="exact")])
    assert (second.annotator, second.kind, second.critiques[0].start) == ("m", "model", None)


def test_prm800k_takes_the_chosen_completion_and_keeps_the_others() -> None:
    steps = [
        {"completions": [{"text": "a", "rating": 0}, {"text": "b", "rating": 1}], "chosen_completion": 1},
        {"completions": [{"text": "c", "rating": -1}], "human_completion": None, "chosen_completion": None},
    ]
    row = {"labeler": "l1", "question": {"problem": "P?", "ground_truth_answer": "7"}, "label": {"steps": steps}}
    item = read("trl-stepwise", [row])
    assert item.responses[0].text == "b\nc"
    assert [(one.answer, one.start, one.end) for one in item.answers[0].verdicts] == [(1, 0, 1), (-1, 2, 3)]
    assert item.answers[0].annotator == "l1" and item.metadata["ground_truth_answer"] == "7"
    assert item.metadata["alternatives"][0] == [{"text": "a", "rating": 0}]


def test_code_feedback_marks_wrong_and_improvable_code() -> None:
    row = {"prompt": "P", "response": "x = 1\ny = 2", "Code Feedback": "hm", "wrong_code": ["x = 1"]}
    item = read("text2grad", [row | {"improvement_code": ["Y  =  2", "z"]}])
    assert [(one.polarity, one.quote, one.comment, one.anchor) for one in item.answers[0].critiques] == [
        (-1, "x = 1", "", "exact"),
        (0, "y = 2", "", "normalised"),
        (0, "", "“z”", "unmatched"),
    ]


@pytest.mark.parametrize("said", ["yes", "correct", "t", "", " T", "Correct.", 1, None])
def test_no_other_word_is_a_verdict(said: Any) -> None:
    row = {"question": "P", "solution": "S", "correctness": said}
    assert recognise([row]) is None
    with pytest.raises(RowError):
        readers.get("critique-verdict").read(row, Options())


@pytest.mark.parametrize("said", ["T", "False", "Correct", "Incorrect", True])
def test_a_verdict_is_one_of_the_known_words(said: Any) -> None:
    item = read("critique-verdict", [{"question": "P", "solution": "S", "correctness": said, "reasons": "r"}])
    assert item.answers[0].verdicts[0].answer is (said in ("T", "Correct", True))


# --- What is wrong is named --------------------------------------------------------------------------------------


TEXT = "👍 no no"
OURS = {"prompt": "?", "responses": [TEXT]}
PAGE = {"type": "AnnotationPage", "touchstone": {"response": TEXT}}
MQM = {"system": "s", "doc": "d", "docSegId": "1", "rater": "r", "source": "x", "category": "c", "severity": "minor"}
SENTENCES = {"prompt": "?", "documents": ["abc"], "response": "A b. C d."}
STEPS = {"problem": "?", "steps": ["a", "b"]}


def ours(**critique: Any) -> dict[str, Any]:
    return OURS | {"answers": [{"annotator": "w", "critiques": [critique]}]}


def page(**annotation: Any) -> dict[str, Any]:
    return PAGE | {"items": [{"type": "Annotation", **annotation}]}


def selected(**selector: Any) -> dict[str, Any]:
    return page(target={"source": "x", "selector": selector})


@pytest.mark.parametrize(
    ("format", "row", "field", "reason"),
    [
        ("touchstone", ours(start=9, end=9), "answers.0.critiques.0.start", "0 to 7"),
        ("touchstone", ours(start=2, end=1), "answers.0.critiques.0.end", "from 2"),
        ("touchstone", ours(start=-1, end=1), "answers.0.critiques.0.start", "-1"),
        ("touchstone", ours(start=2), "answers.0.critiques.0.end", "missing"),
        ("touchstone", ours(start=3, end=5, quote="no"), "answers.0.critiques.0.start", "begins at 2"),
        ("touchstone", ours(start=2, end=4, quote="yes"), "answers.0.critiques.0.start", "is not in the text"),
        ("touchstone", ours(start="2", end=4), "answers.0.critiques.0.start", "whole number"),
        ("touchstone", ours(start=2, end=4, polarity=3), "answers.0.critiques.0.polarity", "-1"),
        ("touchstone", ours(type=7), "answers.0.critiques.0.type", "must be text"),
        ("touchstone", ours(type="x" * 61), "answers.0.critiques.0.type", "60"),
        ("touchstone", ours(comment="\0"), "answers.0.critiques.0.comment", "NUL"),
        ("touchstone", ours(unit="word"), "answers.0.critiques.0.unit", "span"),
        ("touchstone", ours(message=1), "answers.0.critiques.0.message", "one text"),
        ("touchstone", ours(evidence={"document": 0}), "answers.0.critiques.0.evidence.document", "there are 0"),
        ("touchstone", ours(evidence={"response": 0, "start": 0, "end": 99}),
         "answers.0.critiques.0.evidence.end", "99"),
        ("touchstone", OURS | {"answers": [{"critiques": []}]}, "answers.0.annotator", "missing"),
        ("touchstone", OURS | {"answers": [{"annotator": "w", "response": 1}]}, "answers.0.response", "0 to 0"),
        ("touchstone", OURS | {"answers": [{"annotator": "w", "ranks": [1, 2]}]}, "answers.0.ranks", "each of the 1"),
        ("touchstone", OURS | {"answers": [{"annotator": "w", "verdicts": [{"question": "q", "answer": 0.5}]}]},
         "answers.0.verdicts.0.answer", "whole number"),
        ("touchstone", OURS | {"answers": [{"annotator": "w", "verdicts": [{"answer": 1}]}]},
         "answers.0.verdicts.0.question", "missing"),
        ("touchstone", {"prompt": "?", "responses": [{"text": "ab", "units": [[0, 1], [0, 2]]}]},
         "responses.0.units.1", "overlaps"),
        ("touchstone", {"prompt": "?", "responses": [{"text": "ab", "units": [[0, 3]]}]}, "responses.0.units.0.1", "3"),
        ("touchstone", {"prompt": "?", "responses": [{"steps": ["a", " "]}]}, "responses.0.steps.1", "empty"),
        ("touchstone", OURS | {"context": {"documents": [{"title": "t"}]}}, "context.documents.0.text", "must be text"),
        ("w3c", {"type": "AnnotationPage", "items": []}, "touchstone.response", "source text"),
        ("w3c", selected(type="TextPositionSelector", start=8, end=9), "items.0.target.selector.start", "0 to 7"),
        ("w3c", selected(type="TextPositionSelector", start=1), "items.0.target.selector.end", "missing"),
        ("w3c", selected(type="XPathSelector"), "items.0.target.selector", "TextPositionSelector"),
        ("w3c", page(), "items.0.target", "missing"),
        ("w3c", page(target="x", body=[{"value": 3}]), "items.0.body.0.value", "must be text"),
        ("text2grad", {"prompt": "?", "response": TEXT, "textual_feedback": "f", "poor_spans": [3]},
         "poor_spans.0", "must be text"),
        ("text2grad", {"prompt": "?", "response": TEXT, "textual_feedback": "f", "poor_spans": ["no"],
                       "poor_offsets": [[3, 5]]}, "poor_offsets.0.0", "begins at 2"),
        ("sentence-labels", SENTENCES | {"sentences": [{"text": "C d."}, {"text": "A b.", "faithful": 1}]},
         "sentences.1.text", "does not follow"),
        ("sentence-labels", SENTENCES | {"sentences": [{"start": 0, "end": 4, "text": "A c.", "faithful": 1}]},
         "sentences.0.start", "not in the text"),
        ("sentence-labels", SENTENCES | {"sentences": [{"text": "A b.", "faithful": 2}]},
         "sentences.0.faithful", "true"),
        ("sentence-labels", SENTENCES | {"sentences": [
            {"text": "A b.", "faithful": 1, "evidence": {"document": 0, "start": 0, "end": 2, "quote": "bc"}}]},
         "sentences.0.evidence.start", "begins at 1"),
        ("trl-stepwise", {"prompt": "?", "completions": ["a", "b"], "labels": [True]}, "labels", "2 labels"),
        ("trl-stepwise", {"prompt": "?", "completions": ["a"], "labels": ["maybe"]}, "labels.0", "true or false"),
        ("first-error", STEPS | {"first_error_step": 2}, "first_error_step", "0 to 1"),
        ("first-error", STEPS | {"first_error_step": "1"}, "first_error_step", "whole number"),
        ("critique-verdict", {"prompt": "?", "response": "r", "verdict": "probably"}, "verdict", "true or false"),
        ("pku-saferlhf", {"prompt": "?", "response_0": "a", "response_1": "b", "safer_response_id": 2},
         "safer_response_id", "0 or 1"),
        ("pku-saferlhf", {"prompt": "?", "response_0": "a", "response_1": "b", "response_1_severity_level": 4},
         "response_1_severity_level", "from 0"),
        ("argilla-spans", {"fields": {"text": TEXT}, "responses": {"s": [{"value": [{"start": 0, "end": 9}]}]}},
         "responses.s.0.value.0.end", "9"),
        ("doccano", {"text": TEXT, "label": [[0, 9, "x"]]}, "label.0.1", "9"),
        ("mqm-tsv", MQM | {"target": "a </v>b<v>"}, "target", "before"),
        ("mqm-tsv", MQM | {"target": "<v>a</v> <v>b</v>"}, "target", "one error"),
        ("mqm", {"source": "s", "target": "t", "errors": [{"start": 0, "end": 4}]}, "errors.0.end", "4"),
        ("felm", {"prompt": "?", "response": "A b.", "segments": [{"text": "entirely other words", "factual": True}]},
         "segments.0.text", "not in the response"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_field(format: str, row: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(RowError) as told:
        readers.get(format).read(row, Options())
    assert told.value.field == field and reason in told.value.reason


OUTER = [
    "prompt", "question", "response", "responses", "answers", "items", "type", "data", "fields", "steps", "target",
    "source", "errors", "spans", "label", "labels", "sentences", "annotations", "text", "rater", "segments",
    "completions", "touchstone", "reviews", "first_error_step", "system", "sentence", "units", "passages",
]  # fmt: skip
INNER = [
    "start", "end", "text", "value", "result", "critiques", "quote", "annotator", "label", "labels", "selector",
    "target", "body", "steps", "units", "problem", "completions", "name", "question", "answer",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("reader", [one for one in readers if one.name != "judgements"], ids=lambda one: one.name)
@given(row=st.dictionaries(st.sampled_from(OUTER), VALUES))
@settings(max_examples=40, deadline=None)
def test_no_row_does_more_than_to_be_refused(reader: Any, row: dict[str, Any]) -> None:
    reader.detect(row)
    for read in (lambda: reader.read(row, Options()), lambda: reader.gather and reader.gather(row)):
        try:
            read()
        except RowError as problem:
            assert problem.reason
