"""The editor of a protocol in a real browser: rows by keyboard, the preview as one types, used labels, faults."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from curation.models import Project
from curation.services import protocols
from tests.browser.house import LONG
from tests.browser.test_accessibility import in_every_look, sideways
from tests.cast import Cast, make_pairs
from tests.test_protocol_page import RICH
from tests.test_relabelling import revised, said, types


def root(crew: Cast) -> str:
    return f"/projects/{crew.project.slug}/protocol/"


@pytest.fixture
def page(sign_in: Any, crew: Cast) -> Page:
    make_pairs(crew.project, 1)
    opened: Page = sign_in(crew.mia, reduced_motion="reduce").new_page()
    opened.goto(root(crew))
    return opened


def preview(page: Page) -> Locator:
    return page.get_by_role("region", name="Preview of a task")


def current(crew: Cast) -> Any:
    return Project.objects.get(pk=crew.project.pk).protocol


def test_a_type_is_added_seen_in_the_preview_and_saved_as_version_2(page: Page, crew: Cast) -> None:
    page.get_by_label("Ask for critiques").check()
    add = page.get_by_role("button", name="Add a type")
    add.focus()
    page.keyboard.press("Enter")
    row = page.get_by_role("group", name="Type 1")
    expect(row.get_by_label("Name")).to_be_focused()
    page.keyboard.type("factual")
    row.get_by_label("Colour").select_option("purple")
    row.get_by_label("Key").fill("f")
    chip = preview(page).locator(".chip", has_text="factual")
    expect(chip).to_have_class("chip hue--purple chip--chosen")
    expect(chip.locator("kbd")).to_have_text("f")
    assert current(crew).version == 1
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved as version 2")
    assert (current(crew).version, current(crew).critiques["types"][0]["color"]) == (2, "purple")
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_text("Type factual came")).to_be_visible()


def test_rows_move_and_go_by_keyboard_and_keep_the_focus(page: Page, crew: Cast) -> None:
    revised(crew.project, **types("a", "b", "c"))
    page.goto(root(crew))
    names = page.locator("[data-rows='critiques.types'] input[name$='.name']")
    values = lambda: [names.nth(n).input_value() for n in range(names.count())]  # noqa: E731
    page.get_by_role("button", name="Move type 1 down").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move type 2 down")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move type 3 up")).to_be_focused()
    assert values() == ["b", "c", "a"]
    page.get_by_role("button", name="Remove type 1").press("Enter")
    expect(names).to_have_count(2)
    expect(page.get_by_role("button", name="Remove type 1")).to_be_focused()
    names.first.press("Enter")
    assert values() == ["c", "a"] and page.url.endswith("/protocol/"), "Enter in a field sends nothing"


def test_what_does_not_apply_is_not_shown(page: Page) -> None:
    page.get_by_role("button", name="Add a question").click()
    row = page.get_by_role("group", name="Question 1")
    expect(row.get_by_label("Name")).to_be_focused()
    expect(row.get_by_label("Lowest")).to_be_hidden()
    row.get_by_label("Answered with").select_option("rating")
    expect(row.get_by_label("Lowest")).to_be_visible()
    row.get_by_label("Answered with").select_option("choices")
    expect(row.get_by_label("Lowest")).to_be_hidden()
    row.get_by_role("button", name="Add an option").click()
    expect(row.get_by_role("group", name="Option 1").get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Tasks that never show them")).to_be_hidden()
    page.get_by_label("Suggestions of models are").select_option("reveal")
    expect(page.get_by_label("Tasks that never show them")).to_be_visible()


def test_a_fault_is_told_while_typing_and_shown_at_its_field(page: Page, crew: Cast) -> None:
    question = page.get_by_role("group", name="Axis 1").get_by_label("Question")
    question.fill("")
    expect(page.locator("[data-preview-said]")).to_contain_text("axes.0.question: say what is asked")
    expect(preview(page)).to_contain_text("Which response is better?")
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("alert")).to_contain_text("One thing is not right yet.")
    expect(question).to_be_focused()
    expect(question).to_have_attribute("aria-invalid", "true")
    expect(question).to_have_accessible_description("Say what is asked.")
    question.fill("Which is kinder?")
    expect(preview(page)).to_contain_text("Which is kinder?")
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("status").first).to_contain_text("version 2")


def test_renaming_a_used_label_shows_what_it_does_first(page: Page, crew: Cast) -> None:
    revised(crew.project, **types("wrong", "style"))
    said(crew, "wrong", "wrong", "style")
    page.goto(root(crew))
    page.get_by_role("group", name="Type 1: wrong").get_by_label("Name").fill("factual")
    page.get_by_role("button", name="Remove type 2").click()
    expect(page.get_by_role("group", name="Type 2")).to_have_count(0)
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What becomes of labels that answers carry?")
    cards = page.locator(".relabel")
    expect(cards.nth(0)).to_contain_text("2 critiques")
    expect(cards.nth(1)).to_contain_text("1 critique")
    expect(cards.nth(0).get_by_label("From now on it")).to_have_value("as:factual")
    page.get_by_role("button", name="Save version 3").click()
    choice = cards.nth(1).get_by_label("From now on it")
    expect(choice).to_have_accessible_description("Choose what becomes of “style”.")
    assert not in_every_look(page), "the step is accessible in every look"
    assert current(crew).version == 2
    page.get_by_role("button", name="Back to the form").click()
    expect(page.get_by_role("group", name="Type 1").get_by_label("Name")).to_have_value("factual")
    page.get_by_role("button", name="Save protocol").click()
    choice.select_option("as:factual")
    page.get_by_role("button", name="Save version 3").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved as version 3")
    assert current(crew).relabelled == {"types": {"wrong": "factual", "style": "factual"}}


def test_the_json_and_the_form_are_two_sides_of_one_thing(page: Page, crew: Cast) -> None:
    page.get_by_label("Guidelines", exact=True).fill("Be **fair**.")
    expect(preview(page).locator("strong", has_text="fair")).to_be_visible()
    page.get_by_role("button", name="JSON").click()
    text = page.get_by_label("The protocol as JSON")
    text.fill(text.input_value().replace("Be **fair**.", "Be kind."))
    expect(preview(page)).to_contain_text("Be kind.")
    page.get_by_role("button", name="Apply to the form").click()
    expect(page.get_by_label("Guidelines", exact=True)).to_have_value("Be kind.")
    page.get_by_role("button", name="JSON").click()
    text.fill("{")
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("alert")).to_contain_text("json: line 1")


def test_a_full_protocol_is_accessible_narrow_and_in_every_look(page: Page, crew: Cast) -> None:
    rich = RICH | {"axes": [{"name": "overall", "question": LONG}], "guidelines": LONG}
    rich["critiques"] = rich["critiques"] | {"types": [{"name": f"t{n}", "label": LONG} for n in range(12)]}
    protocols.revise_protocol(project=crew.project, **rich)
    for path in (root(crew), f"{root(crew)}versions/2/", f"{root(crew)}versions/"):
        page.goto(path)
        assert not sideways(page), path
        assert not in_every_look(page), path
    page.goto(root(crew))
    page.get_by_role("group", name="Type 1: t0").get_by_label("Name").fill("a|b")
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert not in_every_look(page)


def test_the_editor_works_without_scripts(sign_in: Any, crew: Cast) -> None:
    page = sign_in(crew.mia, java_script_enabled=False).new_page()
    page.goto(root(crew))
    page.get_by_label("Ask for critiques").check()
    page.get_by_role("button", name="Add a type").click()
    page.get_by_role("group", name="Type 1").get_by_label("Name").fill("factual")
    page.get_by_role("button", name="Show how it looks").click()
    expect(preview(page).locator(".chip", has_text="factual")).to_be_visible()
    page.get_by_role("button", name="Save protocol").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved as version 2")
    assert current(crew).critiques["types"][0]["name"] == "factual"


def test_leaving_with_unsaved_changes_is_asked_about(chromium: Browser, page: Page, crew: Cast) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_label("Guidelines", exact=True).fill("Typed.")
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Versions of the protocol")
    assert asked == ["beforeunload"]
