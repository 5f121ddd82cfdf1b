"""The editor of a protocol: what its form says and shows, rows without a script, JSON, preview, saving, versions."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from django.http import HttpResponse

from curation.models import Project, Protocol, Response, Task, User
from curation.presets import PRESETS
from curation.services import protocols
from curation.views.protocol_form import Editor, arranged, flat_of
from curation.views.protocol_preview import marked, sample_of
from tests.cast import Cast, make_pairs
from tests.test_people import browser
from tests.test_protocols import RATING
from tests.test_relabelling import HARM, SAFE, revised, said, types

RICH: dict[str, Any] = {
    "guidelines": "Be **fair**.",
    "axes": [{"name": "overall", "question": "Which?"}, {"name": "safe", "question": "Which is safer?"}],
    "unit": "step",
    "critiques": {
        "on": True,
        "types": [{"name": "factual", "label": "Wrong fact", "color": "red", "key": "f"}, {"name": "style"}],
        "severities": [{"name": "minor"}, {"name": "major", "weight": 2.5}],
        "polarities": ["poor", "good"],
        "evidence": True,
    },
    "questions": [
        SAFE,
        HARM | {"when": {"safe": [False]}, "required": False},
        RATING
        | {
            "low": 0,
            "high": 1,
            "comment": "optional",
            "comment_for": [0],
            "scope": "unit",
            "stop": 0,
            "when": {"safe": [True, False]},
        },
    ],
    "help": {"mode": "reveal", "holdout": 0.125},
}


def address(cast: Cast, more: str = "") -> str:
    return f"/projects/{cast.project.slug}/protocol/{more}"


def form_of(cast: Cast, **changes: str) -> dict[str, str]:
    current = cast.project.protocol
    assert current is not None
    return {"version": str(current.version), **flat_of(protocols.values_of(current)), **changes}


def post(cast: Cast, form: dict[str, str], user: User | None = None) -> HttpResponse:
    reply: Any = browser(user or cast.mia).post(address(cast), form)
    cast.project.refresh_from_db()
    return reply


def right(values: dict[str, Any]) -> dict[str, Any]:
    return protocols.checked(protocols.fresh() | values, "preference")


# --- The form -----------------------------------------------------------------------------------------


def saved_by(preset: str) -> dict[str, Any]:
    return {name: value for name, value in PRESETS[preset].protocol().items() if name != "preset"}


@pytest.mark.parametrize("given", [RICH, *map(saved_by, PRESETS)], ids=["rich", *PRESETS])
def test_the_form_says_what_the_protocol_says(given: dict[str, Any]) -> None:
    values = protocols.values_of(Protocol(**given))
    editor = Editor(flat_of(values))
    made = editor.values()
    assert protocols.values_of(Protocol(**made)) == values
    renamed = editor.renamed()
    assert not any(renamed.pop("options").values()) and not any(renamed.values())


def test_rows_are_added_moved_and_removed_in_the_flat_fields() -> None:
    flat = flat_of(right(types("a", "b", "c")))
    names = lambda fields: [row["name"].value() for row in Editor(fields).types]  # noqa: E731
    assert names(arranged(flat, "up", "critiques.types.2")) == ["a", "c", "b"]
    assert names(arranged(flat, "down", "critiques.types.0")) == ["b", "a", "c"]
    assert names(arranged(flat, "remove", "critiques.types.1")) == ["a", "c"]
    assert names(arranged(flat, "add", "critiques.types")) == ["a", "b", "c", None]
    assert arranged(flat, "remove", "critiques.types.9") == flat == arranged(flat, "up", "nonsense")
    grown = arranged(flat_of(right(RICH)), "add", "questions.1.options")
    assert [row["name"].value() for row in Editor(grown).questions[1].options] == ["fraud", "abuse", None]


def test_a_row_in_which_nothing_is_filled_in_is_no_row() -> None:
    flat = arranged(flat_of(right(types("a"))), "add", "critiques.types")
    assert [label["name"] for label in Editor(flat).values()["critiques"]["types"]] == ["a"]


def test_the_page_needs_no_script_for_its_rows(cast: Cast) -> None:
    shown = post(cast, form_of(cast, do="add critiques.types")).content.decode()
    assert 'name="critiques.types.0.name"' in shown and cast.project.protocol.version == 1
    again = post(cast, form_of(cast, do="add questions")).content.decode()
    assert 'name="questions.0.question"' in again


def test_saving_makes_a_version_and_saving_again_makes_none(cast: Cast) -> None:
    new = {"critiques.on": "on", "critiques.types.0.name": "factual", "critiques.types.0.color": "blue"}
    assert post(cast, form_of(cast, do="save", **new))["Location"] == address(cast)
    protocol = cast.project.protocol
    assert protocol.version == 2 and protocol.critiques["types"][0] == {
        "name": "factual", "label": "", "about": "", "color": "blue", "key": "",
    }  # fmt: skip
    told = browser(cast.mia).post(address(cast), form_of(cast, do="save"), follow=True).content.decode()
    assert "Nothing was changed." in told and cast.project.protocols.count() == 2


def test_line_ends_of_guidelines_stay_plain(cast: Cast) -> None:
    post(cast, form_of(cast, do="save", guidelines="One\r\ntwo"))
    assert cast.project.protocol.guidelines == "One\ntwo"


def test_what_is_wrong_stands_at_its_field_in_the_row_where_it_was_typed(cast: Cast) -> None:
    rows = {"critiques.types.0.row": "1", "critiques.types.1.name": "fine", "critiques.types.2.name": "a|b"}
    reply = post(cast, form_of(cast, do="save", **rows))
    shown = reply.content.decode()
    assert reply.status_code == 422 and cast.project.protocol.version == 1
    assert re.search(r'id="f-critiques\.types\.2\.name_error">No \| in it', shown)
    assert re.search(r'name="critiques\.types\.2\.name"[^>]*aria-invalid="true"', shown)
    assert "critiques-asked--wrong" in shown


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        (
            {"questions.0.name": "q", "questions.0.question": "?", "questions.0.kind": "choice"},
            "Options are needed",
            "",
        ),
        ({"help.mode": "shown", "help.holdout": "150"}, "f-help.holdout_error", "100"),
        ({"axes.0.question": ""}, "f-axes.0.question_error", "Say what is asked"),
        ({"critiques.severities.0.name": "x", "critiques.severities.0.weight": "much"}, "0.weight_error", "number"),
    ],
)
def test_each_part_tells_what_is_wrong_with_it(cast: Cast, fields: dict[str, str], where: str, words: str) -> None:
    shown = post(cast, form_of(cast, do="save", **fields)).content.decode()
    assert where in shown and words in shown


def test_the_kind_of_task_is_chosen_once(cast: Cast) -> None:
    assert 'name="kind"' in browser(cast.mia).get(address(cast)).content.decode()
    assert post(cast, form_of(cast, do="save", kind="ranking")).status_code == 302
    assert cast.project.kind == "ranking"
    Project.objects.update(kind="preference")
    make_pairs(cast.project, 1)
    shown = browser(cast.mia).get(address(cast)).content.decode()
    assert 'name="kind"' not in shown and "fixed, since there are tasks" in shown
    post(cast, form_of(cast, do="save", kind="response", guidelines="New."))
    assert cast.project.kind == "preference" and cast.project.protocol.guidelines == "New."


def test_what_somebody_else_saved_meanwhile_is_not_overwritten_unasked(cast: Cast) -> None:
    mine = form_of(cast, do="save", guidelines="Mine.")
    revised(cast.project, guidelines="Theirs.")
    reply = post(cast, mine)
    shown = reply.content.decode()
    assert reply.status_code == 409 and "Somebody saved" in shown and "Mine." in shown
    assert cast.project.protocol.guidelines == "Theirs."
    assert post(cast, {**mine, "version": "2"}).status_code == 302 and cast.project.protocol.guidelines == "Mine."


# --- JSON ---------------------------------------------------------------------------------------------


def test_the_json_is_edited_applied_and_saved(cast: Cast) -> None:
    shown = post(cast, form_of(cast, do="json", **{"critiques.types.0.name": "typed"})).content.decode()
    assert "&quot;typed&quot;" in shown and 'name="guidelines"' not in shown
    text = orjson.dumps({"guidelines": "From JSON.", **types("one", "two")}).decode()
    applied = post(cast, {"version": "1", "json": text, "do": "form"}).content.decode()
    assert 'value="two"' in applied and cast.project.protocol.version == 1
    post(cast, {"version": "1", "json": text, "do": "save"})
    assert cast.project.protocol.guidelines == "From JSON." and cast.project.protocol.version == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1"),
        ("[]", "must be an object"),
        ('{"colour": 1}', "colour</code>: is not known here"),
        ('{"critiques": {"types": [{"name": "a"}, {"name": "a"}]}}', "critiques.types.1.name"),
        ('{"questions": 5}', "questions</code>: must be a list"),
        ('{"axes": null, "strengths": [], "help": "no", "critiques": 3}', "axes</code>"),
    ],
)
@pytest.mark.parametrize("do", ["form", "save", "look"])
def test_json_that_is_wrong_stays_with_what_is_wrong(cast: Cast, text: str, words: str, do: str) -> None:
    reply = post(cast, {"version": "1", "json": text, "do": do})
    assert words in reply.content.decode() and reply.status_code == (200 if do == "look" else 422)
    assert cast.project.protocol.version == 1


# --- The preview --------------------------------------------------------------------------------------


def preview(cast: Cast, **changes: str) -> str:
    reply = browser(cast.mia).post(address(cast, "preview/"), form_of(cast, **changes))
    assert reply.status_code == 200
    return reply.content.decode()


def test_the_preview_shows_the_first_task_under_what_is_typed(cast: Cast) -> None:
    assert "A made-up task" in preview(cast)
    make_pairs(cast.project, 1)
    Response.objects.filter(position=0).update(text="First sentence. Second & last.")
    cast.project.refresh_from_db()
    revised(cast.project, **RICH)
    shown = preview(cast, **{"critiques.types.0.label": "Untrue", "unit": "sentence"})
    assert '<span class="sample__mark hue--red">First sentence.</span>' in shown and "Second &amp; last." in shown
    assert "Untrue <kbd>f</kbd>" in shown and "hue--orange" in shown, "a type without a colour gets its place's"
    assert "only where “safe” is no" in shown and "12.5 %" in shown and "fair</span></strong>" in shown
    assert cast.project.protocol.version == 2


def test_the_preview_waits_while_something_is_wrong(cast: Cast) -> None:
    shown = preview(cast, **{"axes.0.name": ""})
    assert "data-waits" in shown and "axes.0.name" in shown and "sample" not in shown


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_opened_and_previewed(cast: Cast, preset: str) -> None:
    Project.objects.update(kind=PRESETS[preset].kind)
    cast.project.refresh_from_db()
    revised(cast.project, **saved_by(preset))
    assert browser(cast.mia).get(address(cast)).status_code == 200
    assert "data-waits" not in preview(cast)
    assert browser(cast.mia).get(address(cast, f"versions/{cast.project.protocol.version}/")).status_code == 200


@pytest.mark.parametrize("kind", ["response", "ranking"])
def test_a_sample_is_a_task_of_the_projects_kind(cast: Cast, kind: str) -> None:
    pair = make_pairs(cast.project, 1)[0].pair
    Task.objects.all().delete()
    Project.objects.update(kind=kind)
    cast.project.refresh_from_db()
    assert sample_of(cast.project).made_up
    on = {"response": {"response": pair.first}, "ranking": {"item": pair.item}}[kind]
    Task.objects.create(project=cast.project, kind=kind, position=0, **on)
    assert len(sample_of(cast.project).responses) == {"response": 1, "ranking": 2}[kind]
    assert "data-waits" not in preview(cast, rationale="optional")


def test_marks_stay_in_the_text_whatever_it_holds() -> None:
    html = '<p><span data-o="0">a &lt;b&gt; &amp; c</span> <strong><span data-o="12">bold</span></strong></p>'
    shown = marked(html, [(2, 14, "x")])
    assert shown == ('<p>a <span class="x">&lt;b&gt; &amp; c</span> <strong><span class="x">bo</span>ld</strong></p>')


# --- Used labels --------------------------------------------------------------------------------------


def test_a_used_label_that_goes_is_decided_on_before_anything_is_saved(cast: Cast) -> None:
    revised(cast.project, **types("wrong", "style", "spare"))
    said(cast, "wrong", "wrong", "style")
    cast.project.refresh_from_db()
    form = form_of(cast, do="save", **{"critiques.types.0.name": "factual"})
    form = {**arranged(form, "remove", "critiques.types.1"), "do": "save"}
    asked = post(cast, form).content.decode()
    assert "2 critiques" in asked and "1 critique<" in asked and "spare" not in re.findall(r"<h2.*?</h2>", asked)
    assert re.search(r'value="as:factual" selected', asked) and cast.project.protocol.version == 2
    undecided = post(cast, {**form, "decided": "1", "to:types|wrong": "as:factual"})
    assert undecided.status_code == 422 and "Choose what becomes of “style”" in undecided.content.decode()
    decided = {**form, "decided": "1", "to:types|wrong": "as:factual", "to:types|style": "split"}
    assert post(cast, decided).status_code == 302
    assert cast.project.protocol.relabelled == {"types": {"wrong": "factual", "style": None}}
    shown = browser(cast.mia).get(address(cast, "versions/3/")).content.decode()
    assert "To be looked at again" in shown and "is read as <strong>factual</strong>" in shown


def test_answers_may_keep_a_label_that_is_no_longer_asked(cast: Cast) -> None:
    revised(cast.project, **types("wrong"), questions=[HARM])
    said(cast, "wrong", verdicts=(("harm", ["fraud"]),))
    cast.project.refresh_from_db()
    text = orjson.dumps({**types("factual"), "questions": [HARM | {"options": [{"name": "abuse"}]}]}).decode()
    form = {"version": "2", "json": text, "do": "save", "decided": "1"}
    form |= {"to:types|wrong": "keep", "to:options|harm|fraud": "as:abuse"}
    assert post(cast, form).status_code == 302
    assert cast.project.protocol.relabelled == {"options": {"harm": {"fraud": "abuse"}}}


# --- Versions -----------------------------------------------------------------------------------------


def test_versions_are_listed_read_and_started_from(cast: Cast) -> None:
    revised(cast.project, **RICH)
    revised(cast.project, **types("other"))
    listed = browser(cast.mia).get(address(cast, "versions/")).content.decode()
    assert listed.index("Version 3") < listed.index("Version 1") and "<strong>factual</strong>" in listed
    shown = browser(cast.mia).get(address(cast, "versions/2/")).content.decode()
    assert "It does not change any more" in shown and "Wrong fact" in shown
    started = browser(cast.mia).get(f"{address(cast)}?from=2").content.decode()
    assert 'value="Wrong fact"' in started and 'name="version" value="3"' in started
    assert browser(cast.mia).get(address(cast, "versions/9/")).status_code == 404


def test_no_page_of_it_has_an_inline_script_or_style(cast: Cast) -> None:
    revised(cast.project, **RICH)
    for path in (address(cast), address(cast, "versions/"), address(cast, "versions/2/")):
        html = browser(cast.mia).get(path).content.decode()
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\bsrc=)", html), path
